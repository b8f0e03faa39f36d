//! Prints how soon a small request runs on a busy worker, and what checkpoints cost.
//!
//! ```text
//! preemption [SMALL_REQUESTS]
//! ```
//!
//! For each operation: all cores of a worker are kept busy by large requests of it while small ones
//! arrive, one at a time. "Runs" is from the submission of a small request to its slot, as the
//! worker reports it; "answered" is what its client sees. The cost of checkpoints is their number
//! times what one costs while nobody waits, over the operation's CPU time.

#[path = "shared/picture.rs"]
mod picture;

use std::alloc::System;
use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use weighbridge_instrument::{
    CountingAllocator, Interrupt, Meter, ThreadClock, checkpoint, interruptible, prepare,
};
use weighbridge_worker::operations::{
    ALL, EventForm, Limits, Operation, OperationRequest, RayTrace, run,
};
use weighbridge_worker::{Worker, WorkerConfig};

use picture::picture;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What every client of a worker sends.
struct Case {
    query: String,
    body: Vec<u8>,
}

/// What an answer says of its request.
struct Answer {
    /// From submission to the end, but for the time in a slot.
    queue: Duration,
    /// As the client sees it.
    response: Duration,
}

fn main() -> Outcome<()> {
    let n = std::env::args().nth(1).map_or(Ok(300), |n| n.parse())?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    prepare();
    checkpoint_costs()?;
    println!("\n{cores} slots, {n} small requests per operation; times in milliseconds");
    println!("busy with    runs p50   runs p99   answered p50   answered p99   preempted");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for &operation in ALL.iter().filter(|one| one.event() != EventForm::None) {
        let mut config = WorkerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.cores = cores;
        let worker = runtime.block_on(Worker::bind(config))?;
        let address = worker.address();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serves = runtime.spawn(worker.run(async { drop(stopped.await) }));
        measure(operation, address, cores, n)?;
        drop(stop);
        runtime.block_on(serves)?;
    }
    Ok(())
}

/// Keeps the worker busy and asks for small requests meanwhile.
fn measure(operation: &dyn Operation, address: SocketAddr, cores: usize, n: usize) -> Outcome<()> {
    let (large, small) = (Case::large(operation), Case::small());
    let enough = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        // One more than there are slots, so that one always waits where another ends.
        for _ in 0..=cores {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    if let Err(error) = ask(address, operation, &large, "60") {
                        eprintln!("a large request failed: {error}");
                        return;
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(300));
        let answers = (0..n).map(|nth| {
            // At any moment of a large request, and never in step with the system's clock.
            thread::sleep(Duration::from_micros(8_000 + (nth as u64 * 7919) % 7_000));
            ask(address, &RayTrace, &small, "0.0001")
        });
        let answers = answers.collect::<Outcome<Vec<_>>>();
        enough.store(true, Ordering::Relaxed);
        answers
    })?;
    let of = |time: fn(&Answer) -> Duration| {
        let mut times = answers.iter().map(time).collect::<Vec<_>>();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
        (at(50), at(99))
    };
    let ((run50, run99), (all50, all99)) =
        (of(|answer| answer.queue), of(|answer| answer.response));
    let preempted = preemptions(address)?;
    let name = operation.name();
    println!("{name:<9} {run50:>11.3} {run99:>10.3} {all50:>14.3} {all99:>14.3} {preempted:>11}");
    Ok(())
}

/// Prints what the checkpoints of an operation cost.
fn checkpoint_costs() -> Outcome<()> {
    const ROUNDS: u32 = 50_000_000;

    let idle = Interrupt::new();
    let start = Instant::now();
    interruptible(&idle, || (0..ROUNDS).try_for_each(|_| black_box(checkpoint())))?;
    let nanos = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
    println!("a checkpoint costs {nanos:.2} ns");
    println!("operation   CPU ms   checkpoints   every us   longest ms   cost");
    for &operation in ALL.iter().filter(|one| one.event() != EventForm::None) {
        let case = Case::large(operation);
        let (n, longest) = case.checkpoints(operation)?;
        let meter = Meter::start();
        black_box(case.run(operation)?);
        let cpu_secs = meter.stop().cpu_seconds.ok_or("no CPU clock")?;
        let (every, cost) = (cpu_secs * 1e6 / n as f64, n as f64 * nanos * 1e-9 / cpu_secs * 100.0);
        let (name, cpu, longest) = (operation.name(), cpu_secs * 1e3, longest.as_secs_f64() * 1e3);
        println!("{name:<9} {cpu:>8.1} {n:>13} {every:>10.2} {longest:>12.3} {cost:>6.3} %");
    }
    Ok(())
}

