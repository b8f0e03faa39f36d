//! `jobs kill-loop`: jobs run while balancers and workers are killed at random.
//!
//! Clients hand in jobs, each with a key by which a repeat is told, and wait for their answers by
//! whichever balancer is up. Meanwhile one process after the other gets `kill -9` and is started
//! again. At the end every job that was accepted has to have one answer, the same at both
//! balancers, and its callback one event.

mod evaluate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use weighbridge_core::random::Random;

use super::JobsError;
use super::client::{Client, Ended};
use super::log::{executions, monotonic};
use super::receiver::Receiver;
use super::stage::{Role, Setting, Stage};

use evaluate::{Kill, recoveries};

/// Jobs are given this much longer after the last kill.
const END_MAX: Duration = Duration::from_mins(2);

/// Callbacks are waited for at most this long after the last job.
const CALLBACKS_MAX: Duration = Duration::from_mins(1);

/// Two balancers and some workers get `kill -9` at random while jobs run.
///
/// Prints one JSON line. `lost`: jobs that were accepted and have no answer. `duplicate_effects`:
/// jobs with more than one answer, or more than one event for their callback. `extra_executions`:
/// jobs that a worker began beyond one each; a kill costs as many as ran there. `recovery`: from
/// the death of a worker until each job that it was running is begun again elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench jobs kill-loop
  weighbridge-bench jobs kill-loop --jobs 100 --seconds 10 --json")]
pub struct KillLoop {
    /// How many jobs.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    jobs: u32,
    /// How long jobs come in, and processes are killed.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many workers, of two cores each.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=64))]
    workers: u32,
    /// Which jobs, and what is killed when.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep jobs at AWS: in the bucket of that name, and a table of their own.
    #[arg(long, value_name = "BUCKET")]
    aws: Option<String>,
    /// Where AWS is, instead of its own address: an emulator.
    #[arg(long, value_name = "URL", requires = "aws")]
    endpoint: Option<String>,
    /// Have the line in queues of SQS.
    #[arg(long, requires = "aws")]
    queues: bool,
    /// Print JSON only.
    #[arg(long)]
    json: bool,
    /// Fail where a job is lost or done twice, or more is executed than kills explain.
    #[arg(long)]
    require: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct KillLoopResult {
    jobs: usize,
    kills: usize,
    balancer_kills: usize,
    lost: usize,
    duplicate_effects: usize,
    /// Executions that began, less one for each job.
    extra_executions: usize,
    /// What they may be at most: kills by jobs that may run at once.
    extra_executions_max: usize,
    /// Jobs whose callback came.
    callbacks: usize,
    /// From a worker's death until a job of its was begun again.
    recovery_p50_seconds: f64,
    recovery_p99_seconds: f64,
    /// How many jobs that is of.
    recoveries: usize,
    /// The same after a balancer's death, of jobs whose execution it cut short.
    balancer_recovery_p99_seconds: f64,
    balancer_recoveries: usize,
    elapsed_seconds: f64,
}

/// What became of one job.
#[derive(Debug)]
struct One {
    location: Option<String>,
    ended: Ended,
}

const CORES: usize = 2;

impl KillLoop {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), JobsError> {
        let setting = Setting {
            balancers: 2,
            workers: self.workers as usize,
            cores: CORES,
            processes: CORES,
            discipline: Some("srpt"),
            route: "",
            jobs: self.keys(),
            has_callbacks: true,
            environment: self.environment(),
            has_folder: self.aws.is_none(),
        };
        let stage = tokio::task::block_in_place(|| Stage::start(&setting))?;
        let receiver = Receiver::start().await?;
        let started = Instant::now();
        let (jobs, kills, stage) = self.play(stage, &receiver).await?;
        let elapsed_seconds = started.elapsed().as_secs_f64();
        let result = self.evaluate(&jobs, &kills, &stage, &receiver).await?;
        let result = KillLoopResult { elapsed_seconds, ..result };
        self.print(&result)?;
        if self.require { result.check() } else { Ok(()) }
    }

