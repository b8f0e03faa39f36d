//! What the components are, and which files are refused.

use weighbridge_jpeg::{DecodeError, Limits};

use super::writer::{JFIF, Picture, Script, adobe, segment};
use super::{decode, hash};

const ALL3: &[&[usize]] = &[&[0, 1, 2]];
const ALL4: &[&[usize]] = &[&[0, 1, 2, 3]];

/// Files whose markers or names say what their components are, and the pixels of libjpeg; of four
/// inks, those of white paper under them.
pub(crate) fn files() -> Vec<(Vec<u8>, u64)> {
    let mut files = Vec::new();
    let mut add = |applications: Vec<u8>, ids: &[u8], n: usize, expected: u64| {
        let sampling = [(2, 2), (1, 1), (1, 1), (2, 2)];
        let mut picture = Picture::new(5, (41, 23), &sampling[..n], 6);
        picture.applications = applications;
        picture.ids = ids.to_vec();
        files.push((
            picture.file(&Script::sequential(if n == 3 { ALL3 } else { ALL4 }, 0)),
            expected,
        ));
    };
    add(JFIF.to_vec(), &[1, 2, 3], 3, 0xf740_eda0_71a5_252b);
    add(Vec::new(), &[1, 2, 3], 3, 0xf740_eda0_71a5_252b);
    add(Vec::new(), &[0, 1, 2], 3, 0xf740_eda0_71a5_252b);
    add(Vec::new(), &[7, 7, 7], 3, 0xf740_eda0_71a5_252b);
    add(adobe(1), &[1, 2, 3], 3, 0xf740_eda0_71a5_252b);
    add([JFIF, &adobe(0)].concat(), &[1, 2, 3], 3, 0xf740_eda0_71a5_252b);
    add(adobe(0), &[1, 2, 3], 3, 0xc0a1_c349_b77f_8b29);
    add(Vec::new(), b"RGB", 3, 0xc0a1_c349_b77f_8b29);
    add(adobe(0), &[1, 2, 3, 4], 4, 0xbf4f_c7c0_74c6_c6c0);
    add(adobe(2), &[1, 2, 3, 4], 4, 0x4191_99d0_e282_b876);
    add(JFIF.to_vec(), &[1, 2, 3, 4], 4, 0xea5c_85c5_f75c_fbdb);
    files
}

#[test]
fn markers_and_names_tell_the_colours() {
    for (i, (file, expected)) in files().into_iter().enumerate() {
        assert_eq!(hash(&decode(&file).unwrap().samples), expected, "file {i}");
    }
}

/// A file that libjpeg needs only its tables for.
fn usual() -> Picture {
    Picture::new(1, (20, 20), &[(1, 1), (1, 1), (1, 1)], 6)
}

fn refused(file: &[u8]) -> String {
    decode(file).expect_err("it is refused").to_string()
}

#[test]
fn what_is_not_supported_says_what_it_is() {
    let supported = "are not supported; supported are baseline, extended sequential and \
                     progressive ones, Huffman-coded, with 8 bits a sample and 1, 3 or 4 components";
    let file = usual().file(&Script::sequential(ALL3, 0));
    let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    for (marker, kind) in [
        (0xC3, "without loss (the lossless process)"),
        (0xC5, "in a hierarchy of sizes"),
        (0xC9, "with arithmetic coding"),
        (0xCA, "with arithmetic coding"),
        (0xCB, "with arithmetic coding"),
        (0xCD, "in a hierarchy of sizes"),
        (0xDE, "in a hierarchy of sizes"),
        (0xF7, "of the JPEG-LS format"),
    ] {
        let mut file = file.clone();
        file[frame + 1] = marker;
        assert_eq!(refused(&file), format!("JPEG files {kind} {supported}"));
    }
    for (place, value, kind) in [
        (4, 12, "with `12` bits a sample"),
        (6, 0, "that tell their height behind the pixels"),
        (9, 2, "with `2` components"),
        (9, 5, "with `5` components"),
    ] {
        let mut file = file.clone();
        file[frame + place] = value;
        assert_eq!(refused(&file), format!("JPEG files {kind} {supported}"));
    }
}

