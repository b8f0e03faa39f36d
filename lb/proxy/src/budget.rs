//! The memory budget of what is held of requests and answers: what has arrived is counted, not what
//! is announced.
//!
//! Three scopes bound each share: all of it, what one client has by its address, and what one
//! connection has. Answers never wait: one that finds no room is passed on as it comes. What a
//! function returns is whole when it comes, and counts even beyond the limits.
//!
//! # Decision: the oldest body may use all of the budget
//!
//! Bodies grow beside each other, so that each could wait for room that another one holds. In every
//! scope the oldest body that is not complete may use all of it, and the others leave it room for
//! the longest body that there may be. So one can always end, and then the next (Dijkstra's banker,
//! with the oldest customer first). Cost: room for one body is kept free for one that may not need
//! it, and where the budget has room for one only, they come one after another. Look again when
//! bodies are as long as the budget, or go to disk.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::config::Limits;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget(Arc<Room>);

/// How much may be held, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetLimits {
    /// By all.
    pub(crate) total: u64,
    /// By one client.
    pub(crate) client: u64,
    /// By one connection.
    pub(crate) connection: u64,
    /// The longest body.
    pub(crate) body: u64,
}

/// Whose memory it is: a connection's. Its client is told by the address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner(pub(crate) Option<SocketAddr>);

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    owner: Owner,
    /// The older a body, the lower; 0 where it is none.
    id: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Room {
    limits: RwLock<BudgetLimits>,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    all: Scope,
    clients: HashMap<IpAddr, Scope>,
    connections: HashMap<SocketAddr, Scope>,
}

/// What is held in one scope.
#[derive(Debug, Default)]
struct Scope {
    bytes: u64,
    /// The shares that wait for the rest of a body, and what each has of it.
    incomplete: BTreeMap<u64, u64>,
}

// === impl BudgetLimits ===

impl BudgetLimits {
    /// What `limits` say, where the longest body is of `body` bytes.
    pub(crate) fn by(limits: &Limits, body: u64) -> BudgetLimits {
        let total = limits.buffer_bytes_total;
        let part = |fraction: f64| (total as f64 * fraction) as u64;
        let client = part(limits.buffer_fraction_client);
        let connection = part(limits.buffer_fraction_connection).min(client);
        BudgetLimits { total, client, connection, body }
    }

    fn with_room_for_one(self) -> BudgetLimits {
        let at_least = |bytes: u64| bytes.max(self.body);
        BudgetLimits {
            total: at_least(self.total),
            client: at_least(self.client),
            connection: at_least(self.connection),
            body: self.body,
        }
    }
}

// === impl MemoryBudget ===

impl MemoryBudget {
    /// A budget within `limits`. No limit is below that of one body.
    pub(crate) fn new(limits: BudgetLimits) -> MemoryBudget {
        let limits = RwLock::new(limits.with_room_for_one());
        let (state, freed) = (Mutex::default(), Notify::new());
        MemoryBudget(Arc::new(Room { limits, state, freed }))
    }

    /// Holds to other limits from now on. What is held stays.
    pub(crate) fn resize(&self, limits: BudgetLimits) {
        *self.0.limits.write() = limits.with_room_for_one();
        self.0.freed.notify_waiters();
    }

    /// Bytes that are held now.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.0.state.lock().all.bytes
    }

    /// A share of nothing, to be grown.
    pub(crate) fn share(&self, owner: Owner) -> Share {
        Share { room: self.0.clone(), owner, id: 0, bytes: 0 }
    }
}

// === impl Owner ===

impl Owner {
    /// The address, or of IPv6 the network of a site: whoever has one address of it has all.
    fn client(self) -> Option<IpAddr> {
        // A listener for both sees IPv4's addresses as IPv6's.
        match self.0?.ip().to_canonical() {
            IpAddr::V4(address) => Some(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Some(IpAddr::V6(network.into()))
            }
        }
    }
}

// === impl Share ===

impl Share {
    /// How much it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it has become `bytes` long. What is complete asks so: it does not wait.
    pub(crate) fn try_hold(&mut self, bytes: u64) -> bool {
        self.change(bytes, false)
    }

    /// Counts `bytes` that are here already, room or not: others then wait for what is left.
    pub(crate) fn charge(&mut self, bytes: u64) {
        if !self.try_hold(bytes) {
            self.room.state.lock().note(self, (bytes, false));
            self.bytes = bytes;
        }
    }

