//! Who asks, and what each has had: fairness between clients in CPU seconds.
//!
//! A client's *attained service* is the CPU seconds that it has had for its weight, of which half
//! is forgotten with each half-life. A request is charged for with its estimate when it starts, and
//! the charge is settled with what was measured, or given back where nothing ran.
//!
//! What counts of it is the *excess*: what goes beyond `slack` times the mean of all other clients
//! that asked within the last half-life. Clients that have had about as much are equal, and the
//! shortest of their requests goes first. The waiting room and the hosts' run queues let go first
//! whoever has least excess ([`Rule`]), of the first class that waits. So a flood waits behind the
//! first requests of everybody else. With `a` of `n` clients that sum to `s`, what goes beyond is
//! `a − slack · (s − a) / (n − 1)`, and is above zero where `a > slack · s / (n − 1 + slack)`: that
//! level is the same for all, and the excess is counted from there.
//!
//! Service decays by a factor that is the same for all, so it is kept as what it would have been
//! worth at an origin: `a · 2^((t − origin) / half-life)`. A sum of such amounts changes only when
//! somebody is charged, and the order of clients is kept at O(log n). The origin moves on before
//! numbers grow too large.
//!
//! The same tables hold the [quotas](Quota). As many clients are remembered as the policy says; of
//! those that are not here the one goes first whose service was forgotten first. While nobody can
//! be forgotten, further clients of a class share one account, with the requests that name none.

mod account;
mod accounts;
mod decay;
mod fair;
mod quota;
mod reconfigure;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::request::RequestId;
use crate::units::{Time, Work};

pub use account::{ClassShown, ClientShown};
pub use fair::{jain, slots_left_to};
pub use quota::{CpuQuota, Quota};
pub use rule::{RULES, Rule};

use account::Account;
use quota::Meter;

/// The name of the account that clients share which are not remembered.
pub const OTHER: &str = "other";

/// Index of a class in [`SharePolicy::classes`].
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ClassId(pub u8);

/// A client within a class, as long as it is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AccountId(pub u32);

/// How the service is shared. Without it all requests are of one client.
#[derive(Debug, Clone)]
pub struct SharePolicy {
    /// Who goes first within a class.
    pub rule: &'static dyn Rule,
    /// After so long half of what a client has attained is forgotten; above zero.
    pub half_life: Duration,
    /// So many times what others have attained on average is no excess; finite and not negative.
    pub slack: f64,
    /// The most clients that are remembered by name; at least 1.
    pub clients_max: usize,
    /// The classes; at least one. A [`ClassId`] is an index into this.
    pub classes: Vec<ClassPolicy>,
}

/// A class of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassPolicy {
    /// Unique name, as in metrics.
    pub name: String,
    /// What waits of a lower number goes before all of a higher one.
    pub priority: u8,
    /// What its clients get beside those of another class of the same priority; finite and above
    /// zero.
    pub weight: f64,
    /// Clients that are of this class whatever their route says.
    pub clients: Vec<String>,
    /// What all of the class together may use.
    pub quota: Quota,
    /// What each of its clients may use.
    pub client_quota: Quota,
}

/// What a request says of whose it is and until when it is of use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// Whose it is; any text that tells clients apart. `None`: it is not said.
    pub client: Option<Arc<str>>,
    /// Its class, unless its client is of another one.
    pub class: ClassId,
    /// After so long from its arrival the answer is of no use. `None`: it always is.
    pub time_left: Option<Duration>,
}

/// Where a client stands when its request is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The account, once the request has been entered there.
    pub account: AccountId,
    /// That of its class.
    pub priority: u8,
    /// Its excess, in CPU seconds over weight at the origin.
    pub excess: f64,
    /// That of its class.
    pub weight: f64,
}

/// Where a request stands in the run queue of a host: the lower goes first, by the priority and
/// then by the excess plus what is left of its work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HostOrder {
    /// The priority of its class.
    pub priority: u8,
    /// The excess of its client when it was sent, in CPU seconds over weight.
    pub excess: f64,
}

/// What a request was charged, until it is settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Charge {
    at: Time,
    work: Work,
}

/// Why a request is not taken: its client or class has used what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaReached {
    /// After so long there is room for it, if nothing else comes.
    pub retry_after: Duration,
}

