//! What is made of the end of a job: an object, an answer, a message.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::buckets::{Object, Place};
use super::input::Name;
use super::template::{Missing, Read, Template};
use crate::answer::{Problem, Whole};
use crate::config::contract::{Contract, Delivery, Exchange, Said};

/// The longest answer of a host of which something is made, in bytes.
pub(crate) const ANSWER_MAX: u64 = 16 << 20;

/// The most of an answer that is told of as what went wrong, in bytes.
const DETAIL_MAX: usize = 200;

/// How a job has ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// A host has answered.
    Answered(Answered),
    /// By messages, somebody else has answered, with these values.
    Told(Read),
    /// It has failed, because of that.
    Failed(String),
}

/// What a host has answered.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) media_type: String,
    pub(crate) body: Bytes,
    /// The same, where it is JSON.
    json: Option<Value>,
}

// === impl Answered ===

impl Answered {
    pub(crate) fn new(media_type: String, body: Bytes) -> Answered {
        let json = serde_json::from_slice(&body).ok();
        Answered { media_type, body, json }
    }

    /// The value of templates that is called so.
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == "result" {
            return std::str::from_utf8(&self.body).ok().map(Cow::Borrowed);
        }
        let path = name.strip_prefix("result.")?;
        let found = path.split('.').try_fold(self.json.as_ref()?, |value, key| match value {
            Value::Object(members) => members.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        });
        match found? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Null => None,
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

// === impl End ===

impl End {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            End::Answered(answered) => answered.value(name),
            End::Told(read) => read.get(name).map(|value| Cow::Borrowed(value.as_str())),
            End::Failed(why) => (name == "error").then_some(Cow::Borrowed(why.as_str())),
        }
    }

    /// The same, where what the contract makes of it can be made; else why it has failed.
    pub(crate) fn checked(self, contract: &Contract, name: &Name) -> End {
        let delivery = &contract.delivery;
        let object = delivery.object.as_ref().and_then(|(_, body)| body.as_ref());
        let exchange = contract.exchange.as_ref();
        let message = exchange.filter(|one| one.part.is_workers()).map(|one| &one.response);
        let is_by_host = matches!(self, End::Answered(_));
        let made = [delivery.answer.as_ref(), object.filter(|_| is_by_host), message]
            .into_iter()
            .flatten()
            .try_for_each(|template| self.make(template, name).map(drop));
        match (&self, made) {
            (End::Answered(_) | End::Told(_), Err(missing)) => {
                End::Failed(format!("the host's answer is not as expected: {missing}"))
            }
            _ => self,
        }
    }

    fn make(&self, template: &Template, name: &Name) -> Result<String, Missing> {
        name.make(template, |value| self.value(value))
    }

    /// Why it has failed, where it has.
    pub(crate) fn failed(self) -> Option<String> {
        match self {
            End::Failed(why) => Some(why),
            End::Answered(_) | End::Told(_) => None,
        }
    }

    /// The object that is kept of it, and where.
    pub(crate) fn object(&self, delivery: &Delivery, name: &Name) -> Option<(Place, Object)> {
        let (at, body) = delivery.object.as_ref()?;
        let End::Answered(answered) = self else { return None };
        let object = match body {
            Some(template) => Object {
                media_type: template.kind().media_type().to_owned(),
                body: self.make(template, name).ok()?.into(),
            },
            None => Object { media_type: answered.media_type.clone(), body: answered.body.clone() },
        };
        Some((name.place(at), object))
    }

    /// The message that tells of it; `None` where nobody is told.
    pub(crate) fn message(&self, exchange: &Exchange, name: &Name) -> Option<String> {
        match self {
            End::Answered(_) | End::Told(_) => self.make(&exchange.response, name).ok(),
            End::Failed(_) => self.make(exchange.failed.as_ref()?, name).ok(),
        }
    }

    /// What the client is told; `as_it_is`: what the host has answered.
    pub(crate) fn answer(
        &self,
        delivery: &Delivery,
        name: &Name,
        as_it_is: bool,
    ) -> pingora::Result<Whole> {
        let by_host = match self {
            End::Answered(answered) => Some(answered),
            End::Told(_) | End::Failed(_) => None,
        };
        match (self, &delivery.answer, by_host) {
            (End::Failed(why), _, _) => said(&delivery.failed, Some(name), why),
            (_, Some(template), None) => self.templated(template, delivery, name),
            (_, Some(template), Some(_)) if !as_it_is => self.templated(template, delivery, name),
            (_, _, Some(Answered { media_type, body, .. })) => {
                whole(StatusCode::OK, media_type, body.clone())
            }
            (_, None, None) => {
                let text = self.value("result").map(Cow::into_owned).unwrap_or_default();
                whole(StatusCode::OK, "text/plain; charset=utf-8", text.into())
            }
        }
    }

    fn templated(
        &self,
        template: &Template,
        delivery: &Delivery,
        name: &Name,
    ) -> pingora::Result<Whole> {
        match self.make(template, name) {
            Ok(made) => whole(StatusCode::OK, template.kind().media_type(), made.into()),
            Err(missing) => said(&delivery.failed, Some(name), &missing.to_string()),
        }
    }
}

