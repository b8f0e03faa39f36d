//! Films: pages where people have them made of photos, and jobs of customers that make them of what
//! is in buckets ([`crate::config::films`]).
//!
//! ```text
//! pages.rs      the pages, and assets.rs what they are made of beside HTML
//! desk.rs       what customers ask and are told: /makevideo, /checkstatus
//! customers.rs  the table of customers, and what becomes of a row; folder.rs, or at AWS
//! worker.rs     takes the jobs of customers from their queue, and does them
//! bucket.rs     the photos of a bucket become a film in it
//! ```
//!
//! A form of the page is a job as any other. What a customer asks for is a message in a queue and a
//! row in a table, as others know them; each film in it is a job as any other, too.

mod assets;
mod bucket;
pub mod customers;
mod desk;
pub mod folder;
mod pages;
pub(crate) mod worker;

use http::{Method, StatusCode};

use super::JobRoom;
use crate::answer::{Problem, Whole};
use crate::config::Films;

/// What is asked of a route that makes films.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What there is.
    Home,
    /// The page where films are made.
    Page,
    /// A file of it: its media type, and what is in it.
    Asset(&'static str, &'static str),
    /// A form that asks for a film.
    Upload,
    /// A job of a customer.
    MakeVideo,
    /// How it is.
    CheckStatus,
}

/// What is asked by `method` at `path`, below that of the route.
pub(crate) fn asked(films: &Films, method: &Method, path: &str) -> Result<Asked, Problem> {
    let found = match path {
        "/" => Some(Asked::Home),
        "/upload" => Some(Asked::Page),
        "/makevideo" if films.desk.is_some() => Some(Asked::MakeVideo),
        "/checkstatus" if films.desk.is_some() => Some(Asked::CheckStatus),
        other => assets::asset(other).map(|(media_type, body)| Asked::Asset(media_type, body)),
    };
    let missing = || Problem::new(StatusCode::NOT_FOUND, "there is no such page").at("path");
    match (found.ok_or_else(missing)?, method) {
        (Asked::Page, &Method::POST) => Ok(Asked::Upload),
        (asked, &Method::GET | &Method::HEAD) => Ok(asked),
        (asked, _) => {
            let allow = if asked == Asked::Page { "GET, HEAD, POST" } else { "GET, HEAD" };
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {allow}"));
            Err(problem.at("method").allow(allow.to_owned()))
        }
    }
}

/// The page that is asked for with `query`; forms may have `bytes_max`.
pub(crate) async fn page(
    room: &JobRoom,
    films: &Films,
    (asked, query): (Asked, &str),
    bytes_max: u64,
) -> pingora::Result<Whole> {
    let has_desk = films.desk.is_some();
    let page = match asked {
        Asked::Home => pages::home(has_desk),
        Asked::Page | Asked::Upload => pages::upload(has_desk, (&room.settings().path, bytes_max)),
        Asked::Asset(media_type, body) => {
            return assets::answer(StatusCode::OK, media_type, body);
        }
        Asked::MakeVideo => desk::make_video(room, films, query).await,
        Asked::CheckStatus => desk::check_status(room, films, query).await,
    };
    assets::answer(StatusCode::OK, "text/html; charset=utf-8", page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_has_its_methods() {
        let films = Films { send: "/video".to_owned(), desk: None };
        let of = |method: Method, path| asked(&films, &method, path).map_err(|p| p.status);
        assert_eq!(of(Method::GET, "/"), Ok(Asked::Home));
        assert_eq!(of(Method::HEAD, "/upload"), Ok(Asked::Page));
        assert_eq!(of(Method::POST, "/upload"), Ok(Asked::Upload));
        assert!(matches!(of(Method::GET, "/upload/page.css"), Ok(Asked::Asset(..))));
        assert_eq!(of(Method::POST, "/"), Err(405));
        for missing in ["", "/upload/", "/makevideo", "/other"] {
            assert_eq!(of(Method::GET, missing), Err(404), "{missing}");
        }
    }
}
