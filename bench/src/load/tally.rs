//! What a run brought, by size class.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::drive::Done;
use super::pool::Known;
use super::send::Failure;

/// Histograms and counts of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Service time alone and class of each request of the pool.
    entries: Vec<(Duration, usize)>,
    all: Measured,
    smaller_half: Measured,
    classes: Vec<Measured>,
    errors: Errors,
    late: Histogram<u64>,
}

/// Times of the right answers to some requests.
#[derive(Debug)]
struct Measured {
    name: String,
    /// Longest service time alone.
    alone_max: Duration,
    /// In microseconds.
    response: Histogram<u64>,
    /// In thousandths.
    slowdown: Histogram<u64>,
    response_sum: f64,
    slowdown_sum: f64,
}

/// Requests without a right answer, by what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Not sent, for too many were in flight.
    pub not_sent: u64,
    /// No connection.
    pub connect: u64,
    /// No whole answer in time.
    pub timeout: u64,
    /// Answer or connection broke off.
    pub broken: u64,
    /// 4xx.
    pub refused: u64,
    /// 503.
    pub shed: u64,
    /// Other 5xx.
    pub server: u64,
    /// Another answer than the worker's own.
    pub wrong: u64,
}

/// What a run brought; times in seconds, from when a request was meant to be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadResult {
    /// Arrivals, the unsent ones included.
    pub requests: u64,
    /// From the start to the last answer.
    pub seconds: f64,
    /// Right answers per second.
    pub throughput: f64,
    /// What went wrong.
    pub errors: Errors,
    /// 99 % of the requests were sent later than they were meant to be by less: how well the
    /// generator kept up. It is part of the response times.
    pub late_p99: f64,
    /// All requests.
    pub all: ClassResult,
    /// The smaller half of them.
    pub smaller_half: ClassResult,
    /// Classes of equal number by service time alone, the smallest first.
    pub classes: Vec<ClassResult>,
}

/// Right answers of one size class; times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassResult {
    /// `all`, `smaller half`, `1 of 4` and so on.
    pub class: String,
    /// Longest service time alone.
    pub alone_max: f64,
    /// How many.
    pub answered: u64,
    /// Mean response time.
    pub mean_response: f64,
    /// Median response time.
    pub p50_response: f64,
    /// 99 % were answered within this.
    pub p99_response: f64,
    /// The longest.
    pub max_response: f64,
    /// Mean of response time / service time alone.
    pub mean_slowdown: f64,
    /// 99 % had less.
    pub p99_slowdown: f64,
}

const HOUR_MICROS: u64 = 3_600_000_000;

// === impl Tally ===

impl Tally {
    /// Of a run of `pool` in `n_classes` classes.
    pub(crate) fn new(pool: &[Known], n_classes: usize) -> Tally {
        let mut order: Vec<usize> = (0..pool.len()).collect();
        order.sort_by_key(|index| pool[*index].alone);
        let mut entries = vec![(Duration::ZERO, 0); pool.len()];
        let mut classes: Vec<Measured> =
            (1..=n_classes).map(|n| Measured::new(format!("{n} of {n_classes}"))).collect();
        for (rank, index) in order.into_iter().enumerate() {
            let (alone, class) = (pool[index].alone, rank * n_classes / pool.len());
            entries[index] = (alone, class);
            classes[class].alone_max = alone;
        }
        let mut all = Measured::new("all".to_owned());
        let mut smaller_half = Measured::new("smaller half".to_owned());
        all.alone_max = classes[n_classes - 1].alone_max;
        smaller_half.alone_max = classes[n_classes / 2 - 1].alone_max;
        let (errors, late) = (Errors::default(), histogram());
        Tally { entries, all, smaller_half, classes, errors, late }
    }

    /// Takes down what came of one request.
    pub(crate) fn record(&mut self, done: &Done) {
        let failure = match done.result {
            Ok(()) => return self.record_answer(done),
            Err(failure) => failure,
        };
        let count = match failure {
            Failure::NotSent => &mut self.errors.not_sent,
            Failure::Connect => &mut self.errors.connect,
            Failure::Timeout => &mut self.errors.timeout,
            Failure::Broken => &mut self.errors.broken,
            Failure::Refused => &mut self.errors.refused,
            Failure::Shed => &mut self.errors.shed,
            Failure::Server => &mut self.errors.server,
            Failure::Wrong => &mut self.errors.wrong,
        };
        *count += 1;
    }

    fn record_answer(&mut self, done: &Done) {
        self.late.saturating_record(done.late.as_micros() as u64);
        let (alone, class) = self.entries[done.arrival.entry];
        let n_classes = self.classes.len();
        self.all.record(done.response, alone);
        self.classes[class].record(done.response, alone);
        if class < n_classes / 2 {
            self.smaller_half.record(done.response, alone);
        }
    }

    /// Right answers, and failures, by now.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.all.response.len(), self.errors.total())
    }

    /// The result of a run that took `time`.
    pub(crate) fn result(&self, time: Duration) -> LoadResult {
        let (answered, failed) = self.counts();
        LoadResult {
            requests: answered + failed,
            seconds: time.as_secs_f64(),
            throughput: answered as f64 / time.as_secs_f64(),
            errors: self.errors,
            late_p99: self.late.value_at_quantile(0.99) as f64 / 1e6,
            all: self.all.result(),
            smaller_half: self.smaller_half.result(),
            classes: self.classes.iter().map(Measured::result).collect(),
        }
    }
}

// === impl Errors ===

impl Errors {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, n)| n).sum()
    }

    /// Each with its name.
    pub(crate) fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("not sent", self.not_sent),
            ("connect", self.connect),
            ("timeout", self.timeout),
            ("broken", self.broken),
            ("4xx", self.refused),
            ("503", self.shed),
            ("5xx", self.server),
            ("wrong", self.wrong),
        ]
    }
}

// === impl Measured ===

impl Measured {
    fn new(name: String) -> Measured {
        Measured {
            name,
            alone_max: Duration::ZERO,
            response: histogram(),
            slowdown: histogram(),
            response_sum: 0.0,
            slowdown_sum: 0.0,
        }
    }

    fn record(&mut self, response: Duration, alone: Duration) {
        let slowdown = response.as_secs_f64() / alone.as_secs_f64().max(1e-6);
        self.response.saturating_record(response.as_micros() as u64);
        self.slowdown.saturating_record((slowdown * 1e3) as u64);
        self.response_sum += response.as_secs_f64();
        self.slowdown_sum += slowdown;
    }

    fn result(&self) -> ClassResult {
        let n = self.response.len().max(1) as f64;
        let response = |quantile| self.response.value_at_quantile(quantile) as f64 / 1e6;
        ClassResult {
            class: self.name.clone(),
            alone_max: self.alone_max.as_secs_f64(),
            answered: self.response.len(),
            mean_response: self.response_sum / n,
            p50_response: response(0.5),
            p99_response: response(0.99),
            max_response: self.response.max() as f64 / 1e6,
            mean_slowdown: self.slowdown_sum / n,
            p99_slowdown: self.slowdown.value_at_quantile(0.99) as f64 / 1e3,
        }
    }
}

/// Three digits are right, up to an hour in microseconds.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HOUR_MICROS, 3).expect("the bounds are in order")
}
