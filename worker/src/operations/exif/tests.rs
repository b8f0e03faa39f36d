use super::*;

/// EXIF data that says `value`, behind another entry.
fn tiff(value: u16, is_little: bool) -> Vec<u8> {
    let short = |n: u16| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
    let long = |n: u32| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
    let mut tiff = if is_little { b"II".to_vec() } else { b"MM".to_vec() };
    tiff.extend(short(42));
    tiff.extend(long(10));
    tiff.extend([7, 7]);
    tiff.extend(short(2));
    for (tag, value) in [(0x010f, 9), (ORIENTATION, value)] {
        tiff.extend(short(tag));
        tiff.extend(short(SHORT));
        tiff.extend(long(1));
        tiff.extend(short(value));
        tiff.extend([0, 0]);
    }
    tiff.extend(long(0));
    tiff
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker][..], &length, content].concat()
}

fn jpeg(exif: &[u8]) -> Vec<u8> {
    let exif = [b"Exif\0\0", exif].concat();
    let others = [segment(0xe0, b"JFIF\0"), segment(0xe1, b"http://ns.adobe.com/"), vec![0xff]];
    [&[0xff, 0xd8][..], &others.concat(), &segment(0xe1, &exif), &[0xff, 0xda, 0, 2]].concat()
}

fn png(exif: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, &[0; 4]].concat()
    };
    let chunks = [chunk(b"IHDR", &[0; 13]), chunk(b"eXIf", exif), chunk(b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n", &chunks[..]].concat()
}

#[test]
fn each_format_says_how_it_is_turned() {
    for is_little in [true, false] {
        for value in 1..=8 {
            let tiff = tiff(value, is_little);
            for file in [jpeg(&tiff), png(&tiff), tiff] {
                assert_eq!(orientation(&file), Orientation::of(value), "{value}");
            }
        }
    }
}

#[test]
fn what_is_damaged_turns_nothing() {
    let whole = [jpeg(&tiff(6, true)), png(&tiff(6, false)), tiff(6, true), b"GIF89a".to_vec()];
    for file in whole {
        for length in 0..file.len() {
            let mut flipped = file.clone();
            flipped[length] ^= 0xff;
            // Whatever it says, it ends.
            orientation(&file[..length]);
            orientation(&flipped);
        }
    }
    for value in [0, 9, 0xffff] {
        assert_eq!(orientation(&jpeg(&tiff(value, true))), Orientation::default());
    }
}

/// The picture `F` of three columns and four rows, as each value of the tag has it stored: the
/// example of the standard.
#[test]
fn every_orientation_shows_the_same() {
    let shown = ["###", "#..", "##.", "#.."];
    let stored: [&[&str]; 8] = [
        &["###", "#..", "##.", "#.."],
        &["###", "..#", ".##", "..#"],
        &["..#", ".##", "..#", "###"],
        &["#..", "##.", "#..", "###"],
        &["####", "#.#.", "#..."],
        &["#...", "#.#.", "####"],
        &["...#", ".#.#", "####"],
        &["####", ".#.#", "...#"],
    ];
    for (stored, value) in stored.iter().zip(1..) {
        let orientation = Orientation::of(value);
        let size = (stored[0].len(), stored.len());
        assert_eq!(orientation.turned(size), (3, 4), "{value}");
        for (y, row) in shown.iter().enumerate() {
            for (x, pixel) in row.bytes().enumerate() {
                let at = orientation.stored((x, y), size);
                assert_eq!(stored[at.1].as_bytes()[at.0], pixel, "{value}: {x}, {y}");
            }
        }
    }
}
