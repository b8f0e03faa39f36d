//! What there is of jobs: counted now and then by the index of all of them, and with what this
//! balancer has written since.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::Select;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::time::Instant;

use weighbridge_core::jobs::{LineWork, Phase};
use weighbridge_core::units::{Time, Work};
use weighbridge_proxy::jobs::ledger::{Ahead, Kept, Limit, Totals};

use super::super::item::{Item, get, get_text};
use super::{Result, Shared, callbacks, errors, find, row};

/// Counting takes at most such a part of the time.
const PART: u32 = 20;

/// What there was when it was counted.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) totals: Totals,
    /// Those that wait.
    waiting: Vec<Waiting>,
}

/// A job that waits.
#[derive(Debug)]
struct Waiting {
    fleet: String,
    rank: u64,
    work: Work,
    overdue_at: Time,
}

/// Counts, and what has been written since.
#[derive(Debug)]
pub(super) struct Looks {
    interval: Duration,
    state: Mutex<State>,
    /// Who counts holds it, so that nobody else does meanwhile.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Arc<Look>>,
    next_at: Option<Instant>,
    /// By what this balancer has written since the last count.
    open: i64,
    bytes: i64,
    callbacks: i64,
}

/// What there is, as it was counted last: anew where that is long ago.
pub(super) async fn look(shared: &Shared) -> Result<Arc<Look>> {
    if let Some(look) = shared.looks.fresh() {
        return Ok(look);
    }
    let _counting = shared.looks.counting.lock().await;
    match shared.looks.fresh() {
        Some(look) => Ok(look),
        None => shared.looks.count(shared).await,
    }
}

/// What there would be too much of with `kept`.
pub(super) async fn exceeded(shared: &Shared, kept: &Kept) -> Result<Option<Limit>> {
    let look = match shared.looks.last() {
        Some(look) => look,
        None => look(shared).await?,
    };
    Ok(shared.bounds.exceeded(shared.looks.with_own(&look.totals), kept))
}

// === impl Looks ===

impl Looks {
    pub(super) fn new(interval: Duration) -> Looks {
        Looks { interval, state: Mutex::default(), counting: tokio::sync::Mutex::default() }
    }

    /// The last count, where it is time for no other.
    fn fresh(&self) -> Option<Arc<Look>> {
        let state = self.state.lock();
        let is_fresh = state.next_at.is_some_and(|next_at| Instant::now() < next_at);
        state.last.clone().filter(|_| is_fresh)
    }

    /// The last count, however old: limits need no newer one. `None` where there is none, or each
    /// is to be new.
    fn last(&self) -> Option<Arc<Look>> {
        self.state.lock().last.clone().filter(|_| !self.interval.is_zero())
    }

    async fn count(&self, shared: &Shared) -> Result<Arc<Look>> {
        let begun = Instant::now();
        let before = {
            let state = self.state.lock();
            (state.open, state.bytes, state.callbacks)
        };
        let look = Arc::new(count(shared).await?);
        let mut state = self.state.lock();
        state.last = Some(look.clone());
        state.next_at = Some(Instant::now() + self.interval.max(begun.elapsed() * PART));
        if self.interval.is_zero() {
            state.next_at = None;
        }
        // What was written meanwhile may be counted or not.
        state.open -= before.0;
        state.bytes -= before.1;
        state.callbacks -= before.2;
        Ok(look)
    }

    /// Open jobs, bytes and callbacks, with what this balancer has written since they were counted.
    fn with_own(&self, totals: &Totals) -> (u64, u64, u64) {
        let open = totals.by_phase.iter().filter(|(phase, _)| !phase.is_final());
        let open = open.map(|(_, n)| *n).sum::<u64>();
        let state = self.state.lock();
        (
            open.saturating_add_signed(state.open),
            totals.bytes.saturating_add_signed(state.bytes),
            totals.callbacks.saturating_add_signed(state.callbacks),
        )
    }

    /// A job was created.
    pub(super) fn created(&self, kept: &Kept) {
        self.add(1, signed(kept.bytes()));
    }

    /// A job was written that was in that phase before and had so many bytes, where that is known.
    pub(super) fn written(&self, kept: &Kept, before: Option<(Phase, u64)>) {
        let Some((phase, bytes)) = before else { return };
        let open = i64::from(!kept.job.state.is_final()) - i64::from(!phase.is_final());
        self.add(open, signed(kept.bytes()) - signed(bytes));
    }

    /// A job was forgotten.
    pub(super) fn forgotten(&self, kept: &Kept) {
        let was_open = i64::from(!kept.job.state.is_final());
        self.add(-was_open, -signed(kept.bytes()));
    }

