//! What this worker says of itself: ORCA load reports.

mod process;
mod window;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use parking_lot::Mutex;
use weighbridge_instrument::{LoadReport, RequestCost, build_id};

use crate::processes::Usage;
use crate::queue::Occupancy;
pub(crate) use process::memory_bytes;
use window::{Totals, Window};

/// How often [`Load::tick`] is to be called.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// Measures the process since it was created.
#[derive(Debug)]
pub(crate) struct Load {
    cores: f64,
    memory_bytes: Option<u64>,
    resident_bytes: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    /// CPU time of the processes that it runs, in nanoseconds.
    processes_nanos: AtomicU64,
    window: Mutex<Window>,
}

impl Load {
    /// A process that may use `cores`.
    pub(crate) fn new(cores: usize) -> Load {
        let first = Totals { at: Instant::now(), cpu: process::cpu_time(), answered: 0, failed: 0 };
        Load {
            cores: cores as f64,
            memory_bytes: process::memory_bytes(),
            resident_bytes: AtomicU64::new(process::resident_bytes().unwrap_or(0)),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            processes_nanos: AtomicU64::new(0),
            window: Mutex::new(Window::new(first)),
        }
    }

    /// Counts an answered operation. Only what is our fault has failed.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if status.is_server_error() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves the window on, where the processes that it runs have used so much.
    pub(crate) fn tick(&self, processes: Usage) {
        let nanos = u64::try_from(processes.cpu.as_nanos()).unwrap_or(u64::MAX);
        self.processes_nanos.store(nanos, Ordering::Relaxed);
        let resident = process::resident_bytes().unwrap_or(0) + processes.resident_bytes;
        self.resident_bytes.store(resident, Ordering::Relaxed);
        let totals = self.totals();
        self.window.lock().push(totals);
    }

    /// The report of now; `cost` is that of the request whose response carries it.
    pub(crate) fn report(
        &self,
        discipline: &str,
        occupancy: Occupancy,
        cost: Option<&RequestCost>,
    ) -> LoadReport {
        let totals = self.totals();
        let rates = self.window.lock().rates(&totals);
        LoadReport {
            cpu_utilization: rates.cpu / self.cores,
            mem_utilization: self.memory_utilization(),
            application_utilization: occupancy.utilization(),
            rps_fractional: rates.answered,
            eps: rates.failed,
            request_cost: cost.map(RequestCost::to_entries).unwrap_or_default(),
            named_metrics: named_metrics(discipline, occupancy),
            ..LoadReport::default()
        }
    }

    /// Resident memory over what the process may use; 0 where the system does not say.
    fn memory_utilization(&self) -> f64 {
        let resident = self.resident_bytes.load(Ordering::Relaxed) as f64;
        self.memory_bytes.map_or(0.0, |bytes| (resident / bytes.max(1) as f64).min(1.0))
    }

    fn totals(&self) -> Totals {
        let processes = Duration::from_nanos(self.processes_nanos.load(Ordering::Relaxed));
        Totals {
            at: Instant::now(),
            cpu: process::cpu_time() + processes,
            answered: self.answered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// What another worker's report need not have. The discipline is the name that has the value 1.
fn named_metrics(discipline: &str, occupancy: Occupancy) -> BTreeMap<String, f64> {
    BTreeMap::from([
        ("in_flight".to_owned(), occupancy.in_flight() as f64),
        ("work_left".to_owned(), occupancy.work_left_secs),
        ("slots".to_owned(), occupancy.slots as f64),
        ("build".to_owned(), build_id() as f64),
        (format!("discipline_{discipline}"), 1.0),
    ])
}
