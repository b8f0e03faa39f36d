//! Jobs, by real balancers and workers.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::emulators::Emulator;
use crate::program::{bench_command, bench_json};
use crate::wire::Wire;

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

/// The same where jobs are kept at AWS, which itself is killed and comes back meanwhile.
#[track_caller]
fn kills_at_aws(options: &str) {
    let folder = tempfile::tempdir().unwrap();
    let roto = Emulator::roto(Some(folder.path()));
    roto.make_bucket("jobs");
    let wire = Wire::before(roto.address());
    let line = format!(
        "jobs kill-loop --jobs 100 --seconds 12 --require --aws jobs --endpoint {} {options}",
        wire.url()
    );
    let loops = std::thread::spawn(move || bench_json(line.trim()));
    let mut running = Some(roto);
    for _ in 0..2 {
        std::thread::park_timeout(Duration::from_secs(5));
        running.take().unwrap().kill();
        let roto = Emulator::roto(Some(folder.path()));
        wire.point_at(roto.address());
        running = Some(roto);
    }
    let printed = loops.join().unwrap();
    let [result] = &printed[..] else { panic!("one line: {printed:?}") };
    for (name, expected) in [("jobs", 100), ("lost", 0), ("duplicate_effects", 0)] {
        assert_eq!(result[name], expected, "{name}: {result}");
    }
    println!("{result}");
    assert!(result["kills"].as_u64() >= Some(3), "{result}");
}

#[test]
fn no_job_at_aws_is_lost_or_done_twice_while_everything_is_killed() {
    kills_at_aws("");
}

#[test]
fn no_job_in_queues_is_lost_or_done_twice_while_everything_is_killed() {
    kills_at_aws("--queues");
}

#[test]
fn jobs_that_are_waited_for_are_answered() {
    let printed = bench_json("jobs rate --jobs 500 --clients 16 --alone 20");
    let [result] = &printed[..] else { panic!("one line: {printed:?}") };
    assert_eq!((&result["jobs"], &result["failed"]), (&500.into(), &0.into()), "{result}");
}

/// Everything that runs is started with a path in the folder for temporary files.
fn n_processes(folder: &Path) -> usize {
    let folder = folder.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").expect("it is there").map_while(Result::ok);
    let lines = processes.filter_map(|one| std::fs::read(one.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&folder)).count()
}

#[test]
fn an_interrupted_measurement_leaves_no_process_and_no_file() {
    const DEADLINE: Duration = Duration::from_mins(1);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = bench_command("jobs kill-loop --jobs 1000 --seconds 600");
    command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = command.spawn().expect("it starts");
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < DEADLINE, "not in time: {what}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    // Three workers of two processes, with what watches over them, and two balancers.
    until("all of it runs", &|| 11 <= n_processes(folder.path()));
    let pid = i32::try_from(bench.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    assert_eq!(bench.wait().expect("it is ours").code(), Some(1));
    until("nothing runs any more", &|| n_processes(folder.path()) == 0);
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 0, "files are left");
}
