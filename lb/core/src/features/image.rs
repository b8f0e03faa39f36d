//! Dimensions and format of an image from its first bytes, never decoded.

use weighbridge_image_header::{self as header, ImageHeader};

use super::peek::Peek;

/// What can be asked of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Pixels,
    Width,
    Height,
    Channels,
    /// Bytes of the file, whether or not it is sent as base64.
    Bytes,
    /// 1 where the image is in this format.
    Is(Format),
    /// 1 where the answer is to be in this format.
    To(Format),
}

/// A file format that the cost of decoding and encoding depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Bmp,
    Gif,
    Tiff,
}

/// What the beginning of an image says; all 0 where the body is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Image {
    width: f64,
    height: f64,
    channels: f64,
    bytes: f64,
    format: Option<Format>,
    to: Option<Format>,
}

impl Field {
    const ALL: [(&'static str, Field); 15] = [
        ("pixels", Field::Pixels),
        ("width", Field::Width),
        ("height", Field::Height),
        ("channels", Field::Channels),
        ("bytes", Field::Bytes),
        ("is_jpeg", Field::Is(Format::Jpeg)),
        ("is_png", Field::Is(Format::Png)),
        ("is_bmp", Field::Is(Format::Bmp)),
        ("is_gif", Field::Is(Format::Gif)),
        ("is_tiff", Field::Is(Format::Tiff)),
        ("to_jpeg", Field::To(Format::Jpeg)),
        ("to_png", Field::To(Format::Png)),
        ("to_bmp", Field::To(Format::Bmp)),
        ("to_gif", Field::To(Format::Gif)),
        ("to_tiff", Field::To(Format::Tiff)),
    ];

    pub(super) fn parse(text: &str) -> Option<Field> {
        Field::ALL.iter().find_map(|(name, field)| (*name == text).then_some(*field))
    }

    pub(super) fn names() -> [&'static str; 15] {
        Field::ALL.map(|(name, _)| name)
    }
}

impl Format {
    /// The format that a media subtype names: `jpeg` of `image/jpeg`.
    fn from_subtype(name: &str) -> Option<Format> {
        const NAMES: [(&str, Format); 12] = [
            ("jpeg", Format::Jpeg),
            ("jpg", Format::Jpeg),
            ("pjpeg", Format::Jpeg),
            ("jfif", Format::Jpeg),
            ("png", Format::Png),
            ("x-png", Format::Png),
            ("bmp", Format::Bmp),
            ("x-bmp", Format::Bmp),
            ("x-ms-bmp", Format::Bmp),
            ("gif", Format::Gif),
            ("tiff", Format::Tiff),
            ("tif", Format::Tiff),
        ];
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        found.map(|(_, format)| *format)
    }

    /// The first format that a list of media types names, as in an `Accept` header.
    fn first_of(media_types: &str) -> Option<Format> {
        let types = media_types.split(',').take(16);
        types
            .filter_map(|range| range.split(';').next()?.trim().strip_prefix("image/"))
            .find_map(Format::from_subtype)
    }

    fn of(format: header::Format) -> Option<Format> {
        match format {
            header::Format::Jpeg => Some(Format::Jpeg),
            header::Format::Png => Some(Format::Png),
            header::Format::Bmp => Some(Format::Bmp),
            header::Format::Gif => Some(Format::Gif),
            header::Format::Tiff => Some(Format::Tiff),
            header::Format::WebP => None,
        }
    }
}

impl Image {
    pub(super) fn field(self, field: Field) -> f64 {
        let one_if = |is: bool| f64::from(u8::from(is));
        match field {
            Field::Pixels => self.width * self.height,
            Field::Width => self.width,
            Field::Height => self.height,
            Field::Channels => self.channels,
            Field::Bytes => self.bytes,
            Field::Is(format) => one_if(self.format == Some(format)),
            Field::To(format) => one_if(self.to == Some(format)),
        }
    }
}

/// Reads the beginning of a raw image, or of one in a `data:` URL; `body_bytes` is the length of
/// the whole body. The answer is to be in the format that the URL names, or else in the one that
/// `accept` names first, or else in that of the image.
pub(super) fn measure(body: &[u8], body_bytes: f64, accept: Option<&str>) -> Image {
    let (image, bytes, to) = if let Some((media_type, text)) = data_url(body) {
        let n_characters = body_bytes - (body.len() - text.len()) as f64;
        let to = media_type.strip_prefix("image/").and_then(Format::from_subtype);
        (measure_bytes(&mut Peek::base64(text)), n_characters.max(0.0) * 0.75, to)
    } else {
        let to = accept.and_then(Format::first_of);
        (measure_bytes(&mut Peek::raw(body)), body_bytes, to)
    };
    let Some(image) = image else { return Image::default() };
    Image { bytes, to: to.or(image.format), ..image }
}

/// All that is said of an image at once.
#[derive(Debug)]
pub(super) struct Look<'a> {
    /// Numbers by their names.
    pub(super) numbers: [(&'static str, f64); 6],
    /// The format by its usual extension.
    pub(super) format: &'static str,
    /// The media type of the `data:` URL that it is in: often the one that the answer is to have.
    pub(super) sent_as: Option<&'a str>,
}

/// Reads the beginning of a raw image, or of one in a `data:` URL; `None` where the body is none.
pub(super) fn look(body: &[u8], body_bytes: f64) -> Option<Look<'_>> {
    let (read, bytes, sent_as) = if let Some((media_type, text)) = data_url(body) {
        let n_characters = body_bytes - (body.len() - text.len()) as f64;
        let read = ImageHeader::read(&mut Peek::base64(text));
        (read, n_characters.max(0.0) * 0.75, Some(media_type))
    } else {
        (ImageHeader::read(&mut Peek::raw(body)), body_bytes, None)
    };
    let found = read.ok()?;
    let (width, height) = (f64::from(found.width), f64::from(found.height));
    let channels = f64::from(found.channels);
    let numbers = [
        ("pixels", width * height),
        ("width", width),
        ("height", height),
        ("channels", channels),
        ("bytes", bytes),
        // How hard it is to compress.
        ("bytes_per_pixel", bytes / (width * height)),
    ];
    let format = match found.format {
        header::Format::Jpeg => "jpeg",
        header::Format::Png => "png",
        header::Format::Bmp => "bmp",
        header::Format::Gif => "gif",
        header::Format::Tiff => "tiff",
        header::Format::WebP => "webp",
    };
    Some(Look { numbers, format, sent_as })
}

/// The media type of a `data:` URL in base64, and the text of its data.
fn data_url(body: &[u8]) -> Option<(&str, &[u8])> {
    let body = body.trim_ascii_start();
    let head = &body[..body.len().min(256)];
    let comma = head.iter().position(|byte| *byte == b',')?;
    let is_data = head.get(..5)?.eq_ignore_ascii_case(b"data:");
    if !is_data || !head[..comma].ends_with(b";base64") {
        return None;
    }
    let kind = head[5..comma].split(|byte| *byte == b';').next()?;
    Some((str::from_utf8(kind).unwrap_or_default(), &body[comma + 1..]))
}

fn measure_bytes(bytes: &mut Peek<'_>) -> Option<Image> {
    let header = ImageHeader::read(bytes).ok()?;
    Some(Image {
        width: f64::from(header.width),
        height: f64::from(header.height),
        channels: f64::from(header.channels),
        format: Format::of(header.format),
        ..Image::default()
    })
}
