//! What of a request is the input of a job, and what it is called.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use multer::{Constraints, Multipart, SizeLimit};
use pingora::http::RequestHeader;

use super::buckets::Place;
use super::template::Template;
use crate::answer::Problem;
use crate::config::contract::{Contract, InputFrom, Intake, ObjectAt, Said, StemEnd};
use crate::headers;

/// The longest name, in bytes.
const NAME_MAX: usize = 255;

/// The most parts of a form that are looked at.
const PARTS_MAX: usize = 64;

/// An input, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) name: Name,
    pub(crate) body: Bytes,
    /// Its media type.
    pub(crate) media_type: String,
}

/// What an input is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) whole: String,
    pub(crate) stem: String,
}

/// What a client is told that has no input.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    /// As the contract says, of this.
    Said(Said, &'static str),
    /// What the contract has nothing to say of.
    Problem(Problem),
}

/// What came of a form.
struct Found {
    file: Option<String>,
    media_type: Option<String>,
    body: Bytes,
}

/// The input of a request with `head` and `body`.
pub(crate) async fn of_request(
    intake: &Intake,
    head: &RequestHeader,
    body: &Bytes,
) -> Result<Input, Refused> {
    let query = head.uri.query().unwrap_or_default();
    let missing = || Refused::Said(intake.missing.clone(), "the input is missing");
    let found = match &intake.from {
        InputFrom::Form(field) => of_form(&head.headers, body, field).await?,
        InputFrom::Query(name) => parameter(query, name).map(|value| Found {
            file: None,
            media_type: None,
            body: Bytes::from(value.into_bytes()),
        }),
        InputFrom::Body => Some(Found {
            file: None,
            media_type: text(&head.headers, &header::CONTENT_TYPE),
            body: body.clone(),
        }),
    };
    let Found { file, media_type, body } = found.ok_or_else(missing)?;
    let id = || {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).ok().map(|()| format!("{:032x}", u128::from_be_bytes(bits)))
    };
    let name = intake.name.make(|value| match value {
        "file" => file.as_deref().map(Cow::Borrowed),
        "id" => id().map(Cow::Owned),
        other => parameter(query, other.strip_prefix("query.")?).map(Cow::Owned),
    });
    let unnamed = || Refused::Said(intake.unnamed.clone(), "the input has no name that can be one");
    let name = name.ok().and_then(|name| Name::new(&name, intake.stem)).ok_or_else(unnamed)?;
    if !is_taken(intake, &name.whole) {
        let why = "the name of the input ends otherwise than it may";
        return Err(Refused::Said(intake.other_type.clone(), why));
    }
    let media_type = media_type.unwrap_or_else(|| media_type_of(&name.whole).to_owned());
    Ok(Input { name, body, media_type })
}

/// The request that a host is asked for `input`, with the client's `query`.
pub(crate) fn for_host(
    contract: &Contract,
    input: &Input,
    query: Option<&str>,
) -> Result<Box<RequestHeader>, Problem> {
    let path = &contract.intake.send;
    let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let build = || -> pingora::Result<RequestHeader> {
        let mut head = RequestHeader::build(Method::POST, target.as_bytes(), Some(8))?;
        head.insert_header(header::HOST, "weighbridge")?;
        let media_type = HeaderValue::from_str(&input.media_type);
        let bytes = HeaderValue::from_static("application/octet-stream");
        head.insert_header(header::CONTENT_TYPE, media_type.unwrap_or(bytes))?;
        head.insert_header(header::CONTENT_LENGTH, input.body.len())?;
        head.insert_header(headers::NAME, keep_name(&input.name.whole))?;
        Ok(head)
    };
    build().map(Box::new).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the request cannot be kept: {error}"))
    })
}

/// What the input of a kept request is called.
pub(crate) fn kept_name(head: &RequestHeader, stem: StemEnd) -> Option<Name> {
    let kept = head.headers.get(headers::NAME)?.as_bytes();
    let pair = [b"name=", kept].concat();
    let (_, name) = form_urlencoded::parse(&pair).next()?;
    Name::new(&name, stem)
}

