//! Which side of a photo is up, as cameras write it into JPEG files.
//!
//! EXIF 2.32: the segment APP1 that begins with `Exif\0\0` is a TIFF file, whose first directory
//! has the tag `Orientation`, 0x0112, of the type SHORT: 1 to 8. What is damaged or not there is
//! taken for 1.

/// How the stored rows and columns lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orientation {
    /// Rows are columns.
    pub(super) transposed: bool,
    /// The first column is on the right.
    pub(super) mirrored: bool,
    /// The first row is below.
    pub(super) flipped: bool,
}

/// So many segments are looked at.
const SEGMENTS_MAX: usize = 64;

/// So many entries of the directory are looked at.
const ENTRIES_MAX: usize = 256;

const TAG: u16 = 0x0112;
const SHORT: u16 = 3;

impl Orientation {
    /// Of an encoded image; only JPEG files have one.
    pub(super) fn of(file: &[u8]) -> Orientation {
        exif(file).and_then(of_tiff).and_then(Orientation::from_tag).unwrap_or_default()
    }

    /// The value of the tag: where the stored first row and the stored first column are seen.
    fn from_tag(tag: u16) -> Option<Orientation> {
        let (transposed, mirrored, flipped) = match tag {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => return None,
        };
        Some(Orientation { transposed, mirrored, flipped })
    }

    /// The stored column and row of what is seen at `(x, y)` of an image that is seen with
    /// `(width, height)`.
    pub(super) fn stored(
        self,
        (x, y): (usize, usize),
        (width, height): (usize, usize),
    ) -> (usize, usize) {
        let x = if self.mirrored { width - 1 - x } else { x };
        let y = if self.flipped { height - 1 - y } else { y };
        if self.transposed { (y, x) } else { (x, y) }
    }
}

/// The TIFF file in the segment of EXIF.
fn exif(file: &[u8]) -> Option<&[u8]> {
    let mut rest = file.strip_prefix(&[0xFF, 0xD8])?;
    for _ in 0..SEGMENTS_MAX {
        let [0xFF, marker, high, low, ..] = *rest else { return None };
        // What follows is the image itself.
        if matches!(marker, 0xDA | 0xD9) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (segment, after) = rest.get(2..)?.split_at_checked(length)?;
        if let Some(tiff) = segment.get(2..)?.strip_prefix(b"Exif\0\0")
            && marker == 0xE1
        {
            return Some(tiff);
        }
        rest = after;
    }
    None
}

fn of_tiff(tiff: &[u8]) -> Option<u16> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..)?.get(..2)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let first: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let first = if big { u32::from_be_bytes(first) } else { u32::from_le_bytes(first) };
    let first = usize::try_from(first).ok()?;
    let entries = usize::from(short(first)?).min(ENTRIES_MAX);
    let at = |entry: usize| first.checked_add(2 + 12 * entry);
    let tagged = (0..entries).filter_map(at).find(|&at| short(at) == Some(TAG))?;
    (short(tagged + 2)? == SHORT).then(|| short(tagged + 8)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a JPEG file with this tag.
    pub(super) fn jpeg(big: bool, tag: u16) -> Vec<u8> {
        let short = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let long = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
        let mut tiff = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        tiff.extend(long(8));
        tiff.extend(short(2));
        tiff.extend([&short(0x0100)[..], &short(3), &long(1), &short(9), &[0, 0]].concat());
        tiff.extend([&short(TAG)[..], &short(SHORT), &long(1), &short(tag), &[0, 0]].concat());
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xE1];
        file.extend((8 + tiff.len() as u16).to_be_bytes());
        file.extend(b"Exif\0\0");
        file.extend(tiff);
        file.extend([0xFF, 0xDA, 0, 2]);
        file
    }

    #[test]
    fn a_tag_is_read_in_both_byte_orders() {
        for big in [false, true] {
            for tag in 1..=8 {
                let expected = Orientation::from_tag(tag).expect("it is one");
                assert_eq!(Orientation::of(&jpeg(big, tag)), expected, "{big} {tag}");
            }
            assert_eq!(Orientation::of(&jpeg(big, 9)), Orientation::default());
        }
    }

    #[test]
    fn a_file_that_ends_early_is_upright() {
        let whole = jpeg(true, 6);
        for length in 0..whole.len() - 10 {
            assert_eq!(Orientation::of(&whole[..length]), Orientation::default(), "{length}");
        }
        assert_eq!(Orientation::of(b"\x89PNG"), Orientation::default());
    }

    #[test]
    fn the_first_stored_pixel_is_seen_where_the_standard_says() {
        // Of an image that is seen with 3 columns and 2 rows.
        let corners = [(0, 0), (2, 0), (2, 1), (0, 1), (0, 0), (2, 0), (2, 1), (0, 1)];
        for (tag, seen) in (1..=8).zip(corners) {
            let orientation = Orientation::from_tag(tag).expect("it is one");
            assert_eq!(orientation.stored(seen, (3, 2)), (0, 0), "{tag}");
        }
        // 6: the stored first row is seen on the right, its first column on top.
        let right = Orientation::from_tag(6).expect("it is one");
        assert_eq!(right.stored((2, 1), (3, 2)), (1, 0));
        assert_eq!(right.stored((0, 0), (3, 2)), (0, 2));
    }
}
