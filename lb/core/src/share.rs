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
mod fair;
mod quota;
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

/// The most half-lives since the origin, so that amounts stay far from what `f64` holds.
const HALF_LIVES_MAX: f64 = 256.0;

/// Service below this, in CPU seconds, is forgotten.
const FORGOTTEN: f64 = 1e-3;

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

    /// Goes on by `policy`. Clients keep what they have attained; those of a class that is gone go
    /// on in the first one.
    pub fn reconfigure(&mut self, now: Time, policy: Option<SharePolicy>) {
        // By the half-life of before; whatever is kept elsewhere is made anew.
        self.move_origin(now);
        let places = self.places_in(policy.as_ref());
        self.policy = policy;
        self.n_before = self.ids.len();
        self.move_classes(&places);
        self.reread_members();
        self.ids.clear();
        let rests: Vec<AccountId> = self.classes.iter().map(|class| class.rest).collect();
        for (id, account) in &mut self.accounts {
            let place = places.get(usize::from(account.class.0)).copied().unwrap_or_default();
            // The accounts of classes that are new are in their place.
            account.class = if rests.contains(id) { account.class } else { place };
            if !rests.contains(id) {
                self.ids.insert((account.class, Arc::clone(&account.name)), *id);
            }
        }
        self.forget_all_but_named();
    }

    /// Where each class of now is in `policy`: by its name, or else the first.
    fn places_in(&self, policy: Option<&SharePolicy>) -> Vec<ClassId> {
        let place = |name: &str| {
            let classes = policy.map_or(&[][..], |policy| &policy.classes);
            let place = classes.iter().position(|class| class.name == name);
            ClassId(place.unwrap_or_default() as u8)
        };
        let classes = self.policy.iter().flat_map(|policy| &policy.classes);
        classes.map(|class| place(&class.name)).collect()
    }

    /// Puts what is kept of each class in its place.
    fn move_classes(&mut self, places: &[ClassId]) {
        let n_classes = self.policy.as_ref().map_or(0, |policy| policy.classes.len());
        let mut kept: Vec<Option<Class>> = vec![None; n_classes];
        for (class, place) in std::mem::take(&mut self.classes).into_iter().zip(places) {
            let place = kept.get_mut(usize::from(place.0)).filter(|place| place.is_none());
            if let Some(place) = place {
                *place = Some(class);
            }
        }
        for (index, class) in kept.into_iter().enumerate() {
            let id = ClassId(index as u8);
            let class = class.unwrap_or_else(|| Class {
                rest: self.add(Account::new(OTHER.into(), id)),
                meter: Meter::default(),
            });
            if let Some(rest) = self.accounts.get_mut(&class.rest) {
                rest.class = id;
            }
            self.classes.push(class);
        }
    }

    fn reread_members(&mut self) {
        self.members.clear();
        let classes = self.policy.iter().flat_map(|policy| &policy.classes).enumerate();
        for (index, class) in classes {
            for client in &class.clients {
                self.members.insert(client.as_str().into(), ClassId(index as u8));
            }
        }
    }

    /// Drops accounts that no request finds any more: of two that have become the same, the one
    /// before; all, where there is one client from now on.
    fn forget_all_but_named(&mut self) {
        let kept: BTreeSet<AccountId> = if self.policy.is_some() {
            self.ids.values().copied().chain(self.classes.iter().map(|class| class.rest)).collect()
        } else {
            self.ids.clear();
            BTreeSet::new()
        };
        self.accounts.retain(|id, _| kept.contains(id));
        self.idle.retain(|(_, id)| kept.contains(id));
        self.recent.retain(|(_, id)| kept.contains(id));
        self.sum_recent();
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

    /// The excess of an account by now, at the origin.
    pub fn excess(&self, account: AccountId) -> f64 {
        let attained = self.accounts.get(&account).map_or(0.0, |account| account.attained);
        (attained - self.level()).max(0.0)
    }

    /// From there on what is attained is excess: see the module.
    fn level(&self) -> f64 {
        let slack = self.policy.as_ref().map_or(0.0, |policy| policy.slack.max(0.0));
        let others = self.recent.len().saturating_sub(1) as f64;
        if slack <= 0.0 { 0.0 } else { slack * self.recent_sum / (others + slack) }
    }

    /// The client asks now. Those are dropped that have not for a half-life.
    fn see(&mut self, now: Time, id: AccountId) {
        let half_life = self.policy.as_ref().map_or(Duration::ZERO, |policy| policy.half_life);
        self.note_seen(id, Some(now));
        while let Some((seen, first)) = self.recent.first().copied()
            && half_life < now.since(seen)
        {
            let is_here = self.accounts.get(&first).is_some_and(|account| 0 < account.here);
            self.note_seen(first, is_here.then_some(now));
        }
    }

    /// Notes when a client last asked; `None`: that is too long ago.
    fn note_seen(&mut self, id: AccountId, now: Option<Time>) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        let before = std::mem::replace(&mut account.seen, now);
        let attained = account.attained;
        if let Some(before) = before {
            self.recent.remove(&(before, id));
            self.recent_sum -= attained;
        }
        if let Some(now) = now {
            self.recent.insert((now, id));
            self.recent_sum += attained;
        }
        if self.recent.is_empty() {
            // What is left by rounding goes with the last.
            self.recent_sum = 0.0;
        }
    }

    fn sum_recent(&mut self) {
        let attained = self.recent.iter().filter_map(|(_, id)| self.accounts.get(id));
        self.recent_sum = attained.map(|account| account.attained).sum();
    }

    /// A client has attained `worth` more, or less.
    fn attain(&mut self, id: AccountId, worth: f64) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        let before = account.attained;
        account.attained = (before + worth).max(0.0);
        if account.seen.is_some() {
            self.recent_sum = (self.recent_sum + account.attained - before).max(0.0);
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

    /// What a request of `work` that came at `arrived` adds to what its client has attained, at the
    /// origin. It counts for less the longer it waits, as everything does.
    pub fn size(&self, standing: Standing, arrived: Time, work: Work) -> f64 {
        if self.policy.is_none() {
            return 0.0;
        }
        work.as_cpu_secs() / standing.weight * self.worth(arrived)
    }

    /// Where a request stands on a host; `None` where there is one client.
    pub fn host_order(&self, now: Time, standing: Standing) -> Option<HostOrder> {
        self.policy.as_ref()?;
        let excess = self.excess_secs(now, standing.account);
        Some(HostOrder { priority: standing.priority, excess })
    }

    /// The excess of an account now, in CPU seconds over weight.
    pub fn excess_secs(&self, now: Time, account: AccountId) -> f64 {
        self.excess(account) / self.worth(now)
    }

    /// By how much amounts at the origin have to be multiplied, where it is moved to `now`. Called
    /// before any that are kept elsewhere are compared with new ones.
    pub fn is_far(&self, now: Time) -> bool {
        self.policy.is_some() && HALF_LIVES_MAX < self.half_lives(now)
    }

    /// Moves the origin to `now`. Returns what amounts at the old one are to be multiplied by.
    pub fn move_origin(&mut self, now: Time) -> f64 {
        let factor = 1.0 / self.worth(now);
        for account in self.accounts.values_mut() {
            account.attained *= factor;
        }
        self.origin = self.origin.max(now);
        self.sum_recent();
        factor
    }

    fn keep_origin(&self, now: Time) {
        debug_assert!(!self.is_far(now), "the origin is moved before amounts are made");
    }

    /// What a CPU second of `at` is worth at the origin.
    fn worth(&self, at: Time) -> f64 {
        self.half_lives(at).exp2()
    }

    /// Half-lives from the origin to `at`, negative before it.
    fn half_lives(&self, at: Time) -> f64 {
        let Some(policy) = &self.policy else { return 0.0 };
        let secs = at.as_secs_f64() - self.origin.as_secs_f64();
        secs / policy.half_life.as_secs_f64().max(1e-9)
    }

    /// When what the account has attained is forgotten.
    fn forgotten_at(&self, account: AccountId) -> Time {
        let Some(policy) = &self.policy else { return Time::ZERO };
        let attained = self.accounts.get(&account).map_or(0.0, |account| account.attained);
        let half_lives = (attained / FORGOTTEN).log2();
        if half_lives <= 0.0 || !half_lives.is_finite() {
            return self.origin;
        }
        let secs = (half_lives * policy.half_life.as_secs_f64()).min(1e9);
        self.origin + Duration::from_secs_f64(secs)
    }

    fn class_of(&self, terms: &Terms) -> ClassId {
        let member = terms.client.as_ref().and_then(|client| self.members.get(client));
        let class = member.copied().unwrap_or(terms.class);
        if usize::from(class.0) < self.classes.len() { class } else { ClassId(0) }
    }

    fn rest(&self, class: ClassId) -> AccountId {
        self.classes.get(usize::from(class.0)).map_or(AccountId::NONE, |class| class.rest)
    }

    /// The client's account, or the one that it would share; none, where it would get one.
    fn find(&self, now: Time, class: ClassId, terms: &Terms) -> AccountId {
        let Some(client) = &terms.client else { return self.rest(class) };
        let known = self.ids.get(&(class, Arc::clone(client))).copied();
        known.unwrap_or_else(
            || {
                if self.has_place(now) { AccountId::NONE } else { self.rest(class) }
            },
        )
    }

    /// Whether a further client can be remembered.
    fn has_place(&self, now: Time) -> bool {
        let most = self.policy.as_ref().map_or(0, |policy| policy.clients_max);
        self.ids.len() < most || self.idle.first().is_some_and(|(at, _)| *at <= now)
    }

    fn find_or_make(&mut self, now: Time, class: ClassId, terms: &Terms) -> AccountId {
        let Some(client) = &terms.client else { return self.rest(class) };
        let key = (class, Arc::clone(client));
        if let Some(known) = self.ids.get(&key) {
            return *known;
        }
        if !self.has_place(now) {
            return self.rest(class);
        }
        let most = self.policy.as_ref().map_or(0, |policy| policy.clients_max);
        while most <= self.ids.len()
            && let Some((_, first)) = self.idle.first().filter(|(at, _)| *at <= now).copied()
        {
            self.forget(first);
        }
        if most <= self.ids.len() {
            return self.rest(class);
        }
        let id = self.add(Account::new(Arc::clone(client), class));
        self.ids.insert(key, id);
        id
    }

    fn add(&mut self, account: Account) -> AccountId {
        let id = AccountId(self.next);
        // The last one stands for those that have none.
        self.next = self.next.wrapping_add(1) % u32::MAX;
        self.accounts.insert(id, account);
        id
    }

    fn forget(&mut self, id: AccountId) {
        self.note_seen(id, None);
        if let Some(account) = self.accounts.remove(&id) {
            self.idle.remove(&(account.forgotten_at, id));
            self.ids.remove(&(account.class, account.name));
        }
    }

    /// Quotas of a class, and of each of its clients.
    fn quotas(&self, class: ClassId) -> (Quota, Quota) {
        let policy = self.policy.as_ref();
        let class = policy.and_then(|policy| policy.classes.get(usize::from(class.0)));
        class.map_or_else(Default::default, |class| (class.quota, class.client_quota))
    }

    /// The meter of an account and that of its class, each with its quota.
    fn each_meter(&mut self, id: AccountId, mut act: impl FnMut(&mut Meter, &Quota)) {
        let Some(account) = self.accounts.get(&id) else { return };
        let class = account.class;
        let (of_class, of_client) = self.quotas(class);
        if let Some(account) = self.accounts.get_mut(&id) {
            act(&mut account.meter, &of_client);
        }
        if let Some(class) = self.classes.get_mut(usize::from(class.0)) {
            act(&mut class.meter, &of_class);
        }
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
