//! One exchange: a request whose body is held goes from verdict to verdict, from host to host,
//! until its caller has an answer.
//!
//! It can be tried again for as long as nothing of an answer has gone to the caller. Dropping it at
//! any point gives back what it holds: its ticket the claim, its body the memory.

mod tunnel;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use pingora::http::{RequestHeader, ResponseHeader};

use weighbridge_core::admit::{Invocation, Placement, ShedReason, Verdict};
use weighbridge_core::observe::{Failure, HostReport};
use weighbridge_core::request::RouteId;

use crate::answer::{Problem, Whole};
use crate::ask;
use crate::budget::Share;
use crate::caller::{Caller, Gone};
use crate::decide::Ticket;
use crate::dispatch::Dispatch;
use crate::forward::{self, Answer, Interim, Rest, Reuse, Try, TryError};
use crate::headers;
use crate::ledger::Ledger;
use crate::record::Record;
use crate::repeats::Fingerprint;

/// How long a host that sends an answer keeps its place while it waits for the caller to read.
const PLACE_KEPT: Duration = Duration::from_millis(100);

/// How an exchange ends without an answer that is whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The caller waits no longer.
    #[error("the caller left")]
    Gone(#[from] Gone),
    /// The answer broke off when some of it had been sent: only closing tells the caller.
    #[error("the answer broke off")]
    BrokenOff(#[source] Box<pingora::Error>),
}

/// See the module.
pub(crate) struct Exchange<'a, C> {
    dispatch: &'a Dispatch,
    ledger: &'a Ledger,
    caller: &'a mut C,
    record: &'a mut Record,
    route: RouteId,
    /// The request as it goes to a host, until a try takes it.
    request: Option<Box<RequestHeader>>,
    body: &'a Bytes,
    fingerprint: Option<Fingerprint>,
    /// Whether it may run twice.
    may_repeat: bool,
    /// How the last try failed.
    failure: Option<Failure>,
    /// The memory for the answer.
    share: Share,
}

/// What a try brought.
enum Tried {
    Answered(Answer),
    /// The failure, and the answer that told of it.
    Failed(Failure, Option<Whole>),
    /// An answer that cannot be passed on, whoever gives it.
    Uncarried,
}

/// Serves a request of `route` with `body` to `caller`, and notes in `record` how it went.
pub(crate) async fn serve<C: Caller>(
    (dispatch, ledger): (&Dispatch, &Ledger),
    caller: &mut C,
    record: &mut Record,
    (route, body): (RouteId, &Bytes),
) -> Result<(), ExchangeError> {
    record.bytes_in = body.len() as u64;
    let request = match caller.request(body) {
        Ok(request) => request,
        Err(error) => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string());
            return Ok(refuse(caller, record, &problem).await?);
        }
    };
    let asked = ask::held(dispatch, &ledger.repeats, route, (&request, body));
    let (ask, fingerprint) = asked.noticed(dispatch);
    let idempotent = dispatch.config.policy_of(route).idempotent;
    let may_repeat = idempotent.unwrap_or(ask.is_idempotent);
    let started = Instant::now();
    let (ticket, verdict) = dispatch.fleets.of(route).arrive(ask);
    ledger.metrics.decided(started.elapsed());
    let request = Some(request);
    let (failure, share) = (None, dispatch.budget.share(caller.owner()));
    let exchange = Exchange {
        dispatch,
        ledger,
        caller,
        record,
        route,
        request,
        body,
        fingerprint,
        may_repeat,
        failure,
        share,
    };
    exchange.follow(ticket, verdict).await
}