fn keep_name(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// The parameter `name` of a query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let found = form_urlencoded::parse(query.as_bytes()).find(|(one, _)| one == name);
    found.map(|(_, value)| value.into_owned())
}

/// The file in the part `field` of a form; `None` where there is no such part, or no form.
async fn of_form(headers: &HeaderMap, body: &Bytes, field: &str) -> Result<Option<Found>, Refused> {
    let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else { return Ok(None) };
    let whole = SizeLimit::new().whole_stream(body.len() as u64);
    let all = body.clone();
    let pieces = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(all) });
    let constraints = Constraints::new().size_limit(whole);
    let mut form = Multipart::with_constraints(pieces, boundary, constraints);
    for _ in 0..PARTS_MAX {
        let Some(part) = form.next_field().await.map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        // What has no name of a file, even an empty one, is no file.
        let file = part.file_name().map(str::to_owned).filter(|_| part.name() == Some(field));
        if file.is_none() {
            continue;
        }
        let media_type = part.content_type().map(ToString::to_string);
        let body = part.bytes().await.map_err(|error| unreadable(&error))?;
        return Ok(Some(Found { file, media_type, body }));
    }
    Ok(None)
}

fn unreadable(error: &multer::Error) -> Refused {
    let detail = format!("the form cannot be read: {error}");
    Refused::Problem(Problem::new(StatusCode::BAD_REQUEST, detail).at("body"))
}

fn text(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn is_taken(intake: &Intake, name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    intake.types.is_empty() || ending.is_some_and(|ending| intake.types.contains(&ending))
}

/// The media type of files whose names end so.
pub(crate) fn media_type_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("txt") => "text/plain",
        Some("json") => "application/json",
        Some(_) | None => "application/octet-stream",
    }
}

// === impl Name ===

impl Name {
    /// The name that `text` is, without the folders before it; `None` where it can be none.
    pub(crate) fn new(text: &str, stem: StemEnd) -> Option<Name> {
        let whole = text.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        let is_short = (1..=NAME_MAX).contains(&whole.len());
        if !is_short || whole.starts_with('.') || whole.chars().any(char::is_control) {
            return None;
        }
        let dot = match stem {
            StemEnd::FirstDot => whole.find('.'),
            StemEnd::LastDot => whole.rfind('.'),
        };
        let stem = &whole[..dot.unwrap_or(whole.len())];
        Some(Name { whole: whole.to_owned(), stem: stem.to_owned() })
    }

