//! Runs one operation under a meter.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use weighbridge_instrument::{LoadReport, Meter, RequestCost, build_id};

use crate::operations::{self, Limits, Operation, OperationError, OperationRequest, Reply};

/// What became of an operation.
#[derive(Debug)]
pub(super) struct Ran {
    /// What it answers; `None` where it panicked.
    pub(super) result: Option<Result<Reply, OperationError>>,
    /// What it cost.
    pub(super) cost: RequestCost,
    /// How long it ran.
    pub(super) elapsed: Duration,
}

/// Runs `operation` on this thread.
pub(super) fn run(
    operation: &dyn Operation,
    request: &OperationRequest<'_>,
    limits: &Limits,
) -> Ran {
    let started = Instant::now();
    let meter = Meter::start();
    let result = catch_unwind(AssertUnwindSafe(|| operations::run(operation, request, limits)));
    let cost = meter.stop();
    Ran { result: result.ok(), cost, elapsed: started.elapsed() }
}

// === impl Ran ===

impl Ran {
    /// Its load report: its cost, and nothing of the host, which runs nothing else. The metric
    /// `cold_start` is 1 where this was the environment's first invocation.
    pub(super) fn report(&self, is_cold: bool) -> LoadReport {
        LoadReport {
            request_cost: self.cost.to_entries(),
            named_metrics: BTreeMap::from([
                ("build".to_owned(), build_id() as f64),
                ("cold_start".to_owned(), f64::from(u8::from(is_cold))),
            ]),
            ..LoadReport::default()
        }
    }
}
