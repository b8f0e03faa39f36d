//! What clients see of jobs: requests that become some, and `/jobs/ID`.

mod accept;
mod contract;
mod films;
mod range;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use weighbridge_core::jobs::JobId;

use super::body::BodyError;
use super::client::{self, Client};
use super::{Front, cors};
use crate::answer::{Problem, Whole};
use crate::caller::{Caller, Gone};
use crate::jobs::intake::unkept;
use crate::jobs::ledger::{Found, Kept, LedgerError, Message};
use crate::jobs::objects::answer_key;
use crate::jobs::wishes::{PREFERENCE_APPLIED, Preferences};
use crate::jobs::{JobRoom, Stepped, page, wire};
use crate::record::Record;

/// What is asked of jobs.
pub(super) enum Asked {
    /// How one is: `/jobs/ID`.
    Job(JobId),
    /// What it came to: `/jobs/ID/result`.
    Result(JobId),
    /// What is no job's.
    Nothing,
}

/// Why a client is not told what it asked for.
enum Refused {
    Gone,
    Problem(Problem),
}

// === impl Front ===

impl Front {
    /// What `path` asks of jobs; `None` where it is not about them.
    pub(super) fn asked_of_jobs(&self, path: &str) -> Option<(&JobRoom, Asked)> {
        let room = self.jobs.as_deref()?;
        let rest = path.strip_prefix(&room.settings().path)?;
        if rest.is_empty() {
            return Some((room, Asked::Nothing));
        }
        let rest = rest.strip_prefix('/')?;
        let (id, what) = rest.split_once('/').map_or((rest, None), |(id, what)| (id, Some(what)));
        let asked = match (id.parse(), what) {
            (Ok(id), None) => Asked::Job(id),
            (Ok(id), Some("result")) => Asked::Result(id),
            (Ok(_) | Err(_), _) => Asked::Nothing,
        };
        Some((room, asked))
    }

