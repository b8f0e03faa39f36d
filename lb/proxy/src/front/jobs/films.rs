//! Requests of routes that make films: pages, their files, and forms that become jobs.

use std::sync::Arc;

use http::{Method, StatusCode};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use weighbridge_core::request::RouteId;

use super::Refused;
use crate::answer::{Problem, Whole};
use crate::config::Films;
use crate::exchange::ExchangeError;
use crate::front::Front;
use crate::jobs::JobRoom;
use crate::jobs::films::{Asked, asked, page};
use crate::jobs::wishes::Preferences;
use crate::record::Record;

// === impl Front ===

impl Front {
    /// The films of `route`, where it makes some.
    pub(in crate::front) fn films(&self, route: RouteId) -> Option<Arc<Films>> {
        self.config.route(route).films.clone()
    }

    /// Serves a request of a route that makes films.
    pub(in crate::front) async fn serve_films(
        &self,
        session: &mut Session,
        record: &mut Record,
        (route, films): (RouteId, Arc<Films>),
    ) -> Result<(), ExchangeError> {
        let Some(room) = &self.jobs else { return Err(crate::caller::Gone.into()) };
        let head = session.req_header();
        let asked = asked(&films, &head.method, self.below(route, head));
        if matches!(asked, Ok(Asked::Upload)) {
            let preferences = Preferences::of(&head.headers);
            return self.accept(session, record, (route, preferences, None)).await;
        }
        // Who asks for a head alone asks for no job.
        let query = head.uri.query().filter(|_| head.method != Method::HEAD);
        let query = query.unwrap_or_default().to_owned();
        let answer = match asked {
            Ok(asked) => {
                self.page_of(room, (route, &films), (asked, &query)).await.map_err(Refused::Problem)
            }
            Err(problem) => Err(Refused::Problem(problem)),
        };
        match answer {
            Ok(answer) => Ok(self.answer(session, record, answer).await?),
            Err(Refused::Problem(problem)) => Ok(self.refuse(session, record, &problem).await?),
            Err(Refused::Gone) => Err(crate::caller::Gone.into()),
        }
    }

    /// The path of a request below that of its route, with its `/`.
    fn below<'r>(&self, route: RouteId, head: &'r RequestHeader) -> &'r str {
        let mount = self.config.route(route).path.trim_end_matches('/');
        head.uri.path().strip_prefix(mount).unwrap_or_default()
    }

    async fn page_of(
        &self,
        room: &Arc<JobRoom>,
        (route, films): (RouteId, &Films),
        (asked, query): (Asked, &str),
    ) -> Result<Whole, Problem> {
        let route = self.config.route(route);
        let bytes_max = route.body_bytes.min(room.settings().input_bytes_max);
        page(room, films, (asked, query), bytes_max).await.map_err(|error| {
            let detail = format!("the page cannot be made: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        })
    }
}

/// `head` as the host is asked for the film, whose form came to a page of this balancer.
pub(super) fn for_host(head: &mut RequestHeader, films: &Films) -> Result<(), Problem> {
    let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, "the request cannot be passed on");
    head.set_method(Method::POST);
    head.set_uri(films.send.parse().map_err(wrong)?);
    Ok(())
}