/// What a client is told, because of `why`.
pub(crate) fn said(said: &Said, name: Option<&Name>, why: &str) -> pingora::Result<Whole> {
    let made = said.body.as_ref().and_then(|template| {
        let value = |value: &str| match value {
            "error" => Some(Cow::Borrowed(why)),
            // Who has none is told so.
            _ => Some(name.and_then(|name| name.value(value)).unwrap_or_default()),
        };
        Some((template.kind().media_type(), template.make(value).ok()?))
    });
    match made {
        Some((media_type, body)) => whole(said.status, media_type, body.into()),
        None => Problem::new(said.status, why).answer(),
    }
}

fn whole(status: StatusCode, media_type: &str, body: Bytes) -> pingora::Result<Whole> {
    let mut header = pingora::http::ResponseHeader::build(status, Some(6))?;
    header.insert_header(http::header::CONTENT_TYPE, media_type)?;
    header.insert_header(http::header::CONTENT_LENGTH, body.len())?;
    header.insert_header(http::header::CACHE_CONTROL, "no-store")?;
    header.insert_header("x-content-type-options", "nosniff")?;
    Ok(Whole { header: Box::new(header), body })
}

/// What went wrong, as the answer of a host with an error says.
pub(crate) fn detail(status: u16, answered: &Answered) -> String {
    let told = answered.json.as_ref().and_then(|json| {
        ["detail", "error", "title"].iter().find_map(|key| json.get(key)?.as_str())
    });
    let text = || std::str::from_utf8(&answered.body).ok().map(str::trim);
    let is_text = answered.media_type.starts_with("text/plain");
    let told = told.or_else(|| text().filter(|text| is_text && !text.is_empty()));
    match told {
        Some(told) => told.chars().take(DETAIL_MAX).collect(),
        None => format!("the host answered {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::contract::StemEnd;

    fn answered(body: &'static str) -> Answered {
        Answered::new("application/json".to_owned(), Bytes::from_static(body.as_bytes()))
    }

    fn value(body: &'static str, name: &str) -> Option<String> {
        answered(body).value(name).map(Cow::into_owned)
    }

    #[test]
    fn values_are_found_in_an_answer() {
        let body = r#"{"label": "a b", "top": [{"p": 0.5}], "none": null, "faces": 1}"#;
        assert_eq!(value(body, "result.label").as_deref(), Some("a b"));
        assert_eq!(value(body, "result.top.0.p").as_deref(), Some("0.5"));
        assert_eq!(value(body, "result.faces").as_deref(), Some("1"));
        assert_eq!(value(body, "result").as_deref(), Some(body));
        for missing in ["result.none", "result.label.x", "result.top.1", "name", "result.x"] {
            assert_eq!(value(body, missing), None, "{missing}");
        }
        assert_eq!(value("no json", "result.label"), None);
    }

    #[test]
    fn what_went_wrong_is_what_the_host_says() {
        let said = |body| detail(400, &answered(body));
        assert_eq!(said(r#"{"title": "Bad Request", "detail": "no image"}"#), "no image");
        assert_eq!(said("{}"), "the host answered 400");
        let text = Answered::new("text/plain".to_owned(), Bytes::from_static(b" no \n"));
        assert_eq!(detail(500, &text), "no");
    }

    #[test]
    fn a_name_without_a_value_is_told_nothing_of() {
        let template = Template::parse("{name}|{error}", &["name", "error"]).expect("a template");
        let body = Some(template);
        let told = Said { status: StatusCode::BAD_REQUEST, body };
        let name = Name::new("a.jpg", StemEnd::LastDot);
        let answer = said(&told, name.as_ref(), "why").expect("an answer");
        assert_eq!(answer.body, "a.jpg|why");
        assert_eq!(said(&told, None, "why").expect("an answer").body, "|why");
    }
}
