//! Takes jobs from the line, as long as hosts have room for them.
//!
//! A job that no host has room for stays where it is: no process holds what it cannot run. The
//! balancer is asked first, then the ledger; where the ledger refuses, the host's place is given
//! back. So an attempt is counted before its work starts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use pingora::http::RequestHeader;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, JobAsk};
use weighbridge_core::jobs::{Event, Fence, JobId, step};
use weighbridge_core::request::RouteId;
use weighbridge_core::share::Terms;
use weighbridge_core::units::{Time, Work};

use super::attempt::{self, Attempt};
use super::ledger::{InLine, Kept, LedgerError, Message};
use super::objects::{ObjectError, request_key};
use super::{Answer, JobRoom, Running, Stop, now, wire};
use crate::answer::{Problem, Whole};
use crate::ask;
use crate::backoff::Backoff;
use crate::budget::{Owner, Share};
use crate::decide::Decide;
use crate::exchange;
use crate::headers;
use crate::payload::{Payload, StoredBody};
use crate::whose;

/// Jobs that are looked at at once.
const LOOK_MAX: usize = 32;

/// Jobs of one line that have no room, after which the rest are taken to have none.
const MISSES_MAX: usize = 4;

/// The most jobs of which it is kept what was asked for them.
const ASKS_MAX: usize = 1024;

/// Between two looks at a ledger that fails.
const AGAIN: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };

/// What became of a job that was looked at.
#[derive(PartialEq, Eq)]
enum Looked {
    /// It is being claimed, and runs if it is to be had.
    Started,
    /// No host has room for it.
    Later,
    /// It is being claimed already.
    Known,
}

/// Why the body of a job's request cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// Its object is not there, or not whole: no later try finds it.
    #[error("the kept body of the request is missing")]
    Missing,
    /// A later try may work.
    #[error(transparent)]
    Unreadable(#[from] ObjectError),
}

/// Runs jobs until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>) {
    let mut failures = 0;
    let freed = Arc::clone(room.rooms().dispatch.fleets.freed());
    let mut look_at = Instant::now() + room.settings().poll;
    loop {
        tokio::select! {
            () = room.wake.notified() => {}
            () = freed.notified() => {}
            // Nobody tells of the jobs of other balancers.
            () = sleep_until(look_at) => room.may_wait.store(true, Ordering::Release),
            () = sleep(room.until_next()) => {
                room.next_at.store(u64::MAX, Ordering::Release);
                room.may_wait.store(true, Ordering::Release);
            }
        }
        if !room.may_wait.load(Ordering::Acquire) {
            continue;
        }
        look_at = Instant::now() + room.settings().poll;
        match room.clone().fill_all().await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                room.failed("jobs_line", &error);
                sleep(AGAIN.wait(failures)).await;
            }
        }
    }
}

/// Tells a host in `head` which job it runs, and by which `token` its load report is to call it.
pub(super) fn tell_host(head: &mut RequestHeader, id: JobId, token: u64) {
    let told = [(headers::JOB, id.to_string()), (headers::ATTEMPT, format!("{token:016x}"))];
    for (name, value) in told {
        if head.insert_header(name, value).is_err() {
            // It has as many headers as there may be.
            tracing::debug!(job = %id, "a host is not told which job it runs");
        }
    }
}

