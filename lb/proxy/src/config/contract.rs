//! The contract of a route of jobs: how it looks to clients, queues and buckets.
//!
//! Three parts that know nothing of each other: intake (HTTP to job), exchange (job to message),
//! delivery (result to the world). Every key stands with its default in `contract.toml`, which is
//! compiled in.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::reader::{Document, Section};
use super::{Films, JobsConfig, JobsKind, films};
use crate::jobs::contract::template::Template;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The most types of files.
const TYPES_MAX: usize = 64;

/// Every key with its default.
const DEFAULTS: &str = include_str!("contract.toml");

/// What templates of a request's name may have.
const OF_NAME: [&str; 3] = ["file", "id", "query."];
/// What templates of keys may have.
const OF_KEY: [&str; 2] = ["name", "stem"];
/// What templates of requests' messages may have.
const OF_REQUEST: [&str; 3] = ["name", "stem", "input.base64"];
/// What templates of tenants may have.
const OF_GROUP: [&str; 3] = ["name", "stem", "query."];
/// What templates of results may have.
const OF_RESULT: [&str; 4] = ["name", "stem", "result", "result."];
/// What templates of failures may have.
const OF_FAILURE: [&str; 3] = ["name", "stem", "error"];
/// What templates of refusals may have.
const OF_REFUSAL: [&str; 1] = ["error"];

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// HTTP to job.
    pub intake: Intake,
    /// Job to message; none where there is no queue.
    pub exchange: Option<Exchange>,
    /// Result to the world.
    pub delivery: Delivery,
}

/// HTTP to job.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// Where the input is.
    pub from: InputFrom,
    /// What it is called.
    pub name: Template,
    /// Where its stem ends.
    pub stem: StemEnd,
    /// Endings that names may have, in small letters; any where it is empty.
    pub types: Vec<String>,
    /// The path that the host is asked.
    pub send: String,
    /// Where inputs are kept.
    pub object: Option<ObjectAt>,
    /// There is no input.
    pub missing: Said,
    /// It has no name.
    pub unnamed: Said,
    /// Its name ends otherwise than `types` say.
    pub other_type: Said,
}

/// Where an input is in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFrom {
    /// The file in the part of a form with that name.
    Form(String),
    /// The parameter of the query with that name.
    Query(String),
    /// The whole body.
    Body,
}

/// Where the stem of a name ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StemEnd {
    /// At its first dot.
    FirstDot,
    /// At its last dot.
    LastDot,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAt {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: Template,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: StatusCode,
    /// The body; `None`: a problem.
    pub body: Option<Template>,
}

/// Job to message.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// What this balancer does.
    pub part: Part,
    /// The queue of requests.
    pub requests: String,
    /// The queue of answers.
    pub answers: String,
    /// The message of a request.
    pub request: Template,
    /// The same, where that would be too long.
    pub pointer: Option<Template>,
    /// The message of an answer.
    pub response: Template,
    /// The message of what failed.
    pub failed: Option<Template>,
    /// The tenant of a request.
    pub group: Option<Template>,
    /// The longest message, in bytes.
    pub message_bytes_max: u64,
    /// How long nobody else sees a message that was taken.
    pub visibility: Duration,
    /// Messages that this balancer holds at once.
    pub window: usize,
}

/// What a balancer does of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It asks by messages, and its hosts do the work.
    Both,
    /// It asks by messages.
    Web,
    /// Its hosts do what others ask by messages.
    Workers,
}

/// Result to the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// How long a client waits.
    pub wait: Duration,
    /// Where results are kept, and what of them; `None`: what the host has answered.
    pub object: Option<(ObjectAt, Option<Template>)>,
    /// What the client is told; `None`: the host's answer as it is.
    pub answer: Option<Template>,
    /// The parameter by which a client gets the host's answer as it is; none where it is empty.
    pub as_it_is: String,
    /// The job has failed.
    pub failed: Said,
    /// The answer has not come in time.
    pub late: Said,
}

// === impl Part ===

impl Part {
    /// Whether clients are answered here.
    pub fn is_web(self) -> bool {
        matches!(self, Part::Both | Part::Web)
    }

    /// Whether messages are worked on here.
    pub fn is_workers(self) -> bool {
        matches!(self, Part::Both | Part::Workers)
    }
}

/// What `[routes.jobs]` says.
pub(super) enum Written {
    /// How jobs look to others.
    Contract(Arc<Contract>),
    /// That films are made.
    Films(Arc<Films>),
}

/// A value is wrong, which has been told of.
struct Wrong;

