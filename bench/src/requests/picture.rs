//! Random pictures, in the forms that clients send.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, codecs};

use super::{between, spread};

/// A picture as a request carries it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// Samples of a picture: rows from the top, bands interleaved.
struct Picture {
    width: u32,
    height: u32,
    bands: usize,
    samples: Vec<u8>,
}

/// What is in a picture; codecs take their time by it.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// Every sample by chance: nothing can be compressed.
    Noise,
    /// Colours that run smoothly into each other.
    Gradient,
    /// Areas of one colour, as in drawings and screen shots.
    Drawing,
    /// Waves, edges and a camera's grain.
    Photo,
}

/// The file formats that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JPEG, of 50 to 95 % quality.
    Jpeg,
    /// PNG.
    Png,
    /// BMP without compression.
    Bmp,
    /// GIF of one frame and 256 colours.
    Gif,
    /// TIFF without compression.
    Tiff,
}

/// The least and most pixels of a side.
const SIDES: (f64, f64) = (40.0, 1400.0);

/// A random picture in a random form, of any of `formats`; of none, as most people have them.
pub(crate) fn random(random: &mut Rng, formats: &[Format]) -> Sent {
    let (format, file) = encoded(random, SIDES, formats);
    sent(random, format, &file)
}

/// A random picture as a file, with its media type; `sides` are the least and most pixels of one.
pub(crate) fn file(random: &mut Rng, sides: (f64, f64)) -> (&'static str, Vec<u8>) {
    let (format, file) = encoded(random, sides, &[]);
    (format.media_type(), file)
}

/// A photo as a JPEG file, with so many pixels on each side.
pub(crate) fn jpeg(random: &mut Rng, side: f64) -> Vec<u8> {
    let side = side.round().max(1.0) as u32;
    let picture = Picture::new(random, Content::Photo, (side, side), 3);
    // Writing to memory cannot fail, and JPEG has three bands.
    picture.encode(random, Format::Jpeg).unwrap_or_default()
}

fn encoded(random: &mut Rng, sides: (f64, f64), formats: &[Format]) -> (Format, Vec<u8>) {
    let usual = match random.u8(0..10) {
        0..5 => Format::Jpeg,
        5..9 => Format::Png,
        _ => Format::Bmp,
    };
    let format = random.choice(formats).copied().unwrap_or(usual);
    let bands = match (format, random.u8(0..10)) {
        (_, 0..2) => 1,
        (Format::Png, 2..5) => 4,
        _ => 3,
    };
    let content = match random.u8(0..10) {
        0 => Content::Noise,
        1..3 => Content::Gradient,
        3..5 => Content::Drawing,
        _ => Content::Photo,
    };
    let [width, height] = [(); 2].map(|()| spread(random, sides.0, sides.1).round() as u32);
    let picture = Picture::new(random, content, (width, height), bands);
    // Writing to memory cannot fail, and every format has one and three bands.
    let file = picture.encode(random, format).unwrap_or_default();
    (format, file)
}

/// The file as a data URL, which may ask for another format; or as it is.
fn sent(random: &mut Rng, format: Format, file: &[u8]) -> Sent {
    if random.u8(0..10) == 0 {
        return Sent { content_type: format.media_type(), body: file.to_vec() };
    }
    let wanted = match random.u8(0..10) {
        0 => Format::Png,
        1 => Format::Jpeg,
        _ => format,
    };
    let mut body = format!("data:{};base64,", wanted.media_type());
    STANDARD.encode_string(file, &mut body);
    Sent { content_type: "application/x-www-form-urlencoded", body: body.into_bytes() }
}

// === impl Picture ===

impl Picture {
    fn new(
        random: &mut Rng,
        content: Content,
        (width, height): (u32, u32),
        bands: usize,
    ) -> Picture {
        let mut samples = Vec::with_capacity(width as usize * height as usize * bands);
        let colours: Vec<[u8; 4]> = (0..16).map(|_| random.u32(..).to_le_bytes()).collect();
        let step = spread(random, 4.0, 120.0);
        let waves: [f64; 4] = std::array::from_fn(|_| between(random, 0.004, 0.09));
        let grain = between(random, 0.0, 24.0);
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (f64::from(x), f64::from(y));
                let cell = (x / step) as usize * 7 + (y / step) as usize * 3;
                let colour = colours[cell % colours.len()];
                let opaque = |band: usize| band == 3 && !matches!(content, Content::Noise);
                samples.extend((0..bands).map(|band| match content {
                    _ if opaque(band) => 255,
                    Content::Noise => random.u8(..),
                    Content::Gradient => (x * waves[band] * 2.0 + y * waves[3 - band] + 40.0) as u8,
                    Content::Drawing => colour[band],
                    Content::Photo => {
                        let wave = (x * waves[band]).sin() + (y * waves[band] + x * waves[3]).cos();
                        let edge = f64::from(colour[band] >> 2);
                        (60.0 + wave * 30.0 + edge + random.f64() * grain) as u8
                    }
                }));
            }
        }
        Picture { width, height, bands, samples }
    }

    fn encode(&self, random: &mut Rng, format: Format) -> Result<Vec<u8>, ImageError> {
        let mut file = Cursor::new(Vec::new());
        let color = match self.bands {
            1 => ExtendedColorType::L8,
            4 => ExtendedColorType::Rgba8,
            _ => ExtendedColorType::Rgb8,
        };
        let (samples, width, height) = (&self.samples, self.width, self.height);
        match format {
            Format::Jpeg => JpegEncoder::new_with_quality(&mut file, random.u8(50..96))
                .write_image(samples, width, height, color)?,
            Format::Png => codecs::png::PngEncoder::new(&mut file)
                .write_image(samples, width, height, color)?,
            Format::Bmp => codecs::bmp::BmpEncoder::new(&mut file)
                .write_image(samples, width, height, color)?,
            Format::Gif => codecs::gif::GifEncoder::new(&mut file).encode(
                &self.in_colours(),
                width,
                height,
                ExtendedColorType::Rgb8,
            )?,
            Format::Tiff => codecs::tiff::TiffEncoder::new(&mut file)
                .write_image(samples, width, height, color)?,
        }
        Ok(file.into_inner())
    }

    /// The samples with three bands, whatever bands there are.
    fn in_colours(&self) -> Vec<u8> {
        let pixels = self.samples.chunks_exact(self.bands);
        pixels.flat_map(|pixel| [0, 1, 2].map(|band| pixel[band.min(self.bands - 1)])).collect()
    }
}

// === impl Format ===

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Bmp => "image/bmp",
            Format::Gif => "image/gif",
            Format::Tiff => "image/tiff",
        }
    }
}
