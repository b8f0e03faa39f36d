use rustix::process::getpriority_process;
use rustix::thread::gettid;

use super::*;

#[test]
#[cfg(target_os = "linux")]
fn a_thread_is_made_nicer_and_that_is_taken_back_where_the_system_lets_us() {
    let before = getpriority_process(None);
    let (niceness, lowered) = (Niceness::probe(), Lowered::default());
    lower(niceness, &lowered, gettid());
    let lowest = if niceness.is_some() { Ok(LOWEST) } else { before };
    assert_eq!(getpriority_process(None), lowest);
    restore(niceness, &lowered, gettid());
    assert_eq!(getpriority_process(None), before);
}
