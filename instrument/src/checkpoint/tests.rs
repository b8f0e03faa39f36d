use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

#[test]
fn a_thread_that_runs_no_request_is_never_interrupted() {
    Interrupt::new().abandon();
    assert_eq!(checkpoint(), Ok(()));
}

#[test]
fn an_abandoned_request_stops_at_its_next_checkpoint() {
    let interrupt = Interrupt::new();
    let outcome = interruptible(&interrupt, || {
        checkpoint()?;
        interrupt.clone().abandon();
        checkpoint()
    });
    assert_eq!(outcome, Err(Abandoned));
    assert!(interrupt.is_abandoned());
    assert_eq!(checkpoint(), Ok(()));
}

#[test]
fn the_innermost_interrupt_is_obeyed_and_the_outer_one_after_it() {
    let (outer, inner) = (Interrupt::new(), Interrupt::new());
    inner.abandon();
    interruptible(&outer, || {
        assert_eq!(interruptible(&inner, checkpoint), Err(Abandoned));
        assert_eq!(checkpoint(), Ok(()));
        outer.abandon();
        assert_eq!(checkpoint(), Err(Abandoned));
    });
}

#[test]
fn a_panic_leaves_no_order_behind() {
    let interrupt = Interrupt::new();
    interrupt.abandon();
    let outcome = catch_unwind(AssertUnwindSafe(|| interruptible(&interrupt, || panic!("bang"))));
    assert!(outcome.is_err());
    drop(interrupt);
    assert_eq!(checkpoint(), Ok(()));
}

#[test]
fn another_thread_may_abandon() {
    let interrupt = Interrupt::new();
    let turns = interruptible(&interrupt, || {
        let told = interrupt.clone();
        thread::spawn(move || told.abandon()).join().unwrap();
        (0..9).find(|_| checkpoint().is_err())
    });
    assert_eq!(turns, Some(0));
}

/// An interrupt that counts how often its request has parked, and never holds it.
fn counting() -> (Interrupt, Arc<AtomicUsize>) {
    let parked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&parked);
    let interrupt = Interrupt::with_parking(move || {
        counts.fetch_add(1, Ordering::Relaxed);
    });
    (interrupt, parked)
}

#[test]
fn a_request_parks_once_for_each_time_that_it_is_asked() {
    let (interrupt, parked) = counting();
    interruptible(&interrupt, || {
        for asked in 1..4 {
            interrupt.ask_to_park();
            assert_eq!((checkpoint(), checkpoint()), (Ok(()), Ok(())));
            assert_eq!(parked.load(Ordering::Relaxed), asked);
        }
    });
}

#[test]
fn who_need_not_park_any_more_runs_on() {
    let (interrupt, parked) = counting();
    interrupt.ask_to_park();
    interrupt.withdraw();
    assert_eq!(interruptible(&interrupt, checkpoint), Ok(()));
    assert_eq!(parked.load(Ordering::Relaxed), 0);
}

#[test]
fn who_is_abandoned_does_not_park() {
    let (interrupt, parked) = counting();
    interrupt.ask_to_park();
    interrupt.abandon();
    assert_eq!(interruptible(&interrupt, checkpoint), Err(Abandoned));
    assert_eq!(parked.load(Ordering::Relaxed), 0);
}

#[test]
fn who_is_abandoned_while_parked_does_not_go_on() {
    let abandoned = Arc::new(Mutex::new(Interrupt::new()));
    let while_parked = Arc::clone(&abandoned);
    let interrupt = Interrupt::with_parking(move || while_parked.lock().unwrap().abandon());
    *abandoned.lock().unwrap() = interrupt.clone();
    interrupt.ask_to_park();
    assert_eq!(interruptible(&interrupt, checkpoint), Err(Abandoned));
}

#[test]
fn a_request_that_has_no_place_to_park_runs_on() {
    let interrupt = Interrupt::new();
    interrupt.ask_to_park();
    assert_eq!(interruptible(&interrupt, checkpoint), Ok(()));
}
