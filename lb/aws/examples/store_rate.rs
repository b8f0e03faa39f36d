//! What keeping observations in DynamoDB costs the requests: `cargo run --release --workspace
//! --all-features --example store_rate -- [ROWS_PER_SECOND] [ROUNDS] [SECONDS]`.
//!
//! A balancer in front of a host that answers at once, and a client that asks 100 times a second,
//! in rounds of three kinds, in turn: nobody records anything; another process records so many
//! observations a second; the balancer's process does, through a recorder on such background
//! threads as a balancer has. They go to DynamoDB, which is roto, on the same cores at the lowest
//! priority: in truth it is elsewhere. What the recording costs requests is the difference between
//! the last two.

#[path = "../tests/shared/emulators.rs"]
mod emulators;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prometheus::Registry;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep};
use weighbridge_aws::Aws;
use weighbridge_aws::dynamodb::DynamoStore;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::statistics::quantile;
use weighbridge_core::units::{Speed, Work};
use weighbridge_proxy::background::Background;
use weighbridge_proxy::config::{Config, StoreConfig};
use weighbridge_proxy::server::{Server, Services};
use weighbridge_proxy::store::{Recorder, Spool, StoredObservation};
use weighbridge_scene_extract::extractors;

use emulators::{CREDENTIALS, Emulator};

/// Between two requests of the client.
const REQUEST_INTERVAL: Duration = Duration::from_millis(10);

/// Observations come in portions, this far apart.
const PORTION_INTERVAL: Duration = Duration::from_millis(5);

/// The longest that writing what is left may take.
const DRAIN_MAX: Duration = Duration::from_mins(1);

/// The lowest priority.
const LOWEST: i32 = 19;

/// Between the start of another process that records and the first request of the round.
const AHEAD: Duration = Duration::from_millis(500);

/// Who records observations.
#[derive(Clone, Copy, PartialEq)]
enum Recording {
    Nobody,
    Another,
    This,
}

/// Response times of one round, in milliseconds, and what the process used.
struct Round {
    times: Vec<f64>,
    cpu: Duration,
    wall: Duration,
    rows: u64,
    /// From the end of the round until the last of its rows was written.
    drained: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let (rate, rounds, seconds) = (argument(5000)?, argument(5)?, argument(10)?);
    if std::env::var_os("AWS_ENDPOINT_URL_DYNAMODB").is_none() {
        // The environment is set for a child: ours cannot be changed safely.
        let roto = Emulator::roto(None);
        rustix::process::setpriority_process(Some(roto.id()), LOWEST)?;
        let mut child = std::process::Command::new(std::env::current_exe()?);
        child.args(std::env::args().skip(1)).envs(CREDENTIALS);
        let ended = child.env("AWS_ENDPOINT_URL_DYNAMODB", roto.url()).status()?;
        return if ended.success() { Ok(()) } else { Err("it failed".into()) };
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let span = Duration::from_secs(u64::from(seconds));
    runtime.block_on(measure(rate, rounds, span))
}

async fn measure(rate: u32, rounds: u32, span: Duration) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (server, config) = balancer(host().await?).await?;
    let store = DynamoStore::new(&Aws::from_env().await, &config);
    store.prepare().await?;
    let registry = Registry::new();
    let spool = Spool::open(&folder.path().join("spool"), config.spool_bytes_max)?;
    let background = Background::start()?;
    let recorder = {
        let _entered = background.handle().enter();
        Arc::new(Recorder::start(Arc::new(store), Some(spool), &config, &registry)?)
    };