#[test]
fn what_contradicts_itself_is_damaged() {
    let picture = usual();
    let [head, scan] = [picture.head(), picture.scan(&Script::sequential(ALL3, 0)[0])];
    let frame = segment(0xC0, &[8, 0, 20, 0, 20, 1, 1, 0x11, 0]);
    let wide = segment(0xC0, &[8, 0, 20, 0, 20, 1, 1, 0x51, 0]);
    let strange = segment(0xC4, &[0x10, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    let sizes = segment(0xC4, &[0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]);
    let open = [0xFF, 0xD8];
    for (parts, what) in [
        (&[&head[..], &frame, &scan][..], "it has several frames"),
        (&[&open, &scan], "a scan has no frame"),
        (&[&open, &wide, &scan], "a sampling factor is not `1` to `4`"),
        (&[&head, &open, &scan], "it begins a second time"),
        (&[&head, &[0xFF, 0x02, 0, 2], &scan], "it has an unknown marker"),
        (&[&head, &strange, &scan], "a Huffman table has more codes than bits"),
        (&[&head, &sizes, &scan], "a Huffman table has sizes over `15`"),
        (&[&head], "it ends before its image begins"),
    ] {
        assert_eq!(refused(&parts.concat()), format!("the JPEG file is damaged: {what}"));
    }
    assert_eq!(decode(b"GIF89a"), Err(DecodeError::NotJpeg));
}

#[test]
fn a_faulty_table_that_is_not_used_does_no_harm() {
    let picture = usual();
    let unused = segment(0xC4, &[0x13, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    let scan = picture.scan(&Script::sequential(ALL3, 0)[0]);
    let expected = decode(&picture.file(&Script::sequential(ALL3, 0))).unwrap();
    assert_eq!(decode(&[picture.head(), unused, scan].concat()), Ok(expected));
}

#[test]
fn limits_are_checked() {
    let file = usual().file(&Script::sequential(&[&[0], &[1], &[2]], 0));
    let decode = |limits| weighbridge_jpeg::decode(&file, &limits, &mut || Ok(()));
    let limits = Limits { pixels: 400, scans: 3 };
    assert!(decode(limits).is_ok());
    assert_eq!(
        decode(Limits { pixels: 399, ..limits }),
        Err(DecodeError::TooManyPixels { width: 20, height: 20, limit: 399 })
    );
    assert_eq!(decode(Limits { scans: 2, ..limits }), Err(DecodeError::TooManyScans(2)));
}

#[test]
fn what_follows_the_image_does_not_matter() {
    let picture = usual();
    let expected = decode(&picture.file(&Script::sequential(ALL3, 0))).unwrap();
    for more in [&b"\xFF\xD9 and more"[..], b"", b"\xFF\x02\0\x09", b"\xFF\xDA\0\x02"] {
        let scan = picture.scan(&Script::sequential(ALL3, 0)[0]);
        assert_eq!(decode(&[&picture.head(), &scan, more].concat()), Ok(expected.clone()));
    }
}

#[test]
fn divisors_are_those_at_the_first_scan_of_a_component() {
    let picture = usual();
    let scripts = Script::sequential(&[&[0], &[1], &[2]], 0);
    let scans: Vec<Vec<u8>> = scripts.iter().map(|script| picture.scan(script)).collect();
    let expected = decode(&picture.file(&scripts)).unwrap();
    let other = segment(0xDB, &[[0].as_slice(), &[9; 64]].concat());
    let file =
        [picture.head(), scans[0].clone(), other.clone(), scans[1].clone(), scans[2].clone()];
    assert_eq!(decode(&file.concat()), Ok(expected.clone()));
    let file = [picture.head(), other, scans.concat()];
    assert_ne!(decode(&file.concat()), Ok(expected));
}
