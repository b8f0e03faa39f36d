//! The lines of several clients: each by the discipline, and the clients by their
//! excess.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use super::Place;
use super::ordered::Ordered;
use crate::request::RequestId;
use crate::share::{AccountId, Rule};
use crate::units::Time;

/// What the first request of a client is compared by: the priority, the rule's key, its arrival.
type Key = (u8, (u64, u64), Time, RequestId);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    rule: &'static dyn Rule,
    of: BTreeMap<AccountId, Line>,
    heads: BTreeSet<(Key, AccountId)>,
    /// By class, the last at the end, and the work that waits.
    by_work: BTreeSet<(u8, u128, AccountId)>,
}

/// What waits of one client.
#[derive(Debug, Clone, Default)]
struct Line {
    order: Ordered,
    by_arrival: BTreeSet<(Time, RequestId)>,
    priority: u8,
    /// At the origin of the shares.
    excess: f64,
    /// Of each request what it adds to what the client has attained.
    sizes: BTreeMap<RequestId, (Time, f64)>,
    work: u128,
    head: Option<Key>,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(rule: &'static dyn Rule) -> Lines {
        Lines { rule, of: BTreeMap::new(), heads: BTreeSet::new(), by_work: BTreeSet::new() }
    }

    pub(super) fn insert(&mut self, id: RequestId, place: &Place) {
        self.change(place.account, |line| {
            line.priority = place.priority;
            line.order.insert(id, place);
            line.by_arrival.insert((place.arrived, id));
            line.sizes.insert(id, (place.arrived, place.size));
            line.work += u128::from(place.work);
        });
    }

    pub(super) fn remove(&mut self, id: RequestId, place: &Place) {
        self.change(place.account, |line| {
            line.order.remove(id, place);
            line.by_arrival.remove(&(place.arrived, id));
            line.sizes.remove(&id);
            line.work -= u128::from(place.work);
        });
    }

    /// A client has so much excess. Whether it had not.
    pub(super) fn stand(&mut self, account: AccountId, excess: f64) -> bool {
        let before = self.of.get(&account).map(|line| line.excess.to_bits());
        let is_new = before.is_some_and(|before| before != excess.to_bits());
        if is_new {
            self.change(account, |line| line.excess = excess);
        }
        is_new
    }

    /// The client whose request is the first of all.
    pub(super) fn first_client(&self) -> Option<AccountId> {
        self.heads.first().map(|(_, account)| *account)
    }

    /// All amounts are counted anew.
    pub(super) fn rescale(&mut self, factor: f64, places: &BTreeMap<RequestId, Place>) {
        let accounts: Vec<AccountId> = self.of.keys().copied().collect();
        for account in accounts {
            self.change(account, |line| {
                line.excess *= factor;
                for (id, (_, size)) in &mut line.sizes {
                    *size = places.get(id).map_or(0.0, |place| place.size);
                }
            });
        }
    }

    /// The first request of each of the first clients, then the next of each, as long as there are
    /// fewer than `n`.
    pub(super) fn first(&self, n: usize) -> SmallVec<[RequestId; 8]> {
        let mut lines: SmallVec<[_; 8]> = SmallVec::new();
        let heads = self.heads.iter().take(n).filter_map(|(_, id)| self.of.get(id));
        lines.extend(heads.map(|line| line.order.first()));
        let mut first: SmallVec<[RequestId; 8]> = SmallVec::new();
        loop {
            let before = first.len();
            for line in &mut lines {
                first.extend(line.next().filter(|_| first.len() < n));
            }
            if first.len() == before || n <= first.len() {
                return first;
            }
        }
    }

    /// Whether one goes before a request of that place, whose client has so much excess.
    pub(super) fn precedes(&self, id: RequestId, place: &Place, excess: f64) -> bool {
        let key = (place.priority, self.rule.key(excess, place.size), place.arrived, id);
        self.heads.first().is_some_and(|(head, _)| *head < key)
    }

    /// The newest first of the client of the last class that has most work waiting. Nothing where
    /// that is the client of a request of so much `work`, or has no more waiting than that client
    /// then would, or is of a class before its own.
    pub(super) fn newest_of_heaviest(
        &self,
        (account, priority): (AccountId, u8),
        work: u64,
    ) -> impl Iterator<Item = RequestId> {
        let own = self.of.get(&account).map_or(0, |line| line.work) + u128::from(work);
        let heaviest = self.by_work.last().filter(|(of, heaviest, other)| {
            *other != account && (priority < *of || priority == *of && own < *heaviest)
        });
        let line = heaviest.and_then(|(_, _, other)| self.of.get(other));
        line.into_iter().flat_map(|line| line.by_arrival.iter().rev().map(|(_, id)| *id))
    }

    pub(super) fn check_invariants(&self, n: usize) {
        let of_lines: usize = self.of.values().map(|line| line.order.len()).sum();
        debug_assert!(of_lines == n, "a place is in one line");
        let n_lines = self.of.len();
        debug_assert!(
            self.heads.len() == n_lines && self.by_work.len() == n_lines,
            "each line has one head"
        );
    }

    /// Changes a line and puts it where it belongs; one that is empty goes.
    fn change(&mut self, account: AccountId, change: impl FnOnce(&mut Line)) {
        let line = self.of.entry(account).or_default();
        if let Some(head) = line.head.take() {
            self.heads.remove(&(head, account));
            self.by_work.remove(&(line.priority, line.work, account));
        }
        change(line);
        let first = line.order.shortest();
        let size = first.and_then(|id| Some((id, *line.sizes.get(&id)?)));
        let Some((id, (arrived, size))) = size else {
            self.of.remove(&account);
            return;
        };
        let head = (line.priority, self.rule.key(line.excess, size), arrived, id);
        line.head = Some(head);
        self.heads.insert((head, account));
        self.by_work.insert((line.priority, line.work, account));
    }
}
