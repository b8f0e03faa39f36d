use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::Connection;
use tempfile::TempDir;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Work};

use super::*;

/// Tells the test binary, run again as a child, which file to write.
const CHILD_FILE: &str = "WEIGHBRIDGE_TEST_STORE";

fn row(route: &str, second: u64) -> StoredObservation {
    StoredObservation {
        id: second,
        route: route.to_owned(),
        at: UNIX_EPOCH + Duration::from_secs(second),
        host: "127.0.0.1:8001".to_owned(),
        status: 200,
        waiting: Duration::from_millis(3),
        response: Duration::from_micros(1_000_007),
        feature_names: Arc::from(["query.b".to_owned(), "body.bytes".to_owned()]),
        features: Features([1.5, 1e18].into_iter().collect()),
        estimated: Some((Work::saturating(0.25), Work::saturating(0.5))),
        cost: RequestCost {
            instructions: Some(1e12),
            cpu_seconds: Some(0.3),
            ..RequestCost::default()
        },
        work: Work::saturating(0.3),
        speed: Speed::ONE,
        build: u64::MAX,
    }
}

fn store() -> (TempDir, PathBuf, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/weighbridge.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    (folder, path, store)
}

fn aside(path: &Path, n: u32) -> PathBuf {
    PathBuf::from(format!("{}.corrupt-{n}", path.display()))
}

#[tokio::test]
async fn observations_come_back_as_they_were_after_a_restart() {
    let (_folder, path, store) = store();
    let rows = [row("blur", 1), StoredObservation { estimated: None, ..row("blur", 2) }];
    store.append(&rows).await.unwrap();
    store.append(&[row("enhance", 3)]).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap(), rows);
    assert_eq!(store.recent("enhance", 10, UNIX_EPOCH).await.unwrap(), [row("enhance", 3)]);
    assert_eq!(store.recent("none", 10, UNIX_EPOCH).await.unwrap(), []);
}

#[tokio::test]
async fn the_newest_are_recent_and_the_oldest_of_them_comes_first() {
    let (_folder, _, store) = store();
    let rows: Vec<_> = [5, 1, 4, 2, 3].into_iter().map(|second| row("blur", second)).collect();
    store.append(&rows).await.unwrap();
    let recent = store.recent("blur", 2, UNIX_EPOCH).await.unwrap();
    assert_eq!(recent, [row("blur", 4), row("blur", 5)]);
    let since = UNIX_EPOCH + Duration::from_secs(5);
    assert_eq!(store.recent("blur", 2, since).await.unwrap(), [row("blur", 5)]);
}

#[tokio::test]
async fn a_row_that_is_written_again_is_there_once() {
    let (_folder, _, store) = store();
    let other = StoredObservation { id: 9, ..row("blur", 1) };
    store.append(&[row("blur", 1), row("blur", 2)]).await.unwrap();
    store.append(&[row("blur", 1), other.clone(), row("blur", 2)]).await.unwrap();
    let recent = store.recent("blur", 10, UNIX_EPOCH).await.unwrap();
    assert_eq!(recent, [row("blur", 1), other, row("blur", 2)]);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_to_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighbridge.sqlite");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("schema-1.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO observations VALUES (
            1, 'blur', 7, 'a', 200, 1, 2, '[[\"body.bytes\",5.0]]', NULL, NULL, 0.1, 1.0,
            NULL, NULL, NULL, NULL, NULL, 3), (
            2, 'blur', 7, 'a', 200, 1, 2, '[[\"body.bytes\",6.0]]', NULL, NULL, 0.1, 1.0,
            NULL, NULL, NULL, NULL, NULL, 3)",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    store.append(&[row("blur", 1)]).await.unwrap();
    let rows = store.recent("blur", 10, UNIX_EPOCH).await.unwrap();
    let bytes: Vec<f64> = rows.iter().map(|row| row.features.0[0]).collect();
    assert_eq!(bytes, [5.0, 6.0, 1.5]);
}

#[tokio::test]
async fn a_route_has_one_model() {
    let (_folder, path, store) = store();
    let model = |second, json: &str| StoredModel {
        at: UNIX_EPOCH + Duration::from_secs(second),
        feature_names: vec!["body.bytes".to_owned()],
        json: json.to_owned(),
    };
    let fence = Fence(1);
    store.save_model("blur", &model(1, "{}"), fence).await.unwrap();
    store.save_model("blur", &model(2, "[1]"), fence).await.unwrap();
    store.save_model("aaa", &model(3, "[2]"), fence).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.model("aaa").await.unwrap(), Some(model(3, "[2]")));
    assert_eq!(store.model("blur").await.unwrap(), Some(model(2, "[1]")));
    assert_eq!(store.model("none").await.unwrap(), None);
}

