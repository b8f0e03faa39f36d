//! One exchange: a request whose body is held goes from verdict to verdict, from host to host,
//! until its caller has an answer.
//!
//! It can be tried again for as long as nothing of an answer has gone to the caller. Dropping it at
//! any point gives back what it holds: its ticket the claim, its body the memory.

mod asked;
mod relay;
mod tunnel;

#[cfg(test)]
mod tests;

use http::StatusCode;
use pingora::http::RequestHeader;

use weighbridge_core::admit::{Invocation, Placement, ShedReason, Verdict};
use weighbridge_core::observe::{Failure, HostReport};
use weighbridge_core::request::RouteId;

use crate::answer::{Problem, Whole};
use crate::ask;
use crate::budget::Share;
use crate::caller::{Caller, Gone};
use crate::decide::Ticket;
use crate::dispatch::Dispatch;
use crate::fleet::Target;
use crate::forward::{self, Answer, Interim, Reuse, Try, TryError, TryLimits};
use crate::headers;
use crate::ledger::Ledger;
use crate::payload::Payload;
use crate::record::Record;
use crate::register::{self, Entry};
use crate::repeats::Fingerprint;
use crate::traces;

pub(crate) use asked::{Asked, place};

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
    body: &'a Payload,
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
    /// No answer, whoever is asked: of that the caller is told.
    Hopeless(Problem),
}

/// Serves a request of `route` with `body` to `caller`, and notes in `record` how it went.
pub(crate) async fn serve<C: Caller>(
    (dispatch, ledger): (&Dispatch, &Ledger),
    caller: &mut C,
    record: &mut Record,
    (route, body): (RouteId, &Payload),
) -> Result<(), ExchangeError> {
    let request = match caller.request(body.bytes()) {
        Ok(request) => request,
        Err(error) => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string());
            return Ok(refuse(caller, record, &problem).await?);
        }
    };
    let mut asked = ask::held(dispatch, &ledger.repeats, route, (&request, body));
    asked.ask.terms = record.terms_now();
    let asked = place((dispatch, ledger), asked, request);
    follow((dispatch, ledger), caller, record, (body, asked)).await
}

/// Follows what the balancer has said of a request with `body`, until `caller` has its answer.
pub(crate) async fn follow<C: Caller>(
    (dispatch, ledger): (&Dispatch, &Ledger),
    caller: &mut C,
    record: &mut Record,
    (body, asked): (&Payload, Asked),
) -> Result<(), ExchangeError> {
    record.bytes_in = body.bytes();
    let Asked { route, mut ticket, verdict, request, fingerprint, may_repeat } = asked;
    let entry = Entry::of_exchange(&request, caller.owner());
    ticket.enter(&entry);
    let request = Some(request);
    let (failure, share) = (None, dispatch.budget.share(caller.owner()));
    let exchange = Exchange {
        dispatch,
        ledger,
        caller: &mut *caller,
        record: &mut *record,
        route,
        request,
        body,
        fingerprint,
        may_repeat,
        failure,
        share,
    };
    let followed = tokio::select! {
        biased;
        followed = exchange.follow(ticket, verdict) => Some(followed),
        () = entry.cancelled() => None,
    };
    match followed {
        Some(followed) => followed,
        None => cancel(caller, record).await,
    }
}

