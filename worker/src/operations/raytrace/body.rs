//! The JSON around a scene: `{"scene": "<text>", "texmap": [byte, ...]}`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::RayTraceError;

/// A body, taken apart.
#[derive(Debug)]
pub(super) struct Body<'a> {
    /// The text of the scene.
    pub(super) scene: Cow<'a, str>,
    /// The bytes of the texture; empty where there is none.
    pub(super) texmap: Vec<u8>,
}

#[derive(Deserialize)]
struct RawBody<'a> {
    #[serde(borrow)]
    scene: Option<Cow<'a, str>>,
    #[serde(default)]
    texmap: Bytes,
}

/// A list of bytes, signed or not; `null` is the empty list.
#[derive(Default)]
struct Bytes(Vec<u8>);

struct BytesVisitor;

/// Takes a body apart. Members that we do not know are ignored.
pub(super) fn parse(body: &[u8]) -> Result<Body<'_>, RayTraceError> {
    let body: RawBody<'_> = serde_json::from_slice(body).map_err(RayTraceError::Json)?;
    let scene = body.scene.ok_or(RayTraceError::NoScene)?;
    Ok(Body { scene, texmap: body.texmap.0 })
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of bytes")
    }

    fn visit_unit<E: Error>(self) -> Result<Bytes, E> {
        Ok(Bytes::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(number) = numbers.next_element::<i64>()? {
            let byte =
                u8::try_from(number).or_else(|_| i8::try_from(number).map(i8::cast_unsigned));
            bytes.push(
                byte.map_err(|_| A::Error::invalid_value(Unexpected::Signed(number), &self))?,
            );
        }
        Ok(Bytes(bytes))
    }
}
