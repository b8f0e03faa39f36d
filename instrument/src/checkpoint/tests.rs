use std::panic::{AssertUnwindSafe, catch_unwind};
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
