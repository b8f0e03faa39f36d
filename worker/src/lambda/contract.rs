//! The events of the earlier systems. Every value is a string. The answer is a string too: the bare
//! base64 of the result.
//!
//! ```text
//! blur, enhance  {"body": "<base64 image>", "fileFormat": "jpg"}
//! raytracer      {"scols": .., "srows": .., "wcols": .., "wrows": .., "coff": .., "roff": ..,
//!                 "aa": .., "multi": .., "input": "<base64 scene>", "texmap": "<base64 bytes>"}
//! ```

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

use super::InvocationError;
use super::run::Ran;
use crate::operations::{EventForm, Operation, OperationRequest};

/// Padding is not demanded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Members of a ray tracer's event that are parameters of its query.
const VIEW: [&str; 8] = ["scols", "srows", "wcols", "wrows", "coff", "roff", "aa", "multi"];

/// The same request as HTTP would have it.
#[derive(Debug, Default)]
pub(super) struct Request {
    query: String,
    body: Vec<u8>,
}

// === impl Request ===

impl Request {
    pub(super) fn as_operation(&self) -> OperationRequest<'_> {
        OperationRequest { query: &self.query, content_type: None, accept: None, body: &self.body }
    }
}

/// What `event` asks of `operation`, and whether it wants a report. Members that we do not know are
/// ignored.
pub(super) fn read(
    operation: &dyn Operation,
    mut event: Map<String, Value>,
) -> Result<(Request, bool), InvocationError> {
    let wants_report =
        take(&mut event, "report")?.is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    let request = match operation.event() {
        EventForm::Image => image(&mut event)?,
        EventForm::Scene => scene(&mut event)?,
        EventForm::None => {
            let detail =
                format!("the operation `{}` has no event, expected HTTP", operation.name());
            return Err(wrong("body", &detail));
        }
    };
    Ok((request, wants_report))
}

/// The bare base64 of what an operation replied.
pub(super) fn result(ran: Ran) -> Result<String, InvocationError> {
    let reply = ran.result.ok_or(InvocationError::Panicked)?.map_err(|error| {
        let field = match error.field() {
            Some("scene") => "input",
            Some(name) => name,
            None => "body",
        };
        wrong(field, &format!("cannot be used: {error}"))
    })?;
    let mut text = String::from_utf8(reply.body).map_err(|_| InvocationError::Panicked)?;
    let head = text.find(',').map_or(0, |comma| comma + 1);
    text.drain(..head);
    Ok(text)
}

fn image(event: &mut Map<String, Value>) -> Result<Request, InvocationError> {
    let format = required(event, "fileFormat")?;
    if format.is_empty() || !format.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("fileFormat", "is no format: expected jpg, jpeg, png, bmp, gif or tiff"));
    }
    let data = required(event, "body")?;
    Ok(Request { body: format!("data:image/{format};base64,{data}").into(), ..Request::default() })
}

fn scene(event: &mut Map<String, Value>) -> Result<Request, InvocationError> {
    let mut query = String::new();
    for name in VIEW {
        if let Some(value) = take(event, name)? {
            let value = value.trim();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
            if !value.bytes().all(plain) {
                return Err(wrong(name, "is neither a number nor a boolean"));
            }
            query.push_str(if query.is_empty() { "" } else { "&" });
            query.push_str(name);
            query.push('=');
            query.push_str(value);
        }
    }
    let scene = decode("input", &required(event, "input")?)?;
    let scene = String::from_utf8(scene).map_err(|_| wrong("input", "is not UTF-8"))?;
    let texture = take(event, "texmap")?.unwrap_or_default();
    let texture = decode("texmap", &texture)?;
    let body = json!({ "scene": scene, "texmap": texture }).to_string().into_bytes();
    Ok(Request { query, body })
}

/// Base64 with white space anywhere.
fn decode(field: &str, text: &str) -> Result<Vec<u8>, InvocationError> {
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(packed).map_err(|error| wrong(field, &format!("is not base64: {error}")))
}

fn required(event: &mut Map<String, Value>, field: &str) -> Result<String, InvocationError> {
    take(event, field)?.ok_or_else(|| wrong(field, "is missing"))
}

/// The string that is the member `field`, where there is one. `null` is none.
fn take(event: &mut Map<String, Value>, field: &str) -> Result<Option<String>, InvocationError> {
    match event.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(field, &format!("is {}: expected a string", super::kind(&other)))),
    }
}

fn wrong(field: &str, problem: &str) -> InvocationError {
    InvocationError::Field { field: field.to_owned(), problem: problem.to_owned() }
}