    /// The keys of `[jobs]`. Chance alone must not make a job dead: it is killed far more often
    /// than in life.
    fn keys(&self) -> String {
        let keys = "attempts_max = 100\nhost_deaths_max = 100\npoll = \"100ms\"\n";
        let Some(bucket) = &self.aws else { return keys.to_owned() };
        let name = format!("bench-{:016x}", fastrand::u64(..));
        let queue = if self.queues { name.as_str() } else { "" };
        // There, what a killed balancer held is free when its lease ends.
        format!(
            "{keys}lease_min = \"2s\"\nkind = \"aws\"\naws.bucket = \"{bucket}\"\n\
             aws.table = \"{name}\"\naws.queue = \"{queue}\"\naws.look = \"1s\"\n"
        )
    }

    /// What balancers have in their environment beside what this program has.
    fn environment(&self) -> Vec<(String, String)> {
        let Some(endpoint) = &self.endpoint else { return Vec::new() };
        // An emulator takes any keys.
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Hands all jobs in and waits for them, while processes are killed.
    async fn play(
        &self,
        mut stage: Stage,
        receiver: &Receiver,
    ) -> Result<(Vec<One>, Vec<Kill>, Stage), JobsError> {
        let span = Duration::from_secs(self.seconds);
        let began = Instant::now();
        let deadline = began + span + END_MAX;
        let client = Arc::new(Client::new(stage.addresses(Role::Balancer)));
        let mut clients = JoinSet::new();
        let mut random = Random::new(self.seed);
        for n in 0..self.jobs {
            let at = began + span.mul_f64(f64::from(n) / f64::from(self.jobs));
            let ms = heavy_tailed(&mut random);
            let (client, told) = (client.clone(), receiver.address);
            clients.spawn(async move {
                tokio::time::sleep_until(at.into()).await;
                let target = format!("/job?id={n}&ms={ms}&how=sleep");
                let (key, told) = (format!("\"{n}\""), format!("http://{told}/told/{n}"));
                let headers = [
                    ("prefer", "respond-async"),
                    ("idempotency-key", &*key),
                    ("weighbridge-callback", &*told),
                ];
                let location = client.submit(&target, &headers, deadline).await;
                let ended = match &location {
                    Some(location) => client.wait(location, deadline).await,
                    None => Ended::Otherwise("it was accepted by nobody".to_owned()),
                };
                One { location, ended }
            });
        }
        let (stop, stopped) = watch::channel(false);
        let mut random = Random::new(self.seed ^ 0x6b69_6c6c);
        let killer = tokio::spawn(async move {
            let kills = kill(&mut stage, &mut random, began + span, stopped).await;
            (kills, stage)
        });
        let jobs = clients.join_all().await;
        let _ended = stop.send(true);
        let (kills, stage) = killer.await.map_err(std::io::Error::other)?;
        Ok((jobs, kills?, stage))
    }

    async fn evaluate(
        &self,
        jobs: &[One],
        kills: &[Kill],
        stage: &Stage,
        receiver: &Receiver,
    ) -> Result<KillLoopResult, JobsError> {
        let client = Client::new(stage.addresses(Role::Balancer));
        let mut lost = 0;
        let mut duplicates = 0;
        for one in jobs {
            match &one.ended {
                Ended::Answered(first) => {
                    let location = one.location.as_deref().unwrap_or_default();
                    duplicates += usize::from(differs(&client, stage, location, first).await);
                }
                Ended::Otherwise(what) => {
                    lost += 1;
                    eprintln!("lost: {}: {what}", one.location.as_deref().unwrap_or("-"));
                }
            }
        }
        let (callbacks, doubled) = callbacks(receiver, jobs.len() - lost).await;
        let executions = executions(&stage.log())?;
        let (of_workers, of_balancers) = recoveries(&executions, kills);
        let n_kills = kills.len();
        let of_balancer = kills.iter().filter(|kill| kill.role == Role::Balancer).count();
        Ok(KillLoopResult {
            jobs: jobs.len(),
            kills: n_kills,
            balancer_kills: of_balancer,
            lost,
            duplicate_effects: duplicates + doubled,
            extra_executions: executions.len().saturating_sub(jobs.len()),
            extra_executions_max: n_kills * CORES * self.workers as usize,
            callbacks,
            recovery_p50_seconds: of_workers.1.p50,
            recovery_p99_seconds: of_workers.1.p99,
            recoveries: of_workers.0,
            balancer_recovery_p99_seconds: of_balancers.1.p99,
            balancer_recoveries: of_balancers.0,
            elapsed_seconds: 0.0,
        })
    }

    fn print(&self, result: &KillLoopResult) -> Result<(), JobsError> {
        println!("{}", serde_json::to_string(result)?);
        if !self.json {
            let KillLoopResult { jobs, kills, lost, duplicate_effects, .. } = result;
            println!("{jobs} jobs, {kills} kills: {lost} lost, {duplicate_effects} done twice");
        }
        Ok(())
    }
}

impl KillLoopResult {
    /// Whether nothing was lost or done twice, and no more executed than the kills explain.
    fn check(&self) -> Result<(), JobsError> {
        let is_right = self.lost == 0
            && self.duplicate_effects == 0
            && self.callbacks == self.jobs
            && self.extra_executions <= self.extra_executions_max
            && 0 < self.kills;
        if is_right { Ok(()) } else { Err(JobsError::Required(format!("{self:?}"))) }
    }
}

/// Kills one after the other, and starts it again, until `until` or all jobs have ended.
async fn kill(
    stage: &mut Stage,
    random: &mut Random,
    until: Instant,
    mut stopped: watch::Receiver<bool>,
) -> Result<Vec<Kill>, JobsError> {
    let mut kills = Vec::new();
    loop {
        let wait = Duration::from_secs_f64(0.5 + 1.5 * random.unit());
        let over = tokio::time::timeout(wait, stopped.wait_for(|is_over| *is_over)).await.is_ok();
        if over || until <= Instant::now() {
            return Ok(kills);
        }
        let victim = random.below(stage.actors.len());
        let Some(actor) = stage.actors.get_mut(victim) else { continue };
        kills.push(Kill { at: monotonic(), name: actor.name.clone(), role: actor.role });
        actor.kill();
        tokio::time::sleep(Duration::from_secs_f64(0.1 + 0.4 * random.unit())).await;
        tokio::task::block_in_place(|| actor.start())?;
    }
}

/// 50 to 500 ms, Pareto of shape 1.1: most are short.
fn heavy_tailed(random: &mut Random) -> u64 {
    (50.0 * (1.0 - random.unit()).powf(-1.0 / 1.1)).min(500.0) as u64
}

/// Whether a balancer has another answer than `first` now.
async fn differs(client: &Client, stage: &Stage, location: &str, first: &Bytes) -> bool {
    let target = format!("{location}/result");
    for balancer in stage.addresses(Role::Balancer) {
        match client.ask_at(balancer, http::Method::GET, &target, &[]).await {
            Ok(answer) if answer.body == first => {}
            Ok(answer) => {
                eprintln!(
                    "differs: {location}: {first:?}, then {} {}",
                    answer.status,
                    answer.text()
                );
                return true;
            }
            Err(error) => {
                eprintln!("differs: {location}: {first:?}, then {error}");
                return true;
            }
        }
    }
    false
}

/// Waits for the callbacks of `expected` jobs: how many came, and how many of them with two events.
async fn callbacks(receiver: &Receiver, expected: usize) -> (usize, usize) {
    let deadline = Instant::now() + CALLBACKS_MAX;
    loop {
        let (told, doubled) = receiver.counts();
        if expected <= told || deadline <= Instant::now() {
            return (told, doubled);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
