//! What libjpeg-turbo makes of a file.

use turbojpeg::{Decompressor, Image, PixelFormat};
use weighbridge_jpeg::{DecodeError, Limits};

/// Its pixels as RGB, where it has nothing to complain of.
fn libjpeg(file: &[u8], (width, height): (usize, usize)) -> Option<Vec<u8>> {
    let mut decompressor = Decompressor::new().expect("there is memory for a decoder");
    let mut pixels = vec![0; 3 * width * height];
    let image = Image {
        pixels: &mut pixels[..],
        width,
        pitch: 3 * width,
        height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(file, image).ok()?;
    Some(pixels)
}

/// Decodes `file`, and checks that libjpeg has the same pixels or complains.
pub fn compare(file: &[u8]) -> Result<(), DecodeError> {
    let limits = Limits { pixels: 1 << 16, scans: 30 };
    let image = weighbridge_jpeg::decode(file, &limits, &mut || Ok(()))?;
    let size = (image.width, image.height);
    // Four inks are not colours to libjpeg. It decodes some units twice where a marker is filled up
    // but is none, and adds up what it finds.
    let is_odd = file.windows(3).any(|bytes| bytes == [0xFF, 0xFF, 0]);
    if is_odd || frame_components(file) == Some(4) {
        return Ok(());
    }
    if let Some(expected) = libjpeg(file, size) {
        let pixels = match image.bands {
            1 => image.samples.iter().flat_map(|&gray| [gray; 3]).collect(),
            _ => image.samples,
        };
        assert!(pixels == expected, "the pixels are not those of libjpeg");
    }
    Ok(())
}

fn frame_components(file: &[u8]) -> Option<u8> {
    let header = weighbridge_jpeg::Header::read(&mut std::io::Cursor::new(file)).ok()?;
    Some(header.components)
}
