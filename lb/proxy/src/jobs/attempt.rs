//! One run of a job: it asks the exchange as a client does, and keeps the answer.
//!
//! Meanwhile its lease is renewed. Whatever ends the run, dropping the exchange hangs up on the
//! host, which gives the work up.

mod keeper;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use weighbridge_core::host::{HostId, HostState, Phase};
use weighbridge_core::jobs::{Event, Fence};
use weighbridge_core::observe::Failure;
use weighbridge_core::request::RouteId;

use super::ledger::{Kept, LedgerError, Message};
use super::objects::answer_key;
use super::runner::BodyError;
use super::{JobRoom, Stepped, Stop, now, wire};
use crate::answer::{Problem, Whole};
use crate::backoff::Backoff;
use crate::exchange::{self, Asked, ExchangeError};
use crate::record::Record;
use keeper::{Body, Brought, Keeper, Whereabouts, may_be_result};

/// Between two looks at whether the host is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Between two tries of a commit that the ledger does not take.
const COMMIT_AGAIN: Backoff =
    Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };

/// What a host that could not be heard out is asked to be given: as if it had had no room.
const NO_ROOM: Duration = Duration::from_secs(1);

/// A job that has been claimed, with all that its run needs.
pub(super) struct Attempt {
    pub(super) kept: Kept,
    pub(super) route: RouteId,
    pub(super) head: RequestHeader,
    pub(super) request: Message,
    pub(super) asked: Asked,
    pub(super) stop: watch::Receiver<Option<Stop>>,
}

/// Runs `attempt` to its end, and writes what came of it.
pub(super) async fn run(room: Arc<JobRoom>, attempt: Attempt) {
    let Attempt { mut kept, route, head, request, asked, mut stop } = attempt;
    let (id, fence) = (kept.job.id, kept.job.fence);
    let (body, _share) = match room.body(&kept, &request, route).await {
        Ok(body) => body,
        Err(missing @ BodyError::Missing) => return room.fail(kept, missing.to_string()).await,
        Err(BodyError::Unreadable(error)) => {
            tracing::warn!(job = %id, %error, "a request cannot be read now");
            let end = end_of(Ok(Ok(())), Brought::Unkept, None, fence);
            return room.finish(kept, fence, end).await;
        }
    };
    let mut record = Record::new();
    record.route = Some(route);
    record.terms = room.terms(&kept, route);
    record.is_attempt = true;
    let host = Whereabouts::default();
    let mut keeper = Keeper {
        room: &room,
        id,
        fence,
        head: &head,
        weight: kept.job.weight,
        host: Arc::clone(&host),
        brought: Brought::Nothing,
    };
    let shared = room.rooms();
    record.trace = shared.requests.traces.begin(&head.headers);
    if let Some(trace) = &mut record.trace {
        trace.of_job(id.to_string());
    }
    let rooms = (&*shared.dispatch, &*shared.requests);
    let ended = {
        let following = exchange::follow(rooms, &mut keeper, &mut record, (&body, asked));
        tokio::select! {
            ended = following => Ok(ended),
            why = hold(&room, &mut kept, fence, (&mut stop, &host)) => Err(why),
        }
    };
    let brought = std::mem::replace(&mut keeper.brought, Brought::Nothing);
    if ended.is_err() {
        record.status = 499;
    }
    shared.requests.log(&head, None, &record);
    let end = end_of(ended, brought, record.failure, fence);
    let is_leaving = room.drains(*host.lock());
    room.finish(kept, fence, excused(end, is_leaving)).await;
}

/// A host that drains, and ends before the job has, has not died of it.
fn excused(end: End, is_leaving: bool) -> End {
    match end {
        End::Event(Event::HostLost { fence }) if is_leaving => {
            End::Event(Event::Returned { fence })
        }
        End::Event(_) | End::Answered { .. } | End::Lost => end,
    }
}

/// What is to be written of an attempt.
enum End {
    /// A host has answered.
    Answered { status: u16, retry_after: Option<Duration>, answer: Option<super::Answer> },
    /// That has happened.
    Event(Event),
    /// Nothing: another has the job.
    Lost,
}

/// What came of an attempt, as the core has it.
fn end_of(
    ended: Result<Result<(), ExchangeError>, Stop>,
    brought: Brought,
    failure: Option<Failure>,
    fence: Fence,
) -> End {
    let no_room = End::Answered { status: 503, retry_after: Some(NO_ROOM), answer: None };
    match (ended, brought) {
        (Err(Stop::Lost), _) => End::Lost,
        (Err(Stop::Drain), _) => End::Event(Event::Returned { fence }),
        (Err(Stop::TimedOut), _) => End::Event(Event::TimedOut { fence }),
        (Ok(_), Brought::TooLong) => too_long(),
        (Ok(_), Brought::Unkept) => no_room,
        (Ok(Ok(())), Brought::Answer(head, body)) => answered(&head, body),
        (Ok(Ok(())), Brought::Refused(problem)) => match failure {
            // On a connection that had been idle too: the host may have read what was sent. A
            // death too many does less harm than a host that dies and is not counted.
            Some(Failure::BeforeResponse | Failure::AfterResponse | Failure::Stale) => {
                End::Event(Event::HostLost { fence })
            }
            Some(Failure::Timeout) => End::Event(Event::TimedOut { fence }),
            // No host has seen it.
            Some(Failure::Connect | Failure::Refused) | None if problem.status != 500 => {
                End::Event(Event::Unplaced { fence })
            }
            Some(Failure::Connect | Failure::Refused | Failure::TooLong) | None => {
                End::Answered { status: problem.status, retry_after: None, answer: None }
            }
        },
        (Ok(Err(_) | Ok(())) | Err(Stop::HostDown), _) => End::Event(Event::HostLost { fence }),
    }
}

