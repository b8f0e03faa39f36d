//! What is told of a job, and when it is predicted to begin and to end.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;
use serde::Serialize;

use weighbridge_core::jobs::{JobId, Phase, State};
use weighbridge_core::units::{Time, Work};

use super::ledger::{Ahead, Kept, LedgerError};
use super::progress::left;
use super::{JobRoom, now, wall_clock};
use crate::answer::Whole;
use crate::decide::Decide;
use crate::text::span;

/// A job is not said to be further than this before it has ended.
const PROGRESS_MAX: f64 = 0.99;

/// The longest that a client is told to stay away.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// What is told of a job.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    /// Its id.
    pub(crate) id: String,
    /// Its state: `queued`, `running`, `succeeded`, `failed`, `cancelled`, `expired`, `dead`.
    pub(crate) state: &'static str,
    /// Its route.
    route: String,
    method: String,
    path: String,
    /// How often it has been tried; 0 before the first time.
    attempt: u32,
    /// When it was accepted (RFC 3339).
    received: String,
    /// When it is not tried before; while it waits for its next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    /// Its predicted work, in CPU-seconds of the reference core.
    work_seconds: f64,
    /// What stands before it in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<AheadTold>,
    /// When it is predicted to begin; while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_start: Option<String>,
    /// When it is predicted to end; until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_finish: Option<String>,
    /// The part of it that is done, from 0 to 1: as the host says, else elapsed by predicted time.
    pub(crate) progress: f64,
    /// The status of its answer, once there is one.
    #[serde(rename = "status", skip_serializing_if = "Option::is_none")]
    answered: Option<u16>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Bytes of its request's body.
    request_bytes: u64,
    /// Bytes of its answer's body, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_bytes: Option<u64>,
    /// Where its result is.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// How soon to ask again. In the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

/// What stands before a job.
#[derive(Debug, Clone, Copy, Serialize)]
struct AheadTold {
    jobs: u64,
    work_seconds: f64,
}

/// The name of a phase as clients see it: to them a job that is claimed, runs or commits is
/// running.
pub(crate) fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Receiving => "receiving",
        Phase::Queued => "queued",
        Phase::Leased | Phase::Running | Phase::Committing => "running",
        Phase::Succeeded | Phase::Failed | Phase::Cancelled | Phase::Expired | Phase::Dead => {
            phase.name()
        }
    }
}

/// `time` as RFC 3339 has it, in milliseconds.
pub(crate) fn rfc_3339(time: Time) -> String {
    humantime::format_rfc3339_millis(wall_clock(time)).to_string()
}

// === impl Status ===

