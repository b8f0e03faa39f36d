//! Films: pages where people have films made of photos, and a queue of jobs that make films of what
//! is in buckets. A table `[routes.jobs.films]`; every key stands with its default in
//! `contract.toml`.

use std::time::Duration;

use super::contract::{path, queue_name};
use super::reader::Section;
use super::store;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// The most keys, endings and parts.
const LISTED_MAX: usize = 16;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Films {
    /// The path that hosts are asked for a film.
    pub send: String,
    /// The jobs of customers; none where there is no queue.
    pub desk: Option<Desk>,
}

/// The jobs of customers: who asks for one at `/makevideo` is told how it is at `/checkstatus`.
#[derive(Debug, Clone, PartialEq)]
pub struct Desk {
    /// The queue of jobs.
    pub queue: String,
    /// The table of customers.
    pub table: String,
    /// How long nobody else sees a job that was taken.
    pub visibility: Duration,
    /// Jobs that this balancer holds at once; at least 1.
    pub window: usize,
    /// How often a job is begun; at least 1.
    pub tries_max: u32,
    /// The longest that one job sleeps.
    pub sleep_max: Duration,
    /// A job of which nothing was heard for so long stands in the way of no other.
    pub silence_max: Duration,
    /// Endings of photos, in small letters.
    pub photos: Vec<String>,
    /// Where films are put, in the bucket of their photos; at least one.
    pub keys: Vec<String>,
    /// Further parts of the form that asks for a film: names and values.
    pub form: Vec<(String, String)>,
}

/// Reads `[routes.jobs.films]`.
pub(super) fn read(mut section: Section<'_>) -> Films {
    let queue = "up to 80 letters, digits, `_`, `-` or `.`";
    let table = "3 to 240 letters, digits, `_`, `-` or `.`";
    let send = section.text("send", "a path, such as \"/video\"", path).unwrap_or_default();
    let desk = Desk {
        queue: section.text("queue", queue, queue_name).unwrap_or_default(),
        table: section.text("table", table, store::table_name).unwrap_or_default(),
        visibility: section.duration("visibility", 5 * SECOND..=DAY / 2),
        window: section.whole("window", 1..=1000),
        tries_max: section.whole("tries_max", 1..=100),
        sleep_max: section.duration("sleep_max", Duration::ZERO..=DAY),
        silence_max: section.duration("silence_max", 60 * SECOND..=30 * DAY),
        photos: listed(&mut section, ("photos", "endings, such as [\"jpg\", \"png\"]"), ending),
        keys: listed(&mut section, ("keys", "names, such as [\"film.mp4\"]"), key),
        form: listed(&mut section, ("form", "parts, such as [\"seconds=2\"]"), part),
    };
    section.check(!desk.keys.is_empty(), &["keys"], || {
        format!("{} is empty: expected at least one name", section.name("keys"))
    });
    section.finish();
    let has_queue = !desk.queue.is_empty();
    Films { send, desk: has_queue.then_some(desk) }
}

/// A list of what `parse` reads.
fn listed<T>(
    section: &mut Section<'_>,
    (key, expected): (&'static str, &str),
    parse: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let expected = format!("a list of {expected}");
    let texts = section.texts(key, &expected);
    let parsed: Vec<T> = texts.iter().filter_map(|text| parse(text)).collect();
    let good = parsed.len() == texts.len() && texts.len() <= LISTED_MAX;
    section.check(good, &[key], || {
        format!("{}: expected {expected}, at most {LISTED_MAX}", section.name(key))
    });
    parsed
}

fn ending(text: &str) -> Option<String> {
    let good = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| text.to_ascii_lowercase())
}

/// The key of an object, which is the name of a file where buckets are folders.
fn key(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let good = (1..=255).contains(&text.len()) && !text.starts_with('.');
    (good && text.bytes().all(plain)).then(|| text.to_owned())
}

fn part(text: &str) -> Option<(String, String)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let (name, value) = text.split_once('=')?;
    let good = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(plain);
    (good(name) && good(value)).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_can_stand_in_a_form_and_a_folder() {
        assert_eq!(ending("JPG").as_deref(), Some("jpg"));
        assert!(ending("j.pg").is_none() && ending("").is_none());
        assert!(key("myvideo.mpeg").is_some());
        assert!(key(".hidden").is_none() && key("a/b").is_none() && key("..").is_none());
        assert_eq!(part("fade=0.4"), Some(("fade".to_owned(), "0.4".to_owned())));
        assert!(part("fade").is_none() && part("fade=").is_none() && part("a\"=1").is_none());
    }
}
