//! Goes on by another policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::account::Account;
use super::quota::Meter;
use super::{AccountId, Class, ClassId, OTHER, SharePolicy, Shares};
use crate::units::Time;

// === impl Shares ===

impl Shares {
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
    pub(super) fn places_in(&self, policy: Option<&SharePolicy>) -> Vec<ClassId> {
        let place = |name: &str| {
            let classes = policy.map_or(&[][..], |policy| &policy.classes);
            let place = classes.iter().position(|class| class.name == name);
            ClassId(place.unwrap_or_default() as u8)
        };
        let classes = self.policy.iter().flat_map(|policy| &policy.classes);
        classes.map(|class| place(&class.name)).collect()
    }

    /// Puts what is kept of each class in its place.
    pub(super) fn move_classes(&mut self, places: &[ClassId]) {
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

    pub(super) fn reread_members(&mut self) {
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
    pub(super) fn forget_all_but_named(&mut self) {
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
}