/// Whether the `jobs` of a route are a table.
pub(super) fn is_written(section: &Section<'_>) -> bool {
    section.has_own_table("jobs")
}

/// Reads `[routes.jobs]` of a route, where it has such a table.
pub(super) fn read(route: &mut Section<'_>, jobs: &JobsConfig) -> Option<Written> {
    if !is_written(route) {
        return None;
    }
    let defaults = [Document::defaults(DEFAULTS)];
    let mut table = route.own_table("jobs").falling_back_on(&defaults);
    if table.has_own_table("films") {
        let films = films::read(table.table("films"));
        table.finish();
        return Some(Written::Films(Arc::new(films)));
    }
    let intake = intake(table.table("intake"));
    let exchange = exchange(table.table("exchange"), jobs);
    let delivery = delivery(table.table("delivery"));
    table.finish();
    let contract = Contract { intake: intake?, exchange: exchange.ok()?, delivery: delivery? };
    check(route, &contract);
    Some(Written::Contract(Arc::new(contract)))
}

/// Tells of parts that do not go together.
fn check(route: &Section<'_>, contract: &Contract) {
    let Some(exchange) = &contract.exchange else { return };
    let name = route.name("jobs");
    let by_pointer = exchange.pointer.is_some() || !exchange.request.has("input.base64");
    route.check(!by_pointer || contract.intake.object.is_some(), &["jobs"], || {
        format!("{name}: messages point to inputs, but intake.object has no bucket: expected one")
    });
}

fn intake(mut section: Section<'_>) -> Option<Intake> {
    let field = section.text("field", "a name, or \"\"", field).unwrap_or_default();
    let from = [("form", Source::Form), ("query", Source::Query), ("body", Source::Body)];
    let from = section.word("from", &from);
    section.check(from == Source::Body || !field.is_empty(), &["from", "field"], || {
        format!("{} is empty: expected the name of the input", section.name("field"))
    });
    let from = match from {
        Source::Form => InputFrom::Form(field),
        Source::Query => InputFrom::Query(field),
        Source::Body => InputFrom::Body,
    };
    let name = template(&mut section, "name", &OF_NAME);
    let mut at = section.table("object");
    let object = object_at(&mut at);
    at.finish();
    let ends = [("first_dot", StemEnd::FirstDot), ("last_dot", StemEnd::LastDot)];
    let stem = section.word("stem", &ends);
    let types = types(&mut section);
    let send = section.text("send", "a path, such as \"/classify\"", path).unwrap_or_default();
    let said =
        ["missing", "unnamed", "other_type"].map(|key| said(section.table(key), &OF_REFUSAL));
    // Before anything is given up: every mistake is told of.
    section.finish();
    let [missing, unnamed, other_type] = said;
    let (missing, unnamed, other_type) = (missing?, unnamed?, other_type?);
    Some(Intake { from, name: name?, stem, types, send, object, missing, unnamed, other_type })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Form,
    Query,
    Body,
}

/// None where there is no queue.
fn exchange(mut section: Section<'_>, jobs: &JobsConfig) -> Result<Option<Exchange>, Wrong> {
    let queue = "up to 80 letters, digits, `_`, `-` or `.`";
    let parts = [("both", Part::Both), ("web", Part::Web), ("workers", Part::Workers)];
    let part = section.word("part", &parts);
    let requests = section.text("requests", queue, queue_name).unwrap_or_default();
    let answers = section.text("answers", queue, queue_name).unwrap_or_default();
    section.check(requests.is_empty() == answers.is_empty(), &["requests", "answers"], || {
        let [requests, answers] = ["requests", "answers"].map(|key| section.name(key));
        format!("one of {requests} and {answers} is empty: expected both, or none")
    });
    let request = readable(&mut section, "request", &OF_REQUEST, &["name"]);
    let pointer = readable_or_none(&mut section, "pointer", &OF_REQUEST, &["name"]);
    let response = readable(&mut section, "response", &OF_RESULT, &["stem", "name"]);
    let failed = readable_or_none(&mut section, "failed", &OF_FAILURE, &["stem", "name"]);
    let group = template_or_none(&mut section, "group", &OF_GROUP);
    let message_bytes_max = section.size("message_bytes_max", 256..=1 << 20);
    let visibility = section.duration("visibility", Duration::from_secs(5)..=12 * 60 * MINUTE);
    let window = section.whole("window", 1..=1000);
    section.finish();
    let exchange = Exchange {
        part,
        request: request.ok_or(Wrong)?,
        pointer: pointer?,
        response: response.ok_or(Wrong)?,
        failed: failed?,
        group: group?,
        requests,
        answers,
        message_bytes_max,
        visibility,
        window,
    };
    let has_queues = jobs.kind == JobsKind::Aws && !exchange.requests.is_empty();
    Ok(has_queues.then_some(exchange))
}