/// Ends an exchange that an operator has cancelled, and that has been dropped.
async fn cancel(caller: &mut impl Caller, record: &mut Record) -> Result<(), ExchangeError> {
    tracing::info!("an operator has cancelled a request");
    if record.status == 0 {
        return Ok(refuse(caller, record, &register::cancelled()).await?);
    }
    // Some of an answer may have been sent.
    let why = pingora::Error::new(pingora::ErrorType::Custom("cancelled by an operator"));
    Err(ExchangeError::BrokenOff(why))
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
                // Only a job is told to come later: its attempt ends here.
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
                Tried::Hopeless(problem) => {
                    drop(ticket);
                    return Ok(Box::pin(refuse(self.caller, self.record, &problem)).await?);
                }
                Tried::Failed(failure, answer) => {
                    if let (Some(trace), Some(answer)) = (&mut self.record.trace, &answer) {
                        trace.heard(answer.header.status.as_u16());
                    }
                    refused = answer.or(refused);
                    self.failure = Some(failure);
                    self.record.failed(failure);
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
        self.caller.placed(placement.host);
        let Some(target) = self.dispatch.hosts.target(placement.host) else {
            return Ok(Tried::Failed(Failure::Connect, None));
        };
        match self.send(target).await? {
            Ok(answer) => Ok(available(answer)),
            Err(error) if error.is_too_long_head() => {
                tracing::warn!(host = placement.host.0, "an answer has too many fields");
                Ok(Tried::Hopeless(Dispatch::too_long_head()))
            }
            Err(error) if error.is_unreadable_body() => {
                tracing::error!(?error, "the body of a request cannot be read");
                let detail = "the kept body of the request cannot be read";
                Ok(Tried::Hopeless(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)))
            }
            Err(TryError(failure, error)) => {
                self.ledger.metrics.try_failed(failure);
                let host = placement.host.0;
                tracing::warn!(host, ?failure, ?error, "a host failed a request");
                Ok(Tried::Failed(failure, None))
            }
        }
    }

    /// Sends the request to the host that `target` is, for as long as the caller stays.
    async fn send(&mut self, target: Target) -> Result<Result<Answer, TryError>, Gone> {
        let mut request = match self.take_request() {
            Ok(request) => request,
            Err(error) => return Ok(Err(TryError(Failure::BeforeResponse, Some(error)))),
        };
        // Hosts order by it: what counts less is told to be larger.
        let told = self.record.told().map(|work| work * (1.0 / self.caller.weight()));
        headers::tell_estimate(&mut request, told);
        headers::tell_order(&mut request, self.record.order);
        if let (Some(trace), Some(host)) = (&mut self.record.trace, self.record.host) {
            let at = || traces::Place::Host(host, target.address.clone());
            trace.begin_try(&mut request, at);
        }
        let reuse = self.reuse();
        // What the last try held is not needed any longer.
        self.share.try_hold(0);
        let interim = Interim::default();
        let one = Try {
            connections: &self.dispatch.connections,
            target,
            between: self.caller.between(),
            request,
            body: self.body,
            reuse,
            limits: self.limits(),
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

    /// How long a try may take.
    fn limits(&self) -> TryLimits {
        let limits = self.dispatch.try_limits(self.route);
        let response = self.caller.response_max().unwrap_or(limits.response);
        TryLimits { response, ..limits }
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
        made.unwrap_or_else(|| self.caller.request(self.body.bytes()))
    }

    /// Runs the request on Lambda, for as long as the caller stays.
    async fn invoke(&mut self, invocation: &Invocation) -> Result<Tried, ExchangeError> {
        let (Ok(mut request), Some(body)) = (self.take_request(), self.body.whole()) else {
            return Ok(Tried::Failed(Failure::Refused, None));
        };
        self.record.invoked(invocation);
        let function = self.dispatch.config.function_name(invocation.function);
        if let Some(trace) = &mut self.record.trace {
            trace.begin_try(&mut request, || traces::Place::Function(function.to_owned()));
        }
        let metrics = &self.ledger.metrics.lambda;
        let invoked = tokio::select! {
            biased;
            invoked = self.dispatch.invoke(function, &request, body) => invoked,
            () = self.caller.gone() => {
                metrics.invoked(function, "abandoned");
                return Err(Gone.into());
            }
        };
        self.request = Some(request);
        match invoked {
            Ok(answer) => {
                metrics.invoked(function, "answered");
                self.share.charge(answer.body.len() as u64);
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
    record.bytes_out = caller.refused(problem).await?;
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
