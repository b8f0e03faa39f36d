//! Throttling, outages and lost answers.

use std::sync::Arc;

use bytes::Bytes;

use weighbridge_core::jobs::{Event, OwnerId, State};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Bounds, Created, JobLedger, JobWrite, LedgerError};
use weighbridge_proxy::jobs::objects::{ObjectError, Objects as _};

use super::{ledger, objects};
use crate::emulators::Emulator;
use crate::job_ledger::{limits, new};
use crate::wire::Wire;

const WIDE: Bounds =
    Bounds { open_max: 1000, bytes_max: 1 << 30, callbacks_max: 10, forgotten_max: 10 };

/// Its write is claimed by `owner`.
fn claim(mut kept: weighbridge_proxy::jobs::ledger::Kept, owner: u64) -> JobWrite {
    let event = Event::Claimed { owner: OwnerId(owner) };
    weighbridge_core::jobs::step(&mut kept.job, event, Time::from_nanos(1), &limits());
    JobWrite { kept, answer: None, event: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_of_writes_loses_and_doubles_nothing() {
    let roto = Emulator::roto(None);
    let between = Emulator::microburst(&roto);
    let ledger = ledger(&between.url(), WIDE).await;
    ledger.prepare().await.unwrap();
    between.rules(
        r#"[{"service":"dynamodb","operation":"UpdateItem","probability":0.3,
             "error":{"code":"ProvisionedThroughputExceededException","status":400}},
            {"service":"dynamodb","operation":"TransactWriteItems","probability":0.3,
             "error":{"code":"ThrottlingException","status":400}}]"#,
    );
    let jobs = (1..=20_u128).map(|id| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            // As those do that use it: what is away is tried again.
            let kept = loop {
                match ledger.create(new(id, 1.0, 0)).await {
                    Ok(Created::Kept(kept)) => break kept,
                    Err(LedgerError::Away(_)) => {}
                    other => panic!("{other:?}"),
                }
            };
            loop {
                match ledger.write(claim(kept.clone(), 7)).await {
                    Ok(Some(claimed)) => break claimed.job.fence.0,
                    Err(LedgerError::Away(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    for job in jobs.collect::<Vec<_>>() {
        assert_eq!(job.await.unwrap(), 1);
    }
    assert!(5 < between.fired());
    between.rules("[]");
    let totals = ledger.totals().await.unwrap();
    assert_eq!(totals.by_phase.iter().map(|(_, n)| *n).collect::<Vec<_>>()[2], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_is_known_as_ones_own() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let (through, direct) = (ledger(&wire.url(), WIDE).await, ledger(&roto.url(), WIDE).await);
    let Created::Kept(kept) = through.create(new(1, 1.0, 0)).await.unwrap() else { panic!() };
    let id = kept.job.id;
    wire.lose_answers(1);
    let claimed = through.write(claim(kept, 7)).await.unwrap().expect("it stands");
    assert_eq!(wire.lost(), 1);
    let found = direct.get(id).await.unwrap();
    assert_eq!(found, weighbridge_proxy::jobs::ledger::Found::Kept(Box::new(claimed.clone())));
    assert!(matches!(claimed.job.state, State::Leased(_)));
    // A new job too.
    wire.lose_answers(1);
    assert!(matches!(through.create(new(2, 1.0, 0)).await.unwrap(), Created::Kept(_)));
    assert_eq!(wire.lost(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_and_ends_with_it() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let ledger = ledger(&wire.url(), WIDE).await;
    let store = objects(&wire.url()).await;
    let Created::Kept(kept) = ledger.create(new(1, 1.0, 0)).await.unwrap() else { panic!() };
    let writer = store.create("a.request").await.unwrap();
    wire.cut();
    assert!(matches!(ledger.get(kept.job.id).await, Err(LedgerError::Away(_))));
    assert!(matches!(ledger.create(new(2, 1.0, 0)).await, Err(LedgerError::Away(_))));
    assert!(matches!(store.open("a.request").await, Err(ObjectError::Away(_))));
    assert!(matches!(writer.finish().await, Err(ObjectError::Away(_))));
    wire.mend();
    assert!(ledger.write(claim(kept, 7)).await.unwrap().is_some());
    store.create("a.request").await.unwrap().finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_loses_its_connection_goes_on_where_it_was() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let store = objects(&wire.url()).await;
    let large: Bytes = (0..6_000_000_u32).map(|n| (n % 241) as u8).collect::<Vec<u8>>().into();
    let mut writer = store.create("a.request").await.unwrap();
    writer.write(large.clone()).await.unwrap();
    writer.finish().await.unwrap();
    let mut reader = store.open("a.request").await.unwrap().unwrap();
    let mut read = reader.next().await.unwrap().unwrap().to_vec();
    wire.cut();
    wire.mend();
    while let Some(piece) = reader.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert_eq!(Bytes::from(read), large);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_whose_answer_was_lost_is_known_as_ones_own() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let store = objects(&wire.url()).await;
    let mut writer = store.create("a.request").await.unwrap();
    writer.write(Bytes::from_static(b"whole")).await.unwrap();
    wire.lose_answers(1);
    writer.finish().await.unwrap();
    assert_eq!(wire.lost(), 1);
    let again = store.create("a.request").await.unwrap();
    assert!(matches!(again.finish().await, Err(ObjectError::Exists)));
}
