//! What Prometheus sees. Base units, bounded labels.

use http::StatusCode;
use prometheus::{
    CounterVec, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    TextEncoder,
};
use weighbridge_instrument::{RequestCost, build_id, counting};

use crate::queue::{Occupancy, Times};

/// Upper bounds of the time histograms, in seconds.
const TIME_BUCKETS_SECS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// All metrics of one worker. Clones are the same metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    abandoned: IntCounterVec,
    panics: IntCounter,
    waiting_time: HistogramVec,
    service_time: HistogramVec,
    cpu_time: CounterVec,
    instructions: IntCounterVec,
    basic_blocks: IntCounterVec,
    methods: IntCounterVec,
    bytes_allocated: IntCounterVec,
    body_bytes: IntCounter,
    preemptions: IntCounterVec,
    slots_busy: Gauge,
    started: Gauge,
    parked: Gauge,
    waiting: Gauge,
    cpu_utilization: Gauge,
    memory_utilization: Gauge,
    connections: Gauge,
    draining: Gauge,
    processes: Gauge,
    process_starts: IntCounter,
}

impl Metrics {
    /// Fails only if two metrics had one name.
    pub(crate) fn new(slots: usize, discipline: &str) -> prometheus::Result<Metrics> {
        let make =
            Maker { registry: Registry::new_custom(Some("weighbridge_worker".into()), None)? };
        make.gauge("slots", "Cores that requests run on.")?.set(slots as f64);
        make.discipline_info(discipline)?;
        make.build_info()?;
        Ok(Metrics {
            requests: make.by(
                "requests_total",
                "Operations answered, by status.",
                &["operation", "code"],
            )?,
            abandoned: make.by_operation(
                "abandoned_requests_total",
                "Operations whose client hung up before the answer.",
            )?,
            panics: make.counter("panics_total", "Operations that panicked.")?,
            waiting_time: make
                .times("waiting_seconds", "Time in no slot: before the start, and parked.")?,
            service_time: make.times("service_seconds", "Time in a slot.")?,
            cpu_time: make.seconds("cpu_seconds_total", "CPU time of operations.")?,
            instructions: make
                .by_operation("instructions_total", "Instructions executed by operations.")?,
            basic_blocks: make
                .by_operation("basic_blocks_total", "Basic blocks executed by operations.")?,
            methods: make.by_operation("methods_total", "Functions entered by operations.")?,
            bytes_allocated: make
                .by_operation("allocated_bytes_total", "Bytes allocated by operations.")?,
            body_bytes: make.counter("body_bytes_total", "Bytes of request bodies received.")?,
            preemptions: make.by_operation(
                "preemptions_total",
                "How often operations parked for shorter ones.",
            )?,
            slots_busy: make.gauge("busy_slots", "Slots in use.")?,
            started: make.gauge("started_requests", "Requests that run or are parked.")?,
            parked: make.gauge("parked_requests", "Started requests that are in no slot.")?,
            waiting: make.gauge("waiting_requests", "Requests that were not started.")?,
            cpu_utilization: make.gauge(
                "cpu_utilization_ratio",
                "CPU time of the process over that of its cores, over the last second.",
            )?,
            memory_utilization: make.gauge(
                "memory_utilization_ratio",
                "Resident memory over what the process may use.",
            )?,
            connections: make.gauge("connections", "Open connections.")?,
            draining: make.gauge("draining", "1 while it takes no new work, else 0.")?,
            processes: make.gauge("processes", "Processes of `--run` that take requests.")?,
            process_starts: make
                .counter("process_starts_total", "How often a process of `--run` was started.")?,
            registry: make.registry,
        })
    }

    /// Counts an answer of the operation `name`.
    pub(crate) fn answered(&self, name: &'static str, status: StatusCode) {
        self.requests.with_label_values(&[name, status.as_str()]).inc();
    }

    /// Counts a client that hung up.
    pub(crate) fn abandoned(&self, name: &'static str) {
        self.abandoned.with_label_values(&[name]).inc();
    }

    /// Counts a panic.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// Counts a body.
    pub(crate) fn received(&self, bytes: usize) {
        self.body_bytes.inc_by(bytes as u64);
    }

    /// Adds what a request took, whether or not its client still waits.
    pub(crate) fn ran(&self, name: &'static str, cost: &RequestCost, times: Times) {
        let labels = &[name];
        self.waiting_time.with_label_values(labels).observe(times.waiting.as_secs_f64());
        self.service_time.with_label_values(labels).observe(times.service.as_secs_f64());
        self.preemptions.with_label_values(labels).inc_by(times.preemptions);
        self.cpu_time.with_label_values(labels).inc_by(cost.cpu_seconds.unwrap_or(0.0).max(0.0));
        let counts = [
            (&self.instructions, cost.instructions),
            (&self.basic_blocks, cost.basic_blocks),
            (&self.methods, cost.methods),
            (&self.bytes_allocated, cost.bytes_allocated),
        ];
        for (counter, count) in counts {
            counter.with_label_values(labels).inc_by(count.unwrap_or(0));
        }
    }

    /// Sets how many processes take requests.
    pub(crate) fn set_processes(&self, n_ready: usize) {
        self.processes.set(n_ready as f64);
    }

    /// The counter of processes that were started.
    pub(crate) fn process_starts(&self) -> IntCounter {
        self.process_starts.clone()
    }

    /// The gauge of open connections.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    /// All metrics in Prometheus' text format, with these values for the gauges.
    pub(crate) fn render(
        &self,
        occupancy: Occupancy,
        (cpu, memory): (f64, f64),
        draining: bool,
    ) -> prometheus::Result<String> {
        self.slots_busy.set(occupancy.running as f64);
        self.started.set((occupancy.running + occupancy.parked) as f64);
        self.parked.set(occupancy.parked as f64);
        self.waiting.set(occupancy.waiting as f64);
        self.cpu_utilization.set(cpu);
        self.memory_utilization.set(memory);
        self.draining.set(f64::from(u8::from(draining)));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Makes metrics and registers them.
struct Maker {
    registry: Registry,
}

impl Maker {
    fn by(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn by_operation(&self, name: &str, help: &str) -> prometheus::Result<IntCounterVec> {
        self.by(name, help, &["operation"])
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.keep(Gauge::new(name, help)?)
    }

    fn seconds(&self, name: &str, help: &str) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Opts::new(name, help), &["operation"])?)
    }

    fn times(&self, name: &str, help: &str) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(TIME_BUCKETS_SECS.to_vec());
        self.keep(HistogramVec::new(options, &["operation"])?)
    }

    fn discipline_info(&self, discipline: &str) -> prometheus::Result<()> {
        let options = Opts::new("discipline_info", "1, with the order that requests run in.")
            .const_label("discipline", discipline);
        self.keep(Gauge::with_opts(options)?)?.set(1.0);
        Ok(())
    }

    fn build_info(&self) -> prometheus::Result<()> {
        let (counting, build) = (format!("{:?}", counting()), format!("{:016x}", build_id()));
        let options = Opts::new("build_info", "1, with what this binary is and what it counts.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("counting", counting.to_lowercase())
            .const_label("build", build);
        self.keep(Gauge::with_opts(options)?)?.set(1.0);
        Ok(())
    }

    fn keep<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: C,
    ) -> prometheus::Result<C> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}
