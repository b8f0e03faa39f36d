//! Drives requests: in an open loop, where arrivals wait for nothing, or in a closed one.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::arrivals::Arrival;
use super::send::Failure;

/// What came of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Done {
    pub(crate) arrival: Arrival,
    /// From when it was meant to be sent to the end of its answer. What a stall delays counts from
    /// then, even where the request could not be sent.
    pub(crate) response: Duration,
    /// From when it was meant to be sent to when it was.
    pub(crate) late: Duration,
    pub(crate) result: Result<(), Failure>,
}

/// Announces `arrivals`, which are in order, when they are due; from a thread of its own, whose
/// clock is finer than the runtime's. The number of arrivals bounds the channel.
pub(crate) fn pace(arrivals: Vec<Arrival>, start: Instant) -> UnboundedReceiver<Arrival> {
    let (due, announced) = unbounded_channel();
    std::thread::spawn(move || announce(&arrivals, start, &due));
    announced
}

fn announce(arrivals: &[Arrival], start: Instant, due: &UnboundedSender<Arrival>) {
    for arrival in arrivals {
        std::thread::sleep(arrival.at.saturating_sub(start.elapsed()));
        if due.send(*arrival).is_err() {
            return;
        }
    }
}

/// Sends each arrival of `due` as it comes, however many are in flight up to `in_flight_max`;
/// beyond it an arrival fails unsent. Calls `done` with each, and with the number in flight. `now`
/// is the time from the start of the run.
pub(crate) async fn open<S, F>(
    mut due: UnboundedReceiver<Arrival>,
    in_flight_max: usize,
    now: impl Fn() -> Duration,
    send: S,
    mut done: impl FnMut(Done, usize),
) where
    S: Fn(Arrival) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    let timed = async |arrival: Arrival| {
        let late = now().saturating_sub(arrival.at);
        let result = send(arrival).await;
        Done { arrival, response: now().saturating_sub(arrival.at), late, result }
    };
    let mut running = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !running.is_empty() {
        tokio::select! {
            arrival = due.recv(), if is_open => match arrival {
                Some(arrival) if in_flight_max <= running.len() => done(unsent(arrival), running.len()),
                Some(arrival) => running.push(timed(arrival)),
                None => is_open = false,
            },
            Some(finished) = running.next(), if !running.is_empty() => done(finished, running.len()),
        }
    }
}

fn unsent(arrival: Arrival) -> Done {
    let (response, late) = (Duration::ZERO, Duration::ZERO);
    Done { arrival, response, late, result: Err(Failure::NotSent) }
}

/// Keeps `in_flight` requests going until `length` is over, and waits for the last ones. Returns
/// how many had a right answer, per second of the whole time.
pub(crate) async fn closed<S, F>(
    in_flight: usize,
    length: Duration,
    mut next: impl FnMut() -> Arrival,
    send: S,
) -> Result<f64, Failure>
where
    S: Fn(Arrival) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    let start = Instant::now();
    let mut running: FuturesUnordered<F> = (0..in_flight).map(|_| send(next())).collect();
    let mut n_answered = 0_u64;
    while let Some(result) = running.next().await {
        result?;
        n_answered += 1;
        if start.elapsed() < length {
            running.push(send(next()));
        }
    }
    Ok(n_answered as f64 / start.elapsed().as_secs_f64())
}
