//! Which account a request is of: found, made and forgotten.

use std::sync::Arc;

use super::account::Account;
use super::quota::Meter;
use super::{AccountId, ClassId, Quota, Shares, Terms};
use crate::units::Time;

// === impl Shares ===

impl Shares {
    pub(super) fn class_of(&self, terms: &Terms) -> ClassId {
        let member = terms.client.as_ref().and_then(|client| self.members.get(client));
        let class = member.copied().unwrap_or(terms.class);
        if usize::from(class.0) < self.classes.len() { class } else { ClassId(0) }
    }

    pub(super) fn rest(&self, class: ClassId) -> AccountId {
        self.classes.get(usize::from(class.0)).map_or(AccountId::NONE, |class| class.rest)
    }

    /// The client's account, or the one that it would share; none, where it would get one.
    pub(super) fn find(&self, now: Time, class: ClassId, terms: &Terms) -> AccountId {
        let Some(client) = &terms.client else { return self.rest(class) };
        let known = self.ids.get(&(class, Arc::clone(client))).copied();
        known.unwrap_or_else(
            || {
                if self.has_place(now) { AccountId::NONE } else { self.rest(class) }
            },
        )
    }

    /// Whether a further client can be remembered.
    pub(super) fn has_place(&self, now: Time) -> bool {
        let most = self.policy.as_ref().map_or(0, |policy| policy.clients_max);
        self.ids.len() < most || self.idle.first().is_some_and(|(at, _)| *at <= now)
    }

    pub(super) fn find_or_make(&mut self, now: Time, class: ClassId, terms: &Terms) -> AccountId {
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

    pub(super) fn add(&mut self, account: Account) -> AccountId {
        let id = AccountId(self.next);
        // The last one stands for those that have none.
        self.next = self.next.wrapping_add(1) % u32::MAX;
        self.accounts.insert(id, account);
        id
    }

    pub(super) fn forget(&mut self, id: AccountId) {
        self.note_seen(id, None);
        if let Some(account) = self.accounts.remove(&id) {
            self.idle.remove(&(account.forgotten_at, id));
            self.ids.remove(&(account.class, account.name));
        }
    }

    /// Quotas of a class, and of each of its clients.
    pub(super) fn quotas(&self, class: ClassId) -> (Quota, Quota) {
        let policy = self.policy.as_ref();
        let class = policy.and_then(|policy| policy.classes.get(usize::from(class.0)));
        class.map_or_else(Default::default, |class| (class.quota, class.client_quota))
    }

    /// The meter of an account and that of its class, each with its quota.
    pub(super) fn each_meter(&mut self, id: AccountId, mut act: impl FnMut(&mut Meter, &Quota)) {
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
}
