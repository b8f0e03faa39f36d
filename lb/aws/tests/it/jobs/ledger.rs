//! The ledger in DynamoDB.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_core::jobs::{Event, JobId};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Bounds, Created, Found, JobLedger, JobWrite, Limit, NewJob};

use super::{ledger, ledger_with};
use crate::emulators::Emulator;
use crate::job_ledger as contract;
use contract::{BOUNDS, limits, new};

async fn fresh() -> (Emulator, contract::Ledger) {
    let roto = Emulator::roto(None);
    let ledger = ledger(&roto.url(), BOUNDS).await;
    (roto, ledger)
}

contract::contract!(fresh);

const WIDE: Bounds =
    Bounds { open_max: 1000, bytes_max: 1 << 30, callbacks_max: 10, forgotten_max: 10 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balancers_share_what_there_is_and_each_is_another_owner() {
    let roto = Emulator::roto(None);
    let [one, other] = [ledger(&roto.url(), WIDE).await, ledger(&roto.url(), WIDE).await];
    let Created::Kept(kept) = one.create(new(1, 1.0, 0)).await.unwrap() else { panic!() };
    assert_eq!(other.get(kept.job.id).await.unwrap(), Found::Kept(Box::new(kept)));
    assert_ne!(one.owner(), other.owner());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_at_once_are_all_kept_and_listed_once() {
    let roto = Emulator::roto(None);
    let ledgers = [ledger(&roto.url(), WIDE).await, ledger(&roto.url(), WIDE).await];
    let creates = (1..=300_u128).map(|id| {
        let ledger = Arc::clone(&ledgers[id as usize % 2]);
        tokio::spawn(async move { ledger.create(new(id, id as f64, 0)).await.unwrap() })
    });
    for create in creates.collect::<Vec<_>>() {
        assert!(matches!(create.await.unwrap(), Created::Kept(_)));
    }
    let totals = ledgers[0].totals().await.unwrap();
    assert_eq!((totals.by_phase.iter().map(|(_, n)| n).sum::<u64>(), totals.bytes), (300, 1200));
    let mut listed = Vec::new();
    let mut filter = weighbridge_proxy::jobs::ledger::Filter { most: 70, ..Default::default() };
    loop {
        let page = ledgers[1].list(&filter).await.unwrap();
        listed.extend(page.jobs.iter().map(|kept| kept.job.id.to_bits()));
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    assert_eq!(listed, (1..=300).collect::<Vec<u128>>());
    // The line is read in pages too.
    let line = ledgers[0].line("main", Time::from_nanos(1), 250).await.unwrap();
    assert_eq!(line.len(), 250);
    assert!(line.iter().all(|one| one.request == new(1, 1.0, 0).request));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_what_was_written_since_the_last_count() {
    let roto = Emulator::roto(None);
    let ledger = ledger_with(&roto.url(), BOUNDS, Duration::from_hours(1)).await;
    let mut created = Vec::new();
    for id in 1..=3 {
        let Created::Kept(kept) = ledger.create(new(id, 1.0, 0)).await.unwrap() else { panic!() };
        created.push(kept);
    }
    assert_eq!(ledger.create(new(4, 1.0, 0)).await.unwrap(), Created::Full(Limit::Jobs));
    let mut kept = created.remove(0);
    for event in [Event::Cancel, Event::Told { generation: 0 }] {
        weighbridge_core::jobs::step(&mut kept.job, event, Time::from_nanos(1), &limits());
    }
    let write = JobWrite { kept, answer: None, event: None };
    let ended = ledger.write(write).await.unwrap().unwrap();
    assert!(matches!(ledger.create(new(5, 1.0, 0)).await.unwrap(), Created::Kept(_)));
    assert_eq!(ledger.create(new(6, 1.0, 0)).await.unwrap(), Created::Full(Limit::Jobs));
    assert!(ledger.forget(&ended).await.unwrap());
    assert_eq!(ledger.create(new(6, 1.0, 0)).await.unwrap(), Created::Full(Limit::Jobs));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_with_one_key_there_is_one_job() {
    use weighbridge_proxy::jobs::ledger::RepeatKey;

    let roto = Emulator::roto(None);
    let ledger = ledger(&roto.url(), WIDE).await;
    let key = Some(RepeatKey { key: [1; 32], payload: [2; 32] });
    let creates = (1..=20).map(|id| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.create(NewJob { key, ..new(id, 1.0, 0) }).await.unwrap() })
    });
    let (mut kept, mut same) = (Vec::new(), Vec::new());
    for create in creates.collect::<Vec<_>>() {
        match create.await.unwrap() {
            Created::Kept(one) => kept.push(one.job.id),
            Created::Same(one) => same.push(one.job.id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((kept.len(), same.len()), (1, 19));
    assert!(same.iter().all(|id| *id == kept[0]));
    assert!(matches!(ledger.get(JobId::from_bits(99)).await.unwrap(), Found::Unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_others_is_said_and_left_alone() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    use weighbridge_proxy::jobs::ledger::LedgerError;

    let roto = Emulator::roto(None);
    let client = crate::dynamodb::client(&roto.url()).await;
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let text = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let made = client
        .create_table()
        .table_name("test-jobs")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(text("pk"))
        .attribute_definitions(text("sk"));
    made.send().await.unwrap();
    let error = ledger(&roto.url(), WIDE).await.prepare().await.unwrap_err();
    assert!(matches!(error, LedgerError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("has no index `line`"), "{error}");
}
