use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};
use weighbridge_scene_extract::extractors;

use super::*;
use crate::config::Config;
use crate::lease::Fence;
use crate::store::{StoreError, StoredModel};

/// A store in memory that refuses as often as it is told.
#[derive(Default)]
struct Fake {
    state: Mutex<State>,
    appended: Notify,
    expired: Notify,
    /// How long it takes to write a batch.
    delay: Duration,
}

#[derive(Default)]
struct State {
    batches: Vec<usize>,
    ids: Vec<u64>,
    refusals: u32,
    for_good: bool,
    expired: Vec<SystemTime>,
}

#[async_trait]
impl ObservationStore for Fake {
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError> {
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let mut state = self.state.lock();
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
        state.ids.extend(rows.iter().map(|row| row.id));
        self.appended.notify_one();
        Ok(())
    }

    async fn recent(
        &self,
        _: &str,
        _: usize,
        _: SystemTime,
    ) -> Result<Vec<StoredObservation>, StoreError> {
        Ok(Vec::new())
    }

    async fn save_model(&self, _: &str, _: &StoredModel, _: Fence) -> Result<(), StoreError> {
        Ok(())
    }

    async fn model(&self, _: &str) -> Result<Option<StoredModel>, StoreError> {
        Ok(None)
    }

    async fn expire(&self, older_than: SystemTime) -> Result<u64, StoreError> {
        self.state.lock().expired.push(older_than);
        self.expired.notify_one();
        Ok(4)
    }
}

fn row() -> StoredObservation {
    StoredObservation {
        id: 0,
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
    start_with(None, batch_max, queue_max, refusals)
}

fn start_with(
    spool: Option<Spool>,
    batch_max: usize,
    queue_max: usize,
    refusals: u32,
) -> (Arc<Fake>, Recorder) {
    let store = Fake::default();
    store.state.lock().refusals = refusals;
    start_on(store, spool, batch_max, queue_max)
}

fn start_on(
    store: Fake,
    spool: Option<Spool>,
    batch_max: usize,
    queue_max: usize,
) -> (Arc<Fake>, Recorder) {
    let store = Arc::new(store);
    let config = Config::parse("", &extractors()).unwrap().store;
    let config = StoreConfig { ttl: Duration::from_hours(24), batch_max, queue_max, ..config };
    let shared = Arc::<Fake>::clone(&store);
    let recorder = Recorder::start(shared, spool, &config, &Registry::new()).unwrap();
    (store, recorder)
}

fn batches(store: &Fake) -> Vec<usize> {
    store.state.lock().batches.clone()
}

/// Rows written, dropped and waiting, and errors.
fn counts(recorder: &Recorder) -> (u64, u64, i64, u64) {
    let StoreMetrics { written, dropped, waiting, errors, .. } = &recorder.metrics;
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
    store.state.lock().for_good = true;
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
    let expired = store.state.lock().expired.clone();
    let age = SystemTime::now().duration_since(expired[0]).unwrap();
    assert!(Duration::from_hours(24) <= age && age < Duration::from_hours(25));
    assert_eq!(recorder.metrics.expired.get(), 8);
}

/// A row of its own.
fn numbered(id: u64) -> StoredObservation {
    StoredObservation { id, ..row() }
}

fn spool(folder: &tempfile::TempDir, bytes_max: u64) -> Spool {
    Spool::open(&folder.path().join("spool"), bytes_max).unwrap()
}

/// Waits until it is so, in real time, as the disk does.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let look = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), look).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn ids(store: &Fake) -> Vec<u64> {
    let mut ids = store.state.lock().ids.clone();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn an_outage_is_spooled_and_written_later_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = start_with(Some(spool(&folder, 1 << 20)), 10, 1000, u32::MAX);
    (0..100).for_each(|id| recorder.record(numbered(id)));
    until("all are on disk", || recorder.metrics.spooled.get() == 100).await;
    assert_eq!((recorder.metrics.waiting.get(), recorder.metrics.written.get()), (0, 0));
    assert!(0 < recorder.metrics.spooled_bytes.get());
    store.state.lock().refusals = 0;
    (100..110).for_each(|id| recorder.record(numbered(id)));
    until("all are written", || recorder.metrics.written.get() == 110).await;
    until("the disk is empty", || recorder.metrics.spooled.get() == 0).await;
    assert_eq!(ids(&store), (0..110).collect::<Vec<u64>>());
    recorder.close().await;
    let StoreMetrics { dropped, spool_dropped, .. } = &recorder.metrics;
    assert_eq!((dropped.get(), spool_dropped.get()), (0, 0));
}

