use std::hint::black_box;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

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
    let clock = clock.expect("it had one");
    // The system tells of a thread's end before it takes its clock away.
    let deadline = Instant::now() + Duration::from_secs(10);
    while clock.cpu_time().is_some() {
        assert!(Instant::now() < deadline, "it still has time");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_processs_clock_has_its_threads_that_have_ended() {
    const MORE: Duration = Duration::from_millis(5);

    let id = i32::try_from(std::process::id()).expect("an id");
    let clock = ProcessClock::of(id).expect("this process lives");
    let before = clock.cpu_time().expect("it lives");
    thread::spawn(|| burn(of_this_thread, MORE)).join().expect("no panic");
    assert!(before + MORE <= clock.cpu_time().expect("it lives"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_is_not_there_has_no_clock() {
    /// Above the largest id of a process.
    const NONE: i32 = 1 << 22;
    assert_eq!(ProcessClock::of(NONE).and_then(ProcessClock::cpu_time), None);
}
