//! Ours: a balancer's jobs, on two workers of one core.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;

use super::OrderRow;
use super::script::{Script, WORKERS};
use crate::jobs::JobsError;
use crate::jobs::client::{Client, Ended};
use crate::jobs::log::{Execution, executions, monotonic};
use crate::jobs::stage::{Role, Setting, Stage};

/// Jobs are given this long after the last has come.
const END_MAX: Duration = Duration::from_mins(5);

/// Requests from which their costs are learned beforehand: numbers from here on.
const LEARNED: usize = 200;
const FIRST_LEARNED: usize = 1_000_000;

/// Numbers of the jobs that come after the script.
const SHORT: usize = 2_000_000;
const GIANTS: usize = 2_000_001;
const KILLED: usize = 2_000_010;

/// Between two looks at the file of executions.
const LOOK: Duration = Duration::from_millis(2);

/// A way to run jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In the order in which they come.
    FirstCome,
    /// The shortest first, and a started job is parked for a shorter one.
    Ours,
}

impl Way {
    pub(super) const ALL: [Way; 2] = [Way::FirstCome, Way::Ours];

    fn name(self) -> &'static str {
        match self {
            Way::FirstCome => "weighbridge, first come",
            Way::Ours => "weighbridge",
        }
    }

    fn setting(self) -> Setting {
        // Nothing is learned of a request's own size: so they go as they come.
        let (discipline, route, processes) = match self {
            Way::FirstCome => ("fcfs", "features = []", 1),
            Way::Ours => ("srpt", "", 6),
        };
        Setting {
            balancers: 1,
            workers: WORKERS,
            cores: 1,
            processes,
            discipline: Some(discipline),
            route,
            jobs: "poll = \"100ms\"".to_owned(),
            has_callbacks: false,
            environment: Vec::new(),
            has_folder: true,
        }
    }
}

/// Runs the script, and then the two cases.
pub(super) async fn run(way: Way, script: &Script) -> Result<OrderRow, JobsError> {
    let mut stage = tokio::task::block_in_place(|| Stage::start(&way.setting()))?;
    let client = Arc::new(Client::new(stage.addresses(Role::Balancer)));
    if way == Way::Ours {
        learn(&client).await;
    }
    let came = play(&client, script).await?;
    let done = executions(&stage.log())?;
    let (response, slowdown, missing) = script.judge(&came, &done);
    if 0 < missing {
        return Err(JobsError::TooLate(missing, script.jobs.len(), END_MAX.as_secs()));
    }
    let short_behind_giants = Some(short_behind_giants(&client, &stage).await?);
    let begun_again = begun_again(&client, &mut stage).await?;
    let way = way.name().to_owned();
    Ok(OrderRow { way, response, slowdown, short_behind_giants, begun_again })
}

/// Requests of many sizes, so that their costs are known.
async fn learn(client: &Arc<Client>) {
    let mut requests = JoinSet::new();
    for n in 0..LEARNED {
        let ms = 4.0 * 200.0_f64.powf(n as f64 * 0.618 % 1.0);
        let client = client.clone();
        requests.spawn(async move {
            tokio::time::sleep(Duration::from_millis(60) * n as u32).await;
            let target = format!("/job?id={}&ms={ms:.0}", FIRST_LEARNED + n);
            // What fails teaches nothing, and shows in the result.
            let _learned = client.ask(Method::POST, &target, &[]).await;
        });
    }
    requests.join_all().await;
}

/// Hands every job in when it comes and waits for all: when each has come.
async fn play(client: &Arc<Client>, script: &Script) -> Result<BTreeMap<usize, u64>, JobsError> {
    let began = Instant::now();
    let mut jobs = JoinSet::new();
    for (n, job) in script.jobs.iter().copied().enumerate() {
        let client = client.clone();
        jobs.spawn(async move {
            tokio::time::sleep_until((began + job.at).into()).await;
            let came = monotonic();
            (n, came, hand_in(&client, n, job.ms).await)
        });
    }
    let mut came = BTreeMap::new();
    let mut missing = 0;
    for (n, at, ended) in jobs.join_all().await {
        came.insert(n, at);
        if let Ended::Otherwise(what) = ended {
            eprintln!("job {n}: {what}");
            missing += 1;
        }
    }
    if 0 < missing {
        return Err(JobsError::TooLate(missing, script.jobs.len(), END_MAX.as_secs()));
    }
    Ok(came)
}

/// Hands a job in and waits for it.
async fn hand_in(client: &Client, n: usize, ms: u64) -> Ended {
    let deadline = Instant::now() + END_MAX;
    let target = format!("/job?id={n}&ms={ms}");
    let headers = [("prefer", "respond-async")];
    match client.submit(&target, &headers, deadline).await {
        Some(location) => client.wait(&location, deadline).await,
        None => Ended::Otherwise("it was accepted by nobody".to_owned()),
    }
}

/// Four giants of 5 s, and a job of 50 ms half a second later: its response, in seconds.
async fn short_behind_giants(client: &Arc<Client>, stage: &Stage) -> Result<f64, JobsError> {
    let mut giants = JoinSet::new();
    for n in 0..4 {
        let client = client.clone();
        giants.spawn(async move { hand_in(&client, GIANTS + n, 5000).await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let came = monotonic();
    hand_in(client, SHORT, 50).await;
    giants.join_all().await;
    let executions = executions(&stage.log())?;
    let end = executions.iter().filter(|one| one.job == SHORT.to_string()).find_map(|one| one.end);
    let late = || JobsError::TooLate(1, 1, END_MAX.as_secs());
    Ok(end.ok_or_else(late)?.saturating_sub(came) as f64 / 1e9)
}

/// Kills the worker that runs a job of 5 s: how long until the job is begun again, in seconds.
async fn begun_again(client: &Arc<Client>, stage: &mut Stage) -> Result<Option<f64>, JobsError> {
    let own = client.clone();
    let job = tokio::spawn(async move { hand_in(&own, KILLED, 5000).await });
    let log = stage.log();
    let begins = async |n: usize| -> Result<Option<Execution>, JobsError> {
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline {
            let name = KILLED.to_string();
            let found = executions(&log)?.into_iter().filter(|one| one.job == name).nth(n);
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    };
    let Some(first) = begins(0).await? else { return Ok(None) };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let killed = monotonic();
    for actor in stage.actors.iter_mut().filter(|actor| actor.name == first.host) {
        actor.kill();
    }
    let second = begins(1).await?;
    let _ended = job.await;
    Ok(second.map(|one| one.token.saturating_sub(killed) as f64 / 1e9))
}