    if rounds == 0 {
        // The other process.
        let recorded = record(recorder, rate, span).await;
        drain(&registry, recorded).await;
        return Ok(());
    }
    let mut client = TcpStream::connect(server.listen).await?;
    client.set_nodelay(true)?;
    round(&mut client, &recorder, (Recording::Nobody, rate), span / 4).await?;
    let kinds = [Recording::Nobody, Recording::Another, Recording::This];
    let (mut all, mut recorded) = ([const { Vec::new() }; 3], 0);
    for _ in 0..rounds {
        for (kind, of_kind) in kinds.into_iter().zip(&mut all) {
            let mut round = round(&mut client, &recorder, (kind, rate), span).await?;
            recorded += round.rows;
            round.drained = drain(&registry, recorded).await;
            of_kind.push(round);
        }
    }
    tell(rate, &all);
    let of = |name: &str| value(&registry, &format!("weighbridge_store_{name}"));
    let (written, errors) = (of("written_observations_total"), of("errors_total"));
    let (dropped, spooled) = (of("dropped_observations_total"), of("spooled_observations"));
    println!(
        "{recorded} recorded, {written} written, {dropped} dropped, {spooled} on disk, \
         {errors} errors"
    );
    if written < recorded as f64 { Err("not all were written".into()) } else { Ok(()) }
}

