//! What this balancer holds of a line: messages, and the jobs that they name.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use weighbridge_core::jobs::{Age, JobId, Window};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::Kept;

use super::Result;
use super::classes::CLASSES;
use super::queues::{Place, Queues, Received, VISIBILITY};
use crate::dynamodb::jobs::{DynamoJobs, stands};

/// Looks without a start after which all but a job of each class is given back: there is no room
/// here, and others may have some.
const LOOKS_MAX: u32 = 8;

/// A job that may not go for longer than this is given back until then.
const SOON: Duration = Duration::from_secs(20);

/// Messages are taken from queues at most so often for one look.
const ROUNDS_MAX: usize = 16;

/// The line of one fleet.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) queues: Queues,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    window: Window,
    held: BTreeMap<JobId, Held>,
    /// Messages whose jobs wait no more.
    done: Vec<Place>,
    /// Messages to be given back, and for how long nobody is to see them.
    back: Vec<(Place, Duration)>,
    looks: u32,
}

#[derive(Debug)]
struct Held {
    place: Place,
    /// Others see the message then.
    until: Instant,
}

// === impl Line ===

impl Line {
    pub(super) fn new(queues: Queues, age: Age, slots: usize) -> Line {
        let state = State {
            window: Window::new(age, slots, CLASSES, u64::MAX),
            held: BTreeMap::new(),
            done: Vec::new(),
            back: Vec::new(),
            looks: 0,
        };
        Line { queues, state: Mutex::new(state) }
    }

    /// Takes messages until the window is full, or there are none.
    pub(super) async fn fill(&self, table: &DynamoJobs, (fleet, now): (&str, Time)) -> Result<()> {
        let has_room = self.begin_look();
        for _ in 0..ROUNDS_MAX {
            let wanted = self.state.lock().window.wants().filter(|_| has_room);
            let Some((class, most)) = wanted else { break };
            let received = self.queues.receive(class, most).await?;
            if received.is_empty() {
                self.state.lock().window.was_empty(class);
                continue;
            }
            let ids: Vec<JobId> = received.iter().filter_map(|one| one.job).collect();
            let jobs = table.jobs(&ids).await?;
            self.take(received, &jobs, (fleet, now, class));
        }
        Ok(())
    }

    /// Whether more messages are to be taken. What has lain here without a start goes back.
    fn begin_look(&self) -> bool {
        let mut state = self.state.lock();
        state.window.look_again();
        state.looks = if state.window.is_empty() { 0 } else { state.looks + 1 };
        if state.looks < LOOKS_MAX {
            return true;
        }
        let mut n_kept = [0; CLASSES];
        let spare = state.held.iter().filter(|(_, held)| {
            n_kept[held.place.class] += 1;
            1 < n_kept[held.place.class]
        });
        let spare: Vec<JobId> = spare.map(|(id, _)| *id).collect();
        for id in spare {
            state.give_back(id, Duration::ZERO);
        }
        false
    }

    /// Takes messages into the window, but for those of jobs that wait no more.
    fn take(
        &self,
        received: Vec<Received>,
        jobs: &[Kept],
        (fleet, now, class): (&str, Time, usize),
    ) {
        let mut state = self.state.lock();
        let until = Instant::now() + VISIBILITY;
        for Received { job, place } in received {
            let kept = job.and_then(|id| jobs.iter().find(|kept| kept.job.id == id));
            let waits = kept.and_then(|kept| Some((kept, stands(kept, fleet)?)));
            let Some((kept, not_before)) = waits else {
                state.done.push(place);
                continue;
            };
            let left = not_before.since(now);
            if let Some(held) = state.held.get_mut(&kept.job.id) {
                // It came again. Where both are of one message, the newer handle is the right one.
                *held = Held { place, until };
            } else if SOON < left {
                state.back.push((place, left));
            } else if state.window.push(now, &kept.job, (class, 0)) {
                state.held.insert(kept.job.id, Held { place, until });
            } else {
                state.back.push((place, Duration::ZERO));
            }
        }
    }

    /// The first `most`, in the order in which they are to be tried.
    pub(super) fn first(&self, now: Time, most: usize) -> Vec<JobId> {
        self.state.lock().window.first(now, most).into_vec()
    }

    /// The job `id` has started, or has ended otherwise: its message goes.
    pub(super) fn started(&self, id: JobId) {
        let mut state = self.state.lock();
        // By its own clock each: what the window makes of it is whose turn it is.
        if state.window.start(wall_clock(), id) {
            state.looks = 0;
        }
        state.let_go(id);
    }

    /// The jobs `ids` wait no more.
    pub(super) fn drop_gone(&self, ids: &[JobId]) {
        let mut state = self.state.lock();
        for id in ids {
            state.window.remove(*id);
            state.let_go(*id);
        }
    }

    /// Deletes messages that are done, gives back others, and holds the rest for longer.
    pub(super) async fn tidy(&self) -> Result<()> {
        let (done, back, extended) = self.state.lock().take_untidy();
        self.queues.delete(done).await?;
        self.queues.give_back(back).await?;
        self.queues.extend(extended).await
    }
}

// === impl State ===

impl State {
    /// The message of the job `id` is done.
    fn let_go(&mut self, id: JobId) {
        self.done.extend(self.held.remove(&id).map(|held| held.place));
    }

    fn give_back(&mut self, id: JobId, after: Duration) {
        self.window.remove(id);
        self.back.extend(self.held.remove(&id).map(|held| (held.place, after)));
    }

    fn take_untidy(&mut self) -> (Vec<Place>, Vec<(Place, Duration)>, Vec<Place>) {
        let now = Instant::now();
        // What others may have by now is theirs.
        let lost: Vec<JobId> =
            self.held.iter().filter(|(_, held)| held.until <= now).map(|(id, _)| *id).collect();
        for id in lost {
            self.window.remove(id);
            self.held.remove(&id);
        }
        let soon = now + VISIBILITY / 2;
        let mut extended = Vec::new();
        for held in self.held.values_mut().filter(|held| held.until < soon) {
            held.until = now + VISIBILITY;
            extended.push(held.place.clone());
        }
        (std::mem::take(&mut self.done), std::mem::take(&mut self.back), extended)
    }
}

/// Now, by the clock that the times of jobs are of.
pub(super) fn wall_clock() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    Time::from_nanos(u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX))
}