    /// The value of templates that is called so.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "name" => Some(Cow::Borrowed(&self.whole)),
            "stem" => Some(Cow::Borrowed(&self.stem)),
            _ => None,
        }
    }

    /// Where its object is. Its key has the name or the stem, and no other value.
    pub(crate) fn place(&self, at: &ObjectAt) -> Place {
        let key = at.key.make(|value| self.value(value)).unwrap_or_default();
        Place { bucket: at.bucket.clone(), key }
    }

    /// What `template` makes of it, and of what `more` knows.
    pub(crate) fn make<'v>(
        &'v self,
        template: &Template,
        more: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Result<String, super::template::Missing> {
        template.make(|name| self.value(name).or_else(|| more(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn contract(intake: &str) -> Contract {
        let text = format!(
            "[[routes]]\nname = \"x\"\npath = \"/\"\n[routes.jobs.intake]\n{intake}\n[jobs]\nenabled = true\n"
        );
        let config = Config::parse(&text, &weighbridge_scene_extract::extractors()).expect("good");
        config.routes[0].contract.as_deref().expect("a contract").clone()
    }

    fn head(target: &str, content_type: &str) -> RequestHeader {
        let mut head = RequestHeader::build("POST", target.as_bytes(), None).unwrap();
        head.insert_header("content-type", content_type).unwrap();
        head
    }

    fn form(part: &str, body: &str) -> Bytes {
        let head = format!("--X\r\nContent-Disposition: form-data; {part}\r\n\r\n");
        Bytes::from(format!("{head}{body}\r\n--X--\r\n"))
    }

    async fn of_form(intake: &str, part: &str) -> Result<Input, Refused> {
        let head = head("/?a=b", "multipart/form-data; boundary=X");
        of_request(&contract(intake).intake, &head, &form(part, "body")).await
    }

    const FIELD: &str = "field = \"myfile\"\nstem = \"first_dot\"\ntypes = [\"JPEG\"]\n\
                         missing.status = 422\nother_type.status = 415";

    #[tokio::test]
    async fn a_file_of_a_form_is_the_input() {
        let part = "name=\"myfile\"; filename=\"C:\\\\dir\\\\test_0.x.JPeG\"";
        let input = of_form(FIELD, part).await.expect("an input");
        assert_eq!((&*input.name.whole, &*input.name.stem), ("test_0.x.JPeG", "test_0"));
        assert_eq!((&*input.body, &*input.media_type), (&b"body"[..], "image/jpeg"));
        let head = for_host(&contract(FIELD), &input, Some("top=5")).unwrap();
        assert_eq!(head.raw_path(), b"/?top=5");
        assert_eq!(kept_name(&head, StemEnd::LastDot).expect("a name").stem, "test_0.x");
    }

    #[tokio::test]
    async fn each_mistake_of_a_client_has_an_answer_of_its_own() {
        let status = async |part| match of_form(FIELD, part).await {
            Err(Refused::Said(said, _)) => said.status.as_u16(),
            Err(Refused::Problem(problem)) => problem.status,
            Ok(_) => 200,
        };
        assert_eq!(status("name=\"other\"; filename=\"a.jpeg\"").await, 422);
        assert_eq!(status("name=\"myfile\"").await, 422);
        assert_eq!(status("name=\"myfile\"; filename=\"\"").await, 400);
        assert_eq!(status("name=\"myfile\"; filename=\"../..\"").await, 400);
        assert_eq!(status("name=\"myfile\"; filename=\"a.gif\"").await, 415);
        assert_eq!(status("name=\"myfile\"; filename=\"a.jpeg\"").await, 200);
        let intake = contract(FIELD).intake;
        let no_form = of_request(&intake, &head("/", "text/plain"), &Bytes::new()).await;
        assert!(matches!(no_form, Err(Refused::Said(said, _)) if said.status == 422));
        let cut = form("name=\"myfile\"; filename=\"a.jpeg\"", "b").slice(..60);
        let cut = of_request(&intake, &head("/", "multipart/form-data; boundary=X"), &cut).await;
        assert!(matches!(cut, Err(Refused::Problem(problem)) if problem.status == 400));
    }

    #[tokio::test]
    async fn a_query_and_a_body_are_inputs_too() {
        let intake = contract("from = \"query\"\nfield = \"who\"\nname = \"{query.who}\"").intake;
        let input = of_request(&intake, &head("/?who=a%20b", "text/plain"), &Bytes::new()).await;
        let input = input.expect("an input");
        assert_eq!((&*input.name.whole, &*input.body), ("a b", &b"a b"[..]));
        let intake = contract("from = \"body\"\nname = \"{id}\"").intake;
        let body = Bytes::from_static(b"all");
        let input = of_request(&intake, &head("/", "image/png"), &body).await.expect("an input");
        assert_eq!((input.name.whole.len(), &*input.media_type), (32, "image/png"));
        assert_eq!(input.body, body);
    }

    #[test]
    fn names_of_all_letters_are_kept() {
        for name in ["a b+c%20.jpg", "ünïcödé 猫.png"] {
            let pair = format!("name={}", keep_name(name));
            assert_eq!(form_urlencoded::parse(pair.as_bytes()).next().unwrap().1, name);
        }
        for bad in ["", ".", "..", ".jpg", "a/", "a\nb", &"x".repeat(256)] {
            assert_eq!(Name::new(bad, StemEnd::LastDot), None, "{bad}");
        }
    }
}