fn answered(head: &ResponseHeader, body: Body) -> End {
    let retry_after = retry_after(&head.headers);
    let status = head.status.as_u16();
    if !may_be_result(head.status) {
        return End::Answered { status, retry_after, answer: None };
    }
    let (bytes, body) = match body {
        Body::Inline(body) => (body.len() as u64, Some(Bytes::from(body))),
        Body::Object(_, bytes) => (bytes, None),
    };
    let message = Message { head: wire::keep_answer(head), body };
    End::Answered { status, retry_after, answer: Some(super::Answer { message, bytes }) }
}

/// The result of a job whose own is longer than it may be.
fn too_long() -> End {
    let detail = "the result is longer than `jobs.result_bytes_max`";
    let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body");
    match problem.answer() {
        Ok(Whole { header, body }) => answered(&header, Body::Inline(body.to_vec())),
        Err(_) => End::Answered { status: 500, retry_after: None, answer: None },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Holds the lease of `kept` for as long as the attempt may go on. Returns why it may not.
async fn hold(
    room: &JobRoom,
    kept: &mut Kept,
    fence: Fence,
    (stop, host): (&mut watch::Receiver<Option<Stop>>, &Whereabouts),
) -> Stop {
    let deadline = Instant::now() + room.limits.run_max;
    let mut renew_at = Instant::now() + kept.job.renew_after(&room.limits);
    loop {
        tokio::select! {
            changed = stop.changed() => match (changed, *stop.borrow()) {
                (Ok(()), Some(why)) => return why,
                (Ok(()), None) => {}
                // Nobody knows of this attempt any more.
                (Err(_), _) => return Stop::Lost,
            },
            () = sleep_until(deadline) => return Stop::TimedOut,
            () = sleep(LOOK) => if room.is_down(*host.lock()) {
                return Stop::HostDown;
            },
            () = sleep_until(renew_at) => {
                if !room.renew(kept, fence).await {
                    return Stop::Lost;
                }
                renew_at = Instant::now() + room.renew_after(kept);
            },
        }
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// Renews the lease of `kept`. Returns whether it is still this attempt's.
    async fn renew(&self, kept: &mut Kept, fence: Fence) -> bool {
        let done = self.done_here(kept.job.id, fence);
        let events = [Event::Progress { fence, done }, Event::Renewed { fence }];
        match self.step(kept.clone(), &events, None).await {
            Ok(Stepped::Kept(renewed, _)) => {
                *kept = *renewed;
                kept.job.state.lease().is_some_and(|lease| lease.fence == fence)
            }
            Ok(Stepped::Gone) => false,
            Err(error) => {
                self.failed("jobs_renew", &error);
                kept.job.state.lease().is_some_and(|lease| now() < lease.until)
            }
        }
    }

    /// When to renew a lease again: sooner where the last time has failed.
    fn renew_after(&self, kept: &Kept) -> Duration {
        let left = kept.job.state.lease().map(|lease| lease.until.since(now()));
        kept.job.renew_after(&self.limits).min(left.unwrap_or_default() / 3)
    }

    /// Whether `host` does not answer any more.
    fn is_down(&self, host: Option<HostId>) -> bool {
        self.host_is(host, HostState::is_down)
    }

    /// Whether `host` takes nothing new, and is still there.
    fn drains(&self, host: Option<HostId>) -> bool {
        self.host_is(host, |host| host.phase == Phase::Draining)
    }

    fn host_is(&self, host: Option<HostId>, is_so: impl FnOnce(&HostState) -> bool) -> bool {
        host.is_some_and(|id| {
            let rooms = self.rooms();
            let fleet = rooms.dispatch.fleets.of_host(id);
            fleet.look(|balancer, _| balancer.host(id).is_some_and(is_so))
        })
    }

    /// Writes the `end` of an attempt. Where the ledger is away it is tried again for as long as
    /// the lease lasts: after that another may have the job.
    async fn finish(&self, kept: Kept, fence: Fence, end: End) {
        let (events, answer): (Vec<Event>, _) = match end {
            // Where it is still this attempt's nevertheless, others may have it at once.
            End::Lost => (vec![Event::Returned { fence }], None),
            End::Event(event) => (vec![event], None),
            End::Answered { status, retry_after, answer } => {
                let answered = Event::Answered { fence, status, retry_after };
                let kept = answer.as_ref().map(|_| Event::Kept { fence });
                (std::iter::once(answered).chain(kept).collect(), answer)
            }
        };
        if answer.is_none() {
            // One that was kept and is not to be committed.
            self.delete(&answer_key(kept.job.id, fence)).await;
        }
        let until = kept.job.state.lease().map_or(now(), |lease| lease.until);
        let mut failures = 0;
        loop {
            match self.step(kept.clone(), &events, answer.as_ref()).await {
                Ok(Stepped::Kept(written, _)) => {
                    let is_back = written.job.outcome.is_none();
                    if let Some(reason) = written.job.reason.filter(|_| is_back) {
                        self.metrics().attempt_failed(reason);
                    }
                    return;
                }
                Ok(Stepped::Gone) => return self.delete(&answer_key(kept.job.id, fence)).await,
                Err(error) => {
                    failures += 1;
                    self.failed("jobs_commit", &error);
                    if until < now() {
                        return;
                    }
                    sleep(COMMIT_AGAIN.wait(failures)).await;
                }
            }
        }
    }

    /// The ledger did not do what `what` wanted.
    pub(super) fn failed(&self, what: &str, error: &LedgerError) {
        self.metrics.loop_failed(what);
        tracing::warn!(what, %error, "the ledger of jobs failed");
    }
}
