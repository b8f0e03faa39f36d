use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::Notify;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};

use super::*;
use crate::config::StoreKind;
use crate::store::{StoreError, StoredModel};

/// A store in memory that refuses as often as it is told.
#[derive(Default)]
struct Fake {
    state: Mutex<State>,
    appended: Notify,
    expired: Notify,
}

#[derive(Default)]
struct State {
    batches: Vec<usize>,
    refusals: u32,
    for_good: bool,
    expired: Vec<SystemTime>,
}

#[async_trait]
impl ObservationStore for Fake {
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        if let Some(left) = state.refusals.checked_sub(1) {
            state.refusals = left;
            let path = PathBuf::from("fake");
            return Err(if state.for_good {
                StoreError::Stopped
            } else {
                StoreError::Locked(path)
            });
        }
        state.batches.push(rows.len());
        self.appended.notify_one();
        Ok(())
    }

    async fn recent(&self, _: &str, _: usize) -> Result<Vec<StoredObservation>, StoreError> {
        Ok(Vec::new())
    }

    async fn save_model(&self, _: &str, _: &StoredModel) -> Result<(), StoreError> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<(String, StoredModel)>, StoreError> {
        Ok(Vec::new())
    }

    async fn expire(&self, older_than: SystemTime) -> Result<u64, StoreError> {
        self.state.lock().unwrap().expired.push(older_than);
        self.expired.notify_one();
        Ok(4)
    }
}

fn row() -> StoredObservation {
    StoredObservation {
        route: "blur".to_owned(),
        at: SystemTime::UNIX_EPOCH,
        host: "a".to_owned(),
        status: 200,
        waiting: Duration::ZERO,
        response: Duration::ZERO,
        feature_names: Arc::from([]),
        features: Features::default(),
        estimated: None,
        cost: RequestCost::default(),
        work: Work::ZERO,
        speed: Speed::ONE,
        build: 0,
    }
}

fn start(batch_max: usize, queue_max: usize, refusals: u32) -> (Arc<Fake>, Recorder) {
    let store = Arc::new(Fake::default());
    store.state.lock().unwrap().refusals = refusals;
    let config = StoreConfig {
        kind: StoreKind::Off,
        data_dir: PathBuf::new(),
        ttl: Duration::from_hours(24),
        batch_max,
        batch_age: Duration::from_millis(500),
        queue_max,
    };
    let shared = Arc::<Fake>::clone(&store);
    let recorder = Recorder::start(shared, &config, &Registry::new()).unwrap();
    (store, recorder)
}

fn batches(store: &Fake) -> Vec<usize> {
    store.state.lock().unwrap().batches.clone()
}

/// Rows written, dropped and waiting, and errors.
fn counts(recorder: &Recorder) -> (u64, u64, i64, u64) {
    let Metrics { written, dropped, waiting, errors, expired: _ } = &recorder.metrics;
    (written.get(), dropped.get(), waiting.get(), errors.get())
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_written_in_batches_before_the_close() {
    let (store, recorder) = start(3, 100, 0);
    (0..7).for_each(|_| recorder.record(row()));
    recorder.close().await;
    assert_eq!(batches(&store), [3, 3, 1]);
    assert_eq!(counts(&recorder), (7, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_is_written_at_once_and_another_when_it_is_old() {
    let (store, recorder) = start(2, 100, 0);
    let begin = Instant::now();
    (0..3).for_each(|_| recorder.record(row()));
    store.appended.notified().await;
    assert_eq!((batches(&store), begin.elapsed()), (vec![2], Duration::ZERO));
    store.appended.notified().await;
    assert_eq!((batches(&store), begin.elapsed()), (vec![2, 1], Duration::from_millis(500)));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts() {
    let (store, recorder) = start(2, 2, 0);
    (0..5).for_each(|_| recorder.record(row()));
    assert_eq!(counts(&recorder), (0, 3, 2, 0));
    recorder.close().await;
    assert_eq!(batches(&store), [2]);
    assert_eq!(counts(&recorder), (2, 3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_tried_again_until_it_is_taken() {
    let (store, recorder) = start(1, 100, 12);
    recorder.record(row());
    store.appended.notified().await;
    assert_eq!(batches(&store), [1]);
    recorder.close().await;
    assert_eq!(counts(&recorder), (1, 0, 0, 12));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_written_is_dropped_at_once() {
    let (store, recorder) = start(1, 100, 1);
    store.state.lock().unwrap().for_good = true;
    (0..2).for_each(|_| recorder.record(row()));
    recorder.close().await;
    assert_eq!(batches(&store), [1]);
    assert_eq!(counts(&recorder), (1, 1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_close_does_not_wait_for_a_store_that_is_gone() {
    let (store, recorder) = start(2, 100, u32::MAX);
    (0..3).for_each(|_| recorder.record(row()));
    recorder.close().await;
    assert!(batches(&store).is_empty());
    assert_eq!(counts(&recorder), (0, 3, 0, 6));
}

#[tokio::test(start_paused = true)]
async fn a_closed_recorder_drops_and_counts() {
    let (_, recorder) = start(2, 100, 0);
    recorder.close().await;
    recorder.record(row());
    recorder.close().await;
    assert_eq!(counts(&recorder), (0, 1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn old_rows_are_deleted_at_the_start_and_every_hour() {
    let (store, recorder) = start(2, 100, 0);
    let begin = Instant::now();
    store.expired.notified().await;
    store.expired.notified().await;
    assert_eq!(begin.elapsed(), EXPIRE_INTERVAL);
    recorder.close().await;
    let expired = store.state.lock().unwrap().expired.clone();
    let age = SystemTime::now().duration_since(expired[0]).unwrap();
    assert!(Duration::from_hours(24) <= age && age < Duration::from_hours(25));
    assert_eq!(recorder.metrics.expired.get(), 8);
}

#[test]
fn the_wait_after_errors_doubles_up_to_its_limit() {
    let waits = [1, 2, 3, 9, 10, u32::MAX].map(|tries| backoff(tries, 1.0).as_millis());
    assert_eq!(waits, [100, 200, 400, 25_600, 30_000, 30_000]);
    assert_eq!(backoff(1, 0.0), Duration::from_millis(50));
}
