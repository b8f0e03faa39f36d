use weighbridge_instrument::{Interrupt, interruptible};

use crate::operations::Limits;
use crate::operations::codec::{Format, Raster, decode, encode};

/// Something that no format makes small.
fn noise() -> Raster {
    let mut state = 1_u32;
    let samples = (0..3 * 64 * 64).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    Raster { width: 64, height: 64, bands: 3, samples: samples.collect() }
}

fn abandoned<T>(run: impl FnOnce() -> T) -> T {
    let interrupt = Interrupt::new();
    interrupt.abandon();
    interruptible(&interrupt, run)
}

#[test]
fn an_image_that_nobody_wants_is_not_decoded() {
    for format in [Format::Jpeg, Format::Png, Format::Bmp, Format::Gif, Format::Tiff] {
        let file = encode(noise(), format).expect("it can be written");
        decode(&file, &Limits::default()).expect("it can be read");
        let error = abandoned(|| decode(&file, &Limits::default()));
        assert!(error.is_err_and(|error| error.is_abandoned()), "{format:?}");
    }
}

#[test]
fn an_image_that_nobody_wants_is_not_encoded() {
    for format in [Format::Jpeg, Format::Png, Format::Bmp, Format::Gif, Format::Tiff] {
        let error = abandoned(|| encode(noise(), format));
        assert!(error.is_err_and(|error| error.is_abandoned()), "{format:?}");
    }
}