fn delivery(mut section: Section<'_>) -> Option<Delivery> {
    let mut object = section.table("object");
    let body = template_or_none(&mut object, "body", &OF_RESULT);
    let at = object_at(&mut object);
    object.finish();
    let answer = template_or_none(&mut section, "answer", &OF_RESULT);
    let wait = section.duration("wait", Duration::ZERO..=DAY);
    let as_it_is = section.text("as_it_is", "a name, or \"\"", field).unwrap_or_default();
    let failed = said(section.table("failed"), &OF_FAILURE);
    let late = said(section.table("late"), &OF_FAILURE);
    section.finish();
    let (object, answer) = (body.ok().map(|body| at.map(|at| (at, body)))?, answer.ok()?);
    Some(Delivery { wait, object, answer, as_it_is, failed: failed?, late: late? })
}

/// Where objects are kept.
fn object_at(section: &mut Section<'_>) -> Option<ObjectAt> {
    let expected = "3 to 63 small letters, digits, `-` or `.`, or \"\"";
    let bucket = section.text("bucket", expected, super::jobs::bucket_name).unwrap_or_default();
    let key = readable(section, "key", &OF_KEY, &["name", "stem"])?;
    (!bucket.is_empty()).then_some(ObjectAt { bucket, key })
}

fn said(mut section: Section<'_>, known: &[&'static str]) -> Option<Said> {
    let status = section.whole("status", 400..=599);
    let body = template_or_none(&mut section, "body", known);
    section.finish();
    Some(Said { status: StatusCode::from_u16(status).ok()?, body: body.ok()? })
}

fn types(section: &mut Section<'_>) -> Vec<String> {
    let expected = "a list of endings, such as [\"jpg\", \"png\"]";
    let types = section.texts("types", expected);
    let plain = |text: &String| {
        !text.is_empty() && text.len() <= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let good = types.len() <= TYPES_MAX && types.iter().all(plain);
    section.check(good, &["types"], || {
        format!("{}: expected {expected}, at most {TYPES_MAX}", section.name("types"))
    });
    types.iter().map(|text| text.to_ascii_lowercase()).collect()
}

/// A template; `None` where it is wrong, which has been told of.
fn template(section: &mut Section<'_>, key: &'static str, known: &[&str]) -> Option<Template> {
    let text = section.text(key, "a text", |text| Some(text.to_owned()))?;
    match Template::parse(&text, known) {
        Ok(template) => Some(template),
        Err(error) => {
            section.check(false, &[key], || format!("{}: {error}", section.name(key)));
            None
        }
    }
}

/// A template, or none where the text is empty.
fn template_or_none(
    section: &mut Section<'_>,
    key: &'static str,
    known: &[&str],
) -> Result<Option<Template>, Wrong> {
    let template = template(section, key, known).ok_or(Wrong)?;
    let is_empty = template.to_string().is_empty();
    Ok((!is_empty).then_some(template))
}

/// A template whose texts can be read again for one of the values `needed`.
fn readable(
    section: &mut Section<'_>,
    key: &'static str,
    known: &[&str],
    needed: &[&'static str],
) -> Option<Template> {
    let template = template(section, key, known)?;
    check_readable(section, key, &template, needed).then_some(template)
}

fn readable_or_none(
    section: &mut Section<'_>,
    key: &'static str,
    known: &[&str],
    needed: &[&'static str],
) -> Result<Option<Template>, Wrong> {
    let template = template_or_none(section, key, known)?;
    let Some(one) = &template else { return Ok(None) };
    if check_readable(section, key, one, needed) { Ok(template) } else { Err(Wrong) }
}

fn check_readable(
    section: &Section<'_>,
    key: &'static str,
    template: &Template,
    needed: &[&'static str],
) -> bool {
    let checked = template.can_be_read(needed);
    if let Err(error) = &checked {
        section.check(false, &[key], || format!("{}: {error}", section.name(key)));
    }
    checked.is_ok()
}

/// The name of a part or a parameter.
fn field(text: &str) -> Option<String> {
    let good = text.len() <= 64 && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    good.then(|| text.to_owned())
}

pub(super) fn queue_name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (text.len() <= 80 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// A path without a query.
pub(super) fn path(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    (text.starts_with('/') && text.len() <= 1024 && text.bytes().all(plain))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
