use std::cell::Cell;
use std::rc::Rc;

use clap::Parser;
use clap::error::ErrorKind;
use fastrand::Rng;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use super::arrivals::Arrival;
use super::drive::{self, Done};
use super::pool::{Deck, Known, Mix};
use super::send::Failure;
use super::tally::Tally;
use super::*;
use crate::requests::Route;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    load: Load,
}

fn plan(profile: Profile) -> Plan {
    Plan { profile, rate: 1000.0, length: Duration::from_secs(100), requests_max: u64::MAX }
}

/// Pool entries that take 1, 2, 3 ... milliseconds alone.
fn pool(n: u64) -> Vec<Known> {
    let request = Route::Blur.request(&mut Rng::with_seed(1));
    let known = |n| Known { request: request.clone(), alone: Duration::from_millis(n), answer: 0 };
    (1..=n).map(known).collect()
}

fn done(entry: usize, response: Duration, result: Result<(), Failure>) -> Done {
    let arrival = Arrival { at: Duration::ZERO, entry, number: 0 };
    Done { arrival, response, late: Duration::ZERO, result }
}

/// A server that answers within a millisecond, but nothing from the third second to the fourth, in
/// a time that only it moves on.
#[tokio::test]
async fn a_stall_shows_in_all_the_requests_that_it_delays() {
    let (due, arrivals) = unbounded_channel();
    for number in 0..1000 {
        let at = Duration::from_millis(number * 10);
        due.send(Arrival { at, entry: 0, number }).unwrap();
    }
    drop(due);
    let clock = Rc::new(Cell::new(Duration::ZERO));
    let stalled = Duration::from_secs(3)..Duration::from_secs(4);
    let send = async |arrival: Arrival| {
        let begin = clock.get().max(arrival.at);
        let begin = if stalled.contains(&begin) { stalled.end } else { begin };
        clock.set(begin + Duration::from_millis(1));
        Ok(())
    };
    let mut tally = Tally::new(&pool(2), 2);
    drive::open(arrivals, 1000, || clock.get(), send, |done, _| tally.record(&done)).await;

    let result = tally.result(Duration::from_secs(10)).all;
    assert_eq!(result.answered, 1000);
    assert!((0.99..1.02).contains(&result.max_response), "{result:?}");
    assert!(0.9 < result.p99_response, "{result:?}");
    assert!(0.05 < result.mean_response, "100 requests had to wait: {result:?}");
}

#[tokio::test]
async fn an_arrival_waits_for_no_answer() {
    let (due, arrivals) = unbounded_channel();
    for number in 0..100 {
        due.send(Arrival { at: Duration::ZERO, entry: 0, number }).unwrap();
    }
    drop(due);
    let last_is_sent = Notify::new();
    let send = async |arrival: Arrival| {
        if arrival.number == 99 {
            last_is_sent.notify_waiters();
        } else {
            last_is_sent.notified().await;
        }
        Ok(())
    };
    let mut n_done = 0;
    drive::open(arrivals, 100, || Duration::ZERO, send, |_, _| n_done += 1).await;
    assert_eq!(n_done, 100);
}

#[tokio::test]
async fn what_is_too_much_fails_unsent() {
    let (due, arrivals) = unbounded_channel();
    for number in 0..10 {
        due.send(Arrival { at: Duration::ZERO, entry: 0, number }).unwrap();
    }
    drop(due);
    let n_unsent = Rc::new(Cell::new(0));
    let send = async |_| {
        // Whoever is sent waits until the others have been refused.
        while n_unsent.get() < 7 {
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let mut tally = Tally::new(&pool(2), 2);
    drive::open(
        arrivals,
        3,
        || Duration::ZERO,
        send,
        |done, _| {
            n_unsent.set(n_unsent.get() + u32::from(done.result == Err(Failure::NotSent)));
            tally.record(&done);
        },
    )
    .await;
    let result = tally.result(Duration::from_secs(1));
    assert_eq!((result.all.answered, result.errors.not_sent), (3, 7));
}

#[test]
fn arrivals_are_a_poisson_process_of_the_mean_rate() {
    for profile in [Profile::Steady, Profile::Ramp, Profile::Burst] {
        let arrivals = plan(profile).draw(&mut Rng::with_seed(3), &mut Deck::new(10), 0);
        let n = arrivals.len() as f64;
        // Six standard deviations.
        assert!((n - 1e5).abs() < 6.0 * 1e5_f64.sqrt(), "{profile:?}: {n}");
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at), "{profile:?}");
    }
    let arrivals = plan(Profile::Steady).draw(&mut Rng::with_seed(3), &mut Deck::new(10), 0);
    let gaps = arrivals.windows(2).map(|pair| pair[1].at.abs_diff(pair[0].at).as_secs_f64() * 1e3);
    let variance = gaps.map(|gap| (gap - 1.0).powi(2)).sum::<f64>() / arrivals.len() as f64;
    assert!((0.95..1.05).contains(&variance), "exponential gaps vary as their mean: {variance}");
}

