//! The ledger in SQLite.

use std::future::{Ready, ready};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use weighbridge_core::jobs::{Event, JobId, Limits, OwnerId, step};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Bounds, Created, Found, JobWrite, LedgerError};
use weighbridge_proxy::jobs::sqlite::SqliteLedger;

use crate::job_ledger as contract;
use contract::{BOUNDS, Ledger, new};

fn open(folder: &Path, bounds: Bounds) -> Ledger {
    Arc::new(SqliteLedger::open(folder, bounds).unwrap())
}

fn fresh() -> Ready<(tempfile::TempDir, Ledger)> {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path(), BOUNDS);
    ready((folder, ledger))
}

contract::contract!(fresh);

#[tokio::test]
async fn a_ledger_that_is_opened_again_has_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path(), BOUNDS);
    let Created::Kept(kept) = ledger.create(new(1, 1.0, 0)).await.unwrap() else { panic!() };
    drop(ledger);
    let ledger = open(folder.path(), BOUNDS);
    assert_eq!(ledger.get(kept.job.id).await.unwrap(), Found::Kept(Box::new(kept)));
}

#[tokio::test]
async fn two_that_share_a_file_see_what_the_other_writes_and_whether_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| open(folder.path(), BOUNDS));
    let Created::Kept(mut kept) = one.create(new(1, 1.0, 0)).await.unwrap() else { panic!() };
    let Found::Kept(seen) = other.get(kept.job.id).await.unwrap() else { panic!() };
    assert_eq!(*seen, kept);
    let owner = other.owner();
    let limits = Limits {
        receive_max: std::time::Duration::MAX,
        wait_max: std::time::Duration::MAX,
        run_max: std::time::Duration::MAX,
        attempts_max: 1,
        host_deaths_max: 1,
        alone_after: 0,
        backoff_min: std::time::Duration::ZERO,
        backoff_max: std::time::Duration::ZERO,
        lease_min: std::time::Duration::from_secs(1000),
        lease_max: std::time::Duration::from_secs(1000),
        retention: std::time::Duration::MAX,
    };
    step(&mut kept.job, Event::Claimed { owner }, Time::from_nanos(1), &limits);
    kept.tick_at = Time::from_nanos(u64::MAX / 4);
    let write = JobWrite { kept, answer: None, event: None };
    other.write(write).await.unwrap().unwrap();
    assert_eq!(one.due(Time::from_nanos(2), 10).await.unwrap(), []);
    drop(other);
    let due = one.due(Time::from_nanos(2), 10).await.unwrap();
    assert!(due.len() == 1 && due[0].owner_is_gone, "{due:?}");
    assert_ne!(one.owner(), OwnerId(0));
}

#[tokio::test]
async fn what_is_damaged_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.sqlite");
    std::fs::write(&path, b"this is no database, whatever it is called".repeat(100)).unwrap();
    let error = SqliteLedger::open(folder.path(), BOUNDS).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged(_)), "{error}");
    assert!(std::fs::read(&path).unwrap().starts_with(b"this is no database"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_at_once_share_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds { open_max: 1 << 20, bytes_max: 1 << 30, ..BOUNDS };
    let ledger = open(folder.path(), bounds);
    let begun = Instant::now();
    let creates = (1..=2000).map(|id| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.create(new(id, 1.0, 0)).await.unwrap() })
    });
    for create in creates.collect::<Vec<_>>() {
        assert!(matches!(create.await.unwrap(), Created::Kept(_)));
    }
    println!("2,000 jobs were created in {:?}", begun.elapsed());
    let totals = ledger.totals().await.unwrap();
    assert_eq!(totals.by_phase.iter().map(|(_, n)| n).sum::<u64>(), 2000);
    // One that fails takes no other with it.
    assert!(ledger.create(new(7, 1.0, 0)).await.is_err(), "there is such a job");
    assert!(matches!(ledger.get(JobId::from_bits(7)).await.unwrap(), Found::Kept(_)));
}
