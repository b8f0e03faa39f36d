//! A request becomes a job: durable before it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use pingora::http::RequestHeader;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep, sleep_until};

use weighbridge_core::jobs::{Event, Job, JobId, step};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::Time;

use super::callbacks::Target;
use super::ledger::{Created, Found, Kept, LedgerError, Message, NewJob, RepeatKey};
use super::objects::{ObjectError, ObjectWriter, request_key};
use super::{JobRoom, Stepped, now, wire, wishes};
use crate::answer::Problem;
use crate::ask;
use crate::budget::Share;
use crate::gathered::too_large;
use crate::headers;
use crate::payload::{Payload, StoredBody};
use crate::whose;

/// The body of a request that is to become a job.
pub(crate) struct Received {
    id: JobId,
    body: ReceivedBody,
    hash: [u8; 32],
    _share: Option<Share>,
}

enum ReceivedBody {
    /// In memory.
    Held(Bytes),
    /// An object; its length, and what it begins with.
    Object(u64, Bytes),
}

/// A body that comes piece by piece, and goes to disk where it is long.
pub(crate) struct Receiving<'r> {
    room: &'r JobRoom,
    id: JobId,
    beginning: Vec<u8>,
    writer: Option<Box<dyn ObjectWriter>>,
    bytes: u64,
    hasher: Sha256,
}

/// The key of a request that is being received.
pub(crate) struct Key<'r> {
    room: &'r JobRoom,
    hash: [u8; 32],
}

/// A job that was asked for, and whether it had been before.
pub(crate) struct Accepted {
    pub(crate) kept: Kept,
    pub(crate) is_repeat: bool,
}

/// What a job is to be, beside its body.
pub(crate) struct Wanted<'r> {
    pub(crate) route: RouteId,
    /// The request as it goes to a host.
    pub(crate) head: Box<RequestHeader>,
    pub(crate) key: Option<Key<'r>>,
    pub(crate) callback: Option<String>,
    /// Whose the job is.
    pub(crate) client: Option<String>,
}

/// An id that cannot be guessed.
fn new_id() -> Result<JobId, Problem> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no job can be named now").retry_after(1)
    })?;
    Ok(JobId::from_bits(u128::from_be_bytes(bits)))
}

/// What a client is told where jobs cannot be kept.
pub(crate) fn unkept(error: &LedgerError) -> Problem {
    match error {
        LedgerError::Full(_) => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "there is no room for jobs")
        }
        LedgerError::Away(_) | LedgerError::Denied(_) | LedgerError::Damaged(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "jobs cannot be kept now").retry_after(1)
        }
    }
}