/// The accounts of all clients.
#[derive(Debug, Clone)]
pub struct Shares {
    /// `None`: there is one client.
    policy: Option<SharePolicy>,
    /// Classes of clients that the policy names.
    members: BTreeMap<Arc<str>, ClassId>,
    accounts: BTreeMap<AccountId, Account>,
    ids: BTreeMap<(ClassId, Arc<str>), AccountId>,
    classes: Vec<Class>,
    /// Named clients that have nothing here, by when what they have attained is forgotten.
    idle: BTreeSet<(Time, AccountId)>,
    /// Clients that asked within the last half-life, by when they last did.
    recent: BTreeSet<(Time, AccountId)>,
    /// What those have attained, at the origin.
    recent_sum: f64,
    next: u32,
    origin: Time,
    /// Clients that were remembered when the limit was last set.
    n_before: usize,
}

/// What is kept of a class.
#[derive(Debug, Clone)]
struct Class {
    /// The account of clients without one of their own.
    rest: AccountId,
    meter: Meter,
}

// === impl AccountId ===

impl AccountId {
    /// That of a client which is not known yet, and of all where there is one client.
    const NONE: AccountId = AccountId(u32::MAX);
}

// === impl Standing ===

impl Standing {
    /// That of a request where all requests are of one client.
    pub const ALONE: Standing =
        Standing { account: AccountId::NONE, priority: 0, excess: 0.0, weight: 1.0 };
}

// === impl Shares ===

impl Shares {
    /// Nobody has had anything.
    pub fn new(policy: Option<SharePolicy>) -> Shares {
        let mut shares = Shares {
            policy: None,
            members: BTreeMap::new(),
            accounts: BTreeMap::new(),
            ids: BTreeMap::new(),
            classes: Vec::new(),
            idle: BTreeSet::new(),
            recent: BTreeSet::new(),
            recent_sum: 0.0,
            next: 0,
            origin: Time::ZERO,
            n_before: 0,
        };
        shares.reconfigure(Time::ZERO, policy);
        shares
    }

    /// Whether there is more than one client to be told apart.
    pub fn is_on(&self) -> bool {
        self.policy.is_some()
    }

