//! What an order gives in theory: two cores, exact sizes, nothing else that takes time. The line is
//! the production code's.

use std::time::Duration;

use weighbridge_core::jobs::{Age, Job, JobId, Line};
use weighbridge_core::units::{Time, Work};

use super::OrderRow;
use super::script::{Script, WORKERS};
use crate::jobs::spans::Spans;
use crate::sim::weighbridge::job_limits;

/// The rows of theory.
pub(super) fn rows(script: &Script) -> Vec<OrderRow> {
    vec![
        row("simulated, first come", script, &by_line(script, false)),
        row("simulated, our line", script, &by_line(script, true)),
        row("simulated, and parking", script, &shortest_remaining(script)),
    ]
}

fn row(way: &str, script: &Script, ends: &[f64]) -> OrderRow {
    let jobs = script.jobs.iter().zip(ends);
    let responses: Vec<(f64, f64)> =
        jobs.map(|(job, end)| (end - job.at.as_secs_f64(), job.ms as f64 / 1e3)).collect();
    OrderRow {
        way: way.to_owned(),
        response: Spans::of(responses.iter().map(|(response, _)| *response)),
        slowdown: Spans::of(responses.iter().map(|(response, size)| response / size)),
        short_behind_giants: None,
        begun_again: None,
    }
}

/// Jobs run to their end, in the order of the line: by size, or all as of one size.
fn by_line(script: &Script, by_size: bool) -> Vec<f64> {
    let limits = job_limits();
    // The guard is that of the default configuration.
    let mut line = Line::new(Age { floor: Duration::from_mins(1), factor: 10.0 }, usize::MAX);
    let mut ends = vec![0.0; script.jobs.len()];
    let mut free_at = [0.0_f64; WORKERS];
    let mut next = 0;
    for _ in 0..script.jobs.len() {
        let core = (0..WORKERS).min_by(|a, b| free_at[*a].total_cmp(&free_at[*b])).unwrap_or(0);
        let mut now = free_at[core];
        if let Some(job) = script.jobs.get(next).filter(|_| line.is_empty()) {
            now = now.max(job.at.as_secs_f64());
        }
        while let Some(job) = script.jobs.get(next).filter(|job| job.at.as_secs_f64() <= now) {
            let size = if by_size { job.ms as f64 / 1e3 } else { 1.0 };
            let work = Work::saturating(size);
            let id = JobId::from_bits(next as u128);
            let job = Job::new(id, (work, work), Time::ZERO + job.at, &limits);
            line.push(&job, job.received);
            next += 1;
        }
        let at = Time::from_secs_f64(now + 1e-9);
        let Some(id) = line.first(at, 1).first().copied() else { continue };
        line.start(at, id);
        let n = id.to_bits() as usize;
        free_at[core] = now + script.jobs[n].ms as f64 / 1e3;
        ends[n] = free_at[core];
    }
    ends
}

/// The shortest that remain run at any time: what parking makes possible.
fn shortest_remaining(script: &Script) -> Vec<f64> {
    let mut ends = vec![0.0; script.jobs.len()];
    let mut open: Vec<(f64, usize)> = Vec::new();
    let (mut now, mut next) = (0.0, 0);
    while next < script.jobs.len() || !open.is_empty() {
        let arrival = script.jobs.get(next).map_or(f64::INFINITY, |job| job.at.as_secs_f64());
        open.sort_by(|a, b| a.0.total_cmp(&b.0));
        let running = open.len().min(WORKERS);
        let first = open.first().map_or(f64::INFINITY, |(left, _)| now + left);
        let until = arrival.min(first);
        for (left, _) in &mut open[..running] {
            *left -= until - now;
        }
        now = until;
        if arrival <= first {
            open.push((script.jobs[next].ms as f64 / 1e3, next));
            next += 1;
        }
        open.retain(|(left, n)| {
            let is_done = *left <= 1e-12;
            if is_done {
                ends[*n] = now;
            }
            !is_done
        });
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_size_short_jobs_wait_less_and_parking_helps_them_further() {
        for seed in 0..10 {
            let script = Script::new(400, 0.9, 0.25, seed);
            let slowdowns: Vec<f64> = rows(&script).iter().map(|row| row.slowdown.mean).collect();
            let [first_come, by_size, parking] = slowdowns[..] else { panic!("three rows") };
            assert!(by_size < first_come, "seed {seed}: {slowdowns:?}");
            assert!(1.0 <= parking && parking < by_size, "seed {seed}: {slowdowns:?}");
        }
    }

    #[test]
    fn every_job_takes_at_least_its_size() {
        let script = Script::new(300, 0.9, 0.25, 5);
        for ends in [by_line(&script, true), by_line(&script, false), shortest_remaining(&script)] {
            for (job, end) in script.jobs.iter().zip(ends) {
                let response = end - job.at.as_secs_f64();
                assert!(job.ms as f64 / 1e3 <= response + 1e-6, "{job:?} {end}");
            }
        }
    }
}
