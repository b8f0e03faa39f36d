use super::*;

/// A tone keeps its pitch and volume, and begins at once.
#[test]
fn a_tone_stays_what_it_is() {
    for rate in [8_000, 22_050, 44_100, 48_000, 96_000, 384_000] {
        let tone = |at: f64| (2.0 * PI * 440.0 * at).sin();
        let mut resampler = Resampler::new(rate, 2);
        let mut frame = [0.0; 2];
        let mut given = 0..;
        let mut worst = 0.0_f64;
        for nth in 0..4800 {
            while !resampler.frame(&mut frame) {
                let sample = tone(f64::from(given.next().unwrap()) / f64::from(rate)) as f32;
                resampler.input().extend([sample, -sample]);
            }
            assert!((frame[0] + frame[1]).abs() < 1e-6);
            // What was silent before the beginning is heard for as long as the filter reaches.
            if 500 < nth {
                worst = worst.max((f64::from(frame[0]) - tone(f64::from(nth) / 48_000.0)).abs());
            }
        }
        assert!(worst < 0.01, "{rate}: {worst}");
    }
}

/// What is too high for the result is not heard as something else.
#[test]
fn what_is_too_high_is_left_out() {
    let mut resampler = Resampler::new(192_000, 1);
    let mut frame = [0.0];
    let mut given = 0..;
    for nth in 0..2400 {
        while !resampler.frame(&mut frame) {
            let at = f64::from(given.next().unwrap()) / 192_000.0;
            resampler.input().push((2.0 * PI * 30_000.0 * at).sin() as f32);
        }
        assert!(nth < 500 || frame[0].abs() < 0.01, "{}", frame[0]);
    }
}
