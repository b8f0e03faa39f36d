//! `jobs rate`: how many jobs a second, and what waiting for one costs.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use http::{Method, StatusCode};
use serde::Serialize;
use tokio::task::JoinSet;

use super::JobsError;
use super::client::{Client, ClientError};
use super::spans::Spans;
use super::stage::{Role, Setting, Stage};

/// How many jobs that do nothing one balancer carries in a second, and what it adds to an answer.
/// The disk bounds it: TMPDIR says where the jobs are kept.
///
/// Each job is stored, put in the line, run, and its result stored: all of it durable before the
/// client hears of it. First as many clients as --clients hand in jobs and wait for each; then one
/// client sends plain requests and jobs in turn, one after the other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench jobs rate
  weighbridge-bench jobs rate --jobs 50000 --clients 512 --json")]
pub struct Rate {
    /// How many jobs.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    jobs: u32,
    /// How many clients hand in jobs at once; each waits for its last one.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// How many requests and jobs are compared.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    alone: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What came of it. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct RateResult {
    jobs: u32,
    jobs_per_second: f64,
    /// Answers that were none, or another than the host's.
    failed: u32,
    /// Of one client alone.
    request_ms: Spans,
    job_ms: Spans,
    /// The median of a job less that of a request.
    added_ms: f64,
    /// What the disk takes to sync 4 KiB, in the folder where the jobs are. No job that is waited
    /// for takes less than two of these: it is kept before it runs, and its result after that.
    sync_ms: Spans,
}

/// So many syncs are timed.
const SYNCS: usize = 100;

const PREFER: (&str, &str) = ("prefer", "respond-async, wait=60");

impl Rate {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), JobsError> {
        let setting = Setting {
            balancers: 1,
            workers: 1,
            cores: 64,
            processes: 1,
            discipline: None,
            route: "features = []\nprior = \"1ms\"",
            jobs: "running_max = 1000".to_owned(),
            has_callbacks: false,
            environment: Vec::new(),
            has_folder: true,
        };
        let stage = tokio::task::block_in_place(|| Stage::start(&setting))?;
        let client = Arc::new(Client::new(stage.addresses(Role::Balancer)));
        // Connections and statements are there from here on.
        self.many(&client, self.jobs / 10).await;
        let (request_ms, job_ms) = self.alone(&client).await?;
        let started = Instant::now();
        let failed = self.many(&client, self.jobs).await;
        let jobs_per_second = f64::from(self.jobs) / started.elapsed().as_secs_f64();
        let added_ms = job_ms.p50 - request_ms.p50;
        let sync_ms = tokio::task::block_in_place(|| syncs(stage.folder()))?;
        let result = RateResult {
            jobs: self.jobs,
            jobs_per_second,
            failed,
            request_ms,
            job_ms,
            added_ms,
            sync_ms,
        };
        self.print(&result)
    }

    /// Hands in `jobs` and waits for each. Returns how many failed.
    async fn many(&self, client: &Arc<Client>, jobs: u32) -> u32 {
        let next = Arc::new(AtomicU32::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (client, next) = (client.clone(), next.clone());
            clients.spawn(async move {
                let mut failed = 0;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if jobs <= n {
                        return failed;
                    }
                    failed += u32::from(!is_done(&client, n).await);
                }
            });
        }
        clients.join_all().await.into_iter().sum()
    }

    /// Requests and jobs in turn, by one client: how long each takes, in milliseconds.
    async fn alone(&self, client: &Client) -> Result<(Spans, Spans), ClientError> {
        let (mut requests, mut jobs) = (Vec::new(), Vec::new());
        for n in 0..self.alone {
            let target = format!("/job?id={n}&ms=0");
            for (headers, spans) in [(&[][..], &mut requests), (&[PREFER], &mut jobs)] {
                let started = Instant::now();
                let answer = client.ask(Method::POST, &target, headers).await?;
                spans.push(started.elapsed().as_secs_f64() * 1e3);
                if answer.status != StatusCode::OK {
                    return Err(ClientError::Refused(target, answer.status, answer.text()));
                }
            }
        }
        Ok((Spans::of(requests), Spans::of(jobs)))
    }

    fn print(&self, result: &RateResult) -> Result<(), JobsError> {
        if self.json {
            println!("{}", serde_json::to_string(result)?);
            return Ok(());
        }
        let RateResult { jobs, jobs_per_second, failed, request_ms, job_ms, added_ms, sync_ms } =
            result;
        println!("{jobs} jobs, {failed} failed: {jobs_per_second:.0} jobs a second");
        println!(
            "a request alone {:.2} ms, a job that is waited for {:.2} ms (medians)",
            request_ms.p50, job_ms.p50
        );
        println!("added {added_ms:.2} ms; p99 {:.2} ms and {:.2} ms", request_ms.p99, job_ms.p99);
        println!("the disk syncs 4 KiB in {:.2} ms, and each job needs two", sync_ms.p50);
        Ok(())
    }
}

/// How long `folder`'s disk takes for what a write of the ledger waits for, in milliseconds.
fn syncs(folder: &Path) -> io::Result<Spans> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut sync = || -> io::Result<f64> {
        file.write_all(&[1; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let spans: io::Result<Vec<f64>> = (0..SYNCS).map(|_| sync()).collect();
    Ok(Spans::of(spans?))
}

/// Hands in one job, waits for it, and looks at its answer.
async fn is_done(client: &Client, n: u32) -> bool {
    let target = format!("/job?id={n}&ms=0");
    match client.ask(Method::POST, &target, &[PREFER]).await {
        Ok(answer) => {
            let text = answer.text();
            let is_done = answer.status == StatusCode::OK && text.starts_with(&format!("{n} "));
            if !is_done {
                eprintln!("job {n}: {} {text}", answer.status);
            }
            is_done
        }
        Err(error) => {
            eprintln!("job {n}: {error}");
            false
        }
    }
}
