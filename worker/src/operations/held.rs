//! How much memory a request will hold while it runs, by the size that its image says it has.
//!
//! Read before the request is started, so that no more of them are than there is memory for. It is
//! a bound, not a measurement: a texture whose size cannot be seen is taken for the largest that
//! there may be.

use std::str;

use super::codec::{CodecError, Source};
use super::{EventForm, Limits, Operation, OperationRequest, form};

/// Bytes for each pixel: the decoded image, what is made of it, and what the decoder keeps.
const BYTES_PER_PIXEL: u64 = 12;

/// Bytes of a rendered pixel, in the picture and in the answer.
const BYTES_PER_RENDERED_PIXEL: u64 = 8;

/// So much of an encoded image is looked at for its size.
const HEAD_BYTES_MAX: usize = 48 << 10;

/// A format can be told by so many bytes.
const MAGIC_BYTES_MAX: usize = 16;

/// A texture has to begin within so many bytes of a scene.
const SCENE_BYTES_MAX: usize = 1 << 20;

/// Bytes that `request` will hold beside its body.
pub(crate) fn bytes(
    operation: &dyn Operation,
    request: &OperationRequest<'_>,
    limits: &Limits,
) -> u64 {
    operation.bytes_held(request, limits).saturating_add(of_event(operation, request, limits))
}

fn of_event(operation: &dyn Operation, request: &OperationRequest<'_>, limits: &Limits) -> u64 {
    match operation.event() {
        EventForm::Image => {
            // What is in no known form is refused before anything is decoded.
            let Some((head, is_whole)) = form::beginning(request, HEAD_BYTES_MAX) else { return 0 };
            let pixels = of_image((&head, is_whole), limits).unwrap_or_else(|| {
                // Its header is far from its beginning.
                let image = form::ImageRequest::parse(request).ok();
                image.and_then(|image| of_image((&image.bytes, true), limits)).unwrap_or(0)
            });
            pixels.saturating_mul(BYTES_PER_PIXEL)
        }
        EventForm::Scene => {
            let rendered = pixels_of_view(request.query).min(limits.output_pixels);
            let rendered = rendered.saturating_mul(BYTES_PER_RENDERED_PIXEL);
            let texture = of_texture(request.body, limits).saturating_mul(BYTES_PER_PIXEL);
            rendered.saturating_add(texture)
        }
        EventForm::None => 0,
    }
}

/// Pixels of the image that begins with `head`, which may be whole; 0 where it is refused. `None`
/// where that is not in the head.
fn of_image((head, is_whole): (&[u8], bool), limits: &Limits) -> Option<u64> {
    match Source::open(head, limits) {
        Ok(source) => Some(source.pixels()),
        Err(CodecError::Header { .. }) if !is_whole => None,
        Err(CodecError::UnknownFormat) if !is_whole && head.len() < MAGIC_BYTES_MAX => None,
        Err(_) => Some(0),
    }
}

/// `wcols * wrows`, as far as the query has them.
fn pixels_of_view(query: &str) -> u64 {
    let number = |name: &str| {
        let mut pairs = query.rsplit('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(key, _)| *key == name);
        value.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(0)
    };
    number("wcols").saturating_mul(number("wrows"))
}

/// Pixels of the texture of a scene, which is a list of numbers; the most that there may be, where
/// it is not found and may be there all the same.
fn of_texture(body: &[u8], limits: &Limits) -> u64 {
    const NAME: &[u8] = b"\"texmap\"";
    let head = &body[..body.len().min(SCENE_BYTES_MAX)];
    let Some(at) = head.windows(NAME.len()).position(|window| window == NAME) else {
        let is_clear = head.len() == body.len() && !head.windows(2).any(|pair| pair == b"\\u");
        return if is_clear { 0 } else { limits.image_pixels };
    };
    let rest = &body[at + NAME.len()..];
    let Some(list) = rest.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'[') else {
        return 0;
    };
    let text = &rest[list + 1..];
    let text = &text[..text.len().min(HEAD_BYTES_MAX * 4)];
    let end = text.iter().position(|byte| *byte == b']');
    let numbers = text[..end.unwrap_or(text.len())].split(|byte| *byte == b',');
    let bytes = numbers.map_while(|number| {
        let number: i64 = str::from_utf8(number).ok()?.trim().parse().ok()?;
        Some(number as u8)
    });
    let bytes: Vec<u8> = bytes.collect();
    of_image((&bytes, end.is_some()), limits).unwrap_or(limits.image_pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::{Blur, RayTrace};

    /// A PNG file that says it has so many pixels, without them.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        file
    }

    fn request<'a>(body: &'a [u8], content_type: &'a str, query: &'a str) -> OperationRequest<'a> {
        OperationRequest { query, content_type: Some(content_type), accept: None, body }
    }

    fn held(request: &OperationRequest<'_>) -> u64 {
        bytes(&Blur, request, &Limits::default())
    }

    #[test]
    fn an_image_holds_what_its_header_says() {
        let file = png(1000, 2000);
        assert_eq!(held(&request(&file, "image/png", "")), 24_000_000);
        assert_eq!(held(&request(b"no image", "text/plain", "")), 0);
        assert_eq!(held(&request(&png(1 << 20, 1 << 20), "image/png", "")), 0, "it is refused");
    }

    #[test]
    fn a_data_url_does_as_well() {
        let url = form::data_url("png", &png(1000, 2000)).body;
        assert_eq!(held(&request(&url, "text/plain", "")), 24_000_000);
    }

    #[test]
    fn a_header_may_be_far_from_the_beginning() {
        let mut file = vec![0xff, 0xd8];
        for _ in 0..2 {
            file.extend([0xff, 0xe1, 0xff, 0xff]);
            file.resize(file.len() + 0xfffd, 0);
        }
        file.extend([0xff, 0xc0, 0, 11, 8, 0, 200, 0, 100, 1, 1, 0x11, 0]);
        assert_eq!(held(&request(&file, "image/jpeg", "")), 20_000 * BYTES_PER_PIXEL);
        let url = form::data_url("png", &file).body;
        assert_eq!(held(&request(&url, "text/plain", "")), 20_000 * BYTES_PER_PIXEL);
    }

    #[test]
    fn a_texture_that_cannot_be_seen_is_taken_for_the_largest() {
        let blanks = " ".repeat(HEAD_BYTES_MAX * 4);
        let bodies = [
            "{\"tex\\u006dap\":[1]}".to_owned(),
            format!("{{\"texmap\":[255,216,{blanks}255]}}"),
            format!("{{\"scene\":\"{}\"", " ".repeat(SCENE_BYTES_MAX)),
        ];
        let most = Limits::default().image_pixels * BYTES_PER_PIXEL;
        for body in bodies {
            let request = request(body.as_bytes(), "application/json", "");
            let held = bytes(&RayTrace, &request, &Limits::default());
            assert_eq!(held, most, "{}", &body[..20]);
        }
    }

    #[test]
    fn a_scene_holds_its_picture_and_its_texture() {
        let texture: Vec<String> = png(100, 200).iter().map(u8::to_string).collect();
        let body = format!("{{\"scene\":\"\",\"texmap\":[{}]}}", texture.join(", "));
        let request = request(body.as_bytes(), "application/json", "wcols=10&wrows=20&scols=5");
        let held = bytes(&RayTrace, &request, &Limits::default());
        assert_eq!(held, 200 * 8 + 20_000 * 12);
    }
}
