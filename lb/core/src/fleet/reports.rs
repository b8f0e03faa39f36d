//! What a load report tells of its host.
//!
//! The host knows how many requests it has, but not whose they are. Those beyond our own claims are
//! taken for requests of other balancers, all of the same size. Own requests on their way to the
//! host are not in its report yet, so others may be undercounted by as many, never overcounted.
//! Where the host does not say how much work it has, the others are as large as our own have been
//! of late. Between reports these claims age as our own do; see `aging.rs`.

use super::{Fleet, WORK_MIN, aging, insert, learning, note_crowd};
use crate::host::{Claim, Discipline, HostId, HostState};
use crate::observe::HostReport;
use crate::units::{Time, Work};

/// The most requests of other balancers that are told apart on one host.
const FOREIGN_MAX: u32 = 64;

/// What is believed of one request of another balancer at most, in CPU-seconds of the reference
/// core.
const FOREIGN_SECS_MAX: f64 = 600.0;

/// More than this of what there is cannot be in use.
const FRACTION_MAX: f64 = 10.0;

/// A host that says it has more run slots is not believed.
const SLOTS_MAX: u32 = 1024;

impl Fleet {
    /// Others have measured that `utilization` of a host's CPU is busy, which is believed `until`
    /// then, before what the host itself says. A number that cannot be is not believed.
    pub fn tell_cpu(&mut self, id: HostId, utilization: f64, until: Time) {
        if let Some(utilization) = fraction(Some(utilization)) {
            self.write(id, |host| host.cpu_told = Some((until, utilization)));
        }
    }

    /// Forgets reports, and what others told, that are too old to be believed.
    pub fn expire_reports(&mut self, now: Time) {
        let is_told = |host: &HostState| host.cpu_told.is_some_and(|(until, _)| until < now);
        let told: Vec<HostId> =
            self.hosts.iter().filter(|host| is_told(host)).map(|host| host.id).collect();
        for id in told {
            self.write(id, |host| host.cpu_told = None);
        }
        let age_max = self.policy.report_age_max;
        let is_old = |host: &HostState| host.report.is_some_and(|(at, _)| age_max < now.since(at));
        let old: Vec<HostId> =
            self.hosts.iter().filter(|host| is_old(host)).map(|host| host.id).collect();
        for id in old {
            self.write(id, |host| {
                aging::advance(host, now);
                host.report = None;
                set_foreign(host, now, 0, Work::ZERO);
            });
        }
    }

    /// A host says how it is. Numbers that cannot be are not believed.
    ///
    /// Its run slots are its cores, its discipline counts unless one was told when it joined, and
    /// its speed counts until one has been learned from what it completed.
    pub fn report(&mut self, now: Time, id: HostId, report: &HostReport) {
        let report = believable(report);
        let size = Work::saturating(self.claimed_mean.0.max(WORK_MIN));
        let most = Work::saturating(FOREIGN_SECS_MAX);
        self.write(id, |host| {
            aging::advance(host, now);
            host.report = Some((now, report));
            if let Some(slots) = report.slots {
                host.cores = slots;
            }
            let claimed = report.speed.filter(|_| host.speeds_seen == 0);
            if let Some(speed) = claimed.filter(|one| learning::may_claim(host.spec.speed, *one)) {
                host.speed = speed;
            }
            if let Some(discipline) = host.spec.discipline.or(report.discipline) {
                switch(host, discipline);
            }
            let foreign = report.in_flight.unwrap_or(0).saturating_sub(host.in_flight);
            let work = report.work_left.map_or_else(
                || size * f64::from(foreign),
                |work| {
                    work.saturating_sub(own_work(host))
                        .min(most * f64::from(foreign.min(FOREIGN_MAX)))
                },
            );
            set_foreign(host, now, foreign, work);
        });
    }
}

/// Remaining work of our own claims.
fn own_work(host: &HostState) -> Work {
    let own = host.claims.iter().filter(|claim| claim.request.is_some());
    own.fold(Work::ZERO, |sum, claim| sum + claim.remaining)
}

/// Orders the claims of `host` as `discipline` does.
fn switch(host: &mut HostState, discipline: Discipline) {
    if host.discipline == discipline {
        return;
    }
    host.discipline = discipline;
    match discipline {
        Discipline::Fcfs => host.claims.sort_by_key(|claim| claim.claimed_at),
        Discipline::Srpt | Discipline::Ps => aging::sort(host),
    }
    aging::sum(host);
}

/// Replaces what other balancers are believed to have on `host` by `n` requests of equal size.
fn set_foreign(host: &mut HostState, now: Time, n: u32, work: Work) {
    note_crowd(host, now);
    if host.foreign != 0 {
        host.claims.retain(|claim| claim.request.is_some());
    }
    host.foreign = if work == Work::ZERO { 0 } else { n.min(FOREIGN_MAX) };
    let expected = (work * (1.0 / f64::from(host.foreign.max(1)))).max(Work::saturating(WORK_MIN));
    let (shared_from, remaining) = (host.shared_secs, expected);
    for _ in 0..host.foreign {
        let claimed_at = now;
        insert(
            host,
            Claim { request: None, expected, remaining, claimed_at, shared_from, owner: None },
        );
    }
    aging::sum(host);
    note_crowd(host, now);
}

/// The report without numbers that cannot be.
fn believable(report: &HostReport) -> HostReport {
    HostReport {
        cpu_utilization: fraction(report.cpu_utilization),
        mem_utilization: fraction(report.mem_utilization),
        application_utilization: fraction(report.application_utilization),
        slots: report.slots.filter(|slots| (1..=SLOTS_MAX).contains(slots)),
        ..*report
    }
}

/// A fraction as far as it can be; utilization may exceed 1.
fn fraction(value: Option<f64>) -> Option<f64> {
    value.filter(|value| 0.0 <= *value && value.is_finite()).map(|value| value.min(FRACTION_MAX))
}