fn unkept_object(error: &ObjectError) -> Problem {
    tracing::warn!(%error, "a request cannot be kept");
    match error {
        ObjectError::Full(_) => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "there is no room for requests")
        }
        ObjectError::Away(_) | ObjectError::Exists | ObjectError::Key(_) => {
            let detail = "requests cannot be kept now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
        }
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// The client's key in `headers`, where it gives one. Another request of the same key is told
    /// to wait until this one has been received.
    pub(crate) fn key(
        &self,
        route: RouteId,
        headers: &HeaderMap,
    ) -> Result<Option<Key<'_>>, Problem> {
        let Some(key) = wishes::idempotency_key(headers)? else { return Ok(None) };
        // Of another client it is another key.
        let whose = headers.get(header::AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
        let rooms = self.rooms();
        self.key_of(&[rooms.config.route(route).name.as_bytes(), whose, key.as_bytes()]).map(Some)
    }

    /// The key that `parts` are.
    pub(crate) fn key_of(&self, parts: &[&[u8]]) -> Result<Key<'_>, Problem> {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let hash = hasher.finalize().into();
        if self.receiving.lock().insert(hash) {
            return Ok(Key { room: self, hash });
        }
        let detail = "a request with the same `Idempotency-Key` is still being received";
        Err(Problem::new(StatusCode::CONFLICT, detail).at("idempotency-key").retry_after(1))
    }

    /// Where the client wants to be told of the end of its job.
    pub(crate) fn callback(&self, headers: &HeaderMap) -> Result<Option<String>, Problem> {
        let refused = |detail: String| {
            Problem::new(StatusCode::BAD_REQUEST, detail).at("weighbridge-callback")
        };
        let mut values = headers.get_all(headers::CALLBACK).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(refused("`weighbridge-callback` comes twice".to_owned()));
        }
        let Some(callbacks) = &self.callbacks else {
            return Err(refused("there are no callbacks: see jobs.callbacks.hosts".to_owned()));
        };
        let url = value.to_str().unwrap_or_default();
        match Target::parse(url, &callbacks.settings) {
            Ok(_) => Ok(Some(url.to_owned())),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Begins to receive a body.
    pub(crate) fn receive(&self) -> Result<Receiving<'_>, Problem> {
        Ok(Receiving {
            room: self,
            id: new_id()?,
            beginning: Vec::new(),
            writer: None,
            bytes: 0,
            hasher: Sha256::new(),
        })
    }

    /// A body that is in memory, with its `share` of it.
    pub(crate) async fn received(
        &self,
        body: Bytes,
        share: Option<Share>,
    ) -> Result<Received, Problem> {
        let (id, hash) = (new_id()?, Sha256::digest(&body).into());
        let is_long = self.settings().inline_bytes_max < body.len() as u64;
        if is_long {
            self.put(id, &body).await.map_err(|error| unkept_object(&error))?;
        }
        let body = ReceivedBody::Held(body);
        Ok(Received { id, body, hash, _share: share })
    }

    async fn put(&self, id: JobId, body: &Bytes) -> Result<(), ObjectError> {
        let mut writer = self.objects.create(&request_key(id)).await?;
        writer.write(body.clone()).await?;
        writer.finish().await
    }

    /// Makes a job of a request, or says why there is none.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        wanted: Wanted<'_>,
        received: Received,
    ) -> Result<Accepted, Problem> {
        let (new, asked) = self.new_job(&wanted, &received);
        let (id, is_object) = (new.kept.job.id, new.kept.request_is_object);
        let created = match self.at_once(&new, asked) {
            Some(at_once) => Arc::clone(self).create_running(new, (wanted.route, at_once)).await,
            None => self.ledger.create(new).await,
        };
        let (is_kept, result) = match created {
            Ok(Created::Kept(kept)) => {
                self.metrics().accepted(&kept.route);
                if kept.job.state.not_before().is_some() {
                    self.wake_runner();
                }
                (true, Ok(Accepted { kept, is_repeat: false }))
            }
            Ok(Created::Same(kept)) => (false, Ok(Accepted { kept, is_repeat: true })),
            Ok(Created::Conflict) => {
                let detail = "the same `Idempotency-Key` came with another request";
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
                (false, Err(problem.at("idempotency-key")))
            }
            Ok(Created::Full(limit)) => {
                let detail = format!("there are as many as {} allows", limit.key());
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
                (false, Err(problem.retry_after(self.room_in(wanted.route))))
            }
            Err(error) => {
                self.failed("jobs_accept", &error);
                // It may be there nevertheless: its object is swept if it is not.
                (true, Err(unkept(&error)))
            }
        };
        if is_object && !is_kept {
            self.delete(&request_key(id)).await;
        }
        result
    }

    /// The job that is wanted, and what the balancer is asked for it.
    fn new_job(&self, wanted: &Wanted<'_>, received: &Received) -> (NewJob, ask::Asked) {
        let Wanted { route, head, key, callback, client } = wanted;
        let (payload, body) = self.payload(received);
        let rooms = self.rooms();
        let mut asked =
            ask::held(&rooms.dispatch, &rooms.requests.repeats, *route, (head, &payload));
        asked.ask.terms = whose::terms_of_job(&rooms.config, *route, client.as_deref());
        let fleet = rooms.dispatch.fleets.of(*route);
        let estimate = fleet.look(|balancer, _| {
            balancer.predictor(*route).estimate(&asked.ask.features, asked.ask.known)
        });
        let now = now();
        let mut job = Job::new(received.id, (estimate.mean, estimate.p90), now, &self.limits);
        job.weight = 1.0 / self.settings().weight;
        step(&mut job, Event::Stored, now, &self.limits);
        let of_fleet = rooms.config.route(*route).fleet.0;
        let mut kept = Kept {
            job,
            route: rooms.config.route(*route).name.clone(),
            fleet: rooms.config.fleet_names().nth(of_fleet).unwrap_or_default().to_owned(),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            request_bytes: payload.bytes(),
            answer_bytes: 0,
            request_is_object: body.is_none(),
            answer_is_object: false,
            callback: callback.clone(),
            client: client.clone(),
            overdue_at: Time::ZERO,
            tick_at: Time::ZERO,
        };
        kept.set_times(&self.limits, self.age());
        let key = key
            .as_ref()
            .map(|key| RepeatKey { key: key.hash, payload: payload_hash(head, received.hash) });
        (NewJob { kept, request: Message { head: wire::keep_request(head), body }, key }, asked)
    }

    /// The body as features see it, and as it is kept in the ledger.
    fn payload(&self, received: &Received) -> (Payload, Option<Bytes>) {
        match &received.body {
            ReceivedBody::Held(bytes) => {
                let is_inline = bytes.len() as u64 <= self.settings().inline_bytes_max;
                (Payload::Held(bytes.clone()), is_inline.then(|| bytes.clone()))
            }
            ReceivedBody::Object(bytes, beginning) => {
                let stored = StoredBody {
                    objects: Arc::clone(&self.objects),
                    key: request_key(received.id),
                    bytes: *bytes,
                    beginning: beginning.clone(),
                };
                (Payload::Object(stored), None)
            }
        }
    }

    /// In how many seconds there may be room again.
    fn room_in(&self, route: RouteId) -> u64 {
        let rooms = self.rooms();
        let after = rooms.dispatch.fleets.of(route).look(|balancer, _| balancer.retry_after());
        (after.as_secs_f64().ceil() as u64).max(1)
    }

    /// Nobody wants the job `kept` any more.
    pub(crate) async fn cancel(&self, kept: Kept) -> Result<Stepped, LedgerError> {
        self.step(kept, &[Event::Cancel], None).await
    }

    /// An operator wants the dead job `kept` to run anew.
    pub(crate) async fn retry(&self, kept: Kept) -> Result<Stepped, LedgerError> {
        self.step(kept, &[Event::Retry], None).await
    }

    /// Waits for up to `most` until the job `id` has ended, and whoever is to hear of it was told;
    /// returns what is known of it then.
    pub(crate) async fn wait_for_end(
        &self,
        id: JobId,
        most: Duration,
    ) -> Result<Found, LedgerError> {
        let deadline = Instant::now() + most;
        let waiter = self.waiters.wait_for(id);
        loop {
            let end = waiter.end();
            tokio::pin!(end);
            end.as_mut().enable();
            let found = match waiter.ended() {
                Some(kept) => Found::Kept(Box::new(kept)),
                None => self.ledger.get(id).await?,
            };
            let is_open = matches!(&found, Found::Kept(kept)
                if !kept.job.state.is_final() || !kept.job.told);
            if !is_open || deadline <= Instant::now() {
                return Ok(found);
            }
            tokio::select! {
                () = end => {}
                () = sleep_until(deadline) => {}
                // Another balancer may have ended it.
                () = sleep(self.settings().poll) => {}
            }
        }
    }
}