    /// Answers what is asked of jobs.
    pub(super) async fn serve_jobs(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, asked): (&JobRoom, Asked),
    ) -> Result<(), Gone> {
        record.marks.cors = self.config.any_cors();
        let method = session.req_header().method.clone();
        if method == Method::OPTIONS && record.marks.cors {
            let head = cors::preflight(&session.req_header().headers).map_err(|_| Gone)?;
            return self.answer(session, record, super::without_body(head)).await;
        }
        let answered = match (asked, method) {
            (Asked::Nothing, _) => Err(missing(StatusCode::NOT_FOUND, "no job is there").into()),
            (Asked::Job(id), Method::GET | Method::HEAD) => {
                self.tell_of(session, record, (room, id)).await
            }
            (Asked::Job(id), Method::DELETE) => self.cancel(session, record, (room, id)).await,
            (Asked::Result(id), Method::GET | Method::HEAD) => {
                self.result_of(session, record, (room, id)).await
            }
            (Asked::Job(_), _) => Err(not_allowed("GET, HEAD, DELETE").into()),
            (Asked::Result(_), _) => Err(not_allowed("GET, HEAD").into()),
        };
        match answered {
            Ok(()) => Ok(()),
            Err(Refused::Gone) => Err(Gone),
            Err(Refused::Problem(problem)) => self.refuse(session, record, &problem).await,
        }
    }

    /// How the job `id` is; where the client prefers to wait, once it has ended.
    async fn tell_of(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, id): (&JobRoom, JobId),
    ) -> Result<(), Refused> {
        let preferences = Preferences::of(&session.req_header().headers);
        let mut found = room.ledger.get(id).await?;
        let has_ended = matches!(&found, Found::Kept(kept) if kept.job.state.is_final());
        // Who comes when it has ended has waited for as long as it takes.
        let mut waited = has_ended && preferences.wait.is_some();
        if let (Some(wait), Found::Kept(_)) = (preferences.wait, &found)
            && !has_ended
            && let Ok(_place) = room.polls.try_acquire()
        {
            let wait = wait.min(room.settings().wait_max);
            waited = true;
            found = self.wait(session, record, (room, id, wait)).await?;
        }
        let kept = kept(found)?;
        let is_page = page::is_wanted(&session.req_header().headers);
        let failed = kept.job.outcome.is_some_and(|outcome| 400 <= outcome.status);
        let mut answer = if is_page && failed {
            let why = room.end_of(&kept).await?.failed();
            page::answer(&room.status(&kept).await?, why.as_deref()).map_err(|_| Refused::Gone)?
        } else if kept.job.outcome.is_some() {
            see_other(&format!("{}/result", room.location(id)))?
        } else if is_page {
            page::answer(&room.status(&kept).await?, None).map_err(|_| Refused::Gone)?
        } else {
            room.tell(&kept, StatusCode::OK).await?.map_err(|_| Refused::Gone)?
        };
        apply(&mut answer.header, preferences, (waited, false))?;
        Ok(self.answer(session, record, answer).await?)
    }

    /// Waits until the job `id` has ended, for as long as the client does.
    async fn wait(
        &self,
        session: &mut Session,
        record: &Record,
        (room, id, most): (&JobRoom, JobId, Duration),
    ) -> Result<Found, Refused> {
        if !session.is_body_done() && !client::settle(session).await {
            return Ok(room.ledger.get(id).await?);
        }
        let mut client = self.client(session, record);
        tokio::select! {
            found = room.wait_for_end(id, most) => Ok(found?),
            () = client.gone() => Err(Refused::Gone),
        }
    }

    fn client<'s>(&'s self, session: &'s mut Session, record: &Record) -> Client<'s> {
        Client::new(session, &self.config.forwarding, (self.write_limits(), record.marks.clone()))
    }

    async fn cancel(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, id): (&JobRoom, JobId),
    ) -> Result<(), Refused> {
        use weighbridge_core::jobs::Phase;

        let before = kept(room.ledger.get(id).await?)?;
        let after = match room.cancel(before).await? {
            Stepped::Kept(kept, _) => kept,
            Stepped::Gone => return Err(missing(StatusCode::GONE, "the job is forgotten").into()),
        };
        if after.job.state.phase() != Phase::Cancelled {
            let state = after.job.state.phase();
            let detail = format!("the job has ended: it is {state}");
            return Err(Problem::new(StatusCode::CONFLICT, detail).into());
        }
        let answer = room.tell(&after, StatusCode::ACCEPTED).await?;
        Ok(self.answer(session, record, answer.map_err(|_| Refused::Gone)?).await?)
    }

    /// What the job `id` came to.
    async fn result_of(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, id): (&JobRoom, JobId),
    ) -> Result<(), Refused> {
        let kept = kept(room.ledger.get(id).await?)?;
        if kept.job.outcome.is_some() {
            if let Some(link) = link_to_result(room, &kept).await? {
                let mut answer = see_other(&link)?;
                answer
                    .header
                    .set_status(StatusCode::TEMPORARY_REDIRECT)
                    .map_err(|_| Refused::Gone)?;
                return Ok(self.answer(session, record, answer).await?);
            }
            return self.pass_on_result(session, record, (room, &kept, None)).await;
        }
        let state = kept.job.state.phase();
        if kept.job.state.is_final() {
            let detail = format!("the job is {state}: it has no result");
            return Err(missing(StatusCode::NOT_FOUND, &detail).into());
        }
        let secs = room.status(&kept).await?.retry_after.unwrap_or(1);
        let detail = "the job has not ended: it has no result yet";
        Err(Problem::new(StatusCode::CONFLICT, detail).retry_after(secs).into())
    }

    /// Answers with the result of `kept`, as the host gave it.
    async fn pass_on_result(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, kept, applied): (&JobRoom, &Kept, Option<HeaderValue>),
    ) -> Result<(), Refused> {
        let gone = || missing(StatusCode::GONE, "the result is forgotten");
        let Message { head, body } = room.ledger.answer(kept.job.id).await?.ok_or_else(gone)?;
        let damaged = |_| LedgerError::Damaged("the head of an answer".to_owned());
        let mut head = Box::new(wire::answer(&head).map_err(damaged)?);
        if let Some(applied) = applied {
            head.insert_header(PREFERENCE_APPLIED, applied).map_err(|_| Refused::Gone)?;
        }
        let is_head = session.req_header().method == Method::HEAD;
        let mut wanted = range::Wanted::Whole;
        if head.status == StatusCode::OK && session.req_header().method != Method::POST {
            let headers = &session.req_header().headers;
            if !is_head {
                wanted = range::wanted(headers, kept.answer_bytes);
            }
            range::apply(&mut head, wanted, kept.answer_bytes).map_err(|_| Refused::Gone)?;
        } else {
            let bytes = kept.answer_bytes;
            head.insert_header(header::CONTENT_LENGTH, bytes).map_err(|_| Refused::Gone)?;
        }
        let (from, to) = match wanted {
            range::Wanted::Whole => (0, kept.answer_bytes),
            range::Wanted::Part(from, to) => (from, to),
            range::Wanted::Nothing => (0, 0),
        };
        if let Some(body) = body.filter(|_| !is_head) {
            let [from, to] = [from, to].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            let body = body.slice(from.min(body.len())..to.min(body.len()));
            return Ok(self.answer(session, record, Whole { header: head, body }).await?);
        }
        if is_head || !kept.answer_is_object || wanted == range::Wanted::Nothing {
            let answer = Whole { header: head, body: Bytes::new() };
            return Ok(self.answer(session, record, answer).await?);
        }
        let fence = kept.job.outcome.map(|outcome| outcome.fence).unwrap_or_default();
        let opened = room.objects.open(&answer_key(kept.job.id, fence)).await;
        let mut reader = opened.map_err(|error| unreadable(&error))?.ok_or_else(gone)?;
        record.status = head.status.as_u16();
        client::settle(session).await;
        let mut client = self.client(session, record);
        client.begin(head).await?;
        // What has begun can only be broken off.
        let mut at = 0;
        while at < to
            && let Some(piece) = reader.next().await.map_err(|_| Refused::Gone)?
        {
            let part = part_of(&piece, at, (from, to));
            at += piece.len() as u64;
            if !part.is_empty() {
                record.bytes_out += part.len() as u64;
                client.piece(Some(part)).await?;
            }
        }
        Ok(client.piece(None).await?)
    }
}