#[test]
fn a_burst_has_three_times_the_rate_for_a_fifth_of_the_time() {
    let arrivals = plan(Profile::Burst).draw(&mut Rng::with_seed(4), &mut Deck::new(10), 0);
    let in_burst = arrivals.iter().filter(|arrival| arrival.at.as_secs() % 20 < 4).count() as f64;
    assert!((0.58..0.62).contains(&(in_burst / arrivals.len() as f64)), "{in_burst}");
}

#[test]
fn the_number_of_arrivals_is_bounded_and_a_deck_deals_all_before_any_again() {
    let bounded = Plan { requests_max: 30, ..plan(Profile::Steady) };
    let arrivals = bounded.draw(&mut Rng::with_seed(5), &mut Deck::new(10), 0);
    assert_eq!(arrivals.len(), 30);
    for dealt in arrivals.chunks(10) {
        let mut entries: Vec<usize> = dealt.iter().map(|arrival| arrival.entry).collect();
        entries.sort_unstable();
        assert_eq!(entries, (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn classes_are_of_the_time_alone_and_slowdown_is_relative_to_it() {
    let mut tally = Tally::new(&pool(8), 4);
    for entry in 0..8_usize {
        let alone = Duration::from_millis(entry as u64 + 1);
        tally.record(&done(entry, alone * (1 + entry as u32 / 4), Ok(())));
    }
    let result = tally.result(Duration::from_secs(2));
    assert_eq!(result.throughput.to_bits(), 4.0_f64.to_bits());
    let slowdowns: Vec<f64> = result.classes.iter().map(|class| class.mean_slowdown).collect();
    assert_eq!(slowdowns, [1.0, 1.0, 2.0, 2.0]);
    assert_eq!((result.smaller_half.answered, result.all.answered), (4, 8));
    let bounds: Vec<f64> = result.classes.iter().map(|class| class.alone_max * 1e3).collect();
    assert_eq!(bounds, [2.0, 4.0, 6.0, 8.0]);
}

#[test]
fn failures_are_told_apart_and_have_no_response_time() {
    let mut tally = Tally::new(&pool(2), 2);
    let failures = [
        Failure::NotSent,
        Failure::Connect,
        Failure::Timeout,
        Failure::Broken,
        Failure::Refused,
        Failure::Shed,
        Failure::Server,
        Failure::Wrong,
    ];
    for failure in failures {
        tally.record(&done(0, Duration::from_secs(1), Err(failure)));
    }
    let result = tally.result(Duration::from_secs(1));
    assert!(result.errors.named().iter().all(|(_, n)| *n == 1), "{:?}", result.errors);
    assert_eq!((result.requests, result.all.answered), (8, 0));
}

#[test]
fn the_table_has_a_row_for_each_class() {
    let mut tally = Tally::new(&pool(8), 4);
    for entry in 0..8_usize {
        tally.record(&done(entry, Duration::from_millis(entry as u64 * 2 + 2), Ok(())));
    }
    tally.record(&done(0, Duration::ZERO, Err(Failure::Shed)));
    let result = tally.result(Duration::from_secs(2));
    let text = table::markdown(&LoadSummary { rate: 4.5, capacity: None, result });
    assert_eq!(
        text,
        "9 requests in 2.0 s: 4.0 right answers per second of 4.5 requests; sent late by less than 0.0 ns (p99)
failed: 1 503

| class | alone, at most | answered | mean | p50 | p99 | longest | mean slowdown | p99 slowdown |
|---|---|---|---|---|---|---|---|---|
| all | 8.0 ms | 8 | 9.0 ms | 8.0 ms | 16 ms | 16 ms | 2.00 | 2.0 |
| smaller half | 4.0 ms | 4 | 5.0 ms | 4.0 ms | 8.0 ms | 8.0 ms | 2.00 | 2.0 |
| 1 of 4 | 2.0 ms | 2 | 3.0 ms | 2.0 ms | 4.0 ms | 4.0 ms | 2.00 | 2.0 |
| 2 of 4 | 4.0 ms | 2 | 7.0 ms | 6.0 ms | 8.0 ms | 8.0 ms | 2.00 | 2.0 |
| 3 of 4 | 6.0 ms | 2 | 11 ms | 10 ms | 12 ms | 12 ms | 2.00 | 2.0 |
| 4 of 4 | 8.0 ms | 2 | 15 ms | 14 ms | 16 ms | 16 ms | 2.00 | 2.0 |
"
    );
}

#[test]
fn a_mix_is_read_and_nonsense_is_refused() {
    assert!("blur=2, raytrace=1".parse::<Mix>().is_ok());
    for nonsense in ["", "blur", "blur=0", "blur=x", "paint=1", "blur=1,,"] {
        assert!(nonsense.parse::<Mix>().is_err(), "{nonsense}");
    }
    let line = |line: &str| Line::try_parse_from(line.split(' '));
    let mistake = |text| line(text).err().map(|error| error.kind());
    assert_eq!(mistake("load --rate 10"), None);
    assert_eq!(mistake("load --rate 1 --load 1"), Some(ErrorKind::ArgumentConflict));
    for nonsense in ["load --rate 0", "load --seconds 0", "load --pool 9"] {
        assert_eq!(mistake(nonsense), Some(ErrorKind::ValueValidation), "{nonsense}");
    }
}