    /// Waits until it is `bytes` long, for a body of which more is to come.
    pub(crate) async fn hold(&mut self, bytes: u64) {
        let room = self.room.clone();
        if self.id == 0 {
            self.id = room.state.lock().next_id();
        }
        loop {
            let freed = room.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.change(bytes, true) {
                return;
            }
            freed.await;
        }
    }

    /// All of the body has come, or none of it is waited for any longer.
    pub(crate) fn complete(&mut self) {
        let bytes = self.bytes;
        let _is_as_long = self.change(bytes, false);
    }

    /// Makes it `bytes` long, where there is room; there always is for less. `incomplete`: more of
    /// a body is to come.
    fn change(&mut self, bytes: u64, incomplete: bool) -> bool {
        if self.id == 0 && bytes == self.bytes {
            // It is no body, and nothing changes.
            return true;
        }
        let limits = *self.room.limits.read();
        let is_granted = self.room.state.lock().change(&limits, self, (bytes, incomplete));
        if is_granted {
            let frees = bytes < self.bytes || !incomplete;
            self.bytes = bytes;
            if frees {
                self.room.freed.notify_waiters();
            }
        }
        is_granted
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _given_back = self.change(0, false);
    }
}

// === impl State ===

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Notes that `share` becomes `bytes` long, where there is room in all its scopes.
    fn change(
        &mut self,
        limits: &BudgetLimits,
        share: &Share,
        (bytes, incomplete): (u64, bool),
    ) -> bool {
        let (client, connection) = (share.owner.client(), share.owner.0);
        let fits = |scope: Option<&Scope>, limit: u64| match scope {
            Some(scope) => scope.fits(share, bytes, (limit, limits.body)),
            None => bytes <= limit,
        };
        let of_client = client.and_then(|key| self.clients.get(&key));
        let of_connection = connection.and_then(|key| self.connections.get(&key));
        let is_granted = bytes <= share.bytes
            || (fits(Some(&self.all), limits.total)
                && (client.is_none() || fits(of_client, limits.client))
                && (connection.is_none() || fits(of_connection, limits.connection)));
        if !is_granted && !incomplete {
            return false;
        }
        // What waits is noted, too: the oldest goes first.
        self.note(share, (if is_granted { bytes } else { share.bytes }, incomplete));
        is_granted
    }

    /// Notes that `share` is `bytes` long.
    fn note(&mut self, share: &Share, (bytes, incomplete): (u64, bool)) {
        let note = (share.id, share.bytes, bytes, incomplete);
        self.all.note(note);
        note_in(&mut self.clients, share.owner.client(), note);
        note_in(&mut self.connections, share.owner.0, note);
    }
}

/// What a share had, has now, and whether more is to come, by its id.
type Note = (u64, u64, u64, bool);

