//! How an image travels: as a `data:` URL in a text, or as it is.
//!
//! The text form is `data:image/FMT;base64,B64`. FMT names the output format only, and is echoed
//! as sent; the input is decoded by its content. The raw form has `Content-Type: image/*`; its
//! output format is the input's, or what `Accept` prefers.

use std::borrow::Cow;
use std::str;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use super::codec::Format;
use super::{OperationRequest, Reply};

/// The usual alphabet; padding is written, but not demanded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The head of a data URL is short: nobody should pay for a scan of a large body that has no comma.
const HEAD_BYTES_MAX: usize = 256;

/// The media type of a reply in the text form.
const TEXT: &str = "text/plain; charset=utf-8";

/// An image that somebody sent.
#[derive(Debug)]
pub(super) struct ImageRequest<'a> {
    form: Form<'a>,
    /// The encoded image.
    pub(super) bytes: Cow<'a, [u8]>,
}

/// How it was sent, which is how the reply goes out.
#[derive(Debug)]
enum Form<'a> {
    DataUrl { name: &'a str, output: Format },
    Raw { accept: Option<&'a str> },
}

/// Why a request is not an image in a form that we know. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum FormError {
    /// Neither a data URL nor announced as an image.
    #[error("the body is neither `data:image/FMT;base64,...` nor announced as `image/*`")]
    NotAnImage,
    /// The data URL does not say `;base64`.
    #[error("the data URL has no `;base64,` in front of its data")]
    NotBase64,
    /// The data URL names no format.
    #[error("the data URL names no image format")]
    NoFormat,
    /// The data URL names a format that we do not write.
    #[error("cannot write `image/{0}`, only jpeg, png, bmp, gif and tiff")]
    UnknownFormat(String),
    /// No media type that the client accepts is one that we write.
    #[error("cannot write any of `{0}`, only jpeg, png, bmp, gif and tiff")]
    NotAcceptable(String),
    /// The base64 text is malformed.
    #[error("the base64 text is malformed")]
    Base64(#[source] base64::DecodeError),
    /// There is nothing behind the comma.
    #[error("the data URL has no data")]
    NoData,
}

// === impl ImageRequest ===

impl<'a> ImageRequest<'a> {
    /// Reads the form; the image itself is not looked at.
    pub(super) fn parse(request: &OperationRequest<'a>) -> Result<ImageRequest<'a>, FormError> {
        let body = request.body.trim_ascii_start();
        if let Some(rest) = strip_prefix(body, b"data:image/") {
            return parse_data_url(rest);
        }
        let media_type = request.content_type.unwrap_or_default().trim_start().as_bytes();
        if strip_prefix(media_type, b"image/").is_none() {
            return Err(FormError::NotAnImage);
        }
        let form = Form::Raw { accept: request.accept };
        Ok(ImageRequest { form, bytes: Cow::Borrowed(request.body) })
    }

    /// The format of the reply, where the image that was sent is in `input`.
    pub(super) fn output(&self, input: Format) -> Result<Format, FormError> {
        match self.form {
            Form::DataUrl { output, .. } => Ok(output),
            Form::Raw { accept: None } => Ok(input),
            Form::Raw { accept: Some(accept) } => {
                negotiate(accept, input).ok_or_else(|| FormError::NotAcceptable(accept.to_owned()))
            }
        }
    }

    /// Wraps an encoded image in the form of the request.
    pub(super) fn reply(&self, output: Format, encoded: Vec<u8>) -> Reply {
        match self.form {
            Form::DataUrl { name, .. } => data_url(name, &encoded),
            Form::Raw { .. } => {
                Reply { content_type: output.media_type().to_owned(), body: encoded }
            }
        }
    }
}

/// The image, or of one in a data URL the first bytes, at most `most`; and whether that is all of
/// it. `None` where the request is in no form that we know. Cheap, however large it is. `most` is a
/// multiple of 3.
pub(super) fn beginning<'a>(
    request: &OperationRequest<'a>,
    most: usize,
) -> Option<(Cow<'a, [u8]>, bool)> {
    let body = request.body.trim_ascii_start();
    let Some(rest) = strip_prefix(body, b"data:image/") else {
        return Some((Cow::Borrowed(request.body), true));
    };
    let comma = rest.iter().take(HEAD_BYTES_MAX).position(|&byte| byte == b',')?;
    let mut text = rest[comma + 1..].iter().copied().filter(|byte| !is_space(*byte));
    let head: Vec<u8> = text.by_ref().take(most / 3 * 4).collect();
    let is_whole = text.next().is_none();
    BASE64.decode(head).ok().map(|head| (Cow::Owned(head), is_whole))
}

/// `data:image/{name};base64,{encoded}`, on one line.
pub(super) fn data_url(name: &str, encoded: &[u8]) -> Reply {
    let head = format!("data:image/{name};base64,");
    let mut body = String::with_capacity(head.len() + encoded.len().div_ceil(3).saturating_mul(4));
    body.push_str(&head);
    BASE64.encode_string(encoded, &mut body);
    Reply { content_type: TEXT.to_owned(), body: body.into_bytes() }
}

// === impl FormError ===

impl FormError {
    pub(super) fn status(&self) -> u16 {
        match self {
            FormError::NotAnImage
            | FormError::NotBase64
            | FormError::NoFormat
            | FormError::Base64(_)
            | FormError::NoData => 400,
            FormError::UnknownFormat(_) => 415,
            FormError::NotAcceptable(_) => 406,
        }
    }

    pub(super) fn field(&self) -> &'static str {
        match self {
            FormError::NotAnImage
            | FormError::NotBase64
            | FormError::NoFormat
            | FormError::UnknownFormat(_)
            | FormError::Base64(_)
            | FormError::NoData => "body",
            FormError::NotAcceptable(_) => "accept",
        }
    }
}

