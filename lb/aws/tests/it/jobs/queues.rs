//! The line in SQS.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;

use weighbridge_aws::sqs::{QueuedJobs, Settings};
use weighbridge_core::jobs::{Event, OwnerId, step};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Bounds, Created, InLine, JobLedger, JobWrite};

use super::ledger;
use crate::emulators::Emulator;
use crate::job_ledger as contract;
use crate::wire::Wire;
use crate::{aws, sdk_config};
use contract::{BOUNDS, limits, new};

const WIDE: Bounds =
    Bounds { open_max: 1000, bytes_max: 1 << 30, callbacks_max: 10, forgotten_max: 10 };

/// Jobs at `table`, in line at queues at `url`.
async fn queued((table, url): (&str, &str), bounds: Bounds, window: usize) -> Arc<QueuedJobs> {
    let settings = Settings {
        queue: "line".to_owned(),
        main: "main".to_owned(),
        timeout: Duration::from_secs(20),
        window,
        // As the contract has it.
        age_floor: Duration::from_secs(10),
        age_factor: 10.0,
    };
    let table = ledger(table, bounds).await;
    Arc::new(QueuedJobs::new(&aws(url).await, (*table).clone(), settings))
}

async fn fresh() -> (Emulator, contract::Ledger) {
    let roto = Emulator::roto(None);
    let ledger = queued((&roto.url(), &roto.url()), BOUNDS, 8).await;
    (roto, ledger)
}

contract::contract!(fresh);

fn at(secs: u64) -> Time {
    Time::from_nanos(secs * 1_000_000_000)
}

async fn create(ledger: &QueuedJobs, id: u128, work: f64) {
    let created = ledger.create(new(id, work, 0)).await.unwrap();
    assert!(matches!(created, Created::Kept(_)), "{created:?}");
}

fn ids(line: &[InLine]) -> Vec<u128> {
    line.iter().map(|one| one.kept.job.id.to_bits()).collect()
}

/// Claims the first in line at `now`; its id.
async fn claim(ledger: &QueuedJobs, now: Time) -> Option<u128> {
    let InLine { mut kept, .. } = ledger.line("main", now, 1).await.unwrap().pop()?;
    let id = kept.job.id.to_bits();
    step(&mut kept.job, Event::Claimed { owner: OwnerId(7) }, now, &limits());
    let write = JobWrite { kept, answer: None, event: None };
    ledger.write(write).await.unwrap().map(|_| id)
}

