//! Generated images and scenes. The same arguments always give the same.

#![allow(dead_code, reason = "tests and benches each use a part")]
#![expect(clippy::format_push_string, reason = "generated texts are short")]

use weighbridge_worker::operations::codec::Raster;

/// The generator of all randomness here: splitmix64.
pub(crate) struct Random(u64);

/// What a generated scene has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SceneShape {
    /// Shapes of random kinds.
    pub(crate) shapes: usize,
    /// Lights, the ambient one included.
    pub(crate) lights: usize,
    /// Whether finishes reflect and transmit.
    pub(crate) mirrors: bool,
    /// Whether a pigment is a texture.
    pub(crate) texture: bool,
}

impl Random {
    /// A sequence of its own for each seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number under `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// An image whose samples are all random.
pub(crate) fn noise(seed: u64, width: usize, height: usize, bands: usize) -> Raster {
    let mut random = Random::new(seed);
    let samples = (0..width * height * bands).map(|_| random.next() as u8).collect();
    Raster { width, height, bands, samples }
}

/// An image that gets brighter from corner to corner.
pub(crate) fn gradient(width: usize, height: usize, bands: usize) -> Raster {
    let level = |i: usize| {
        let (pixel, band) = (i / bands, i % bands);
        let (x, y) = (pixel % width, pixel / width);
        ((x + y + 40 * band) * 255 / (width + height + 40 * bands)) as u8
    };
    Raster { width, height, bands, samples: (0..width * height * bands).map(level).collect() }
}

/// An image that is smooth with edges and some grain, like a photograph.
pub(crate) fn photo(seed: u64, width: usize, height: usize, bands: usize) -> Raster {
    let mut random = Random::new(seed);
    let waves: Vec<[f64; 4]> = (0..6 * bands)
        .map(|_| {
            let mut frequency = || random.between(-0.05, 0.05);
            let (x, y) = (frequency(), frequency());
            [x, y, random.between(0.0, 6.0), random.between(5.0, 35.0)]
        })
        .collect();
    let discs: Vec<[f64; 4]> = (0..8)
        .map(|_| {
            let (x, y) = (random.between(0.0, width as f64), random.between(0.0, height as f64));
            [x, y, random.between(2.0, width as f64 / 4.0 + 3.0), random.between(-60.0, 60.0)]
        })
        .collect();
    let mut samples = Vec::with_capacity(width * height * bands);
    for i in 0..width * height {
        let (x, y) = ((i % width) as f64, (i / width) as f64);
        let light: f64 = discs
            .iter()
            .filter(|disc| (x - disc[0]).hypot(y - disc[1]) < disc[2])
            .map(|disc| disc[3])
            .sum();
        for waves in waves.chunks(6) {
            let waves: f64 = waves.iter().map(|w| (x * w[0] + y * w[1] + w[2]).sin() * w[3]).sum();
            samples.push((128.0 + light + waves + random.between(-3.0, 3.0)) as u8);
        }
    }
    Raster { width, height, bands, samples }
}

/// A scene in front of a camera at the origin that looks along -z.
pub(crate) fn scene(seed: u64, shape: SceneShape) -> String {
    let mut random = Random::new(seed);
    let mut text = String::from("0 0 0\n0 0 -1\n0 1 0\n40\n\n");
    text.push_str(&format!("{}\n", shape.lights));
    for _ in 0..shape.lights {
        numbers(&mut text, &mut random, &[(-20.0, 20.0), (0.0, 30.0), (-20.0, 5.0)]);
        numbers(&mut text, &mut random, &[(0.2, 1.2); 3]);
        numbers(&mut text, &mut random, &[(0.5, 1.0), (0.0, 0.02), (0.0, 0.001)]);
        text.push('\n');
    }
    put_pigments(&mut text, &mut random, shape.texture);
    text.push_str("4\n");
    for finish in 0..4 {
        numbers(&mut text, &mut random, &[(0.0, 0.4), (0.2, 0.9), (0.0, 0.9), (1.0, 200.0)]);
        let (reflects, transmits) = (shape.mirrors && finish % 2 == 1, shape.mirrors && 1 < finish);
        numbers(&mut text, &mut random, &[(0.0, if reflects { 0.9 } else { 0.0 })]);
        numbers(&mut text, &mut random, &[(0.0, if transmits { 0.9 } else { 0.0 }), (0.6, 2.0)]);
        text.push('\n');
    }
    text.push_str(&format!("{}\n", shape.shapes));
    for _ in 0..shape.shapes {
        put_shape(&mut text, &mut random);
    }
    text
}

fn put_pigments(text: &mut String, random: &mut Random, texture: bool) {
    text.push_str(&format!("{}\n", if texture { 4 } else { 3 }));
    text.push_str("solid ");
    numbers(text, random, &[(0.0, 1.1); 3]);
    text.push_str("\nchecker ");
    numbers(text, random, &[(0.0, 1.0); 6]);
    numbers(text, random, &[(0.5, 4.0)]);
    text.push_str("\ngradient ");
    numbers(text, random, &[(-1.0, 1.0); 6]);
    numbers(text, random, &[(0.0, 1.0); 6]);
    text.push('\n');
    if texture {
        text.push_str("texmap some.bmp ");
        numbers(text, random, &[(-0.3, 0.3); 8]);
        text.push('\n');
    }
}

/// Mostly spheres, as in the scenes that people send.
fn put_shape(text: &mut String, random: &mut Random) {
    text.push_str(&format!("{} {} ", random.below(3), random.below(4)));
    let place = [(-8.0, 8.0), (-6.0, 6.0), (-30.0, -6.0)];
    match random.below(16) {
        0 => {
            text.push_str("plane ");
            numbers(text, random, &[(-0.3, 0.3), (0.5, 1.0), (-0.3, 0.3), (5.0, 9.0)]);
        }
        1..=4 => {
            text.push_str("triangle ");
            for _ in 0..3 {
                numbers(text, random, &place);
            }
        }
        5 => put_invisible(text, random),
        _ => {
            text.push_str("sphere ");
            numbers(text, random, &place);
            numbers(text, random, &[(0.3, 3.0)]);
        }
    }
    text.push('\n');
}

fn put_invisible(text: &mut String, random: &mut Random) {
    let (head, n) = [
        ("cylinder", 7),
        ("cone", 7),
        ("disc", 7),
        ("polyhedron 2", 8),
        ("parallelogram", 9),
        ("bezier", 48),
    ][random.below(6)];
    text.push_str(&format!("{head} "));
    numbers(text, random, &vec![(-5.0, 5.0); n]);
}

fn numbers(text: &mut String, random: &mut Random, ranges: &[(f64, f64)]) {
    for &(low, high) in ranges {
        text.push_str(&format!("{:.4} ", random.between(low, high)));
    }
}