#[tokio::test]
async fn what_the_store_refuses_at_the_end_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_, recorder) = start_with(Some(spool(&folder, 1 << 20)), 10, 1000, u32::MAX);
    (0..25).for_each(|id| recorder.record(numbered(id)));
    recorder.close().await;
    assert_eq!(recorder.metrics.dropped.get(), 0);
    drop(recorder);
    let (store, recorder) = start_with(Some(spool(&folder, 1 << 20)), 10, 1000, 0);
    until("all are written", || recorder.metrics.written.get() == 25).await;
    until("the disk is empty", || recorder.metrics.spooled.get() == 0).await;
    assert_eq!(ids(&store), (0..25).collect::<Vec<u64>>());
    recorder.close().await;
}

#[tokio::test]
async fn a_store_that_often_refuses_gets_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = start_with(Some(spool(&folder, 1 << 20)), 10, 1000, 1);
    for id in 0..200 {
        if id % 20 == 0 {
            store.state.lock().refusals = 1;
        }
        recorder.record(numbered(id));
        if id % 10 == 9 {
            until("the batch is taken", || recorder.metrics.waiting.get() == 0).await;
        }
    }
    until("all are written", || recorder.metrics.written.get() == 200).await;
    assert_eq!(ids(&store), (0..200).collect::<Vec<u64>>());
    assert_ne!(recorder.metrics.errors.get(), 0);
    recorder.close().await;
}

#[tokio::test]
async fn a_store_that_is_too_slow_gets_every_row_by_way_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Fake { delay: Duration::from_millis(300), ..Fake::default() };
    let (store, recorder) = start_on(store, Some(spool(&folder, 1 << 20)), 10, 60);
    // The queue is kept nearly full.
    for id in 0..120 {
        until("there is room", || recorder.metrics.waiting.get() < 60).await;
        recorder.record(numbered(id));
    }
    until("some are on disk", || 0 < recorder.metrics.spooled.get()).await;
    until("all are written", || recorder.metrics.written.get() == 120).await;
    assert_eq!(ids(&store), (0..120).collect::<Vec<u64>>());
    assert_eq!((recorder.metrics.dropped.get(), recorder.metrics.errors.get()), (0, 0));
    recorder.close().await;
}

#[tokio::test]
async fn a_spool_without_room_drops_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (_, recorder) = start_with(Some(spool(&folder, 20_000)), 10, 1000, u32::MAX);
    (0..500).for_each(|id| recorder.record(numbered(id)));
    until("all are on disk or lost", || recorder.metrics.waiting.get() == 0).await;
    let StoreMetrics { spooled, spooled_bytes, spool_dropped, .. } = &recorder.metrics;
    assert_ne!(spool_dropped.get(), 0);
    assert_eq!(spool_dropped.get() + spooled.get().unsigned_abs(), 500);
    assert!(spooled_bytes.get() <= 20_000);
    recorder.close().await;
}

#[tokio::test]
async fn the_last_rows_of_an_heir_that_never_had_the_store_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = start_with(Some(spool(&folder, 1 << 20)), 10, 1000, 0);
    let inherited = Spool::inherit(&folder.path().join("spool"), 1 << 20).unwrap();
    let (_, heir) = start_with(Some(inherited), 10, 1000, u32::MAX);
    (0..25).for_each(|id| heir.record(numbered(id)));
    // It has tried for a while.
    until("it is refused again", || writer::CLOSING_TRIES < heir.metrics.errors.get()).await;
    heir.close().await;
    assert_eq!(heir.metrics.dropped.get(), 0);
    until("all are written", || first.metrics.written.get() == 25).await;
    assert_eq!(ids(&store), (0..25).collect::<Vec<u64>>());
    first.close().await;
}
