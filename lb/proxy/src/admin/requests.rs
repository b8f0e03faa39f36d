//! What operators ask of requests: which are here, and to have one given up.
//!
//! ```text
//! GET    /requests?most=50
//! DELETE /requests/0-17
//! ```

use form_urlencoded::parse as parse_query;
use http::{Method, Request, StatusCode};
use serde_json::json;

use weighbridge_core::request::RequestId;

use super::snapshot::{REQUESTS, Shown, Snapshot};
use super::{Answer, allow_only, json_answer, refuse};
use crate::answer::Problem;
use crate::front::Front;

/// The most requests of each kind in one answer.
const MOST: usize = 1000;

/// What is asked for.
pub(super) enum Part {
    Requests,
    Routes,
    Timeline,
    All,
}

/// The part of what operators are shown that is at `path`.
pub(super) fn part(path: &str) -> Option<Part> {
    match path {
        "/requests" => Some(Part::Requests),
        "/routes" => Some(Part::Routes),
        "/timeline" => Some(Part::Timeline),
        "/snapshot" => Some(Part::All),
        _ => None,
    }
}

/// That part, by the query of `request`.
pub(super) fn show<B>(front: &Front, request: &Request<B>, part: &Part) -> Answer {
    let most = match most(request.uri().query().unwrap_or_default()) {
        Ok(most) => most,
        Err(problem) => return refuse(&problem),
    };
    match part {
        Part::Requests => json_answer(&Snapshot::take(front, most).requests),
        Part::Routes => json_answer(&json!({ "routes": Snapshot::take(front, 0).routes })),
        Part::Timeline => json_answer(&front.ledger.metrics.timeline.past()),
        Part::All => json_answer(&Shown::take(front, most)),
    }
}

/// How many requests of each kind are asked for.
fn most(query: &str) -> Result<usize, Problem> {
    let mut most = REQUESTS;
    for (name, value) in parse_query(query.as_bytes()) {
        if name != "most" {
            let detail = format!("`{name}` is not known: expected most");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).at("query"));
        }
        let asked = value.parse().ok().filter(|asked| *asked <= MOST);
        most = asked.ok_or_else(|| {
            let detail = format!("most is `{value}`: expected from 0 to {MOST}");
            Problem::new(StatusCode::BAD_REQUEST, detail).at("query")
        })?;
    }
    Ok(most)
}

/// Has the request given up that is named by what follows `/requests/`.
pub(super) fn cancel<B>(front: &Front, request: &Request<B>, id: &str) -> Answer {
    if request.method() != Method::DELETE {
        return allow_only("DELETE");
    }
    let fleet_and_id = id
        .split_once('-')
        .and_then(|(fleet, id)| Some((fleet.parse::<usize>().ok()?, RequestId(id.parse().ok()?))));
    let Some((fleet, request)) = fleet_and_id else {
        let detail = format!("`{id}` is no request: expected an id from `/requests`, as 0-17");
        return refuse(&Problem::new(StatusCode::NOT_FOUND, detail).at("path"));
    };
    let fleet = front.dispatch.fleets.all().get(fleet);
    let Some(entry) = fleet.and_then(|fleet| fleet.register().get(request)) else {
        return refuse(&Problem::new(StatusCode::GONE, "the request is not here any more"));
    };
    if let Some(job) = entry.job() {
        let detail = format!("it is an attempt of a job: expected DELETE /jobs/{job}");
        return refuse(&Problem::new(StatusCode::CONFLICT, detail).at("path"));
    }
    entry.cancel();
    tracing::info!(request = id, path = entry.path(), "an operator cancels a request");
    let mut answer = json_answer(&json!({ "id": id, "cancelled": true }));
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_are_asked_for_is_bounded() {
        assert_eq!(most("").ok(), Some(REQUESTS));
        assert_eq!(most("most=7").ok(), Some(7));
        assert_eq!(most("most=0").ok(), Some(0));
        for wrong in ["most=1001", "most=-1", "most=x", "more=7"] {
            assert!(most(wrong).is_err(), "{wrong}");
        }
    }
}
