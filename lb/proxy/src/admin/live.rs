//! The stream of events by which the page stays true: `/events`.
//!
//! One loop makes a frame each second for as long as somebody reads, and all readers get the same
//! one. A reader is sent the parts of it that it has not seen. One that is slow misses frames; one
//! that takes nothing for [`STALL_MAX`] is dropped.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::page::{self, Parts};
use crate::answer::Problem;
use crate::front::Current;

/// Between two frames.
const EVERY: Duration = Duration::from_secs(1);

/// Readers at once.
const READERS_MAX: usize = 16;

/// A reader that has taken nothing for so long is dropped.
pub(super) const STALL_MAX: Duration = Duration::from_secs(20);

/// After so long its browser asks again for a stream that has ended, in milliseconds.
const RETRY_MILLIS: u32 = 1000;

/// Where the frames come from. A clone is the same.
#[derive(Clone)]
pub(crate) struct Live(Arc<Shared>);

struct Shared {
    current: Current,
    frames: watch::Sender<Arc<Parts>>,
    /// Whether the loop runs.
    runs: Mutex<bool>,
    places: Arc<Semaphore>,
}

/// When the stream of a connection was last asked for more, where it has one.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeat(Arc<Mutex<Option<Instant>>>);

/// One reader.
struct Reader {
    frames: watch::Receiver<Arc<Parts>>,
    /// What it has been sent.
    seen: Arc<Parts>,
    is_new: bool,
    heartbeat: Heartbeat,
    closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

// === impl Live ===

impl Live {
    /// Of the front that is in use.
    pub(crate) fn new(current: Current) -> Live {
        let places = Arc::new(Semaphore::new(READERS_MAX));
        let (frames, _) = watch::channel(Arc::default());
        Live(Arc::new(Shared { current, frames, runs: Mutex::new(false), places }))
    }

    /// The answer to who wants to read, until he leaves or the balancer is `closing`; or why there
    /// is none.
    pub(super) fn events(
        &self,
        heartbeat: Heartbeat,
        closing: watch::Receiver<bool>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Problem> {
        let Ok(place) = self.0.places.clone().try_acquire_owned() else {
            let detail = format!("`{READERS_MAX}` read already");
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5));
        };
        let frames = self.0.frames.subscribe();
        self.start();
        let seen = Arc::default();
        let reader = Reader { frames, seen, is_new: true, heartbeat, closing, _place: place };
        let body = StreamBody::new(unfold(reader, next));
        let mut answer = Response::new(UnsyncBoxBody::new(body));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }

    /// Sees to it that the loop runs.
    fn start(&self) {
        let mut runs = self.0.runs.lock();
        if !*runs {
            *runs = true;
            tokio::spawn(self.clone().make_frames());
        }
    }

    /// Makes frames until nobody reads.
    async fn make_frames(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut maker = page::Maker::default();
        loop {
            ticks.tick().await;
            {
                let mut runs = self.0.runs.lock();
                if self.0.frames.receiver_count() == 0 {
                    // The next reader shall not see what was true a while ago.
                    self.0.frames.send_replace(Arc::default());
                    *runs = false;
                    return;
                }
            }
            let front = self.0.current.load_full();
            let parts = maker.parts(&front).await;
            self.0.frames.send_replace(Arc::new(parts));
        }
    }
}

/// The next event for `reader`; `None` at the end.
async fn next(mut reader: Reader) -> Option<(Result<Frame<Bytes>, Infallible>, Reader)> {
    loop {
        reader.heartbeat.beat();
        if *reader.closing.borrow() {
            return None;
        }
        let changed = reader.changed();
        if !changed.is_empty() {
            return Some((Ok(Frame::data(changed)), reader));
        }
        tokio::select! {
            changed = reader.frames.changed() => changed.ok()?,
            _ = reader.closing.changed() => return None,
        }
    }
}

// === impl Reader ===

impl Reader {
    /// What it has not seen of the newest frame, as an event.
    fn changed(&mut self) -> Bytes {
        let newest = self.frames.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.seen, newest);
        let changed = self.seen.since(&before);
        if changed.is_empty() {
            return Bytes::new();
        }
        let data = serde_json::to_string(&changed).unwrap_or_default();
        let retry = if self.is_new { format!("retry: {RETRY_MILLIS}\n") } else { String::new() };
        self.is_new = false;
        // JSON has no line breaks of its own.
        Bytes::from(format!("{retry}event: parts\ndata: {data}\n\n"))
    }
}

// === impl Heartbeat ===

impl Heartbeat {
    /// The stream is asked for more.
    fn beat(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Resolves when a stream has not been asked for more for too long: its reader takes nothing.
    pub(super) async fn stops(&self) {
        loop {
            tokio::time::sleep(STALL_MAX / 4).await;
            if self.0.lock().is_some_and(|beat| STALL_MAX <= beat.elapsed()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_any_more_is_noticed_and_no_other() {
        let heartbeat = Heartbeat::default();
        let long = STALL_MAX * 3;
        let notices = |most| tokio::time::timeout(most, heartbeat.stops());
        assert!(notices(long).await.is_err(), "nobody reads");
        let reads = async {
            loop {
                heartbeat.beat();
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            noticed = notices(long) => assert!(noticed.is_err(), "it reads"),
            () = reads => {}
        }
        assert!(notices(STALL_MAX * 2).await.is_ok(), "it does not read any more");
    }
}
