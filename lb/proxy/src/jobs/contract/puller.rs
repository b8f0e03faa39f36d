//! The workers' part of an exchange: messages are taken, whoever has sent them, and become jobs.
//!
//! A balancer holds a few messages at once (`exchange.window`): each is a job in its line, which is
//! estimated, ordered by that, and run as any other. The message is hidden from others meanwhile,
//! again and again. When the job has ended, its result is committed to its bucket, the answer is
//! sent, and the message is deleted, in this order: whatever dies in between, the message comes
//! again, is the same job, and what was done is done again with the same result.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use weighbridge_core::host::{HostState, Phase};
use weighbridge_core::jobs::JobId;

use super::desk::{AGAIN, WAIT_MAX};
use super::input::{Input, Name, for_host, media_type_of};
use super::messages::{MessageError, Messages, Taken};
use crate::answer::Problem;
use crate::config::contract::Exchange;
use crate::config::{Contract, FleetSource};
use crate::jobs::JobRoom;
use crate::jobs::intake::Wanted;
use crate::jobs::ledger::{Found, Kept, LedgerError};
use crate::jobs::objects::ObjectError;

/// The most messages that are taken at once.
const TAKEN_MAX: usize = 10;

/// Between two looks at whether there is a host, and at whether the balancer stops.
pub(in crate::jobs) const LOOK: Duration = Duration::from_millis(500);

/// How long a message is hidden whose job cannot be kept now.
pub(in crate::jobs) const LATER: Duration = Duration::from_secs(10);

/// Why a message is left in its queue.
#[derive(Debug, thiserror::Error)]
enum Left {
    /// It is not as the contract has it.
    #[error("it cannot be read")]
    Unreadable,
    /// What it points to is not there, or too long.
    #[error("there is no input `{0}`")]
    NoInput(String),
    /// It is somebody else's by now, or done.
    #[error("it was taken by somebody else")]
    Lost,
    /// Its job has failed, and nobody is to be told.
    #[error("its job has failed: {0}")]
    Failed(String),
    /// It cannot become a job now.
    #[error("it cannot become a job: {}", .0.detail)]
    Refused(Box<Problem>),
    /// The balancer stops.
    #[error("the balancer stops")]
    Draining,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Messages(#[from] MessageError),
}

/// A message, with what it takes to answer it.
struct Question {
    route: String,
    contract: Arc<Contract>,
    exchange: Exchange,
    messages: Arc<dyn Messages>,
    taken: Taken,
}

/// Takes messages of the route `route`, and has them answered, until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>, route: String) {
    let Some(messages) = room.contracts.outside.messages.clone() else { return };
    let Some(window) = room.exchange(&route).map(|(_, exchange)| exchange.window) else { return };
    let places = Arc::new(Semaphore::new(window));
    let mut failures = 0;
    loop {
        let Ok(first) = Arc::clone(&places).acquire_owned().await else { return };
        while !room.may_take(&route) {
            sleep(LOOK).await;
        }
        let Some((contract, exchange)) = room.exchange(&route) else { return };
        let mut held = vec![first];
        while held.len() < TAKEN_MAX
            && let Ok(place) = Arc::clone(&places).try_acquire_owned()
        {
            held.push(place);
        }
        let times = (WAIT_MAX, exchange.visibility);
        match messages.take(&exchange.requests, held.len(), times).await {
            Ok(taken) => {
                failures = 0;
                for (taken, place) in taken.into_iter().zip(held) {
                    let question = Question {
                        route: route.clone(),
                        contract: Arc::clone(&contract),
                        exchange: exchange.clone(),
                        messages: Arc::clone(&messages),
                        taken,
                    };
                    tokio::spawn(follow(Arc::clone(&room), question, place));
                }
            }
            Err(error) => {
                failures += 1;
                room.exchange_failed("jobs_requests", &error);
                drop(held);
                sleep(AGAIN.wait(failures)).await;
            }
        }
    }
}

/// Has a message answered, or leaves it to others.
async fn follow(room: Arc<JobRoom>, question: Question, _place: OwnedSemaphorePermit) {
    let _held = room.contracts.hold();
    let Err(left) = question.answer(&room).await else { return };
    let queue = &question.exchange.requests;
    let hidden = match &left {
        Left::Lost => return,
        Left::Draining => Duration::ZERO,
        // Its queue says how often it comes again, and what becomes of it then.
        Left::Unreadable | Left::NoInput(_) | Left::Failed(_) => question.exchange.visibility,
        Left::Refused(_) | Left::Ledger(_) | Left::Objects(_) | Left::Messages(_) => LATER,
    };
    if !matches!(left, Left::Draining) {
        room.metrics.loop_failed("jobs_requests");
        tracing::warn!(queue, times = question.taken.times, %left, "a message is left");
    }
    let hide = question.messages.hide(queue, &question.taken.handle, hidden);
    if let Err(error) = hide.await {
        tracing::debug!(%error, "a message is seen again when its time is over");
    }
}

// === impl JobRoom ===

