//! RQ on Redis: what people use for jobs in Python, with two of its workers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::JobsError;
use super::log::{Execution, executions, monotonic};
use super::order::OrderRow;
use super::order::script::{Script, WORKERS};
use crate::compare::{Process, free_address, in_peers, on_path, write_to};

/// Jobs are given this long after the last has come.
const END_MAX: Duration = Duration::from_mins(5);

/// A job whose worker was killed is waited for at most this long.
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// Between two looks at the file of executions.
const LOOK: Duration = Duration::from_millis(5);

/// Numbers of the jobs that come after the script.
const SHORT: usize = 2_000_000;
const GIANTS: usize = 2_000_001;
const KILLED: usize = 2_000_010;

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Tools {
    redis: PathBuf,
    python: PathBuf,
    rq: PathBuf,
}

impl Tools {
    /// Where they are installed; `None` where one is missing.
    pub(super) fn find() -> Option<Tools> {
        let [python, rq] = ["python3", "rq"].map(in_peers);
        Some(Tools { redis: on_path("redis-server")?, python: python?, rq: rq? })
    }
}

/// Redis, two workers, and who hands in jobs.
struct Stage {
    workers: Vec<Process>,
    sender: Child,
    input: ChildStdin,
    accepted: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    /// Both end with it.
    _held: (Process, TempDir),
}

/// Runs the script, and then the two cases.
pub(super) async fn run(tools: &Tools, script: &Script) -> Result<OrderRow, JobsError> {
    let mut stage = Stage::start(tools).await?;
    let began = Instant::now();
    let mut came = BTreeMap::new();
    for (n, job) in script.jobs.iter().enumerate() {
        tokio::time::sleep_until((began + job.at).into()).await;
        came.insert(n, monotonic());
        stage.hand_in(n, job.ms).await?;
    }
    let last = script.jobs.len();
    stage.wait(END_MAX, |done| last <= ended(done)).await?;
    let (response, slowdown, missing) = script.judge(&came, &executions(&stage.log)?);
    if 0 < missing {
        return Err(JobsError::TooLate(missing, last, END_MAX.as_secs()));
    }
    let short_behind_giants = stage.short_behind_giants().await?;
    let begun_again = stage.begun_again().await?;
    let way = "RQ on Redis".to_owned();
    Ok(OrderRow { way, response, slowdown, short_behind_giants, begun_again })
}

fn ended(executions: &[Execution]) -> usize {
    executions.iter().filter(|one| one.end.is_some()).count()
}

fn of(executions: &[Execution], n: usize) -> Vec<&Execution> {
    let name = n.to_string();
    executions.iter().filter(|one| one.job == name).collect()
}

impl Stage {
    async fn start(tools: &Tools) -> Result<Stage, JobsError> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("rq_jobs.py"), include_str!("../../peers/rq_jobs.py"))?;
        let address = free_address()?;
        let redis = start_redis(tools, address, folder.path())?;
        let url = format!("redis://{address}/0");
        let workers = (0..WORKERS).map(|n| start_worker(tools, &url, folder.path(), n));
        let workers = workers.collect::<Result<_, JobsError>>()?;
        let mut sender = Command::new(&tools.python)
            .arg("rq_jobs.py")
            .arg(&url)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = (sender.stdin.take(), sender.stdout.take());
        let (Some(input), Some(output)) = pipes else { return Err(no_rq("it has no pipes")) };
        let accepted = BufReader::new(output).lines();
        let log = folder.path().join("executions.log");
        let held = (redis, folder);
        let mut stage = Stage { workers, sender, input, accepted, log, _held: held };
        // Until its first job is done not all of it has started.
        stage.hand_in(usize::MAX, 1).await?;
        stage.wait(END_MAX, |done| ended(done) == 1).await?;
        std::fs::write(&stage.log, "")?;
        Ok(stage)
    }

    /// Hands a job in; returns once RQ has it.
    async fn hand_in(&mut self, n: usize, ms: u64) -> Result<(), JobsError> {
        let line = format!("{n} {ms} {}\n", self.log.display());
        self.input.write_all(line.as_bytes()).await?;
        self.input.flush().await?;
        match self.accepted.next_line().await? {
            Some(_) => Ok(()),
            None => Err(no_rq(&format!("the sender ended: {:?}", self.sender.try_wait()))),
        }
    }

    /// Waits until the executions are as `is_so` says, for `most` at most. Whether they are.
    async fn wait(
        &self,
        most: Duration,
        is_so: impl Fn(&[Execution]) -> bool,
    ) -> Result<bool, io::Error> {
        let deadline = Instant::now() + most;
        while Instant::now() < deadline {
            if is_so(&executions(&self.log)?) {
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(false)
    }

    /// Four giants of 5 s, and a job of 50 ms half a second later: its response, in seconds.
    async fn short_behind_giants(&mut self) -> Result<Option<f64>, JobsError> {
        for n in 0..4 {
            self.hand_in(GIANTS + n, 5000).await?;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let came = monotonic();
        self.hand_in(SHORT, 50).await?;
        let has_ended = |done: &[Execution], n| of(done, n).iter().any(|one| one.end.is_some());
        self.wait(END_MAX, |done| has_ended(done, SHORT)).await?;
        self.wait(END_MAX, |done| (0..4).all(|n| has_ended(done, GIANTS + n))).await?;
        let done = executions(&self.log)?;
        let end = of(&done, SHORT).iter().find_map(|one| one.end);
        Ok(end.map(|end| end.saturating_sub(came) as f64 / 1e9))
    }

    /// Kills the worker that runs a job of 5 s, with the process that it has forked for it: how
    /// long until the job is begun again, in seconds.
    async fn begun_again(&mut self) -> Result<Option<f64>, JobsError> {
        self.hand_in(KILLED, 5000).await?;
        self.wait(END_MAX, |done| !of(done, KILLED).is_empty()).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let done = executions(&self.log)?;
        let host = of(&done, KILLED).first().map(|one| one.host.clone()).unwrap_or_default();
        let killed = monotonic();
        for worker in std::mem::take(&mut self.workers) {
            if host == format!("rq-{}", worker.id()) {
                worker.kill_all();
            } else {
                self.workers.push(worker);
            }
        }
        self.wait(AGAIN_MAX, |done| 1 < of(done, KILLED).len()).await?;
        let done = executions(&self.log)?;
        let second = of(&done, KILLED).get(1).map(|one| one.token);
        Ok(second.map(|token| token.saturating_sub(killed) as f64 / 1e9))
    }
}

fn start_redis(tools: &Tools, address: SocketAddr, folder: &Path) -> Result<Process, JobsError> {
    let mut command = std::process::Command::new(&tools.redis);
    let said = folder.join("redis.log");
    write_to(&mut command, &said)?;
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    command.args(["--bind", &ip, "--port", &port, "--save", "", "--appendonly", "yes"]);
    command.arg("--dir").arg(folder);
    let mut redis = Process::start(command, None)?;
    redis.wait_up(address, &said)?;
    Ok(redis)
}

fn start_worker(tools: &Tools, url: &str, folder: &Path, n: usize) -> Result<Process, JobsError> {
    let mut command = std::process::Command::new(&tools.rq);
    write_to(&mut command, &folder.join(format!("worker-{n}.log")))?;
    command.args(["worker", "--url", url, "jobs"]).current_dir(folder).env("PYTHONPATH", folder);
    Ok(Process::start(command, None)?)
}

fn no_rq(why: &str) -> JobsError {
    JobsError::Rq(why.to_owned())
}
