//! The people that `/recognise` knows: `/people`.
//!
//! `GET /people` lists them, `PUT /people/LABEL/NAME` enrols a photo, and `DELETE
//! /people/LABEL[/NAME]` removes photos. Label and name are percent-encoded. Enrolling takes as
//! long as recognising, so it goes through the run queue as any operation does.

use std::str;

use http::header::ALLOW;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::front::Front;
use crate::operate::{self, Operations};
use crate::operations::OperationError;
use crate::operations::models::ModelError;
use crate::operations::recognise::{Enrol, PeopleError, check_name};
use crate::receive;
use crate::respond::{self, Answer, Problem};

/// What is asked of `/people`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    List,
    Enrol {
        label: String,
        name: String,
    },
    Remove {
        label: String,
        name: Option<String>,
    },
    /// Another method; these are allowed.
    Nothing(&'static str),
    /// No label or name can be read.
    Unreadable(String),
}

const PATH: &str = "/people";

impl Asked {
    /// What `request` asks for; `None` where it is not about people.
    pub(crate) fn of(request: &Request<Incoming>) -> Option<Asked> {
        Asked::by(request.method(), request.uri().path())
    }

    fn by(method: &Method, path: &str) -> Option<Asked> {
        let rest = path.strip_prefix(PATH)?;
        if !rest.is_empty() && !rest.starts_with('/') || method == Method::OPTIONS {
            return None;
        }
        let mut parts = Vec::new();
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            match decoded(part) {
                Some(part) => parts.push(part),
                None => return Some(Asked::Unreadable(part.chars().take(96).collect())),
            }
        }
        let mut parts = parts.into_iter();
        Some(match (method.as_str(), parts.next(), parts.next(), parts.next()) {
            ("GET" | "HEAD", None, _, _) => Asked::List,
            (_, None, _, _) => Asked::Nothing("GET, HEAD"),
            ("PUT", Some(label), Some(name), None) => Asked::Enrol { label, name },
            ("DELETE", Some(label), name, None) => Asked::Remove { label, name },
            (_, Some(_), None, _) => Asked::Nothing("DELETE"),
            (_, Some(_), Some(_), None) => Asked::Nothing("PUT, DELETE"),
            (_, Some(_), Some(_), Some(part)) => Asked::Unreadable(part.chars().take(96).collect()),
        })
    }
}

/// Answers what is asked.
pub(crate) async fn answer(
    front: &Front,
    own: &Operations,
    asked: Asked,
    request: Request<Incoming>,
) -> Answer {
    if let Asked::Enrol { label, name } = &asked {
        return enrol(front, own, (label, name), request).await;
    }
    receive::discard(request);
    let models = own.kept.models.clone();
    let answered = tokio::task::spawn_blocking(move || {
        let models = models.ok_or(ModelError::None)?;
        let people = models.faces()?.people();
        match asked {
            Asked::List => {
                let album = people.album()?;
                let names = album.names().into_iter();
                let people = names.map(|(label, photos)| json!({"label": label, "photos": photos}));
                Ok(json!({ "people": people.collect::<Vec<_>>() }))
            }
            Asked::Remove { label, name } => {
                Ok(json!({ "removed": people.remove(&label, name.as_deref())? }))
            }
            Asked::Enrol { .. } => Ok(json!({})),
            Asked::Nothing(allowed) => Err(Refusal::Method(allowed)),
            Asked::Unreadable(part) => Err(Refusal::Path(part)),
        }
    });
    match answered.await {
        Ok(Ok(value)) => respond::content("application/json", value.to_string()),
        Ok(Err(refusal)) => refusal.answer(),
        Err(error) => {
            tracing::error!(%error, "answered 500");
            respond::problem(&Problem::panicked())
        }
    }
}

/// Has the photo enrolled by the run queue, which is told label and name as the query.
async fn enrol(
    front: &Front,
    own: &Operations,
    (label, name): (&str, &str),
    request: Request<Incoming>,
) -> Answer {
    let checked = check_name("label", label).and_then(|()| check_name("name", name));
    if let Err(error) = checked {
        receive::discard(request);
        return Refusal::from(PeopleError::from(error)).answer();
    }
    operate::operate_on(front, own, &Enrol, request, format!("{label}/{name}")).await
}

/// Why nothing is listed or removed.
enum Refusal {
    Model(ModelError),
    Method(&'static str),
    Path(String),
}

// === impl Refusal ===

impl Refusal {
    fn answer(self) -> Answer {
        match self {
            Refusal::Model(error) => respond::problem(&Problem::from(&OperationError::from(error))),
            Refusal::Method(allowed) => {
                let detail = format!("this path takes `{allowed}`");
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut answer = respond::problem(&Problem { status, detail, field: None });
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                answer
            }
            Refusal::Path(part) => {
                let detail = format!("expected `/people/LABEL/NAME` in UTF-8, not `{part}`");
                let field = Some("path".to_owned());
                respond::problem(&Problem { status: StatusCode::BAD_REQUEST, detail, field })
            }
        }
    }
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Refusal {
        Refusal::Model(error)
    }
}

impl From<PeopleError> for Refusal {
    fn from(error: PeopleError) -> Refusal {
        Refusal::Model(error.into())
    }
}

/// A part of a path without its percent signs; `None` where that is no UTF-8.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let digits = str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'))?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(method: &Method, path: &str) -> Option<Asked> {
        Asked::by(method, path)
    }

    #[test]
    fn paths_and_methods_say_what_is_asked() {
        assert_eq!(by(&Method::GET, "/people"), Some(Asked::List));
        assert_eq!(by(&Method::HEAD, "/people/"), Some(Asked::List));
        let (label, name) = ("José M".to_owned(), "1.jpg".to_owned());
        let enrol = Asked::Enrol { label: label.clone(), name: name.clone() };
        assert_eq!(by(&Method::PUT, "/people/Jos%C3%A9%20M/1.jpg"), Some(enrol));
        let remove = |name| Some(Asked::Remove { label: label.clone(), name });
        assert_eq!(by(&Method::DELETE, "/people/Jos%c3%a9%20M/1.jpg"), remove(Some(name)));
        assert_eq!(by(&Method::DELETE, "/people/Jos%C3%A9 M/"), remove(None));
        assert_eq!(by(&Method::POST, "/people"), Some(Asked::Nothing("GET, HEAD")));
        assert_eq!(by(&Method::PUT, "/people/a"), Some(Asked::Nothing("DELETE")));
        assert_eq!(by(&Method::GET, "/people/a/b"), Some(Asked::Nothing("PUT, DELETE")));
        assert_eq!(by(&Method::GET, "/peoples"), None);
        assert_eq!(by(&Method::OPTIONS, "/people"), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_name() {
        for path in ["/people/%", "/people/a/%f", "/people/%+1", "/people/%FF", "/people/a/b/c"] {
            let asked = by(&Method::PUT, path);
            assert!(matches!(asked, Some(Asked::Unreadable(_))), "{path}: {asked:?}");
        }
        // It is a name with a slash in it, which the check of names refuses.
        let asked = by(&Method::PUT, "/people/a%2Fb/c");
        assert!(matches!(asked, Some(Asked::Enrol { label, .. }) if label == "a/b"));
    }
}