/// Messages in all queues: those that anybody may have, and those that somebody has.
async fn messages(url: &str) -> (u64, u64) {
    let client = aws_sdk_sqs::Client::new(&sdk_config(url).await);
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let mut sums = [0; 2];
    for end in ["s", "m", "l", "dead"] {
        let found = client.get_queue_url().queue_name(format!("line-{end}")).send().await.unwrap();
        let get = client.get_queue_attributes().set_queue_url(found.queue_url);
        let got = get.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = got.attributes.unwrap();
        for (sum, name) in sums.iter_mut().zip(&names) {
            *sum += attributes[name].parse::<u64>().unwrap();
        }
    }
    (sums[0], sums[1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_a_few_jobs_and_others_get_the_rest() {
    let roto = Emulator::roto(None);
    let places = (&*roto.url(), &*roto.url());
    let [one, other] = [queued(places, WIDE, 4).await, queued(places, WIDE, 4).await];
    for id in 1..=20 {
        create(&one, id, 1.0).await;
    }
    let [first, second] =
        [one.line("main", at(1), 50).await.unwrap(), other.line("main", at(1), 50).await.unwrap()];
    // Four, and one more of each class.
    assert_eq!((first.len(), second.len()), (7, 7));
    assert!(ids(&first).iter().all(|id| !ids(&second).contains(id)), "each has its own");
    assert_eq!(messages(&roto.url()).await, (6, 14));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_balancers_start_every_job_once_and_the_queues_are_empty_then() {
    let roto = Emulator::roto(None);
    let places = (&*roto.url(), &*roto.url());
    let balancers = [queued(places, WIDE, 4).await, queued(places, WIDE, 4).await];
    for id in 1..=60 {
        create(&balancers[id as usize % 2], id, id as f64).await;
    }
    let mut started = Vec::new();
    let mut misses = 0;
    while misses < 10 {
        for balancer in &balancers {
            match claim(balancer, at(1)).await {
                Some(id) => {
                    misses = 0;
                    started.push(id);
                }
                None => misses += 1,
            }
        }
    }
    started.sort_unstable();
    assert_eq!(started, (1..=60).collect::<Vec<u128>>());
    for balancer in &balancers {
        assert_eq!(balancer.line("main", at(1), 10).await.unwrap(), []);
    }
    assert_eq!(messages(&roto.url()).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_room_goes_back_to_others() {
    let roto = Emulator::roto(None);
    let places = (&*roto.url(), &*roto.url());
    let [one, other] = [queued(places, WIDE, 4).await, queued(places, WIDE, 4).await];
    for id in 1..=6 {
        create(&one, id, 1.0).await;
    }
    assert_eq!(one.line("main", at(1), 10).await.unwrap().len(), 6);
    assert_eq!(other.line("main", at(1), 10).await.unwrap().len(), 0);
    // Nothing starts there for some looks.
    let mut looks = 0;
    while 1 < one.line("main", at(1), 10).await.unwrap().len() {
        looks += 1;
        assert!(looks < 20);
    }
    assert_eq!(other.line("main", at(1), 10).await.unwrap().len(), 5);
    // When something starts, it takes further ones.
    assert!(claim(&one, at(1)).await.is_some());
    create(&one, 7, 1.0).await;
    assert_eq!(ids(&one.line("main", at(1), 10).await.unwrap()), [7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_message_is_lost_goes_when_it_is_overdue() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let ledger = queued((&roto.url(), &wire.url()), WIDE, 4).await;
    create(&ledger, 1, 1.0).await;
    wire.cut();
    create(&ledger, 2, 2.0).await;
    // While SQS is away, all of the line is read from the table.
    assert_eq!(ids(&ledger.line("main", at(1), 10).await.unwrap()), [1, 2]);
    wire.mend();
    assert_eq!(ids(&ledger.line("main", at(1), 10).await.unwrap()), [1]);
    assert_eq!(claim(&ledger, at(1)).await, Some(1));
    assert_eq!(claim(&ledger, at(29)).await, None);
    // 10 s and ten times its work.
    assert_eq!(claim(&ledger, at(30)).await, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_twice_or_names_no_job_changes_nothing() {
    let roto = Emulator::roto(None);
    let ledger = queued((&roto.url(), &roto.url()), WIDE, 4).await;
    create(&ledger, 1, 1.0).await;
    let client = aws_sdk_sqs::Client::new(&sdk_config(&roto.url()).await);
    let url = client.get_queue_url().queue_name("line-s").send().await.unwrap().queue_url.unwrap();
    for body in [format!("{:032x}", 1), format!("{:032x}", 99), "no id".to_owned()] {
        client.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }
    assert_eq!(ids(&ledger.line("main", at(1), 10).await.unwrap()), [1]);
    assert_eq!(claim(&ledger, at(1)).await, Some(1));
    assert_eq!(ledger.line("main", at(1), 10).await.unwrap(), []);
    // The first of the two messages is hidden still, and goes when it comes again.
    assert_eq!(messages(&roto.url()).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_balancer_that_died_held_others_get_later() {
    let roto = Emulator::roto(None);
    let places = (&*roto.url(), &*roto.url());
    let one = queued(places, WIDE, 4).await;
    create(&one, 1, 1.0).await;
    assert_eq!(one.line("main", at(1), 10).await.unwrap().len(), 1);
    drop(one);
    let other = queued(places, WIDE, 4).await;
    assert_eq!(other.line("main", at(1), 10).await.unwrap(), []);
    // Its message is hidden for a while. Before that the job may be overdue.
    assert_eq!(ids(&other.line("main", at(20), 10).await.unwrap()), [1]);
}
