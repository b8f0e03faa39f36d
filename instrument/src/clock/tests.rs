use std::hint::black_box;
use std::sync::mpsc::channel;
use std::thread;

use super::*;

/// Uses CPU time until `clock` shows `more` than before.
fn burn(clock: impl Fn() -> Option<Duration>, more: Duration) {
    let before = clock().expect("the thread lives");
    while clock().expect("the thread lives") < before + more {
        black_box((0..1000_u64).fold(0, |sum, n| sum ^ black_box(n)));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_threads_clock_is_read_by_another_thread_and_stands_while_the_thread_waits() {
    const MORE: Duration = Duration::from_millis(5);

    let ((tell, told), (stop, stopped)) = (channel(), channel::<()>());
    let other = thread::spawn(move || {
        burn(of_this_thread, MORE);
        tell.send(ThreadClock::of_this_thread().expect("it has one")).expect("the test waits");
        let _ = stopped.recv();
    });
    let clock = told.recv().expect("it tells");
    let before = clock.cpu_time().expect("it lives");
    assert!(MORE <= before, "{before:?}");
    burn(of_this_thread, 20 * MORE);
    let after = clock.cpu_time().expect("it lives");
    assert!(after < before + 10 * MORE, "{before:?} {after:?}");
    drop(stop);
    other.join().expect("no panic");
}

#[test]
#[cfg(target_os = "linux")]
fn a_thread_that_has_ended_has_no_time() {
    let clock = thread::spawn(ThreadClock::of_this_thread).join().expect("no panic");
    assert_eq!(clock.expect("it had one").cpu_time(), None);
}
