use super::*;

fn settings(width: u32, height: u32) -> Settings {
    Settings { width, height, ..Settings::default() }
}

fn flat(colour: [u8; 3], width: usize, height: usize) -> Raster {
    Raster { width, height, bands: 3, samples: colour.repeat(width * height) }
}

/// Y, Cb and Cr, as the formula of BT.709 has them.
fn exact([red, green, blue]: [u8; 3]) -> [f64; 3] {
    let [red, green, blue] = [red, green, blue].map(|sample| f64::from(sample) / 255.0);
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let (cb, cr) = ((blue - luma) / 1.8556, (red - luma) / 1.5748);
    [16.0 + 219.0 * luma, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr]
}

#[test]
fn colours_are_those_of_bt_709() {
    for red in [0, 80, 255] {
        for green in [0, 130, 255] {
            for blue in [0, 40, 255] {
                let colour = [red, green, blue];
                let frame = Frame::of(&flat(colour, 8, 8), Orientation::default(), &settings(8, 8))
                    .unwrap();
                let (luma, blues, reds) = frame.planes();
                for (is, exact) in [luma[9], blues[5], reds[5]].iter().zip(exact(colour)) {
                    assert!((f64::from(*is) - exact).abs() < 1.6, "{colour:?}: {is} {exact}");
                }
            }
        }
    }
}

#[test]
fn a_photo_is_in_the_middle_and_the_rest_is_black() {
    for (photo, inside, outside) in [((2, 8), (7, 3), (5, 3)), ((8, 2), (7, 3), (7, 1))] {
        let frame =
            Frame::of(&flat([255; 3], photo.0, photo.1), Orientation::default(), &settings(16, 8))
                .unwrap();
        let luma = |(x, y): (usize, usize)| frame.planes().0[y * 16 + x];
        assert_eq!((luma(inside), luma(outside)), (235, 16), "{photo:?}");
    }
}

#[test]
fn frames_are_mixed_by_parts() {
    let frame = |level| {
        Frame::of(&flat([level; 3], 4, 4), Orientation::default(), &settings(4, 4)).unwrap()
    };
    let (black, white) = (frame(0), frame(255));
    let mut mixed = Frame::black(&settings(4, 4));
    for (nth, luma) in [(0, 16), (1, 71), (2, 126), (4, 235)] {
        mixed.mix(&black, &white, (nth, 4)).unwrap();
        assert_eq!(mixed.planes().0[0], luma, "{nth}");
    }
}