impl JobRoom {
    fn exchange(&self, route: &str) -> Option<(Arc<Contract>, Exchange)> {
        let contract = self.contract(route)?;
        let exchange = contract.exchange.clone()?;
        Some((contract, exchange))
    }

    /// Whether messages of `route` may be taken: there is a host for them, or may be one.
    pub(crate) fn may_take(&self, route: &str) -> bool {
        if self.is_draining() {
            return false;
        }
        let rooms = self.rooms();
        let Some(route) = self.route_named(route) else { return false };
        let is_main = rooms.config.route(route).fleet.0 == 0;
        let is_listed = matches!(rooms.config.fleet.source(), FleetSource::Listed(_));
        let has_host = || {
            let is_active = |host: &HostState| host.phase == Phase::Active;
            rooms.dispatch.fleets.of(route).look(|balancer, _| balancer.hosts().any(is_active))
        };
        // A fleet that grows does so because of what waits here.
        is_main && !is_listed || has_host()
    }
}

// === impl Question ===

impl Question {
    /// Has it answered.
    async fn answer(&self, room: &Arc<JobRoom>) -> Result<(), Left> {
        let (name, inline) = self.read().ok_or(Left::Unreadable)?;
        let body = match inline {
            Some(body) => body,
            None => self.input(room, &name).await?,
        };
        let kept = self.accept(room, name.clone(), body).await?;
        let kept = self.wait_for(room, kept.job.id).await?;
        let end = room.end_of(&kept).await?.checked(&self.contract, &name);
        let message = end.message(&self.exchange, &name);
        let message = message.ok_or_else(|| Left::Failed(format!("{end:?}")))?;
        // Whoever was away for longer has lost it to another.
        self.hold().await?;
        if let Some((place, object)) = end.object(&self.contract.delivery, &name) {
            room.contracts.outside.buckets.commit(&place, &object, &self.taken.id).await?;
        }
        self.messages.send(&self.exchange.answers, &message, None).await?;
        Ok(self.messages.delete(&self.exchange.requests, &self.taken.handle).await?)
    }

    /// What the input is called, and the input itself where the message has it.
    fn read(&self) -> Option<(Name, Option<Bytes>)> {
        let Exchange { request, pointer, .. } = &self.exchange;
        let text = &self.taken.body;
        let read = request.read(text).or_else(|| pointer.as_ref()?.read(text))?;
        let name = Name::new(read.get("name")?, self.contract.intake.stem)?;
        let inline = read.get("input.base64").filter(|text| !text.is_empty());
        let inline = match inline {
            Some(text) => Some(BASE64.decode(text.as_bytes()).ok()?.into()),
            None => None,
        };
        Some((name, inline))
    }

    /// The input, from its bucket.
    async fn input(&self, room: &JobRoom, name: &Name) -> Result<Bytes, Left> {
        let missing = || Left::NoInput(name.whole.clone());
        let at = self.contract.intake.object.as_ref().ok_or_else(missing)?;
        let most = room.body_bytes_max(&self.route);
        room.contracts.outside.buckets.get(&name.place(at), most).await?.ok_or_else(missing)
    }

    /// The job of this message: the same, however often it comes.
    async fn accept(&self, room: &Arc<JobRoom>, name: Name, body: Bytes) -> Result<Kept, Left> {
        let refused = |problem| Left::Refused(Box::new(problem));
        let route = room.route_named(&self.route).ok_or(Left::Unreadable)?;
        let media_type = media_type_of(&name.whole).to_owned();
        let input = Input { name, body, media_type };
        let head = for_host(&self.contract, &input, None).map_err(refused)?;
        let parts = [self.exchange.requests.as_bytes(), self.taken.id.as_bytes()];
        let key = Some(room.key_of(&parts).map_err(refused)?);
        let received = room.received(input.body, None).await.map_err(refused)?;
        let wanted = Wanted { route, head, key, callback: None, client: None };
        let accepted = room.accept(wanted, received).await.map_err(refused)?;
        Ok(accepted.kept)
    }

    /// Waits for the end of its job, and has nobody else see the message meanwhile.
    async fn wait_for(&self, room: &JobRoom, id: JobId) -> Result<Kept, Left> {
        let mut held = Instant::now();
        loop {
            match room.wait_for_end(id, LOOK).await? {
                Found::Kept(kept) if kept.job.state.is_final() => return Ok(*kept),
                Found::Kept(_) if room.is_draining() && !room.is_running(id) => {
                    return Err(Left::Draining);
                }
                Found::Kept(_) if held.elapsed() < self.exchange.visibility / 3 => {}
                Found::Kept(_) => {
                    self.hold().await?;
                    held = Instant::now();
                }
                Found::Forgotten | Found::Unknown => return Err(Left::Lost),
            }
        }
    }

    /// Has nobody else see it for a while.
    async fn hold(&self) -> Result<(), Left> {
        let Question { exchange, taken, messages, .. } = self;
        match messages.hide(&exchange.requests, &taken.handle, exchange.visibility).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Left::Lost),
            Err(error) => Err(error.into()),
        }
    }
}
