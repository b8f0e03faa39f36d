//! Results of jobs that go into buckets, where there is no queue.
//!
//! That a result is delivered is written into the ledger: until then the job is not told of
//! ([`Job::told`](weighbridge_core::jobs::Job::told)), its client waits, and it is tried again, by
//! another balancer too. What is delivered twice is the same twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use weighbridge_core::jobs::{Event, JobId};

use super::input::{Name, kept_name};
use super::made::{ANSWER_MAX, Answered, End, detail};
use crate::backoff::Backoff;
use crate::config::Contract;
use crate::jobs::ledger::{Found, Kept, LedgerError, Message};
use crate::jobs::objects::{ObjectError, answer_key};
use crate::jobs::{JobRoom, wire};

/// The most deliveries at once.
const AT_ONCE_MAX: usize = 32;

/// Deliveries that wait for their turn. Further ones are found in the ledger.
const WAITING_MAX: usize = 1024;

/// Tries of one delivery, before it is left to who looks after jobs.
const TRIES_MAX: u64 = 5;

/// Between two tries.
const AGAIN: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Deliveries that are to be made.
pub(crate) struct Deliveries {
    send: mpsc::Sender<JobId>,
    receive: Mutex<Option<mpsc::Receiver<JobId>>>,
    under_way: Mutex<HashSet<JobId>>,
}

/// Why a delivery has failed.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// Makes the deliveries that come up, until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>) {
    let receive = room.contracts.deliveries.receive.lock().take();
    let Some(mut receive) = receive else { return std::future::pending().await };
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    while let Some(id) = receive.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let room = Arc::clone(&room);
        tokio::spawn(async move {
            let _place = place;
            room.try_to_deliver(id).await;
        });
    }
}

// === impl Deliveries ===

impl Deliveries {
    pub(super) fn new() -> Deliveries {
        let (send, receive) = mpsc::channel(WAITING_MAX);
        let under_way = Mutex::default();
        Deliveries { send, receive: Mutex::new(Some(receive)), under_way }
    }

    /// The job `id` has ended.
    pub(crate) fn add(&self, id: JobId) {
        if self.under_way.lock().insert(id) && self.send.try_send(id).is_err() {
            self.under_way.lock().remove(&id);
        }
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// Whether the result of `kept` is delivered from the ledger.
    pub(crate) fn is_delivered(&self, kept: &Kept) -> bool {
        self.contract(&kept.route).is_some_and(|contract| contract.exchange.is_none())
    }

    async fn try_to_deliver(&self, id: JobId) {
        for nth in 1..=TRIES_MAX {
            match self.deliver(id).await {
                Ok(()) => break,
                Err(error) => {
                    self.metrics.loop_failed("jobs_deliver");
                    tracing::warn!(job = %id, %error, "a result is not delivered");
                    tokio::time::sleep(AGAIN.wait(nth)).await;
                }
            }
        }
        self.contracts.deliveries.under_way.lock().remove(&id);
    }

    async fn deliver(&self, id: JobId) -> Result<(), DeliveryError> {
        let Found::Kept(kept) = self.ledger.get(id).await? else { return Ok(()) };
        if kept.job.told || !kept.job.state.is_final() {
            return Ok(());
        }
        if let Some((contract, name)) = self.named(&kept).await? {
            let end = self.end_of(&kept).await?.checked(&contract, &name);
            if let Some((place, object)) = end.object(&contract.delivery, &name) {
                self.contracts.outside.buckets.put(&place, &object).await?;
            }
        }
        let generation = kept.job.generation;
        self.step(*kept, &[Event::Told { generation }], None).await?;
        Ok(())
    }

    /// The contract of a job, and what its input is called; `None` where it has none any more.
    pub(crate) async fn named(
        &self,
        kept: &Kept,
    ) -> Result<Option<(Arc<Contract>, Name)>, LedgerError> {
        let Some(contract) = self.contract(&kept.route) else { return Ok(None) };
        let Some(request) = self.ledger.request(kept.job.id).await? else { return Ok(None) };
        let damaged = |_| LedgerError::Damaged("the head of a request".to_owned());
        let head = wire::request(&request.head).map_err(damaged)?;
        let name = kept_name(&head, contract.intake.stem);
        Ok(name.map(|name| (contract, name)))
    }

    /// How the job `kept` has ended.
    pub(crate) async fn end_of(&self, kept: &Kept) -> Result<End, LedgerError> {
        self.end_within(kept, ANSWER_MAX).await
    }

    /// The same, where its answer may have up to `most` bytes.
    pub(crate) async fn end_within(&self, kept: &Kept, most: u64) -> Result<End, LedgerError> {
        let Some(outcome) = kept.job.outcome else {
            let why = kept.job.reason.map(|reason| reason.to_string());
            let phase = kept.job.state.phase();
            return Ok(End::Failed(why.unwrap_or_else(|| format!("the job is {phase}"))));
        };
        let Some(message) = self.ledger.answer(kept.job.id).await? else {
            return Ok(End::Failed("the answer is forgotten".to_owned()));
        };
        let answered = match self.answered(kept, message, most).await {
            Ok(Some(answered)) => answered,
            Ok(None) => return Ok(End::Failed("the answer is too long".to_owned())),
            Err(error) => return Err(error),
        };
        if outcome.status < 400 {
            return Ok(End::Answered(answered));
        }
        Ok(End::Failed(detail(outcome.status, &answered)))
    }

    /// What a host has answered; `None` where it is too long to be made anything of.
    async fn answered(
        &self,
        kept: &Kept,
        message: Message,
        most: u64,
    ) -> Result<Option<Answered>, LedgerError> {
        let damaged = |_| LedgerError::Damaged("the head of an answer".to_owned());
        let head = wire::answer(&message.head).map_err(damaged)?;
        let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
        if let Some(body) = message.body {
            return Ok(Some(Answered::new(media_type, body)));
        }
        if !kept.answer_is_object {
            return Ok(Some(Answered::new(media_type, Bytes::new())));
        }
        if most < kept.answer_bytes {
            return Ok(None);
        }
        let fence = kept.job.outcome.map(|outcome| outcome.fence).unwrap_or_default();
        let body = self.object(&answer_key(kept.job.id, fence)).await;
        let body = body.map_err(|error| LedgerError::Away(error.to_string()))?;
        Ok(Some(Answered::new(media_type, body)))
    }

    /// All of an object.
    async fn object(&self, key: &str) -> Result<Bytes, ObjectError> {
        let mut body = BytesMut::new();
        if let Some(mut reader) = self.objects.open(key).await? {
            while let Some(piece) = reader.next().await? {
                body.extend_from_slice(&piece);
            }
        }
        Ok(body.freeze())
    }
}
