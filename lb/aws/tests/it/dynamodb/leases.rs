//! Leases: one holder at a time, a larger fence for each.

use std::time::Duration;

use tokio::time::Instant;
use weighbridge_proxy::lease::{Fence, Leases};

use super::{nowhere, store, store_with};
use crate::emulators::Emulator;

const TERM: Duration = Duration::from_millis(1500);
const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn one_holds_a_lease_and_renews_it_with_the_same_fence() {
    let roto = Emulator::roto(None);
    let (one, other) = (store(&roto.url()).await.leases(), store(&roto.url()).await.leases());
    assert_eq!(one.take("train", "one", LONG).await.unwrap(), Some(Fence(1)));
    for _ in 0..3 {
        assert_eq!(other.take("train", "other", LONG).await.unwrap(), None);
        assert_eq!(one.take("train", "one", LONG).await.unwrap(), Some(Fence(1)));
    }
    assert_eq!(other.take("scale", "other", LONG).await.unwrap(), Some(Fence(1)), "another lease");
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_taken_at_once_with_a_larger_fence() {
    let roto = Emulator::roto(None);
    let (one, other) = (store(&roto.url()).await.leases(), store(&roto.url()).await.leases());
    one.give_back("train", "one").await.unwrap();
    assert_eq!(one.take("train", "one", LONG).await.unwrap(), Some(Fence(1)));
    other.give_back("train", "other").await.unwrap();
    assert_eq!(other.take("train", "other", LONG).await.unwrap(), None, "it is not the other's");
    one.give_back("train", "one").await.unwrap();
    assert_eq!(other.take("train", "other", LONG).await.unwrap(), Some(Fence(2)));
    assert_eq!(one.take("train", "one", LONG).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_that_has_run_out_is_taken_by_another() {
    let roto = Emulator::roto(None);
    let (one, other) = (store(&roto.url()).await.leases(), store(&roto.url()).await.leases());
    assert_eq!(one.take("train", "one", TERM).await.unwrap(), Some(Fence(1)));
    let watching = Instant::now();
    let fence = loop {
        // The term is the holder's, whatever another would have.
        if let Some(fence) = other.take("train", "other", LONG).await.unwrap() {
            break fence;
        }
        assert!(watching.elapsed() < Duration::from_secs(30), "not in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(TERM <= watching.elapsed(), "taken after {:?}", watching.elapsed());
    assert_eq!(fence, Fence(2));
    assert_eq!(one.take("train", "one", TERM).await.unwrap(), None, "the late one is told");
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_run_out() {
    let roto = Emulator::roto(None);
    let (one, other) = (store(&roto.url()).await.leases(), store(&roto.url()).await.leases());
    let begun = Instant::now();
    while begun.elapsed() < 3 * TERM {
        assert_eq!(one.take("train", "one", TERM).await.unwrap(), Some(Fence(1)));
        assert_eq!(other.take("train", "other", TERM).await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_many_that_want_a_lease_at_once_one_gets_it() {
    let roto = Emulator::roto(None);
    let mut leases = Vec::new();
    for _ in 0..8 {
        leases.push(store(&roto.url()).await.leases());
    }
    let names: Vec<String> = (0..8).map(|n| format!("balancer {n}")).collect();
    for round in 1..=5 {
        let takes =
            leases.iter().zip(&names).map(|(leases, name)| leases.take("scale", name, LONG));
        let taken: Vec<Option<Fence>> = futures_util::future::try_join_all(takes).await.unwrap();
        let winners: Vec<usize> = (0..8).filter(|&n| taken[n].is_some()).collect();
        let [winner] = winners[..] else { panic!("{taken:?}") };
        assert_eq!(taken[winner], Some(Fence(round)));
        leases[winner].give_back("scale", &names[winner]).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_knows_who_has_a_lease_while_dynamodb_is_away() {
    let url = format!("http://{}", nowhere());
    let store = store_with(&url, "[store.dynamodb]\ntimeout = \"1s\"").await;
    store.leases().take("train", "one", TERM).await.expect_err("it is away");
}