#[tokio::test]
async fn old_observations_expire_and_others_stay() {
    let (_folder, _, mut store) = store();
    store.rows_kept = 2;
    let rows: Vec<_> = (0..EXPIRE_CHUNK + 10).map(|second| row("blur", second)).collect();
    store.append(&rows).await.unwrap();
    let older_than = UNIX_EPOCH + Duration::from_secs(EXPIRE_CHUNK + 8);
    assert_eq!(store.expire(older_than).await.unwrap(), EXPIRE_CHUNK + 8);
    assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_clock_that_is_wrong_does_not_take_the_newest_rows() {
    let (_folder, path, mut store) = store();
    store.rows_kept = 10;
    for (route, first_id) in [("blur", 0), ("enhance", 1000)] {
        let with_id = |second| StoredObservation { id: first_id + second, ..row(route, second) };
        let rows: Vec<_> = (0..30).map(with_id).collect();
        store.append(&rows).await.unwrap();
    }
    let in_forty_days = Duration::from_hours(40 * 24);
    let late = StoredObservation { at: UNIX_EPOCH + in_forty_days, ..row("blur", 99) };
    store.append(std::slice::from_ref(&late)).await.unwrap();
    let older_than = UNIX_EPOCH + Duration::from_hours(10 * 24);
    assert_eq!(store.expire(older_than).await.unwrap(), 41);
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    let recent = store.recent("blur", 100, UNIX_EPOCH).await.unwrap();
    assert_eq!(recent.len(), 10);
    assert_eq!((&recent[0], &recent[9]), (&row("blur", 21), &late));
    assert_eq!(store.recent("enhance", 100, UNIX_EPOCH).await.unwrap().len(), 10);
}

#[test]
fn an_observation_is_evidence_only_for_the_features_that_it_was_made_with() {
    let row = row("blur", 1);
    let names = row.feature_names.to_vec();
    let observation = row.observation(RouteId(3), &names).unwrap();
    assert_eq!((observation.route, observation.build), (RouteId(3), u64::MAX));
    let swapped: Vec<String> = names.iter().rev().cloned().collect();
    assert_eq!(row.observation(RouteId(3), &swapped), None);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_aside() {
    let (folder, path, store) = store();
    drop(store);
    for n in [1, 2] {
        let garbage = [n; 8192];
        fs::write(&path, garbage).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap(), []);
        store.append(&[row("blur", 1)]).await.unwrap();
        assert_eq!(fs::read(aside(&path, u32::from(n))).unwrap(), garbage);
    }
    drop(folder);
}

#[tokio::test]
async fn a_file_found_corrupt_while_in_use_is_moved_aside() {
    let (_folder, path, store) = store();
    let rows: Vec<_> = (0..500).map(|second| row("blur", second)).collect();
    store.append(&rows).await.unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.recent("blur", 1000, UNIX_EPOCH).await.unwrap(), []);
    store.append(&rows).await.unwrap();
    assert_eq!(store.recent("blur", 1000, UNIX_EPOCH).await.unwrap().len(), 500);
    assert_eq!(fs::read(aside(&path, 1)).unwrap().len(), bytes.len());
}

#[test]
fn a_second_balancer_on_the_same_file_is_refused() {
    let (_folder, path, store) = store();
    let error = SqliteStore::open(&path).unwrap_err();
    let expected = format!(
        "{} is in use by another process: expected a data folder of its own",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[tokio::test]
async fn a_database_that_another_process_has_locked_is_a_clear_error_that_may_pass() {
    let (_folder, path, store) = store();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = store.append(&[row("blur", 1)]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} is locked by another process", path.display()));
    assert!(error.may_pass());
    other.execute_batch("ROLLBACK").unwrap();
    store.append(&[row("blur", 1)]).await.unwrap();
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let (_folder, path, store) = store();
    drop(store);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 2, .. }), "{error}");
    assert!(!aside(&path, 1).exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = SqliteStore::open(&file.join("weighbridge.sqlite")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot use {}", file.display()));
}

/// Does nothing unless it is the child of the next test: then it writes until it is killed.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(path) = env::var_os(CHILD_FILE) else { return };
    let store = SqliteStore::open(Path::new(&path)).unwrap();
    for batch in 0_u64.. {
        let row =
            |n: u64| StoredObservation { id: fastrand::u64(..), ..row("blur", batch * 50 + n) };
        let rows: Vec<_> = (0..50).map(row).collect();
        store.append(&rows).await.unwrap();
        println!("\nwritten {}", batch + 1);
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighbridge.sqlite");
    let mut acknowledged = 0;
    for kill_after in [1, 7, 20] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::sqlite::tests::child_that_writes_until_it_is_killed")
            .env(CHILD_FILE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let written = lines.filter(|line| line.starts_with("written ")).take(kill_after).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(written, kill_after);
        acknowledged += written * 50;

        let store = SqliteStore::open(&path).unwrap();
        let rows = store.recent("blur", usize::MAX, UNIX_EPOCH).await.unwrap().len();
        assert!(acknowledged <= rows, "{rows} rows of {acknowledged}");
        assert_eq!(rows % 50, 0, "a batch is written whole or not at all");
        acknowledged = rows;
        let check = Connection::open(&path).unwrap();
        let verdict: String =
            check.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        assert!(!aside(&path, 1).exists());
    }
}