// === helpers ===

/// Reads `FMT[;parameter]*;base64,B64`.
fn parse_data_url(rest: &[u8]) -> Result<ImageRequest<'_>, FormError> {
    let comma = rest.iter().take(HEAD_BYTES_MAX).position(|&byte| byte == b',');
    let (head, data) = rest.split_at(comma.ok_or(FormError::NotBase64)?);
    let head = str::from_utf8(head).map_err(|_| FormError::NotBase64)?;
    let mut parts = head.split(';');
    let name = parts.next().unwrap_or_default();
    if !parts.next_back().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64")) {
        return Err(FormError::NotBase64);
    }
    if name.trim().is_empty() {
        return Err(FormError::NoFormat);
    }
    let output = Format::from_name(name.trim())
        .ok_or_else(|| FormError::UnknownFormat(name.escape_debug().to_string()))?;
    let bytes = decode_base64(&data[1..])?;
    Ok(ImageRequest { form: Form::DataUrl { name, output }, bytes: Cow::Owned(bytes) })
}

/// Whether base64 may have it anywhere.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

/// Decodes base64 with white space anywhere. Few have any: it is looked for where decoding fails.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, FormError> {
    let decoded = BASE64.decode(text).or_else(|error| {
        if text.iter().copied().any(is_space) {
            BASE64.decode(without_space(text))
        } else {
            Err(error)
        }
    });
    let bytes = decoded.map_err(FormError::Base64)?;
    if bytes.is_empty() { Err(FormError::NoData) } else { Ok(bytes) }
}

fn without_space(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(text.len());
    for line in text.split(|byte| is_space(*byte)) {
        packed.extend_from_slice(line);
    }
    packed
}

/// The format that `accept` prefers: the highest quality; then a format by name over a range; then
/// the input's own format; then the first named. `None` where it wants none of ours.
fn negotiate(accept: &str, input: Format) -> Option<Format> {
    let mut best: Option<(f32, bool, bool, Format)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
        let (named, format) = match name.as_str() {
            "*/*" | "image/*" => (false, Some(input)),
            _ => (true, name.strip_prefix("image/").and_then(Format::from_name)),
        };
        let Some(format) = format else { continue };
        let rank = (quality, named, format == input);
        if 0.0 < quality && best.is_none_or(|best| (best.0, best.1, best.2) < rank) {
            best = Some((rank.0, rank.1, rank.2, format));
        }
    }
    if accept.trim().is_empty() { Some(input) } else { best.map(|best| best.3) }
}

/// What follows `prefix`, whatever its case.
fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}
