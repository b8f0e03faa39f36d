//! A request that the balancer has been asked about, and that has not been followed up.

use std::time::Instant;

use pingora::http::RequestHeader;

use weighbridge_core::admit::Verdict;
use weighbridge_core::request::RouteId;

use crate::ask;
use crate::decide::Ticket;
use crate::dispatch::Dispatch;
use crate::ledger::Ledger;
use crate::repeats::Fingerprint;

/// See the module.
pub(crate) struct Asked {
    pub(super) route: RouteId,
    /// What it holds.
    pub(super) ticket: Ticket,
    /// What the balancer said.
    pub(crate) verdict: Verdict,
    pub(super) request: Box<RequestHeader>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) may_repeat: bool,
}

/// Asks the balancer for a host for `request`, which asks for what is `asked`.
pub(crate) fn place(
    (dispatch, ledger): (&Dispatch, &Ledger),
    asked: ask::Asked,
    request: Box<RequestHeader>,
) -> Asked {
    let (ask, fingerprint) = asked.noticed(dispatch);
    let route = ask.route;
    let idempotent = dispatch.config.policy_of(route).idempotent;
    // A host that a job kills is counted: none is to be taken for a connection that was closing.
    let may_repeat = idempotent.unwrap_or(ask.is_idempotent) && ask.job.is_none();
    let started = Instant::now();
    let (ticket, verdict) = dispatch.fleets.of(route).arrive(ask);
    ledger.metrics.decided(started.elapsed());
    Asked { route, ticket, verdict, request, fingerprint, may_repeat }
}