impl<C: Caller> Exchange<'_, C> {
    /// Follows the balancer's verdicts until the caller has its answer.
    async fn follow(
        mut self,
        mut ticket: Ticket,
        mut verdict: Verdict,
    ) -> Result<(), ExchangeError> {
        // What the last host said that could not serve now.
        let mut refused = None;
        loop {
            let tried = match verdict {
                Verdict::Forward(placement) => self.attempt(&placement).await?,
                Verdict::Lambda(invocation) => Box::pin(self.invoke(&invocation)).await?,
                Verdict::Queue { .. } => {
                    verdict = Box::pin(self.wait(&mut ticket)).await?;
                    continue;
                }
                // Only a job is told to come later, and is asked for elsewhere.
                Verdict::Later => {
                    drop(ticket);
                    return Box::pin(self.give_up(refused, ShedReason::QueueFull)).await;
                }
                Verdict::Shed(reason) => {
                    drop(ticket);
                    return Box::pin(self.give_up(refused, reason)).await;
                }
            };
            verdict = match tried {
                Tried::Answered(answer) => return self.deliver(ticket, answer).await,
                Tried::Uncarried => {
                    drop(ticket);
                    let problem = Dispatch::too_long_head();
                    return Ok(Box::pin(refuse(self.caller, self.record, &problem)).await?);
                }
                Tried::Failed(failure, answer) => {
                    refused = answer.or(refused);
                    self.failure = Some(failure);
                    ticket.fail(failure)
                }
            };
        }
    }

    /// Waits in the balancer's waiting room for as long as the caller does.
    async fn wait(&mut self, ticket: &mut Ticket) -> Result<Verdict, ExchangeError> {
        let verdict = tokio::select! {
            biased;
            verdict = ticket.verdict() => verdict,
            () = self.caller.gone() => return Err(Gone.into()),
        };
        Ok(verdict.unwrap_or(Verdict::Shed(ShedReason::WaitedTooLong)))
    }

    /// Tries the host of `placement`.
    async fn attempt(&mut self, placement: &Placement) -> Result<Tried, ExchangeError> {
        self.record.placed(placement);
        let Some(address) = self.dispatch.hosts.address(placement.host) else {
            return Ok(Tried::Failed(Failure::Connect, None));
        };
        match self.send(address).await? {
            Ok(answer) => Ok(available(answer)),
            Err(error) if error.is_too_long_head() => {
                tracing::warn!(host = placement.host.0, "an answer has too many fields");
                Ok(Tried::Uncarried)
            }
            Err(TryError(failure, error)) => {
                self.ledger.metrics.try_failed(failure);
                let host = placement.host.0;
                tracing::warn!(host, ?failure, ?error, "a host failed a request");
                Ok(Tried::Failed(failure, None))
            }
        }
    }

    /// Sends the request to the host at `address`, for as long as the caller stays.
    async fn send(&mut self, address: SocketAddr) -> Result<Result<Answer, TryError>, Gone> {
        let mut request = match self.take_request() {
            Ok(request) => request,
            Err(error) => return Ok(Err(TryError(Failure::BeforeResponse, Some(error)))),
        };
        headers::tell_estimate(&mut request, self.record.told());
        let reuse = self.reuse();
        // What the last try held is not needed any longer.
        self.share.try_hold(0);
        let interim = Interim::default();
        let one = Try {
            connections: &self.dispatch.connections,
            address,
            request,
            body: self.body,
            reuse,
            limits: self.dispatch.try_limits(self.route),
            share: &mut self.share,
            interim: &interim,
        };
        let sending = forward::send(one);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                tried = &mut sending => {
                    // Those that came with the answer itself.
                    while let Some(head) = interim.take() {
                        self.caller.interim(head).await?;
                    }
                    return Ok(tried);
                }
                head = interim.next() => self.caller.interim(head).await?,
                () = self.caller.gone() => return Err(Gone),
            }
        }
    }

    /// Which idle connections the next try may use. What must not be sent twice is not risked on
    /// one that the host may be closing, and what has met with such a one takes a new one.
    fn reuse(&self) -> Reuse {
        if self.failure == Some(Failure::Stale) {
            Reuse::None
        } else if self.may_repeat {
            Reuse::Any
        } else {
            Reuse::Safe
        }
    }

    /// The request as it goes to a host: the one at hand, or a new one where a try has taken it.
    fn take_request(&mut self) -> pingora::Result<Box<RequestHeader>> {
        let made = self.request.take().map(Ok);
        made.unwrap_or_else(|| self.caller.request(self.body))
    }

    /// Runs the request on Lambda, for as long as the caller stays.
    async fn invoke(&mut self, invocation: &Invocation) -> Result<Tried, ExchangeError> {
        let Ok(request) = self.take_request() else {
            return Ok(Tried::Failed(Failure::Refused, None));
        };
        self.record.invoked(invocation);
        let function = self.dispatch.config.function_name(invocation.function);
        let metrics = &self.ledger.metrics.lambda;
        let invoked = tokio::select! {
            biased;
            invoked = self.dispatch.invoke(function, &request, self.body) => invoked,
            () = self.caller.gone() => {
                metrics.invoked(function, "abandoned");
                return Err(Gone.into());
            }
        };
        self.request = Some(request);
        match invoked {
            Ok(answer) => {
                metrics.invoked(function, "answered");
                Ok(available(Answer::Whole(answer)))
            }
            Err(error) => {
                metrics.invoked(function, error.outcome());
                let failure = error.failure();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(function, ?failure, error, "Lambda failed a request");
                Ok(Tried::Failed(failure, None))
            }
        }
    }

    async fn deliver(&mut self, ticket: Ticket, answer: Answer) -> Result<(), ExchangeError> {
        match answer {
            Answer::Whole(answer) => {
                self.record.answered();
                self.ledger.hear(self.record, &answer.header);
                let report = self.record.heard.map(|heard| heard.host);
                self.learn(ticket, report);
                self.pass_on(answer).await
            }
            Answer::Switched { header, rest } => Box::pin(self.tunnel(ticket, header, *rest)).await,
            Answer::Partial { header, beginning, rest } => {
                Box::pin(self.relay(ticket, header, beginning, *rest)).await
            }
        }
    }

    /// Counts an answer that has ended towards what is learned, and believes `report`.
    fn learn(&mut self, ticket: Ticket, report: Option<HostReport>) {
        let report = self.record.host.zip(report);
        if let Some(observation) = ticket.complete(&self.record.outcome(), report) {
            self.ledger.learned(self.record, observation, self.fingerprint);
        }
    }

    async fn pass_on(&mut self, mut answer: Whole) -> Result<(), ExchangeError> {
        self.record.status = answer.header.status.as_u16();
        headers::strip(&mut answer.header);
        self.record.add_timing(&mut answer.header).map_err(|_| Gone)?;
        self.record.bytes_out = self.caller.take(answer).await?;
        Ok(())
    }

    /// Passes on an answer that is too long to be held, as it arrives.
    async fn relay(
        &mut self,
        ticket: Ticket,
        mut header: Box<ResponseHeader>,
        beginning: Bytes,
        mut rest: Rest,
    ) -> Result<(), ExchangeError> {
        self.ledger.hear(self.record, &header);
        self.record.work = self.dispatch.fleets.of(self.route).believe(self.record);
        headers::strip(&mut header);
        self.record.add_timing(&mut header).map_err(|_| Gone)?;
        self.caller.begin(header).await?;
        let (mut ticket, mut piece) = (Some(ticket), Some(beginning));
        while let Some(bytes) = piece {
            self.record.bytes_out += bytes.len() as u64;
            if !bytes.is_empty() {
                self.hand_over(&mut ticket, bytes).await?;
            }
            self.share.try_hold(0);
            piece = rest.next().await.map_err(|error| {
                self.ledger.metrics.try_failed(Failure::AfterResponse);
                if let Some(ticket) = &mut ticket {
                    ticket.fail(Failure::AfterResponse);
                }
                ExchangeError::BrokenOff(error)
            })?;
        }
        self.caller.piece(None).await?;
        let idle = self.dispatch.config.timeouts.idle;
        rest.release(&self.dispatch.connections, idle).await;
        if let Some(ticket) = ticket {
            self.record.answered();
            self.learn(ticket, None);
        }
        Ok(())
    }

    /// Hands the caller a piece of an answer. A host that has to wait for the caller has done its
    /// work: its place is given back, so that callers that read slowly do not keep others away.
    async fn hand_over(&mut self, ticket: &mut Option<Ticket>, piece: Bytes) -> Result<(), Gone> {
        let handing = self.caller.piece(Some(piece));
        tokio::pin!(handing);
        if let Ok(handed) = tokio::time::timeout(PLACE_KEPT, &mut handing).await {
            return handed;
        }
        if let Some(ticket) = ticket.take() {
            self.record.answered();
            let observation = ticket.complete(&self.record.outcome(), None);
            if let Some(observation) = observation {
                self.ledger.learned(self.record, observation, self.fingerprint);
            }
        }
        handing.await
    }

    /// No host takes it: the caller gets what the last one said, or else the `reason`.
    async fn give_up(
        &mut self,
        refused: Option<Whole>,
        reason: ShedReason,
    ) -> Result<(), ExchangeError> {
        if let Some(answer) = refused {
            return self.pass_on(answer).await;
        }
        let problem = self.dispatch.shed(self.route, reason, self.failure);
        Ok(refuse(self.caller, self.record, &problem).await?)
    }
}

/// Answers with `problem`.
async fn refuse(
    caller: &mut impl Caller,
    record: &mut Record,
    problem: &Problem,
) -> Result<(), Gone> {
    record.status = problem.status;
    let answer = problem.answer().map_err(|_| Gone)?;
    record.bytes_out = caller.take(answer).await?;
    Ok(())
}

/// An answer, unless it says that there can be none now.
fn available(answer: Answer) -> Tried {
    match answer {
        Answer::Whole(answer) if answer.is_unavailable() => {
            Tried::Failed(Failure::Refused, Some(answer))
        }
        answer => Tried::Answered(answer),
    }
}
