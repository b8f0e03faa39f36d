//! Work that is no longer wanted.

use weighbridge_jpeg::{DecodeError, EncodeError, Image, Limits, Quality, Stopped, decode, encode};

use super::writer::{Picture, Script};

/// A checkpoint that stops at its `n`-th call, and counts them.
fn stop_at(n: usize, calls: &mut usize) -> impl FnMut() -> Result<(), Stopped> {
    move || {
        *calls += 1;
        if *calls == n { Err(Stopped) } else { Ok(()) }
    }
}

fn image() -> Image {
    let samples = (0..400 * 300 * 3_u64).map(|i| (i * i / 7 % 251) as u8).collect();
    Image { width: 400, height: 300, bands: 3, samples }
}

#[test]
fn decoding_stops_at_any_checkpoint() {
    let mut picture = Picture::new(1, (300, 200), &[(2, 2), (1, 1), (1, 1)], 3);
    for progressive in [false, true] {
        picture.progressive = progressive;
        let scripts = if progressive { Script::progressive } else { Script::sequential };
        let file = picture.file(&scripts(&[&[0, 1, 2]], 0));
        let mut calls = 0;
        decode(&file, &Limits::default(), &mut stop_at(0, &mut calls)).unwrap();
        assert!(10 < calls, "{calls} checkpoints");
        for n in 1..=calls {
            let stopped = decode(&file, &Limits::default(), &mut stop_at(n, &mut 0));
            assert_eq!(stopped, Err(DecodeError::Stopped(Stopped)));
        }
    }
}

#[test]
fn encoding_stops_at_any_checkpoint() {
    let mut calls = 0;
    encode(&image(), Quality::default(), &mut stop_at(0, &mut calls)).unwrap();
    assert!(10 < calls, "{calls} checkpoints");
    for n in 1..=calls {
        let stopped = encode(&image(), Quality::default(), &mut stop_at(n, &mut 0));
        assert_eq!(stopped, Err(EncodeError::Stopped(Stopped)));
    }
}
