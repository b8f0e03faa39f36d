//! What a film costs in counts, though a library in C++ makes its frames.

use std::fmt::Display;

use weighbridge_instrument::{Meter, prepare};

use super::{Form, make};

/// The instructions of a film.
fn instructions(form: &Form) -> u64 {
    prepare();
    let meter = Meter::start();
    let made = make(form);
    let cost = meter.stop();
    assert!(made.is_ok(), "{made:?}");
    cost.instructions.expect("the worker counts")
}

fn film(seconds: impl Display, fade: impl Display) -> Form {
    let photos = [40, 60].map(|side| crate::fixture::png(side, side));
    let form = photos.iter().fold(Form::default().size(320, 180), |form, photo| form.photo(photo));
    form.text("seconds", seconds.to_string()).text("fade", fade.to_string())
}

#[test]
fn frames_are_counted_though_others_make_them() {
    let short = instructions(&film(1, 0));
    let long = instructions(&film(5, 0));
    // 200 frames more, of 240 macroblocks each.
    assert!(short + 200 * 240 * 500 < long, "{short} {long}");
    // 150 frames of two photos, of which 100 fade in the second.
    let (stands, faded) = (instructions(&film(3, 0)), instructions(&film(1, 4)));
    assert!(stands < faded, "a frame of a fade is more work: {stands} {faded}");
    assert_eq!(instructions(&film(1, 4)), faded, "from run to run");
}
