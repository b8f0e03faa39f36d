use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};

use super::*;

/// Tells the test binary, run again as a child, which folder to write.
const CHILD_FOLDER: &str = "WEIGHBRIDGE_TEST_SPOOL";

/// More than any of these tests writes, but for those that say so.
const ROOM: u64 = 1 << 30;

fn row(id: u64) -> StoredObservation {
    StoredObservation {
        id,
        route: "blur".to_owned(),
        at: UNIX_EPOCH + Duration::from_micros(1_795_000_000_000_000 + id),
        host: "127.0.0.1:8001".to_owned(),
        status: 200,
        waiting: Duration::from_millis(3),
        response: Duration::from_micros(1_000_007),
        feature_names: Arc::from([format!("query.{}", id % 2), "body.bytes".to_owned()]),
        features: Features([1.5, 1e18].into_iter().collect()),
        estimated: id.is_multiple_of(3).then_some((Work::saturating(0.25), Work::saturating(0.5))),
        cost: RequestCost { instructions: Some(1e12), ..RequestCost::default() },
        work: Work::saturating(0.3),
        speed: Speed::ONE,
        build: u64::MAX,
    }
}

fn rows(ids: std::ops::Range<u64>) -> Vec<StoredObservation> {
    ids.map(row).collect()
}

fn spool(bytes_max: u64) -> (TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("spool"), bytes_max).unwrap();
    (folder, spool)
}

/// Everything, file by file, which leaves the spool empty.
fn drain(spool: &Spool) -> (Vec<StoredObservation>, u64) {
    let (mut rows, mut lost) = (Vec::new(), 0);
    while let Some(oldest) = spool.oldest().unwrap() {
        rows.extend(oldest.batches.iter().flatten().cloned());
        lost += oldest.lost;
        spool.remove(&oldest).unwrap();
    }
    assert_eq!(spool.waiting(), Waiting::default());
    (rows, lost)
}

