//! Prints how much longer a small request takes at somebody's own server while a large one runs
//! there, for each way to park, and how far the measured cost is off.
//!
//! ```text
//! parking [SMALL_REQUESTS]
//! ```
//!
//! A worker of one core runs the server of the tests (Python's `http.server`, one thread) in two
//! processes. Worker and processes have one core of the machine, the client another one. Small
//! requests of 5 ms come alone and while requests of 2 s run one after the other, in turn.
//! "shared" is the same without any order: `--discipline ps`. The cost is what the load report says
//! over what the server reads of itself (`resource.getrusage`), for requests of 5 to 200 ms.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use weighbridge_instrument::LoadReport;
use weighbridge_worker::{
    GuardProgram, ParkChoice, RunConfig, Worker, WorkerConfig, guard, park_ways,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SMALL: &str = "/burn?ms=5";
const LARGE: &str = "/burn?ms=2000";

/// Alone and beside large ones, in turn: what else the machine does changes meanwhile.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("guard") {
        return ExitCode::from(guard());
    }
    match measure_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all() -> Outcome<()> {
    let n = std::env::args().nth(1).map_or(Ok(100), |n| n.parse())?;
    let cores = cores()?;
    let (&first, &last) = cores.first().zip(cores.last()).ok_or("no cores")?;
    let runtime = pinned(first, || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    })?;
    println!("{n} requests of 5 ms, alone and while requests of 2 s run; times in milliseconds");
    println!(
        "parked by   alone p50    p99   beside p50    p99   more p50    p99   cost off p50   max"
    );
    let ways = park_ways().map(|(name, _)| (name, "srpt")).chain([("shared", "ps")]);
    for (name, discipline) in ways {
        let mut config = config(discipline)?;
        if let (Some(run), "srpt") = (config.run.as_mut(), discipline) {
            run.park = ParkChoice::Only(name);
        }
        // Tasks may start processes on any thread of the runtime: all of them have that core.
        let bound = pinned(first, || runtime.block_on(Worker::bind(config)));
        let worker = match bound {
            Ok(worker) => worker,
            Err(error) => {
                println!("{name:<9} {error}");
                continue;
            }
        };
        let address = worker.address();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serves = runtime.spawn(worker.run(async { drop(stopped.await) }));
        let measured = pinned(last, || measure(name, address, n));
        drop(stop);
        runtime.block_on(serves)?;
        measured?;
    }
    Ok(())
}

fn config(discipline: &str) -> Outcome<WorkerConfig> {
    let server = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/processes/server.py");
    let command = format!("PORT={{port}} exec python3 -B {}", server.display());
    let guard =
        GuardProgram { program: std::env::current_exe()?, arguments: vec!["guard".to_owned()] };
    let mut config = WorkerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.cores = 1;
    discipline.clone_into(&mut config.discipline);
    config.run = Some(RunConfig { processes: 2, ..RunConfig::new(command, 1, guard) });
    Ok(config)
}

fn measure(name: &str, address: SocketAddr, n: usize) -> Outcome<()> {
    while ask(address, "/readyz", "1").is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    // Both processes have started.
    thread::sleep(Duration::from_secs(1));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.extend(small_ones(address, n / ROUNDS)?);
        beside.extend(beside_large_ones(address, n / ROUNDS)?);
    }
    let (alone50, alone99) = percentiles(alone);
    let (beside50, beside99) = percentiles(beside);
    let (off50, off_max) = cost(address)?;
    println!(
        "{name:<9} {alone50:>11.2} {alone99:>6.2} {beside50:>12.2} {beside99:>6.2} {:>10.2} \
         {:>6.2} {off50:>12.2} % {off_max:>5.2} %",
        beside50 - alone50,
        beside99 - alone99
    );
    Ok(())
}

/// How long small requests take while large ones run one after the other.
fn beside_large_ones(address: SocketAddr, n: usize) -> Outcome<Vec<f64>> {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                if let Err(error) = ask(address, LARGE, "2") {
                    eprintln!("a large request failed: {error}");
                    return;
                }
            }
        });
        thread::sleep(Duration::from_millis(300));
        let beside = small_ones(address, n);
        enough.store(true, Ordering::Relaxed);
        beside
    })
}

/// How long small requests take, one at a time.
fn small_ones(address: SocketAddr, n: usize) -> Outcome<Vec<f64>> {
    (0..n)
        .map(|nth| {
            // At any moment of a large request, and never in step with the system's clock.
            thread::sleep(Duration::from_micros(20_000 + (nth as u64 * 7919) % 17_000));
            let begun = Instant::now();
            ask(address, SMALL, "0.005")?;
            Ok(begun.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}

/// How far the measured cost is from what the server measures, in per cent: median and most.
fn cost(address: SocketAddr) -> Outcome<(f64, f64)> {
    let mut off = Vec::new();
    for ms in [5, 10, 20, 50, 100, 200].repeat(3) {
        // Each reads the clock at the end of its work: what is between two such readings is one
        // request, reading and answering included. They are of one process, the last one used.
        let target = format!("/burn?ms={ms}");
        let ((before, _), (after, measured)) =
            (readings(address, &target)?, readings(address, &target)?);
        off.push((measured / (after - before) - 1.0).abs() * 100.0);
    }
    off.sort_by(f64::total_cmp);
    Ok((off[off.len() / 2], off[off.len() - 1]))
}

/// What a request has cost: what the server had used in all after it, and the load report.
fn readings(address: SocketAddr, target: &str) -> Outcome<(f64, f64)> {
    let (report, body) = ask(address, target, "0.1")?;
    let body: serde_json::Value = serde_json::from_str(&body)?;
    let total = body["cpu_total"].as_f64().ok_or("no cost of its own")?;
    let report = LoadReport::decode_header(&report)?;
    let measured = report.request_cost.get("cpu_seconds").ok_or("no cost in the report")?;
    Ok((total, *measured))
}

fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    (at(50), at(99))
}

/// One request on a connection of its own: its load report, and the body of a 200.
fn ask(address: SocketAddr, target: &str, estimate: &str) -> Outcome<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: worker\r\nweighbridge-estimate: {estimate}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no head")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.lines().next().unwrap_or_default().into());
    }
    let report = head.lines().find_map(|line| line.strip_prefix("endpoint-load-metrics: "));
    Ok((report.unwrap_or_default().to_owned(), body.to_owned()))
}

/// The cores that this program may use.
fn cores() -> Outcome<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Does `run` on one core; threads and processes that it starts stay there.
fn pinned<T>(core: usize, run: impl FnOnce() -> T) -> T {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("cannot choose a core: {error}");
    }
    run()
}