    /// The rule by which clients are put in order, where there is more than one.
    pub fn rule(&self) -> Option<&'static dyn Rule> {
        self.policy.as_ref().map(|policy| policy.rule)
    }

    /// Where the client of a request stands, which need not be known.
    pub fn standing(&self, now: Time, terms: &Terms) -> Standing {
        let Some(policy) = &self.policy else { return Standing::ALONE };
        let class = self.class_of(terms);
        let account = self.find(now, class, terms);
        let Some(of_class) = policy.classes.get(usize::from(class.0)) else {
            return Standing::ALONE;
        };
        let (excess, weight) = (self.excess(account), of_class.weight);
        Standing { account, priority: of_class.priority, excess, weight }
    }

    /// Where a job stands in its line, the lower first: by the priority of its class and then as
    /// the rule says. Its client asks by it. `None` where there is one client.
    pub fn turn(&mut self, now: Time, terms: &Terms, work: Work) -> Option<(u8, (u64, u64))> {
        let rule = self.rule()?;
        let standing = self.enter(now, terms, Work::ZERO);
        self.leave(now, standing, (RequestId(0), now), (Work::ZERO, Work::ZERO));
        self.comes_again(standing);
        let size = self.size(standing, now, work);
        Some((standing.priority, rule.key(standing.excess, size)))
    }

    /// A request that was taken comes again, and is counted then.
    pub fn comes_again(&mut self, standing: Standing) {
        if let Some(account) = self.accounts.get_mut(&standing.account) {
            account.requests = account.requests.saturating_sub(1);
        }
    }

    /// Whether a request of so much work may be taken, or when it might.
    pub fn check(&self, now: Time, terms: &Terms, work: Work) -> Result<(), QuotaReached> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let class = self.class_of(terms);
        let (Some(of_class), Some(state)) =
            (policy.classes.get(usize::from(class.0)), self.classes.get(usize::from(class.0)))
        else {
            return Ok(());
        };
        let of_class_wait = state.meter.wait(&of_class.quota, now, work);
        let account = self.accounts.get(&self.find(now, class, terms));
        let new = Meter::default();
        let meter = account.map_or(&new, |account| &account.meter);
        let wait = of_class_wait.max(meter.wait(&of_class.client_quota, now, work));
        wait.map_or(Ok(()), |retry_after| Err(QuotaReached { retry_after }))
    }

    /// A request is taken. Returns where its client stands.
    pub fn enter(&mut self, now: Time, terms: &Terms, work: Work) -> Standing {
        if self.policy.is_none() {
            return Standing::ALONE;
        }
        self.keep_origin(now);
        let class = self.class_of(terms);
        let id = self.find_or_make(now, class, terms);
        self.see(now, id);
        let quotas = self.quotas(class);
        if let Some(account) = self.accounts.get_mut(&id) {
            self.idle.remove(&(account.forgotten_at, id));
            account.requests += 1;
            account.here += 1;
            account.meter.take(&quotas.1, now, work);
        }
        if let Some(state) = self.classes.get_mut(usize::from(class.0)) {
            state.meter.take(&quotas.0, now, work);
        }
        Standing { account: id, excess: self.excess(id), ..self.standing(now, terms) }
    }

    /// A request starts that will end at about `end`: it is charged for with its estimate.
    pub fn start(&mut self, now: Time, standing: Standing, work: Work) -> Option<Charge> {
        self.policy.as_ref()?;
        self.keep_origin(now);
        let worth = work.as_cpu_secs() / standing.weight * self.worth(now);
        self.attain(standing.account, worth);
        let account = self.accounts.get_mut(&standing.account)?;
        account.charged += work.as_cpu_secs();
        Some(Charge { at: now, work })
    }

    /// Notes when a running request will end, for those that ask when there is room.
    pub fn expect_end(&mut self, standing: Standing, id: RequestId, end: Time) {
        self.each_meter(standing.account, |meter, quota| meter.expect_end(quota, end, id));
    }

    /// What was charged turns out to be `used`.
    pub fn settle(&mut self, standing: Standing, charge: Charge, used: Work) {
        let secs = used.as_cpu_secs() - charge.work.as_cpu_secs();
        let worth = secs / standing.weight * self.worth(charge.at);
        self.attain(standing.account, worth);
        if let Some(account) = self.accounts.get_mut(&standing.account) {
            account.charged -= charge.work.as_cpu_secs();
            account.used += used.as_cpu_secs();
        }
    }

    /// A request has left that was entered with `entered` of work, and has used so much in all.
    pub fn leave(
        &mut self,
        now: Time,
        standing: Standing,
        (id, end): (RequestId, Time),
        (entered, used): (Work, Work),
    ) {
        if self.policy.is_none() {
            return;
        }
        self.each_meter(standing.account, |meter, quota| {
            meter.leave((quota, now), (id, end), (entered, used));
        });
        let forgotten_at = self.forgotten_at(standing.account);
        let is_rest = self.classes.iter().any(|class| class.rest == standing.account);
        if let Some(account) = self.accounts.get_mut(&standing.account) {
            account.here = account.here.saturating_sub(1);
            if account.here == 0 && account.charged.abs() < 1e-6 {
                // What is left by rounding goes with the last.
                account.charged = 0.0;
            }
            if account.here == 0 && !is_rest {
                account.forgotten_at = forgotten_at;
                self.idle.insert((forgotten_at, standing.account));
            }
        }
    }

    /// A request of that client was refused.
    pub fn refuse(&mut self, now: Time, terms: &Terms) {
        if self.policy.is_some() {
            let id = self.find(now, self.class_of(terms), terms);
            if let Some(account) = self.accounts.get_mut(&id) {
                account.refused += 1;
            }
        }
    }

    /// Where a request stands on a host; `None` where there is one client.
    pub fn host_order(&self, now: Time, standing: Standing) -> Option<HostOrder> {
        self.policy.as_ref()?;
        let excess = self.excess_secs(now, standing.account);
        Some(HostOrder { priority: standing.priority, excess })
    }

    /// Panics in debug builds where an invariant does not hold.
    pub fn check_invariants(&self, n_requests: usize) {
        let most = self.policy.as_ref().map_or(0, |policy| policy.clients_max);
        let most = most.max(self.n_before);
        debug_assert!(self.ids.len() <= most, "no more clients are remembered than may be");
        if self.policy.is_some() {
            let here: usize = self.accounts.values().map(|account| account.here as usize).sum();
            debug_assert!(here <= n_requests, "a request is of one client");
        }
        debug_assert!(
            self.accounts.values().all(|one| one.attained.is_finite() && 0.0 <= one.attained),
            "what is attained is finite and not negative"
        );
    }
}

#[cfg(test)]
mod tests;
