//! Boxes: a length, four letters, and what is in them.

/// A box.
pub(super) fn boxed(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend(kind);
    for part in parts {
        bytes.extend(*part);
    }
    bytes
}

/// A box with a version and flags.
pub(super) fn full(kind: [u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = numbers(&[(u32::from(version) << 24) | flags]);
    boxed(kind, &[&[&head[..]], parts].concat())
}

/// Numbers of 32 bits.
pub(super) fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Numbers of 16 bits.
pub(super) fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}
