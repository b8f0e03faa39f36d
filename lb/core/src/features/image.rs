//! Dimensions of an image from its first bytes, never decoded.

use std::io::{Read, Seek, SeekFrom};

use imagesize::ImageType;

use super::peek::Peek;

/// What can be asked of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Pixels,
    Width,
    Height,
    Channels,
}

/// Dimensions of an image; all 0 where the body is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Image {
    width: f64,
    height: f64,
    channels: f64,
}

impl Field {
    pub(super) fn parse(text: &str) -> Option<Field> {
        match text {
            "pixels" => Some(Field::Pixels),
            "width" => Some(Field::Width),
            "height" => Some(Field::Height),
            "channels" => Some(Field::Channels),
            _ => None,
        }
    }
}

impl Image {
    pub(super) fn field(self, field: Field) -> f64 {
        match field {
            Field::Pixels => self.width * self.height,
            Field::Width => self.width,
            Field::Height => self.height,
            Field::Channels => self.channels,
        }
    }
}

/// Reads the dimensions of a raw image, or of one in a `data:` URL.
pub(super) fn measure(body: &[u8]) -> Image {
    let mut bytes = match base64_text(body) {
        Some(text) => Peek::base64(text),
        None => Peek::raw(body),
    };
    measure_bytes(&mut bytes).unwrap_or_default()
}

/// What follows `data:...;base64,`.
fn base64_text(body: &[u8]) -> Option<&[u8]> {
    let body = body.trim_ascii_start();
    let head = &body[..body.len().min(256)];
    let comma = head.iter().position(|byte| *byte == b',')?;
    let is_data = head.get(..5)?.eq_ignore_ascii_case(b"data:");
    (is_data && head[..comma].ends_with(b";base64")).then(|| &body[comma + 1..])
}

fn measure_bytes(bytes: &mut Peek<'_>) -> Option<Image> {
    let mut head = [0; 16];
    bytes.read_exact(&mut head).ok()?;
    let format = imagesize::image_type(&head).ok()?;
    let size = format.reader_size(bytes).ok()?;
    let channels = channels(format, bytes).unwrap_or(3);
    Some(Image {
        width: size.width as f64,
        height: size.height as f64,
        channels: f64::from(channels),
    })
}

/// Colour channels once decoded, alpha included.
fn channels(format: ImageType, bytes: &mut Peek<'_>) -> Option<u8> {
    match format {
        // The number of components stands right behind the size, where the reader stopped.
        ImageType::Jpeg => byte(bytes, SeekFrom::Current(0)),
        ImageType::Png => Some(match byte(bytes, SeekFrom::Start(25))? {
            0 => 1,
            4 => 2,
            6 => 4,
            _ => 3,
        }),
        ImageType::Bmp => Some(if byte(bytes, SeekFrom::Start(28))? == 32 { 4 } else { 3 }),
        ImageType::Gif => Some(4),
        _ => Some(3),
    }
}

fn byte(bytes: &mut Peek<'_>, at: SeekFrom) -> Option<u8> {
    let mut one = [0];
    bytes.seek(at).ok()?;
    bytes.read_exact(&mut one).ok()?;
    Some(one[0])
}
