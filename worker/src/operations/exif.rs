//! How a photo has to be turned: the tag `Orientation` of EXIF (CIPA DC-008), which JPEG files have
//! in a segment APP1, PNG files in a chunk `eXIf`, and TIFF files in themselves.
//!
//! What is damaged turns nothing: a film with a photo on its side is better than none.

/// The segments or chunks that are looked at before the search is given up.
const SEGMENTS_MAX: usize = 256;

/// The most entries of a directory.
const ENTRIES_MAX: usize = 512;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// From the picture that is shown to the one that is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::operations) struct Orientation {
    /// Columns and rows change places, before the others are looked at.
    pub(in crate::operations) transposed: bool,
    /// The stored columns begin from the right.
    pub(in crate::operations) from_right: bool,
    /// The stored rows begin from below.
    pub(in crate::operations) from_below: bool,
}

/// How the photo in `file` has to be turned.
pub(in crate::operations) fn orientation(file: &[u8]) -> Orientation {
    exif(file).and_then(tag).map(Orientation::of).unwrap_or_default()
}

/// The EXIF data in a file: a small TIFF file.
fn exif(file: &[u8]) -> Option<&[u8]> {
    match file {
        [0xff, 0xd8, ..] => in_jpeg(&file[2..]),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', chunks @ ..] => in_png(chunks),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(file),
        _ => None,
    }
}

fn in_jpeg(mut segments: &[u8]) -> Option<&[u8]> {
    for _ in 0..SEGMENTS_MAX {
        // Any number of bytes may fill up the space before a marker.
        let fill = segments.iter().position(|byte| *byte != 0xff)?.checked_sub(1)?;
        let [_, marker, high, low, ..] = segments[fill..] else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = segments[fill..].get(4..2 + length)?;
        match marker {
            0xe1 if segment.starts_with(b"Exif\0\0") => return Some(&segment[6..]),
            // The picture begins.
            0xda | 0xd9 => return None,
            _ => segments = &segments[fill + 2 + length..],
        }
    }
    None
}

fn in_png(mut chunks: &[u8]) -> Option<&[u8]> {
    for _ in 0..SEGMENTS_MAX {
        let (length, rest) = chunks.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        match kind {
            b"eXIf" => return rest.get(..length),
            b"IEND" => return None,
            _ => chunks = rest.get(length.checked_add(4)?..)?,
        }
    }
    None
}

/// The value of the tag in the first directory.
fn tag(tiff: &[u8]) -> Option<u16> {
    let is_little = match tiff.get(..4)? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let bytes: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let offset = if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let directory = usize::try_from(offset).ok()?;
    let entries = usize::from(short(directory)?).min(ENTRIES_MAX);
    let at = |nth: usize| directory.checked_add(2 + 12 * nth);
    let entry = (0..entries).filter_map(at).find(|at| short(*at) == Some(ORIENTATION))?;
    (short(entry + 2)? == SHORT).then(|| short(entry + 8))?
}

// === impl Orientation ===

impl Orientation {
    /// What a value of the tag says; those that say nothing turn nothing.
    fn of(value: u16) -> Orientation {
        let (transposed, from_right, from_below) = match value {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, false, true),
            7 => (true, true, true),
            8 => (true, true, false),
            _ => (false, false, false),
        };
        Orientation { transposed, from_right, from_below }
    }

    /// The size of the stored picture is that of the shown one, and the other way round.
    pub(in crate::operations) fn turned<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transposed { (height, width) } else { (width, height) }
    }

    /// Where in a stored picture of `width` by `height` the shown pixel at `x`, `y` is.
    pub(in crate::operations) fn stored(
        self,
        (x, y): (usize, usize),
        (width, height): (usize, usize),
    ) -> (usize, usize) {
        let (x, y) = self.turned((x, y));
        let x = if self.from_right { width - 1 - x } else { x };
        let y = if self.from_below { height - 1 - y } else { y };
        (x, y)
    }
}

#[cfg(test)]
mod tests;