/// Asks for as long as `span`, while somebody records `rate` observations a second.
async fn round(
    client: &mut TcpStream,
    recorder: &Arc<Recorder>,
    (recording, rate): (Recording, u32),
    span: Duration,
) -> Result<Round, Box<dyn Error>> {
    let mut another = None;
    if recording == Recording::Another {
        let seconds = (span + AHEAD).as_secs() + 1;
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args([rate.to_string(), "0".to_owned(), seconds.to_string()]);
        another = Some(command.kill_on_drop(true).spawn()?);
    }
    sleep(AHEAD).await;
    let begun = Instant::now();
    let cpu = cpu();
    let own = (recording == Recording::This)
        .then(|| tokio::spawn(record(Arc::clone(recorder), rate, span)));
    let mut ticks = interval(REQUEST_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::new();
    while begun.elapsed() < span {
        ticks.tick().await;
        let asked = Instant::now();
        client.write_all(b"GET /work HTTP/1.1\r\nHost: here\r\n\r\n").await?;
        read_answer(client).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    let (cpu, wall) = (self::cpu().saturating_sub(cpu), begun.elapsed());
    if let Some(mut another) = another
        && !another.wait().await?.success()
    {
        return Err("the other process failed".into());
    }
    let rows = match own {
        Some(own) => own.await?,
        None => 0,
    };
    Ok(Round { times, cpu, wall, rows, drained: Duration::ZERO })
}

/// Records `rate` rows a second for `span`; says how many.
async fn record(recorder: Arc<Recorder>, rate: u32, span: Duration) -> u64 {
    let begun = Instant::now();
    let names: Arc<[String]> =
        (0..13).map(|n| format!("body.image.is_jpeg * body.image.pixels * query.{n}")).collect();
    let mut ticks = interval(PORTION_INTERVAL);
    let mut rows = 0;
    while begun.elapsed() < span {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        for _ in rows..due {
            recorder.record(row(&names));
        }
        rows = due;
    }
    rows
}

fn row(names: &Arc<[String]>) -> StoredObservation {
    let value = |n: u32| f64::from(n) * 1000.0 * fastrand::f64();
    StoredObservation {
        id: fastrand::u64(..),
        route: "work".to_owned(),
        at: SystemTime::now(),
        host: "10.0.0.7:8001".to_owned(),
        status: 200,
        waiting: Duration::from_micros(fastrand::u64(..10_000)),
        response: Duration::from_micros(fastrand::u64(..1_000_000)),
        feature_names: Arc::clone(names),
        features: Features((0..13).map(value).collect()),
        estimated: Some((Work::saturating(fastrand::f64()), Work::saturating(1.0))),
        cost: RequestCost {
            instructions: Some(value(1_000_000)),
            basic_blocks: Some(value(100_000)),
            methods: Some(value(10_000)),
            cpu_seconds: Some(fastrand::f64()),
            bytes_allocated: Some(value(1000)),
        },
        work: Work::saturating(fastrand::f64()),
        speed: Speed::ONE,
        build: 7,
    }
}

/// Waits until all is written; how long that took.
async fn drain(registry: &Registry, recorded: u64) -> Duration {
    let begun = Instant::now();
    let written = || value(registry, "weighbridge_store_written_observations_total");
    while written() < recorded as f64 && begun.elapsed() < DRAIN_MAX {
        sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

fn tell(rate: u32, all: &[Vec<Round>; 3]) {
    println!(
        "response times, median and p99 in ms, while {rate} observations a second are recorded"
    );
    println!("| round | by nobody | by another process | by this one | rows/s | written after |");
    println!("|---|---|---|---|---|---|");
    let [nobody, another, this] = all;
    let quantiles = |round: &Round| [0.5, 0.99].map(|q| quantile(&round.times, q).unwrap_or(0.0));
    let mut ratios = [Vec::new(), Vec::new()];
    for (n, ((nobody, another), this)) in nobody.iter().zip(another).zip(this).enumerate() {
        let [nobody, another, own] = [nobody, another, this].map(quantiles);
        for ((ratios, own), another) in ratios.iter_mut().zip(own).zip(another) {
            ratios.push(own / another);
        }
        let [nobody, another, own] =
            [nobody, another, own].map(|[median, p99]| format!("{median:.2}, {p99:.2}"));
        let (rate, drained) = (this.rows as f64 / this.wall.as_secs_f64(), this.drained);
        let n = n + 1;
        println!("| {n} | {nobody} | {another} | {own} | {rate:.0} | {} ms |", drained.as_millis());
    }
    let [median, p99] = ratios.map(|all| {
        [0.5, 0.0, 1.0].map(|q| format!("{:.2}", quantile(&all, q).unwrap_or(0.0))).join(", ")
    });
    println!("by this process over by another (median, least, most of the rounds):");
    println!("  median: {median}; p99: {p99}");
    let sum = |rounds: &[Round], of: fn(&Round) -> Duration| {
        rounds.iter().map(of).sum::<Duration>().as_secs_f64()
    };
    let cores = |rounds: &[Round]| sum(rounds, |round| round.cpu) / sum(rounds, |round| round.wall);
    let rows: u64 = this.iter().map(|round| round.rows).sum();
    let per_row = (cores(this) - cores(nobody)) * sum(this, |round| round.wall) / rows as f64 * 1e6;
    println!(
        "  cores of this process: {:.2} without, {:.2} with; {per_row:.0} µs a row",
        cores(nobody),
        cores(this)
    );
}

/// The value of the metric `name`, which has no labels.
fn value(registry: &Registry, name: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metric = family.and_then(|family| family.get_metric().first());
    metric.map_or(0.0, |metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A balancer in front of `host`, with the rest as the default file says.
async fn balancer(host: SocketAddr) -> Result<(Server, StoreConfig), Box<dyn Error>> {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[store]\nkind = \"off\"\n\
         [access_log]\nto = \"off\"\n\
         [fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{host}\"\n\
         [[routes]]\nname = \"work\"\npath = \"/work\"\n"
    );
    let config = Config::parse(&text, &extractors()).map_err(|mistakes| format!("{mistakes:?}"))?;
    let store = config.store.clone();
    let server = Server::start(config, Services::default()).await?;
    let mut client = TcpStream::connect(server.listen).await?;
    loop {
        client.write_all(b"GET /work HTTP/1.1\r\nHost: here\r\n\r\n").await?;
        if read_answer(&mut client).await? == 200 {
            return Ok((server, store));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// A host that answers at once.
async fn host() -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    head.extend_from_slice(&buffer[..n]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                }
            });
        }
    });
    Ok(address)
}

/// Reads an answer with a length; its status.
async fn read_answer(stream: &mut TcpStream) -> Result<u16, Box<dyn Error>> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err("the balancer closed the connection".into());
        }
        read.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
        });
        if length.map_or(Ok(0), |length| length.parse())? <= body.len() {
            return Ok(head.split(' ').nth(1).unwrap_or_default().parse()?);
        }
    }
}