/// One request with an estimate, on a connection of its own.
fn ask(
    address: SocketAddr,
    operation: &dyn Operation,
    case: &Case,
    estimate: &str,
) -> Outcome<Answer> {
    let (path, query, length) = (operation.path(), &case.query, case.body.len());
    let head = format!(
        "POST {path}?{query} HTTP/1.1\r\nHost: worker\r\nContent-Type: image/png\r\n\
         weighbridge-estimate: {estimate}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let start = Instant::now();
    stream.write_all(&[head.as_bytes(), &case.body].concat())?;
    let mut queue = Err("no `server-timing`".into());
    let mut reader = BufReader::new(stream);
    for line in reader.by_ref().lines() {
        let line = line?;
        if let Some(timing) = line.strip_prefix("server-timing: queue;dur=") {
            let millis: f64 = timing.split(',').next().unwrap_or_default().parse()?;
            queue = Ok(Duration::from_secs_f64(millis / 1e3));
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_to_end(&mut Vec::new())?;
    let response = start.elapsed();
    queue.map(|queue| Answer { queue, response })
}

/// How often operations have parked for shorter ones.
fn preemptions(address: SocketAddr) -> Outcome<f64> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let lines =
        text.lines().filter(|line| line.starts_with("weighbridge_worker_preemptions_total"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

// === impl Case ===

impl Case {
    /// Some tenths of a second of work.
    fn large(operation: &dyn Operation) -> Case {
        match operation.event() {
            EventForm::Image => Case { query: String::new(), body: picture(2000, 1200) },
            EventForm::Scene => scene(500, 400, 40),
            EventForm::None => unreachable!("only those with an event are measured"),
        }
    }

    /// Next to no work.
    fn small() -> Case {
        scene(4, 3, 1)
    }

    fn run(&self, operation: &dyn Operation) -> Outcome<Vec<u8>> {
        let request = OperationRequest {
            query: &self.query,
            content_type: Some("image/png"),
            accept: None,
            body: &self.body,
        };
        Ok(run(operation, &request, &Limits::default())?.body)
    }

    /// How many checkpoints a run comes to, and the longest CPU time without one: it is asked to
    /// park at each, and never does.
    fn checkpoints(&self, operation: &dyn Operation) -> Outcome<(u64, Duration)> {
        let again = Arc::new(OnceLock::<Interrupt>::new());
        let clock = ThreadClock::of_this_thread();
        let now = move || clock.and_then(ThreadClock::cpu_time).unwrap_or_default();
        let passed = Arc::new(Mutex::new((0, Duration::ZERO, now())));
        let (counts, asks) = (Arc::clone(&passed), Arc::clone(&again));
        let interrupt = Interrupt::with_parking(move || {
            let mut passed = counts.lock();
            let now = now();
            *passed = (passed.0 + 1, passed.1.max(now.saturating_sub(passed.2)), now);
            if let Some(interrupt) = asks.get() {
                interrupt.ask_to_park();
            }
        });
        again.get_or_init(|| interrupt.clone()).ask_to_park();
        interruptible(&interrupt, || self.run(operation))?;
        let (n, longest, last) = *passed.lock();
        Ok((n, longest.max(now().saturating_sub(last))))
    }
}

/// Shining spheres, seen from above.
fn scene(columns: u32, rows: u32, spheres: u32) -> Case {
    let mut scene = format!(
        "0 0 20 0 0 0 0 1 0 60 2 0 0 0 1 1 1 1 0 0 9 9 20 1 1 1 1 0 0 \
         1 solid 1 .5 .2 1 .2 .6 .5 40 .3 0 0 {spheres}"
    );
    for nth in 0..spheres {
        let angle = f64::from(nth);
        // Writing to a string cannot fail.
        let _ =
            write!(scene, " 0 0 sphere {:.2} {:.2} 0 1.2", 8.0 * angle.cos(), 6.0 * angle.sin());
    }
    let query = format!("scols={columns}&srows={rows}&wcols={columns}&wrows={rows}&coff=0&roff=0");
    Case { query, body: format!("{{\"scene\":\"{scene}\"}}").into_bytes() }
}
