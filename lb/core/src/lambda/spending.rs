//! What has been spent, by the minute: no hour's sum is missed by more than the minute it began in.

use std::collections::VecDeque;

use crate::units::Time;

/// Minutes that are kept: those of an hour, and the one that it began in.
const MINUTES: usize = 61;

/// USD by minute, the newest last, and in all.
#[derive(Debug, Clone, Default)]
pub(super) struct Spending {
    minutes: VecDeque<(u64, f64)>,
    total: f64,
}

impl Spending {
    /// Spends `usd`; a negative amount is given back.
    pub(super) fn book(&mut self, now: Time, usd: f64) {
        self.total += usd;
        let minute = minute(now);
        match self.minutes.back_mut() {
            Some((newest, spent)) if *newest == minute => *spent += usd,
            Some(_) | None => self.minutes.push_back((minute, usd)),
        }
        while MINUTES < self.minutes.len() {
            self.minutes.pop_front();
        }
    }

    /// What has been spent in the hour before `now`, or a little more.
    pub(super) fn of_last_hour(&self, now: Time) -> f64 {
        let first = (minute(now) + 1).saturating_sub(MINUTES as u64);
        let recent = self.minutes.iter().filter(|(minute, _)| first <= *minute);
        recent.map(|(_, usd)| usd).sum::<f64>().max(0.0)
    }

    /// What has been spent since the start.
    pub(super) fn total(&self) -> f64 {
        self.total
    }
}

fn minute(now: Time) -> u64 {
    now.as_nanos() / 60_000_000_000
}
