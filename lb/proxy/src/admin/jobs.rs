//! What operators ask of jobs: lists, one job, cancel, retry, purge.

use std::time::Duration;

use form_urlencoded::parse as parse_query;
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use weighbridge_core::jobs::{JobId, Phase};

use super::{Answer, json_answer, refuse};
use crate::answer::Problem;
use crate::jobs::intake::unkept;
use crate::jobs::ledger::{Filter, Found, Kept, LedgerError};
use crate::jobs::status::rfc_3339;
use crate::jobs::{JobRoom, Stepped, now};

/// Jobs in one answer, unless more are asked for.
const LISTED: usize = 100;

/// The most jobs in one answer.
const LISTED_MAX: usize = 10_000;

/// Jobs that are purged at once.
const PURGED: usize = 500;

/// Why there is no answer but a problem.
struct Refused(Problem);

/// Answers what is asked of jobs at `path`, which is below `/jobs`.
pub(super) async fn answer<B>(room: Option<&JobRoom>, request: &Request<B>, path: &str) -> Answer {
    let answered = match room {
        None => Err(Refused(problem(StatusCode::NOT_FOUND, "jobs.enabled is false"))),
        Some(room) => ask(room, request, path).await,
    };
    match answered {
        Ok((status, value)) => {
            let mut answer = json_answer(&value);
            *answer.status_mut() = status;
            answer
        }
        Err(Refused(problem)) => {
            let mut answer = refuse(&problem);
            let allow = problem.allow.and_then(|allow| allow.parse().ok());
            answer.headers_mut().extend(allow.map(|allow| (ALLOW, allow)));
            answer
        }
    }
}

async fn ask<B>(
    room: &JobRoom,
    request: &Request<B>,
    path: &str,
) -> Result<(StatusCode, Value), Refused> {
    let method = request.method();
    let query = Query::of(request.uri().query().unwrap_or_default())?;
    let rest = path.strip_prefix("/jobs").unwrap_or_default().trim_matches('/');
    match (rest, method) {
        ("", &Method::GET | &Method::HEAD) => list(room, &query).await,
        ("callbacks", &Method::GET | &Method::HEAD) => callbacks(room, &query).await,
        ("purge", &Method::POST) => purge(room, query).await,
        ("" | "callbacks", _) => Err(not_allowed("GET")),
        ("purge", _) => Err(not_allowed("POST")),
        _ => {
            let (id, what) = rest.split_once('/').map_or((rest, ""), |(id, what)| (id, what));
            let kept = find(room, id).await?;
            match (what, method) {
                ("", &Method::GET | &Method::HEAD) => {
                    Ok((StatusCode::OK, whole(room, &kept).await?))
                }
                ("", &Method::DELETE) => cancel(room, kept).await,
                ("retry", &Method::POST) => retry(room, kept).await,
                ("", _) => Err(not_allowed("GET, DELETE")),
                ("retry", _) => Err(not_allowed("POST")),
                _ => Err(Refused(problem(StatusCode::NOT_FOUND, "nothing is there"))),
            }
        }
    }
}

/// Which jobs are meant.
#[derive(Debug, Default)]
struct Query {
    filter: Filter,
    older_than: Duration,
}

impl Query {
    fn of(text: &str) -> Result<Query, Refused> {
        let mut query =
            Query { filter: Filter { most: LISTED, ..Filter::default() }, ..Query::default() };
        for (name, value) in parse_query(text.as_bytes()) {
            let expected = |expected: &str| {
                let detail = format!("{name} is `{value}`: expected {expected}");
                Refused(problem(StatusCode::BAD_REQUEST, &detail))
            };
            match &*name {
                "state" => {
                    let names = Phase::ALL.map(Phase::name).join(", ");
                    let phase = Phase::by_name(&value).ok_or_else(|| expected(&names))?;
                    query.filter.phase = Some(phase);
                }
                "route" => query.filter.route = Some(value.into_owned()),
                "before" => {
                    let before = value.parse().map_err(|_| expected("a number from `next`"))?;
                    query.filter.before = Some(before);
                }
                "most" => {
                    let most = value.parse().ok().filter(|most| (1..=LISTED_MAX).contains(most));
                    query.filter.most =
                        most.ok_or_else(|| expected(&format!("from 1 to {LISTED_MAX}")))?;
                }
                "older_than" => {
                    query.older_than = crate::config::parse_duration(&value)
                        .ok_or_else(|| expected("a duration, such as 1h"))?;
                }
                _ => {
                    let detail = format!(
                        "`{name}` is not known: expected state, route, before, most, older_than"
                    );
                    return Err(Refused(problem(StatusCode::BAD_REQUEST, &detail)));
                }
            }
        }
        Ok(query)
    }
}