/// What of `piece`, which begins `at`, is between `from` and `to`.
fn part_of(piece: &Bytes, at: u64, (from, to): (u64, u64)) -> Bytes {
    let within = |place: u64| {
        let place = usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
        place.min(piece.len())
    };
    piece.slice(within(from)..within(to))
}

/// Where the result of `kept` is fetched from, where that is somewhere else.
async fn link_to_result(room: &JobRoom, kept: &Kept) -> Result<Option<String>, Refused> {
    let Some(outcome) = kept.job.outcome.filter(|one| kept.answer_is_object && one.status == 200)
    else {
        return Ok(None);
    };
    let Some(Message { head, .. }) = room.ledger.answer(kept.job.id).await? else {
        return Ok(None);
    };
    let head = wire::answer(&head).map_err(|_| LedgerError::Damaged("an answer's head".into()))?;
    let key = answer_key(kept.job.id, outcome.fence);
    Ok(room.objects.link(&key, &head.headers).await.map_err(|error| unreadable(&error))?)
}

fn missing(status: StatusCode, detail: &str) -> Problem {
    Problem::new(status, detail).at("path")
}

fn not_allowed(methods: &str) -> Problem {
    let detail = format!("expected {methods}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).at("method").allow(methods.to_owned())
}

fn kept(found: Found) -> Result<Kept, Problem> {
    match found {
        Found::Kept(kept) => Ok(*kept),
        Found::Forgotten => Err(missing(StatusCode::GONE, "the job is forgotten")),
        Found::Unknown => Err(missing(StatusCode::NOT_FOUND, "there is no such job")),
    }
}

fn see_other(location: &str) -> Result<Whole, Refused> {
    let header = ResponseHeader::build(StatusCode::SEE_OTHER, Some(5));
    let mut header = header.map_err(|_| Refused::Gone)?;
    header.insert_header(header::LOCATION, location).map_err(|_| Refused::Gone)?;
    header.insert_header(header::CONTENT_LENGTH, 0).map_err(|_| Refused::Gone)?;
    Ok(super::without_body(header))
}

/// Says which of the client's preferences were followed.
fn apply(
    head: &mut ResponseHeader,
    preferences: Preferences,
    followed: (bool, bool),
) -> Result<(), Refused> {
    match preferences.applied(followed) {
        Some(applied) => head.insert_header(PREFERENCE_APPLIED, applied).map_err(|_| Refused::Gone),
        None => Ok(()),
    }
}

fn unreadable(error: &crate::jobs::objects::ObjectError) -> Problem {
    tracing::warn!(%error, "a result cannot be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the result cannot be read now").retry_after(1)
}

// === impl Refused ===

impl From<Gone> for Refused {
    fn from(_: Gone) -> Refused {
        Refused::Gone
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        Refused::Problem(problem)
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Refused {
        tracing::warn!(%error, "a client cannot be told of a job");
        Refused::Problem(unkept(&error))
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Refused {
        match error {
            BodyError::ClientGone(_) => Refused::Gone,
            BodyError::Refused(problem) => Refused::Problem(problem),
        }
    }
}