/// Waits for up to `most` until there are none.
async fn none_is_left(most: Duration, n: impl Fn() -> usize) {
    let look = async {
        while 0 < n() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let _late = timeout(most, look).await;
}

// === impl JobRoom ===

impl JobRoom {
    /// How long until the first of those that were sent here for later may go. Further ones are
    /// found when the line is looked at anyway.
    fn until_next(&self) -> Duration {
        Time::from_nanos(self.next_at.load(Ordering::Acquire)).since(now())
    }

    /// Runs what there is room for, of every fleet's line.
    async fn fill_all(self: Arc<Self>) -> Result<(), LedgerError> {
        self.may_wait.store(false, Ordering::Release);
        let fleets: Vec<String> = self.rooms().config.fleet_names().map(str::to_owned).collect();
        for fleet in fleets {
            self.clone().fill(&fleet).await?;
        }
        Ok(())
    }

    async fn fill(self: Arc<Self>, fleet: &str) -> Result<(), LedgerError> {
        loop {
            let room = self.settings().running_max.saturating_sub(self.n_running());
            // Those that are being claimed may still be in the line.
            let n_claiming = self.n_claiming.load(Ordering::Acquire);
            if LOOK_MAX <= n_claiming {
                // They would be read again and again: the last of them has the line read on.
                self.may_wait.store(true, Ordering::Release);
                return Ok(());
            }
            let first = self.ledger.line(fleet, now(), room.min(LOOK_MAX) + n_claiming).await?;
            if self.is_draining() {
                return Ok(());
            }
            let (mut misses, mut n_started) = (0, 0);
            for in_line in self.in_turn(first) {
                if MISSES_MAX <= misses || room <= n_started {
                    break;
                }
                match self.clone().look_at(in_line).await {
                    Looked::Later => misses += 1,
                    Looked::Started => n_started += 1,
                    Looked::Known => {}
                }
            }
            // What ends makes room for what had none.
            if 0 < misses || room <= n_started {
                self.may_wait.store(true, Ordering::Release);
            }
            if 0 < misses || n_started == 0 {
                return Ok(());
            }
        }
    }

    /// The `jobs` in the order of their classes and clients, where these are told apart. What is
    /// overdue keeps its place.
    fn in_turn(&self, jobs: Vec<InLine>) -> Vec<InLine> {
        let rooms = self.rooms();
        let is_shared = |fleet: &Arc<Decide>| fleet.look(|balancer, _| balancer.shares().is_on());
        if !rooms.dispatch.fleets.all().iter().any(is_shared) {
            return jobs;
        }
        let turn = |InLine { kept, .. }: &InLine| {
            let route = self.route_named(&kept.route)?;
            let (terms, work) = (self.terms(kept, route), kept.job.work * (1.0 / kept.job.weight));
            let turn = rooms.dispatch.fleets.of(route).turn_in_line(&terms, work);
            turn.filter(|_| now() < kept.overdue_at)
        };
        let turns = jobs.iter().enumerate();
        let mut turns: Vec<_> = turns.filter_map(|(at, job)| Some((turn(job)?, at))).collect();
        let places: Vec<usize> = turns.iter().map(|(_, place)| *place).collect();
        turns.sort_unstable();
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        for (place, (_, job)) in places.into_iter().zip(turns) {
            order[place] = job;
        }
        let mut jobs: Vec<Option<InLine>> = jobs.into_iter().map(Some).collect();
        order.into_iter().filter_map(|job| jobs[job].take()).collect()
    }

    /// Has a job run, where a host has room for it.
    async fn look_at(self: Arc<Self>, InLine { kept, request }: InLine) -> Looked {
        let id = kept.job.id;
        if self.running.lock().contains_key(&id) {
            return Looked::Known;
        }
        let head = wire::request(&request.head);
        let (Some(route), Ok(mut head)) = (self.route_named(&kept.route), head) else {
            let detail =
                format!("the route `{}` is no more, or the request is damaged", kept.route);
            return self.begin_to_fail(kept, detail);
        };
        let token = fastrand::u64(..);
        tell_host(&mut head, id, token);
        let asked = match self.ask(&kept, &head, (route, &request)).await {
            Ok(asked) => asked,
            Err(missing @ BodyError::Missing) => {
                return self.begin_to_fail(kept, missing.to_string());
            }
            Err(BodyError::Unreadable(error)) => {
                tracing::warn!(job = %id, %error, "a request cannot be read now");
                self.metrics.loop_failed("jobs_objects");
                return Looked::Later;
            }
        };
        let known = asked.ask.clone();
        let shared = self.rooms();
        let rooms = (&*shared.dispatch, &*shared.requests);
        let asked = exchange::place(rooms, asked, Box::new(head.clone()));
        match asked.verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) => {}
            Verdict::Later | Verdict::Queue { .. } | Verdict::Shed(_) => {
                self.keep_ask(&kept, known);
                return Looked::Later;
            }
        }
        self.asks.lock().remove(&id);
        self.begin((kept, token), move |room, kept, stop| async move {
            attempt::run(room, Attempt { kept, route, head, request, asked, stop }).await;
        });
        Looked::Started
    }

    /// What the balancer is asked for a job. Where its body is an object, that is read once only:
    /// a job that finds no room is asked for many times.
    async fn ask(
        &self,
        kept: &Kept,
        head: &RequestHeader,
        (route, request): (RouteId, &Message),
    ) -> Result<ask::Asked, BodyError> {
        let known = self.asks.lock().get(&kept.job.id).cloned();
        let mut asked = if let Some(ask) = known {
            ask::Asked::again(ask)
        } else {
            let (body, _share) = self.body(kept, request, route).await?;
            let rooms = self.rooms();
            ask::held(&rooms.dispatch, &rooms.requests.repeats, route, (head, &body))
        };
        asked.ask.terms = self.terms(kept, route);
        let alone = kept.job.runs_alone(&self.limits);
        asked.ask.job = Some(JobAsk { weight: kept.job.weight, alone });
        Ok(asked)
    }

    /// Whose `kept` is.
    pub(super) fn terms(&self, kept: &Kept, route: RouteId) -> Terms {
        whose::terms_of_job(&self.rooms().config, route, kept.client.as_deref())
    }

    /// Keeps what was asked for a job whose body is an object.
    fn keep_ask(&self, kept: &Kept, ask: Ask) {
        if !kept.request_is_object {
            return;
        }
        let mut asks = self.asks.lock();
        if ASKS_MAX <= asks.len() {
            asks.clear();
        }
        asks.insert(kept.job.id, ask);
    }

    /// Claims `kept`, and does `run` with it where it is to be had. Hosts call it `token`.
    fn begin<F: Future<Output = ()> + Send + 'static>(
        self: Arc<Self>,
        (kept, token): (Kept, u64),
        run: impl FnOnce(Arc<JobRoom>, Kept, watch::Receiver<Option<Stop>>) -> F + Send + 'static,
    ) {
        let id = kept.job.id;
        let stopped = self.enlist(&kept, kept.job.fence.next(), token);
        self.n_claiming.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            let claimed = self.claim(kept).await;
            if self.n_claiming.fetch_sub(1, Ordering::AcqRel) == 1 {
                // The line was not read on while it had so many that were being claimed.
                self.wake.notify_one();
            }
            match claimed {
                Ok(Some(kept)) => {
                    self.is_claimed(id);
                    run(self.clone(), kept, stopped).await;
                }
                // Another was first, or it is not there any more.
                Ok(None) => {}
                Err(error) => {
                    self.failed("jobs_claim", &error);
                    self.wake_runner();
                }
            }
            self.delist(id);
        });
    }

    /// Notes that `kept` is run here under `fence`. Returns what tells its run to stop.
    pub(super) fn enlist(
        &self,
        kept: &Kept,
        fence: Fence,
        token: u64,
    ) -> watch::Receiver<Option<Stop>> {
        let (stop, stopped) = watch::channel(None);
        let predicted = crate::text::span(kept.job.work);
        let (since, done) = (now(), Work::ZERO);
        let running = Running { fence, is_claimed: false, stop, predicted, since, token, done };
        self.running.lock().insert(kept.job.id, running);
        stopped
    }

    /// Notes that the ledger has the claim of the job `id`.
    pub(super) fn is_claimed(&self, id: JobId) {
        if let Some(running) = self.running.lock().get_mut(&id) {
            running.is_claimed = true;
        }
    }

    /// Notes that the job `id` is not run here any more: there is room for another.
    pub(super) fn delist(&self, id: JobId) {
        self.running.lock().remove(&id);
        self.wake.notify_one();
    }

    /// Claims `kept` for this balancer; `None` where it is not to be had.
    async fn claim(&self, kept: Kept) -> Result<Option<Kept>, LedgerError> {
        let mut kept = kept;
        // A claim is not tried again: who was first may have it.
        if !self.take(&mut kept) {
            return Ok(None);
        }
        let write = super::JobWrite { kept, answer: None, event: None };
        self.ledger.write(write).await
    }

    /// Takes the steps of a claim for this balancer. Returns whether `kept` is to be had.
    pub(super) fn take(&self, kept: &mut Kept) -> bool {
        let before = kept.job.fence;
        let (owner, now) = (self.ledger.owner(), now());
        step(&mut kept.job, Event::Claimed { owner }, now, &self.limits);
        let fence = kept.job.fence;
        step(&mut kept.job, Event::Started { fence }, now, &self.limits);
        kept.set_times(&self.limits, self.age());
        fence != before
    }

    /// The body of a job's request: in memory, where its route would hold it and there is room.
    pub(super) async fn body(
        &self,
        kept: &Kept,
        request: &Message,
        route: RouteId,
    ) -> Result<(Payload, Option<Share>), BodyError> {
        if let Some(body) = &request.body {
            return Ok((Payload::Held(body.clone()), None));
        }
        let key = request_key(kept.job.id);
        let bytes = kept.request_bytes;
        let rooms = self.rooms();
        let mut share = rooms.dispatch.budget.share(Owner(None));
        let is_held = bytes <= rooms.config.route(route).body_bytes && share.try_hold(bytes);
        let most = if is_held { bytes } else { self.settings().inline_bytes_max.min(bytes) };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let beginning = self.read((&key, bytes), most).await?;
        if is_held {
            return Ok((Payload::Held(beginning), Some(share)));
        }
        let objects = Arc::clone(&self.objects);
        Ok((Payload::Object(StoredBody { objects, key, bytes, beginning }), None))
    }

    /// The first `most` bytes of an object of `bytes`.
    async fn read(&self, (key, bytes): (&str, u64), most: usize) -> Result<Bytes, BodyError> {
        let opened = self.objects.open(key).await?.filter(|reader| reader.bytes() == bytes);
        let mut reader = opened.ok_or(BodyError::Missing)?;
        let mut read = BytesMut::with_capacity(most);
        while read.len() < most
            && let Some(piece) = reader.next().await?
        {
            read.extend_from_slice(&piece[..piece.len().min(most - read.len())]);
        }
        Ok(read.freeze())
    }

    /// Has a job end that cannot be run, because of `detail`.
    fn begin_to_fail(self: Arc<Self>, kept: Kept, detail: String) -> Looked {
        self.begin((kept, 0), |room, kept, _| async move { room.fail(kept, detail).await });
        Looked::Started
    }

    /// Ends a claimed job that cannot be run, because of `detail`.
    pub(super) async fn fail(&self, kept: Kept, detail: String) {
        let (id, fence) = (kept.job.id, kept.job.fence);
        tracing::error!(job = %id, detail, "a job cannot be run");
        let problem = Problem::new(StatusCode::GONE, detail);
        let Ok(Whole { header, body }) = problem.answer() else { return };
        let bytes = body.len() as u64;
        let message = Message { head: wire::keep_answer(&header), body: Some(body) };
        let status = problem.status;
        let events = [Event::Answered { fence, status, retry_after: None }, Event::Kept { fence }];
        if let Err(error) = self.step(kept, &events, Some(&Answer { message, bytes })).await {
            // Its lease runs out, and it is tried again.
            self.failed("jobs_commit", &error);
        }
    }

    /// Waits for up to `most` until this balancer runs no job any more.
    pub(crate) async fn drained(&self, most: Duration) {
        none_is_left(most, || self.n_running()).await;
    }

    /// Waits for up to `most` until the messages that this balancer holds are answered, or others
    /// may have them.
    pub(crate) async fn given_back(&self, most: Duration) {
        none_is_left(most, || self.contracts.n_held()).await;
    }
}