/// Notes it in the scope of `key`; scopes in which there is nothing are forgotten.
fn note_in<K: Hash + Eq>(scopes: &mut HashMap<K, Scope>, key: Option<K>, note: Note) {
    let Some(key) = key else { return };
    match scopes.entry(key) {
        Entry::Occupied(mut entry) => {
            entry.get_mut().note(note);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        Entry::Vacant(entry) => {
            let mut scope = Scope::default();
            scope.note(note);
            if !scope.is_empty() {
                entry.insert(scope);
            }
        }
    }
}

// === impl Scope ===

impl Scope {
    /// Whether `share` may become `bytes` long within `limit`: the oldest body that has not ended
    /// may, and the others leave it room for one of `body_bytes_max`.
    fn fits(&self, share: &Share, bytes: u64, (limit, body_bytes_max): (u64, u64)) -> bool {
        let left_free = match self.incomplete.first_key_value() {
            Some((oldest, held)) if *oldest != share.id => body_bytes_max.saturating_sub(*held),
            Some(_) | None => 0,
        };
        let others = self.bytes - share.bytes;
        others.saturating_add(bytes).saturating_add(left_free) <= limit
    }

    fn note(&mut self, (id, had, has, incomplete): Note) {
        self.bytes = self.bytes - had + has;
        if incomplete {
            self.incomplete.insert(id, has);
        } else {
            self.incomplete.remove(&id);
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes == 0 && self.incomplete.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits { total: 100, client: 60, connection: 40, body: 20 };

    fn owner(client: u8, port: u16) -> Owner {
        Owner(Some(SocketAddr::from(([10, 0, 0, client], port))))
    }

    fn holds(share: &mut Share, bytes: u64) -> bool {
        share.hold(bytes).now_or_never().is_some()
    }

    #[test]
    fn what_is_held_is_counted_and_given_back() {
        let budget = MemoryBudget::new(LIMITS);
        let mut share = budget.share(owner(1, 1));
        assert!(!share.try_hold(41), "the limit of one connection");
        assert!(share.try_hold(30));
        assert_eq!((budget.held_bytes(), share.bytes()), (30, 30));
        assert!(!share.try_hold(41), "the limit of one connection");
        assert!(share.try_hold(10));
        assert_eq!(budget.held_bytes(), 10);
        drop(share);
        assert_eq!(budget.held_bytes(), 0);
        let state = budget.0.state.lock();
        assert!(state.clients.is_empty() && state.connections.is_empty());
    }

    #[test]
    fn one_connection_and_one_client_leave_room_for_others() {
        let budget = MemoryBudget::new(LIMITS);
        let mut shares: Vec<Share> = (1..=4).map(|port| budget.share(owner(1, port))).collect();
        assert!(shares[0].try_hold(40));
        assert!(shares[1].try_hold(20));
        assert!(!shares[2].try_hold(1), "the limit of one client");
        let mut other = budget.share(owner(2, 1));
        assert!(other.try_hold(40));
        assert!(!budget.share(owner(3, 1)).try_hold(1), "the limit of all");
    }

    #[test]
    fn what_is_here_already_is_counted_beyond_the_limit() {
        let budget = MemoryBudget::new(LIMITS);
        let mut share = budget.share(owner(1, 1));
        share.charge(150);
        assert_eq!((budget.held_bytes(), share.bytes()), (150, 150));
        assert!(!budget.share(owner(2, 1)).try_hold(1), "the limit of all");
        drop(share);
        assert_eq!(budget.held_bytes(), 0);
        assert!(budget.share(owner(2, 1)).try_hold(1));
    }

    #[test]
    fn ipv6_clients_are_told_by_their_network() {
        let address = |text: &str| Owner(Some(text.parse().unwrap()));
        let one = address("[2001:db8::1]:1").client();
        assert_eq!(one, address("[2001:db8::ffff:2]:9").client());
        assert_ne!(one, address("[2001:db8:0:1::1]:1").client());
        let mapped = |text: &str| address(text).client();
        assert_ne!(mapped("[::ffff:10.0.0.1]:1"), mapped("[::ffff:10.0.0.2]:1"));
        assert_eq!(mapped("[::ffff:10.0.0.1]:1"), mapped("10.0.0.1:2"));
    }

    #[test]
    fn the_oldest_body_can_always_end() {
        let budget = MemoryBudget::new(LIMITS);
        let mut shares: Vec<Share> =
            (0..40).map(|i| budget.share(owner(i, u16::from(i)))).collect();
        assert!(holds(&mut shares[0], 1));
        // The others grow in turns, until none of them may.
        let mut n_grown = 1;
        while n_grown != 0 {
            n_grown = 0;
            for share in shares.iter_mut().skip(1) {
                let more = share.bytes() + 1;
                n_grown += usize::from(more <= 20 && holds(share, more));
            }
        }
        assert!(!holds(&mut shares[2], 20));
        assert!(holds(&mut shares[0], 20));
        shares.remove(0);
        while !shares.is_empty() {
            assert!(holds(&mut shares[0], 20), "{} are left", shares.len());
            shares.remove(0);
        }
        assert_eq!(budget.held_bytes(), 0);
    }

    #[tokio::test]
    async fn what_waits_goes_on_when_there_is_room() {
        let budget = MemoryBudget::new(BudgetLimits { total: 20, ..LIMITS });
        let mut first = budget.share(owner(1, 1));
        first.hold(5).await;
        let waiting = budget.clone();
        let waiting = tokio::spawn(async move {
            let mut second = waiting.share(owner(2, 1));
            second.hold(1).await;
            second.bytes()
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.complete();
        assert_eq!(waiting.await.unwrap(), 1);
    }
}
