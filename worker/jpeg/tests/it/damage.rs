//! What is cut off, lost or added: libjpeg goes on as well as it can, and so do we.

use super::writer::{Picture, Script};
use super::{decode, hash};

/// What was done to a file.
type Damage = fn(&mut Vec<u8>);

const Y_AND_CHROMA: &[&[usize]] = &[&[0], &[1, 2]];
const TOGETHER: &[&[usize]] = &[&[0, 1, 2]];

/// Changes to a file with restarts, and what becomes of one in a single scan, in two scans, and
/// bit by bit.
const DAMAGES: [(&str, Damage, [u64; 3]); 12] = [
    (
        "without an end",
        |file| file.truncate(file.len() - 2),
        [0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936],
    ),
    (
        "the last tenth is missing",
        |file| file.truncate(file.len() * 9 / 10),
        [0x5552_c72f_ad87_cadc, 0x7a73_07e8_c8c5_7fe3, 0x2779_9a29_341e_8b3d],
    ),
    (
        "half is missing",
        |file| file.truncate(file.len() / 2),
        [0xe1fc_80e4_f63e_a728, 0x2184_dc75_1f1a_9bcb, 0x0e3a_da69_85de_b895],
    ),
    (
        "a restart is missing",
        |file| drop(file.drain(restart(file, 5))),
        [0xf13f_b716_dcef_d49e, 0x6405_7853_5f6e_e67e, 0xaccc_48f6_75b4_7855],
    ),
    (
        "restarts and data are missing",
        lose_segments,
        [0xe850_c203_e92c_61d5, 0xc079_4e64_26fa_494f, 0x8a16_ce37_15f1_fd01],
    ),
    (
        "a restart comes twice",
        |file| repeat(file, restart(file, 4)),
        [0x6827_b424_1e7b_430b, 0x6d09_215b_0990_c7fb, 0x5f0b_eec1_0094_927c],
    ),
    (
        "a restart has a number near by",
        |file| renumber(file, 2),
        [0xf4c1_2abb_a0c9_5831, 0xf97d_8cdd_ed94_767f, 0x38ca_8936_a3c0_a006],
    ),
    (
        "a restart has a number of before",
        |file| renumber(file, 7),
        [0xf4c1_2abb_a0c9_5831, 0x3299_1d7b_4019_fb2d, 0x38ca_8936_a3c0_a006],
    ),
    (
        "a restart has any number",
        |file| renumber(file, 4),
        [0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936],
    ),
    (
        "bytes are added before a restart",
        add_bytes,
        [0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936],
    ),
    (
        "filling before a restart",
        add_filling,
        [0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936, 0x7b43_7c1d_db77_2936],
    ),
    (
        "a bit is wrong",
        |file| flip(file),
        [0x78be_362b_6c70_61a8, 0x2a99_5652_b5b9_92f7, 0x8fb4_5158_6e70_106f],
    ),
];

/// The files with all damages, in the order of the table.
pub(crate) fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (_, damage, _) in DAMAGES {
        for (groups, progressive) in [(TOGETHER, false), (Y_AND_CHROMA, false), (TOGETHER, true)] {
            let mut picture = Picture::new(7, (70, 90), &[(2, 2), (1, 1), (1, 1)], 9);
            picture.progressive = progressive;
            let scripts = if progressive { Script::progressive } else { Script::sequential };
            let mut file = picture.file(&scripts(groups, 4));
            damage(&mut file);
            files.push(file);
        }
    }
    files
}

#[test]
fn damaged_files_look_as_with_libjpeg() {
    let expected = DAMAGES.iter().flat_map(|(name, _, hashes)| hashes.map(|hash| (name, hash)));
    for (file, (name, expected)) in files().iter().zip(expected) {
        let image = decode(file).unwrap();
        assert_eq!(hash(&image.samples), expected, "{name}");
    }
}

/// Progressive files that end after each of their scans.
pub(crate) fn unfinished_files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (sampling, size) in [
        (&[(2, 2), (1, 1), (1, 1)][..], (75, 60)),
        (&[(1, 1)], (40, 33)),
        (&[(1, 2), (1, 1), (1, 1)], (9, 40)),
    ] {
        let mut picture = Picture::new(3, size, sampling, 20);
        picture.progressive = true;
        let groups: &[&[usize]] = if sampling.len() == 1 { &[&[0]] } else { TOGETHER };
        let scripts = Script::progressive(groups, 0);
        files.extend((1..scripts.len()).map(|n| picture.file(&scripts[..n])));
    }
    files
}

/// All of them, one after the other.
const UNFINISHED: u64 = 0xcc12_274f_1e68_6c78;

#[test]
fn unfinished_progressive_files_are_smoothed() {
    let images =
        unfinished_files().iter().map(|file| decode(file).unwrap().samples).collect::<Vec<_>>();
    assert_eq!(hash(&images.concat()), UNFINISHED);
}

#[test]
fn what_ends_before_its_image_has_none() {
    let picture = Picture::new(1, (20, 20), &[(1, 1)], 6);
    let head = picture.head();
    for n in 0..head.len() {
        assert!(decode(&head[..n]).is_err(), "{n} bytes");
    }
}

/// Where the `n`-th restart is.
fn restart(file: &[u8], n: usize) -> std::ops::Range<usize> {
    let mut restarts = file
        .windows(2)
        .enumerate()
        .filter(|(_, bytes)| bytes[0] == 0xFF && (0xD0..=0xD7).contains(&bytes[1]));
    let (start, _) = restarts.nth(n).unwrap();
    start..start + 2
}

fn repeat(file: &mut Vec<u8>, bytes: std::ops::Range<usize>) {
    let copy = file[bytes.clone()].to_vec();
    file.splice(bytes.start..bytes.start, copy);
}

fn renumber(file: &mut [u8], by: u8) {
    let at = restart(file, 6).start + 1;
    file[at] = 0xD0 + (file[at] - 0xD0 + by) % 8;
}

fn lose_segments(file: &mut Vec<u8>) {
    let (from, to) = (restart(file, 2).start, restart(file, 4).start);
    file.drain(from..to);
}

fn add_bytes(file: &mut Vec<u8>) {
    let at = restart(file, 3).start;
    file.splice(at..at, [0x12, 0x34, 0x56]);
}

fn add_filling(file: &mut Vec<u8>) {
    let at = restart(file, 3).start;
    file.splice(at..at, [0xFF, 0xFF, 0xFF]);
}

fn flip(file: &mut [u8]) {
    let at = restart(file, 3).start - 9;
    file[at] ^= 0x10;
}
