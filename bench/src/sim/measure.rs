//! What came of a run: responses, slowdowns, and what the fleet cost.

use weighbridge_core::statistics::quantile;

/// What came of one measured request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// When it came, in seconds since the start.
    pub at: f64,
    /// What it truly took, in CPU-seconds of the reference core.
    pub work: f64,
    /// From arrival to answer, in seconds; `None` where it was shed, or failed too often.
    pub response: Option<f64>,
    /// Index of its route.
    pub route: u16,
    /// Index of its client.
    pub client: u16,
    /// When its answer had to be there, in seconds since the start; `None`: at any time.
    pub answer_by: Option<f64>,
}

/// What a run used, over its whole length.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// From the launch of each host to its end, as it is billed, summed, in seconds.
    pub host_seconds: f64,
    /// The same by cores.
    pub core_seconds: f64,
    /// Requests that ran on Lambda.
    pub lambda_requests: u64,
    /// Their billed duration times their memory.
    pub lambda_gb_seconds: f64,
}

/// What came of runs on Lambda.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Those that began.
    pub started: u64,
    /// Of them, those whose environment had to be started.
    pub cold: u64,
    /// Of them, those that crashed.
    pub crashed: u64,
    /// Those that were asked for and refused.
    pub throttled: u64,
}

/// The fleet at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The instant, in seconds since the start.
    pub at: f64,
    /// Hosts that take requests.
    pub active: usize,
    /// Hosts that are paid for.
    pub paid: usize,
    /// Requests that run or wait.
    pub requests: usize,
    /// What has been used so far.
    pub usage: Usage,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The policy, as it was asked for.
    pub policy: String,
    /// Names of the clients; none where they are not told apart.
    pub clients: Vec<String>,
    /// Index of the one with the largest share.
    pub largest_client: u16,
    /// The measured requests, in order of arrival.
    pub records: Vec<Record>,
    /// What the run used.
    pub usage: Usage,
    /// What came of runs on Lambda.
    pub runs: RunCounts,
    /// The fleet over time: at most some thousand samples.
    pub samples: Vec<Sample>,
    /// Length of the run, in seconds.
    pub length: f64,
}

/// A mean, and a 95 % confidence interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval.
    pub half: f64,
}

/// Requests of similar size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeClass {
    /// The largest of their works.
    pub work_max: f64,
    /// Their mean response, in seconds.
    pub mean_response: f64,
    /// The response that 99 % of them stay below, in seconds.
    pub p99_response: f64,
    /// Their mean slowdown.
    pub mean_slowdown: f64,
}

/// How many batches a confidence interval is made of.
const BATCHES: usize = 30;

/// Student's t for 29 degrees of freedom, 97.5 %.
const T_29: f64 = 2.045;

// === impl Record ===

impl Record {
    /// Response over the service time alone on the reference core.
    pub fn slowdown(&self) -> Option<f64> {
        self.response.map(|response| response / self.work)
    }

    /// Whether it was answered, and in time.
    pub fn is_in_time(&self) -> bool {
        self.response.is_some_and(|response| {
            self.answer_by.is_none_or(|answer_by| self.at + response <= answer_by)
        })
    }
}

// === impl Measured ===

impl Measured {
    /// Responses, in order of arrival.
    pub fn responses(&self) -> Vec<f64> {
        self.records.iter().filter_map(|record| record.response).collect()
    }

    /// Slowdowns, in order of arrival.
    pub fn slowdowns(&self) -> Vec<f64> {
        self.records.iter().filter_map(Record::slowdown).collect()
    }

    /// Measured requests that got no answer.
    pub fn unanswered(&self) -> usize {
        self.records.iter().filter(|record| record.response.is_none()).count()
    }

    /// Requests in ten classes of equal number, the smallest first.
    pub fn deciles(&self) -> Vec<SizeClass> {
        const N: usize = 10;
        let mut answered: Vec<&Record> =
            self.records.iter().filter(|record| record.response.is_some()).collect();
        answered.sort_by(|a, b| a.work.total_cmp(&b.work));
        let n = answered.len();
        let classes = (0..N).map(|index| &answered[n * index / N..n * (index + 1) / N]);
        classes.filter(|class| !class.is_empty()).map(SizeClass::of).collect()
    }
}

// === impl SizeClass ===

impl SizeClass {
    fn of(records: &[&Record]) -> SizeClass {
        let responses: Vec<f64> = records.iter().filter_map(|record| record.response).collect();
        let slowdowns: Vec<f64> = records.iter().filter_map(|record| record.slowdown()).collect();
        SizeClass {
            work_max: records.last().map_or(0.0, |record| record.work),
            mean_response: mean(&responses),
            p99_response: quantile(&responses, 0.99).unwrap_or(0.0),
            mean_slowdown: mean(&slowdowns),
        }
    }
}

// === impl Interval ===

impl Interval {
    /// By batch means: neighbouring values depend on each other, means of large batches hardly do.
    pub fn of(values: &[f64]) -> Interval {
        let size = (values.len() / BATCHES).max(1);
        let means: Vec<f64> = values.chunks_exact(size).take(BATCHES).map(mean).collect();
        Interval::of_independent(&means, mean(values))
    }

    fn of_independent(values: &[f64], mean: f64) -> Interval {
        let n = values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Interval { mean, half: T_29 * (squares / (n - 1.0).max(1.0) / n.max(1.0)).sqrt() }
    }

    /// Whether it contains `value`.
    pub fn contains(&self, value: f64) -> bool {
        (value - self.mean).abs() <= self.half
    }
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