/// The files, oldest first.
fn files(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("spool")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn rows_come_out_as_they_went_in_and_in_that_order() {
    let (_folder, spool) = spool(ROOM);
    assert_eq!(spool.oldest().unwrap(), None);
    assert_eq!(spool.push(&rows(0..5)).unwrap(), 0);
    assert_eq!(spool.push(&rows(5..6)).unwrap(), 0);
    assert_eq!(spool.waiting().rows, 6);
    assert_eq!(drain(&spool), (rows(0..6), 0));
}

#[test]
fn what_is_added_while_the_oldest_file_is_read_goes_to_another() {
    let (folder, spool) = spool(ROOM);
    spool.push(&rows(0..2)).unwrap();
    let oldest = spool.oldest().unwrap().unwrap();
    spool.push(&rows(2..3)).unwrap();
    assert_eq!(files(&folder).len(), 2);
    assert_eq!(oldest.batches, [rows(0..2)]);
    spool.remove(&oldest).unwrap();
    assert_eq!(drain(&spool), (rows(2..3), 0));
}

#[test]
fn a_restart_finds_what_was_left() {
    let (folder, spool) = spool(ROOM);
    spool.push(&rows(0..4)).unwrap();
    let waiting = spool.waiting();
    drop(spool);
    let spool = Spool::open(&folder.path().join("spool"), ROOM).unwrap();
    assert_eq!(spool.waiting(), waiting);
    spool.push(&rows(4..5)).unwrap();
    assert_eq!(drain(&spool), (rows(0..5), 0));
}

#[test]
fn a_torn_tail_costs_its_own_record_and_no_other_and_is_counted() {
    let (folder, spool) = spool(ROOM);
    spool.push(&rows(0..4)).unwrap();
    let whole = spool.waiting().bytes;
    spool.push(&rows(4..8)).unwrap();
    let all = spool.waiting().bytes;
    drop(spool);
    let file = files(&folder).pop().unwrap();
    let torn = [(all - 1, 4), (whole + 17, 4), (whole + 16, 4), (whole + 3, 1), (whole, 0)];
    for (length, lost) in torn {
        File::options().write(true).open(&file).unwrap().set_len(length).unwrap();
        let spool = Spool::open(&folder.path().join("spool"), ROOM).unwrap();
        assert_eq!(spool.waiting(), Waiting { rows: 4, bytes: length });
        let oldest = spool.oldest().unwrap().unwrap();
        assert_eq!((oldest.batches, oldest.lost), (vec![rows(0..4)], lost), "{length} bytes");
    }
}

#[test]
fn a_damaged_record_is_left_out_and_counted() {
    let (folder, spool) = spool(ROOM);
    spool.push(&rows(0..4)).unwrap();
    spool.push(&rows(4..7)).unwrap();
    drop(spool);
    let file = files(&folder).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let spool = Spool::open(&folder.path().join("spool"), ROOM).unwrap();
    assert_eq!(drain(&spool), (rows(4..7), 4));
}

#[test]
fn a_full_spool_drops_its_oldest_rows_and_says_how_many() {
    let (folder, spool) = spool(64 << 10);
    let mut dropped = 0;
    for n in 0..200 {
        dropped += spool.push(&rows(n * 10..n * 10 + 10)).unwrap();
        assert!(spool.waiting().bytes <= 64 << 10, "{:?}", spool.waiting());
    }
    let on_disk: u64 = files(&folder).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(on_disk, spool.waiting().bytes);
    assert!(0 < dropped && 32 << 10 < on_disk, "{dropped} dropped, {on_disk} bytes left");
    assert_eq!(drain(&spool), (rows(dropped..2000), 0));
}

#[test]
fn one_that_was_dropped_while_it_was_read_is_not_missed() {
    let (_folder, spool) = spool(64 << 10);
    spool.push(&rows(0..10)).unwrap();
    let oldest = spool.oldest().unwrap().unwrap();
    let mut dropped = 0;
    let mut next = 10;
    while dropped == 0 {
        dropped += spool.push(&rows(next..next + 10)).unwrap();
        next += 10;
    }
    let waiting = spool.waiting();
    spool.remove(&oldest).unwrap();
    assert_eq!(spool.waiting(), waiting);
}

#[test]
fn a_second_process_is_refused() {
    let (folder, spool) = spool(ROOM);
    let error = Spool::open(&folder.path().join("spool"), ROOM).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    drop(spool);
    Spool::open(&folder.path().join("spool"), ROOM).unwrap();
}

/// Does nothing unless it is the child of the next test: then it writes until it is killed.
#[test]
fn child_that_spools_until_it_is_killed() {
    let Some(folder) = env::var_os(CHILD_FOLDER) else { return };
    let spool = Spool::open(Path::new(&folder), ROOM).unwrap();
    let first = spool.waiting().rows;
    for batch in 0.. {
        spool.push(&rows(first + batch * 50..first + batch * 50 + 50)).unwrap();
        println!("\nspooled {}", batch + 1);
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut acknowledged = 0;
    for kill_after in [1, 7, 20] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::spool::tests::child_that_spools_until_it_is_killed")
            .env(CHILD_FOLDER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let added = lines.filter(|line| line.starts_with("spooled ")).take(kill_after).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(added, kill_after);
        acknowledged += added as u64 * 50;
        let spool = Spool::open(&path, ROOM).unwrap();
        assert!(acknowledged <= spool.waiting().rows, "{acknowledged} of {:?}", spool.waiting());
        acknowledged = spool.waiting().rows;
    }
    let spool = Spool::open(&path, ROOM).unwrap();
    assert_eq!(drain(&spool), (rows(0..acknowledged), 0));
}

#[test]
fn what_an_heir_leaves_is_taken_up_by_whoever_has_the_folder() {
    let (folder, first) = spool(ROOM);
    let heir = Spool::inherit(&folder.path().join("spool"), ROOM).unwrap();
    assert!(matches!(heir.push(&rows(0..3)), Err(StoreError::Locked(_))));
    heir.leave(&rows(0..3)).unwrap();
    assert_eq!(heir.oldest().unwrap(), None, "it is not the heir's");
    first.push(&rows(3..5)).unwrap();
    assert_eq!(drain(&first), ([rows(3..5), rows(0..3)].concat(), 0));
    assert!(files(&folder).is_empty());
    // Or after a restart.
    heir.leave(&rows(5..6)).unwrap();
    drop(first);
    assert_eq!(drain(&heir), (rows(5..6), 0));
}
