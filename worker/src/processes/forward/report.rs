//! The load report of an answer.

use http::{HeaderMap, HeaderValue};
use weighbridge_instrument::RequestCost;

use crate::front::Front;
use crate::processes::executor::Processes;
use crate::processes::room::Measured;
use crate::respond::{self, LOAD_REPORT, SERVER_TIMING};

/// The other form of a load report.
const LOAD_REPORT_BINARY: &str = "endpoint-load-metrics-bin";

/// Entry of `request_cost`: the most memory that the process had meanwhile, in bytes.
const PEAK_MEMORY: &str = "memory_bytes";

/// Attaches the load report, and the times of what ran. A report of the process's own goes: the
/// balancer reads one, and this one is measured.
pub(super) fn attach(
    front: &Front,
    processes: &Processes,
    headers: &mut HeaderMap,
    measured: Option<Measured>,
) {
    let cost = measured.map(|measured| RequestCost {
        cpu_seconds: Some(measured.cpu.as_secs_f64()),
        ..RequestCost::default()
    });
    let (discipline, occupancy) = (processes.discipline(), processes.occupancy());
    let mut report = front.load.report(discipline, occupancy, cost.as_ref());
    if let Some(bytes) = measured.and_then(|measured| measured.peak_bytes) {
        report.request_cost.insert(PEAK_MEMORY.to_owned(), bytes as f64);
    }
    headers.remove(LOAD_REPORT_BINARY);
    if let Ok(report) = HeaderValue::try_from(report.encode_json()) {
        headers.insert(LOAD_REPORT, report);
    }
    let timing = measured.map(|measured| respond::server_timing(measured.times));
    if let Some(Ok(timing)) = timing.map(HeaderValue::try_from) {
        headers.append(SERVER_TIMING, timing);
    }
}
