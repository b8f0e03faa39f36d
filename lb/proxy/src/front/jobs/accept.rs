//! Requests that become jobs.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::proxy::Session;

use weighbridge_core::request::RouteId;

use super::{Refused, apply, see_other};
use crate::answer::Problem;
use crate::ask;
use crate::caller::{Caller as _, Gone};
use crate::config::{BodyMode, RouteJobs};
use crate::exchange::ExchangeError;
use crate::front::body::{self, BodyLimits};
use crate::front::{Front, client};
use crate::jobs::intake::{Accepted, Received, Wanted};
use crate::jobs::ledger::Kept;
use crate::jobs::wishes::{self, Preferences};
use crate::jobs::{JobRoom, page};
use crate::payload::Payload;
use crate::record::Record;

// === impl Front ===

impl Front {
    /// Whether the request of `session` becomes a job, as far as its head says; what its client
    /// prefers.
    pub(in crate::front) fn becomes_job(
        &self,
        session: &Session,
        route: RouteId,
    ) -> Option<Preferences> {
        self.may_become_job(session)?;
        let preferences = Preferences::of(&session.req_header().headers);
        let is_job = match self.config.route(route).jobs {
            RouteJobs::Never => false,
            RouteJobs::Prefer => preferences.respond_async,
            RouteJobs::Always => true,
        };
        is_job.then_some(preferences)
    }

    /// Jobs are requests with an answer that can be kept.
    fn may_become_job(&self, session: &Session) -> Option<()> {
        self.jobs.as_ref()?;
        let method = &session.req_header().method;
        let has_result = ![Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method);
        (has_result && !session.is_upgrade_req()).then_some(())
    }

    /// Whether a request with `body` is so large that it becomes a job.
    pub(in crate::front) fn is_large(
        &self,
        session: &Session,
        route: RouteId,
        body: &Bytes,
    ) -> bool {
        let (Some(most), Some(())) =
            (self.config.route(route).async_above, self.may_become_job(session))
        else {
            return false;
        };
        let payload = Payload::Held(body.clone());
        let head = session.req_header();
        let asked = ask::held(&self.dispatch, &self.ledger.repeats, route, (head, &payload));
        let estimate = self.dispatch.fleets.of(route).look(|balancer, _| {
            balancer.predictor(route).estimate(&asked.ask.features, asked.ask.known)
        });
        most < estimate.mean
    }

    /// Makes a job of the request of `session`. `body`: it has been read.
    pub(in crate::front) async fn accept(
        &self,
        session: &mut Session,
        record: &mut Record,
        (route, preferences, body): (RouteId, Preferences, Option<body::Body>),
    ) -> Result<(), ExchangeError> {
        let Some(room) = self.jobs.as_ref() else { return Err(Gone.into()) };
        if let Some(contract) = self.config.route(route).contract.clone() {
            return Ok(self.serve_contract(session, record, (route, contract)).await?);
        }
        match self.try_accept(session, record, (room, route, preferences, body)).await {
            Ok(()) => Ok(()),
            Err(Refused::Gone) => Err(Gone.into()),
            Err(Refused::Problem(problem)) => {
                Ok(Box::pin(self.refuse(session, record, &problem)).await?)
            }
        }
    }

    async fn try_accept(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, route, preferences, body): (&Arc<JobRoom>, RouteId, Preferences, Option<body::Body>),
    ) -> Result<(), Refused> {
        let headers = &session.req_header().headers;
        let (key, callback) = (room.key(route, headers)?, room.callback(headers)?);
        // Who cannot ask for it again does not want it when it leaves.
        let is_wanted = key.is_some() || callback.is_some();
        let received = match body {
            Some(body) => room.received(body.bytes.clone(), body.into_share()).await?,
            None => self.receive(session, (&**room, route)).await?,
        };
        record.bytes_in = received.bytes();
        let request = self.client(session, record).request(received.bytes());
        let mut head =
            request.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        wishes::strip(&mut head);
        if let Some(films) = &self.config.route(route).films {
            super::films::for_host(&mut head, films)?;
        }
        let client = record.terms.client.as_deref().map(str::to_owned);
        let wanted = Wanted { route, head, key, callback, client };
        let Accepted { kept, is_repeat } = room.accept(wanted, received).await?;
        let is_kept = is_wanted || is_repeat;
        self.acknowledge(session, record, (&**room, kept, preferences, is_kept)).await
    }

    /// Answers a request that has become a job: with its result, where the client waits for that
    /// and it comes in time, else with 202.
    async fn acknowledge(
        &self,
        session: &mut Session,
        record: &mut Record,
        (room, mut kept, preferences, is_kept): (&JobRoom, Kept, Preferences, bool),
    ) -> Result<(), Refused> {
        let id = kept.job.id;
        let mut waited = false;
        if let Some(wait) = preferences.wait
            && let Ok(_place) = room.polls.try_acquire()
        {
            waited = true;
            let wait = wait.min(room.settings().wait_max);
            match self.wait(session, record, (room, id, wait)).await {
                Ok(found) => kept = super::kept(found)?,
                Err(Refused::Gone) if !is_kept => {
                    room.cancel(kept).await?;
                    return Err(Refused::Gone);
                }
                Err(refused) => return Err(refused),
            }
            if kept.job.outcome.is_some() {
                let applied = preferences.applied((true, false));
                return self.pass_on_result(session, record, (room, &kept, applied)).await;
            }
        }
        if page::is_wanted(&session.req_header().headers) {
            // People see a page that tells them how it is, until it leads to the result.
            return Ok(self.answer(session, record, see_other(&room.location(id))?).await?);
        }
        let answer = room.tell(&kept, StatusCode::ACCEPTED).await?;
        let mut answer = answer.map_err(|_| Refused::Gone)?;
        apply(&mut answer.header, preferences, (waited, true))?;
        if record.marks.cors {
            let exposed = "location, preference-applied, retry-after";
            let name = header::ACCESS_CONTROL_EXPOSE_HEADERS;
            answer.header.insert_header(name, exposed).map_err(|_| Refused::Gone)?;
        }
        Ok(self.answer(session, record, answer).await?)
    }

    /// Reads the body of a request that becomes a job: into memory where its route would hold it,
    /// else to disk as it comes.
    async fn receive(
        &self,
        session: &mut Session,
        (room, route): (&JobRoom, RouteId),
    ) -> Result<Received, Refused> {
        let most = room.settings().input_bytes_max;
        let limits = BodyLimits { bytes_max: most, ..self.body_limits(route) };
        body::check_length(session, limits)?;
        let is_held = self.config.route(route).body == BodyMode::Buffer
            && body::announced(session)
                .is_some_and(|bytes| bytes <= self.config.route(route).body_bytes);
        if is_held || session.is_body_empty() {
            let share = self.dispatch.budget.share(client::owner(session, &self.config.forwarding));
            let body = body::read(session, limits, share).await?;
            return Ok(room.received(body.bytes.clone(), body.into_share()).await?);
        }
        let mut receiving = room.receive()?;
        let mut pieces = body::Pieces::begin(session, limits).await?;
        let begun = Instant::now();
        while let Some(piece) = pieces.next(session).await? {
            receiving.add(piece).await?;
            pieces.forgive_writing();
        }
        tracing::debug!(took = ?begun.elapsed(), "a body went to disk");
        Ok(receiving.whole().await?)
    }
}