/// What tells one payload from another: what is asked, and the `body`'s hash.
fn payload_hash(head: &RequestHeader, body: [u8; 32]) -> [u8; 32] {
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map_or(&[][..], |value| value.as_bytes());
    let mut hasher = Sha256::new();
    for part in [head.method.as_str().as_bytes(), head.raw_path(), content_type, &body] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

// === impl Receiving ===

impl Receiving<'_> {
    /// Takes the next piece.
    pub(crate) async fn add(&mut self, piece: Bytes) -> Result<(), Problem> {
        let settings = self.room.settings();
        self.bytes += piece.len() as u64;
        if settings.input_bytes_max < self.bytes {
            return Err(too_large(settings.input_bytes_max));
        }
        self.hasher.update(&piece);
        self.take(piece).await.map_err(|error| unkept_object(&error))
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), ObjectError> {
        let inline_max = self.room.settings().inline_bytes_max;
        if let Some(writer) = &mut self.writer {
            return writer.write(piece).await;
        }
        if self.bytes <= inline_max {
            self.beginning.extend_from_slice(&piece);
            return Ok(());
        }
        let mut writer = self.room.objects.create(&request_key(self.id)).await?;
        if !self.beginning.is_empty() {
            writer.write(Bytes::copy_from_slice(&self.beginning)).await?;
        }
        let room = usize::try_from(inline_max).unwrap_or(usize::MAX) - self.beginning.len();
        self.beginning.extend_from_slice(&piece[..room.min(piece.len())]);
        writer.write(piece).await?;
        self.writer = Some(writer);
        Ok(())
    }

    /// All of it has come, and is durable where it went to disk.
    pub(crate) async fn whole(self) -> Result<Received, Problem> {
        let beginning = Bytes::from(self.beginning);
        let body = match self.writer {
            None => ReceivedBody::Held(beginning),
            Some(writer) => {
                writer.finish().await.map_err(|error| unkept_object(&error))?;
                ReceivedBody::Object(self.bytes, beginning)
            }
        };
        Ok(Received { id: self.id, body, hash: self.hasher.finalize().into(), _share: None })
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        self.room.receiving.lock().remove(&self.hash);
    }
}

// === impl Received ===

impl Received {
    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.body {
            ReceivedBody::Held(bytes) => bytes.len() as u64,
            ReceivedBody::Object(bytes, _) => *bytes,
        }
    }
}
