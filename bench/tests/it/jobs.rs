//! Jobs, by real balancers and workers.

use crate::program::bench_json;

/// Nothing is lost or done twice while balancers and workers are killed: the command fails else.
#[test]
fn no_job_is_lost_or_done_twice_while_everything_is_killed() {
    let printed = bench_json("jobs kill-loop --jobs 100 --seconds 12 --require");
    let [result] = &printed[..] else { panic!("one line: {printed:?}") };
    for (name, expected) in [("jobs", 100), ("lost", 0), ("duplicate_effects", 0)] {
        assert_eq!(result[name], expected, "{name}: {result}");
    }
    assert_eq!(result["callbacks"], 100, "{result}");
    assert!(result["kills"].as_u64() >= Some(3), "{result}");
    assert!(
        result["extra_executions"].as_u64() <= result["extra_executions_max"].as_u64(),
        "{result}"
    );
}

#[test]
fn jobs_that_are_waited_for_are_answered() {
    let printed = bench_json("jobs rate --jobs 500 --clients 16 --alone 20");
    let [result] = &printed[..] else { panic!("one line: {printed:?}") };
    assert_eq!((&result["jobs"], &result["failed"]), (&500.into(), &0.into()), "{result}");
}