impl Status {
    /// What is of interest to people.
    pub(crate) fn in_words(&self) -> Vec<(&'static str, String)> {
        let ahead = self
            .ahead
            .map(|ahead| format!("{} jobs with {:.1} s of work", ahead.jobs, ahead.work_seconds));
        let attempt = (0 < self.attempt).then(|| self.attempt.to_string());
        let all = [
            ("request", Some(format!("{} {}", self.method, self.path))),
            ("accepted", Some(self.received.clone())),
            ("attempt", attempt),
            ("ahead of it", ahead),
            ("not before", self.not_before.clone()),
            ("predicted to begin", self.predicted_start.clone()),
            ("predicted to end", self.predicted_finish.clone()),
            ("ended", self.finished.clone()),
            ("what went wrong last", self.reason.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// Where the job `id` is asked for.
    pub(crate) fn location(&self, id: JobId) -> String {
        format!("{}/{id}", self.settings().path)
    }

    /// What is told of `kept` now.
    pub(crate) async fn status(&self, kept: &Kept) -> Result<Status, LedgerError> {
        let (job, now) = (&kept.job, now());
        let ahead = match job.state {
            State::Queued { .. } => Some(self.ledger.before(kept).await?),
            _ => None,
        };
        let done = self.done(kept);
        let (start, finish) = self.predicted(kept, (ahead, done), now);
        let told = |time: Option<Time>| time.map(rfc_3339);
        let not_before = job.state.not_before().filter(|not_before| now < *not_before);
        let id = job.id;
        Ok(Status {
            id: id.to_string(),
            state: name(job.state.phase()),
            route: kept.route.clone(),
            method: kept.method.clone(),
            path: kept.path.clone(),
            attempt: job.attempts,
            received: rfc_3339(job.received),
            not_before: told(not_before),
            finished: told(job.finished),
            work_seconds: job.work.as_cpu_secs(),
            ahead: ahead.map(|ahead| AheadTold {
                jobs: ahead.jobs,
                work_seconds: ahead.work.as_cpu_secs(),
            }),
            predicted_start: told(start),
            predicted_finish: told(finish),
            progress: part_done(kept, done, now),
            answered: job.outcome.map(|outcome| outcome.status),
            reason: job.reason.map(|reason| reason.to_string()),
            request_bytes: kept.request_bytes,
            result_bytes: job.outcome.map(|_| kept.answer_bytes),
            result: job.outcome.map(|_| format!("{}/result", self.location(id))),
            retry_after: finish.map(|finish| {
                let left = finish.since(now).min(RETRY_AFTER_MAX);
                (left.as_secs_f64().ceil() as u64).max(1)
            }),
        })
    }

    /// When a job is predicted to begin and to end. Where `ahead` of it something waits, it begins
    /// when the fleet has done that, and what hosts have.
    fn predicted(
        &self,
        kept: &Kept,
        (ahead, done): (Option<Ahead>, Work),
        now: Time,
    ) -> (Option<Time>, Option<Time>) {
        let takes = span(kept.job.work);
        match kept.job.state {
            State::Receiving | State::Queued { .. } => {
                let work = ahead.map_or(Work::ZERO, |ahead| ahead.work);
                let fleet = self.fleet_of(kept);
                let wait = fleet.look(|balancer, _| balancer.time_for(work));
                let not_before = match kept.job.state {
                    State::Queued { not_before } => not_before,
                    _ => now,
                };
                let start = (now + wait).max(not_before);
                (Some(start), Some(start + takes))
            }
            State::Leased(lease) | State::Running(lease) | State::Committing { lease, .. } => {
                (None, Some(now + left((kept.job.work, done), takes, (lease.since, now))))
            }
            State::Succeeded | State::Failed | State::Cancelled | State::Expired | State::Dead => {
                (None, None)
            }
        }
    }

    /// The balancer of the fleet in whose line a job waits.
    fn fleet_of(&self, kept: &Kept) -> Arc<Decide> {
        let rooms = self.rooms();
        let nth = rooms.config.fleet_names().position(|name| name == kept.fleet);
        let fleets = &rooms.dispatch.fleets;
        let fleet = nth.and_then(|nth| fleets.all().get(nth)).unwrap_or(fleets.main());
        Arc::clone(fleet)
    }

    /// The answer that tells of `kept`, with `status`.
    pub(crate) async fn tell(
        &self,
        kept: &Kept,
        status: StatusCode,
    ) -> Result<pingora::Result<Whole>, LedgerError> {
        let told = self.status(kept).await?;
        Ok(document(&told, status, &self.location(kept.job.id)))
    }
}

fn document(told: &Status, status: StatusCode, location: &str) -> pingora::Result<Whole> {
    let mut body = serde_json::to_vec_pretty(told).unwrap_or_default();
    body.push(b'\n');
    let mut header = ResponseHeader::build(status, Some(8))?;
    header.insert_header(header::CONTENT_TYPE, "application/json")?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    header.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    if status == StatusCode::ACCEPTED {
        header.insert_header(header::LOCATION, location)?;
    }
    if let Some(secs) = told.retry_after {
        header.insert_header(header::RETRY_AFTER, secs)?;
    }
    Ok(Whole { header: Box::new(header), body: body.into() })
}

/// The part of a job that is done: what the host says by predicted work, else elapsed by predicted
/// time.
fn part_done(kept: &Kept, done: Work, now: Time) -> f64 {
    let job = &kept.job;
    let predicted = job.work.as_cpu_secs().max(f64::MIN_POSITIVE);
    match job.state {
        State::Receiving
        | State::Queued { .. }
        | State::Cancelled
        | State::Expired
        | State::Dead => 0.0,
        State::Leased(lease) | State::Running(lease) => {
            let reported = done.as_cpu_secs() / predicted;
            let elapsed = now.since(lease.since).as_secs_f64() / predicted;
            let part = if 0.0 < reported { reported } else { elapsed };
            part.clamp(0.0, PROGRESS_MAX)
        }
        State::Committing { .. } => PROGRESS_MAX,
        State::Succeeded | State::Failed => 1.0,
    }
}
