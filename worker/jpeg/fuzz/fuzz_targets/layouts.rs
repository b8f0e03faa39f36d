//! Files of any layout, cut into any scans, with or without restarts.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

mod libjpeg;
#[path = "../../tests/it/writer.rs"]
#[allow(dead_code)]
mod writer;

use writer::{Picture, Script};

#[derive(Debug, Arbitrary)]
struct Layout {
    seed: u32,
    size: (u8, u8),
    sampling: [(u8, u8); 3],
    gray: bool,
    progressive: bool,
    groups: u8,
    restart: u8,
    amplitude: u8,
    /// How many scans are written.
    scans: u8,
}

const GROUPS: [&[&[usize]]; 6] = [
    &[&[0, 1, 2]],
    &[&[0], &[1], &[2]],
    &[&[2], &[0], &[1]],
    &[&[0], &[1, 2]],
    &[&[1, 2], &[0]],
    &[&[0, 2], &[1]],
];

fuzz_target!(|layout: Layout| {
    let side = |side: u8| 1 + usize::from(side % 100);
    let factor = |factor: u8| 1 + usize::from(factor % 4);
    let sampling = layout.sampling.map(|(wide, high)| (factor(wide), factor(high)));
    let n = if layout.gray { 1 } else { 3 };
    let amplitude = 1 + i32::from(layout.amplitude % 40);
    let size = (side(layout.size.0), side(layout.size.1));
    let mut picture = Picture::new(layout.seed, size, &sampling[..n], amplitude);
    picture.progressive = layout.progressive;
    let groups = if layout.gray { &[&[0][..]][..] } else { GROUPS[usize::from(layout.groups % 6)] };
    let restart = usize::from(layout.restart % 12);
    let mut scripts = if layout.progressive {
        Script::progressive(groups, restart)
    } else {
        Script::sequential(groups, restart)
    };
    scripts.truncate(scripts.len() - usize::from(layout.scans) % scripts.len());
    let _ = libjpeg::compare(&picture.file(&scripts));
});