async fn list(room: &JobRoom, query: &Query) -> Result<(StatusCode, Value), Refused> {
    let page = room.ledger.list(&query.filter).await?;
    let totals = room.ledger.totals().await?;
    let by_phase: serde_json::Map<String, Value> =
        totals.by_phase.iter().map(|(phase, n)| (phase.name().to_owned(), json!(n))).collect();
    let jobs: Vec<Value> = page.jobs.iter().map(brief).collect();
    let told = json!({
        "jobs": jobs,
        "next": page.next,
        "by_state": by_phase,
        "bytes": totals.bytes,
        "callbacks": { "pending": totals.callbacks, "dead": totals.dead_callbacks },
    });
    Ok((StatusCode::OK, told))
}

async fn callbacks(room: &JobRoom, query: &Query) -> Result<(StatusCode, Value), Refused> {
    let dead = room.ledger.dead_callbacks(query.filter.most).await?;
    let dead: Vec<Value> = dead
        .iter()
        .map(|callback| {
            json!({
                "job": callback.job.to_string(),
                "url": callback.url,
                "tries": callback.tries,
                "since": rfc_3339(callback.since),
                "reason": callback.reason,
            })
        })
        .collect();
    Ok((StatusCode::OK, json!({ "dead": dead })))
}

/// Forgets ended jobs.
async fn purge(room: &JobRoom, query: Query) -> Result<(StatusCode, Value), Refused> {
    let Some(phase) = query.filter.phase.filter(|phase| phase.is_final()) else {
        let detail = "expected state=succeeded, failed, cancelled, expired or dead";
        return Err(Refused(problem(StatusCode::BAD_REQUEST, detail).at("state")));
    };
    let mut filter = Filter { phase: Some(phase), most: PURGED, ..query.filter };
    let mut n_purged: u64 = 0;
    loop {
        let page = room.ledger.list(&filter).await?;
        for kept in &page.jobs {
            let ended = kept.job.finished.unwrap_or(kept.job.received);
            if ended + query.older_than <= now() && room.forget(kept).await? {
                n_purged += 1;
            }
        }
        filter.before = page.next;
        if page.next.is_none() {
            return Ok((StatusCode::OK, json!({ "purged": n_purged })));
        }
    }
}

async fn cancel(room: &JobRoom, kept: Kept) -> Result<(StatusCode, Value), Refused> {
    match room.cancel(kept).await? {
        Stepped::Kept(kept, _) if kept.job.state.phase() == Phase::Cancelled => {
            Ok((StatusCode::ACCEPTED, brief(&kept)))
        }
        Stepped::Kept(kept, _) => {
            let detail = format!("the job has ended: it is {}", kept.job.state.phase());
            Err(Refused(problem(StatusCode::CONFLICT, &detail)))
        }
        Stepped::Gone => Err(Refused(problem(StatusCode::GONE, "the job is forgotten"))),
    }
}

async fn retry(room: &JobRoom, kept: Kept) -> Result<(StatusCode, Value), Refused> {
    let phase = kept.job.state.phase();
    if phase != Phase::Dead {
        let detail = format!("the job is {phase}: expected a dead one");
        return Err(Refused(problem(StatusCode::CONFLICT, &detail)));
    }
    match room.retry(kept).await? {
        Stepped::Kept(kept, _) => Ok((StatusCode::ACCEPTED, brief(&kept))),
        Stepped::Gone => Err(Refused(problem(StatusCode::GONE, "the job is forgotten"))),
    }
}

async fn find(room: &JobRoom, id: &str) -> Result<Kept, Refused> {
    let id: JobId = id.parse().map_err(|_| {
        let detail = format!("`{id}` is no job: expected 32 hexadecimal digits in lower case");
        Refused(problem(StatusCode::NOT_FOUND, &detail).at("path"))
    })?;
    match room.ledger.get(id).await? {
        Found::Kept(kept) => Ok(*kept),
        Found::Forgotten => Err(Refused(problem(StatusCode::GONE, "the job is forgotten"))),
        Found::Unknown => Err(Refused(problem(StatusCode::NOT_FOUND, "there is no such job"))),
    }
}

/// What a list says of a job.
fn brief(kept: &Kept) -> Value {
    let job = &kept.job;
    json!({
        "id": job.id.to_string(),
        "state": job.state.phase().name(),
        "route": kept.route,
        "method": kept.method,
        "path": kept.path,
        "attempts": job.attempts,
        "work_seconds": job.work.as_cpu_secs(),
        "received": rfc_3339(job.received),
        "finished": job.finished.map(rfc_3339),
        "reason": job.reason.map(|reason| reason.to_string()),
        "status": job.outcome.map(|outcome| outcome.status),
    })
}

/// All that is known of a job: what its client sees, and what the ledger has.
async fn whole(room: &JobRoom, kept: &Kept) -> Result<Value, Refused> {
    let mut value = json!(room.status(kept).await?);
    value["ledger"] = json!(kept);
    Ok(value)
}

fn problem(status: StatusCode, detail: &str) -> Problem {
    Problem::new(status, detail)
}

fn not_allowed(methods: &str) -> Refused {
    let problem = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("expected {methods}"));
    Refused(problem.at("method").allow(methods.to_owned()))
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Refused {
        Refused(unkept(&error))
    }
}
