use super::*;

fn group(id: i32) -> Pid {
    Pid::from_raw(id).unwrap()
}

#[test]
fn cpu_time_is_read_behind_any_name_and_of_the_group_only() {
    let stat = "71 (a) b) S 70 42 42 0 -1 4194560 2000 0 0 0 11 22 33 44 20 0 5 0 8000 1 2 3";
    assert_eq!(ticks_in(stat, group(42)), Some(110));
    assert_eq!(ticks_in(stat, group(70)), None);
    assert_eq!(ticks_in("71 (a) S 70", group(42)), None);
    assert_eq!(ticks_in("", group(42)), None);
}

#[test]
fn what_is_started_on_a_core_stays_there_and_this_thread_goes_back() {
    let before = cores().unwrap();
    let core = before[0];
    let mut command = Command::new("sleep");
    command.arg("60");
    let process = Process::start(command, Some(core)).unwrap();
    let allowed = sched_getaffinity(Some(process.group)).unwrap();
    assert!(allowed.is_set(core) && allowed.count() == 1);
    assert_eq!(cores().unwrap(), before);
}

#[test]
fn the_cpu_time_of_descendants_counts_and_they_end_with_the_process() {
    let mut command = Command::new("sh");
    command.args(["-c", "while :; do :; done & while :; do :; done"]);
    let folder = tempfile::tempdir().unwrap();
    write_to(&mut command, &folder.path().join("log")).unwrap();
    let process = Process::start(command, None).unwrap();
    let id = process.group;
    let deadline = Instant::now() + UP_MAX;
    while process.cpu_seconds() < 0.05 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(0.05 <= process.cpu_seconds());
    let members = || stats().filter(|stat| ticks_in(stat, id).is_some()).count();
    assert_eq!(members(), 2, "the shell and its child");
    drop(process);
    let deadline = Instant::now() + UP_MAX;
    while 0 < members() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(members(), 0);
}

#[test]
fn a_process_that_ends_at_once_is_told_of_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", "echo no such thing >&2; exit 1"]);
    write_to(&mut command, &log).unwrap();
    let mut process = Process::start(command, None).unwrap();
    let address = free_address().unwrap();
    let error = process.wait_up(address, &log).unwrap_err();
    let expected = format!("`sh` did not come up at `{address}`; it said: no such thing");
    assert_eq!(error.to_string(), expected);
}