    /// There are so many more callbacks.
    pub(super) fn called_for(&self, n: i64) {
        self.state.lock().callbacks += n;
    }

    fn add(&self, open: i64, bytes: i64) {
        let mut state = self.state.lock();
        (state.open, state.bytes) = (state.open + open, state.bytes + bytes);
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Counts all there is.
async fn count(shared: &Shared) -> Result<Look> {
    let parts = try_join_all((0..row::SHARDS).map(|shard| count_shard(shared, shard.to_string())));
    let callbacks = count_callbacks(shared, callbacks::PENDING);
    let dead_callbacks = count_callbacks(shared, callbacks::DEAD);
    let (parts, callbacks, dead_callbacks) = tokio::try_join!(parts, callbacks, dead_callbacks)?;
    let mut look = Look::default();
    let mut by_phase = Phase::ALL.map(|phase| (phase, 0));
    for part in parts {
        look.waiting.extend(part.waiting);
        look.totals.bytes += part.totals.bytes;
        for ((_, sum), (_, n)) in by_phase.iter_mut().zip(part.totals.by_phase) {
            *sum += n;
        }
    }
    look.totals.by_phase = by_phase.to_vec();
    (look.totals.callbacks, look.totals.dead_callbacks) = (callbacks, dead_callbacks);
    Ok(look)
}

async fn count_shard(shared: &Shared, shard: String) -> Result<Look> {
    let mut look = Look::default();
    look.totals.by_phase = Phase::ALL.map(|phase| (phase, 0)).to_vec();
    let mut next = None;
    loop {
        let query = find::of_index(shared, "new", ("shard", "n"), &shard)
            .key_condition_expression("#hash = :hash AND #range <= :most")
            .expression_attribute_values(":most", row::numbered(i64::MAX))
            .set_exclusive_start_key(next);
        let got = query.send().await.map_err(|error| errors::told(&error))?;
        for item in got.items.unwrap_or_default() {
            look.add(&item);
        }
        next = got.last_evaluated_key.filter(|key| !key.is_empty());
        if next.is_none() {
            return Ok(look);
        }
    }
}

/// How many callbacks there are in that part of the index.
async fn count_callbacks(shared: &Shared, part: &str) -> Result<u64> {
    let (mut n, mut next) = (0, None);
    loop {
        let query = find::of_index(shared, "tick", ("shard", "tick_at"), part)
            .key_condition_expression("#hash = :hash AND :least <= #range")
            .expression_attribute_values(":least", row::numbered(0))
            .select(Select::Count)
            .set_exclusive_start_key(next);
        let got = query.send().await.map_err(|error| errors::told(&error))?;
        n += u64::try_from(got.count).unwrap_or_default();
        next = got.last_evaluated_key.filter(|key| !key.is_empty());
        if next.is_none() {
            return Ok(n);
        }
    }
}

// === impl Look ===

impl Look {
    fn add(&mut self, item: &Item) {
        let Some(phase) = get_text(item, "phase").and_then(Phase::by_name) else { return };
        self.totals.bytes += get::<u64>(item, "bytes").unwrap_or_default();
        let of_phase = self.totals.by_phase.iter_mut().find(|(one, _)| *one == phase);
        if let Some((_, n)) = of_phase {
            *n += 1;
        }
        if phase == Phase::Queued {
            self.waiting.extend(waiting(item));
        }
    }

    /// What stands before `rank` in the line of `fleet`.
    pub(super) fn before(&self, fleet: &str, rank: u64) -> Ahead {
        let ahead = self.waiting.iter().filter(|one| one.fleet == fleet && one.rank < rank);
        ahead.fold(Ahead::default(), |sum, one| Ahead {
            jobs: sum.jobs + 1,
            work: sum.work + one.work,
        })
    }

    /// What waits at `now`, by fleet.
    pub(super) fn waiting(&self, now: Time) -> Vec<(String, LineWork)> {
        let mut lines: Vec<(String, LineWork)> = Vec::new();
        for one in &self.waiting {
            let nth = lines.iter().position(|(fleet, _)| *fleet == one.fleet);
            let nth = nth.unwrap_or_else(|| {
                lines.push((one.fleet.clone(), LineWork::default()));
                lines.len() - 1
            });
            lines[nth].1.add(now, one.work, one.overdue_at);
        }
        lines
    }
}

fn waiting(item: &Item) -> Option<Waiting> {
    Some(Waiting {
        fleet: get_text(item, "fleet")?.to_owned(),
        rank: get(item, "rank")?,
        work: Work::saturating(get(item, "work")?),
        overdue_at: row::time(item, "overdue_at")?,
    })
}
