//! The decision as it is defined: from scratch, over all requests, against the one that looks at
//! the best only. And what is counted and kept in order, against the requests themselves.

use std::collections::BTreeSet;

use super::super::claim::{Claim, Line, Standing};
use super::*;

/// Which requests are to be in the slots: the best of those that could run, as many as run at once.
fn chosen_from_scratch(schedule: &Schedule, now: Duration) -> BTreeSet<u64> {
    let line = line_from_scratch(schedule, now);
    let executing = schedule.in_slots.values().chain(schedule.yielding.values());
    let mut started: Vec<Claim> = executing.map(|entry| schedule.claim(entry, line, now)).collect();
    let mut waiting = Vec::new();
    for (&number, entry) in &schedule.outside {
        let rank = schedule.rank(entry);
        let (claims, ranked) = match entry.phase {
            Phase::Waiting => (&mut waiting, &schedule.waiting),
            Phase::Parked => (&mut started, &schedule.parked),
            Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Leaving => continue,
        };
        let deadline = ranked.deadline(rank, number).expect("it is kept in order");
        let is_guarded = line.is_some_and(|line| (deadline, number) <= line);
        let standing =
            if is_guarded { Standing::Overdue(deadline) } else { Standing::Ordered(rank) };
        claims.push(Claim { standing, out_of_slot: true, number });
    }
    let n_started = schedule.n_requests() - waiting.len();
    waiting.sort();
    let mut started_bytes = bytes_from_scratch(schedule);
    assert_eq!(started_bytes, schedule.started_bytes);
    let most = schedule.bounds.started_bytes_max;
    let mut is_kept_free = false;
    waiting.retain(|claim| {
        let bytes = schedule.held(&schedule.outside[&claim.number]);
        let is_room = bytes <= most / 64 || !is_kept_free;
        let fits = is_room && started_bytes.saturating_add(bytes) <= most;
        started_bytes += if fits { bytes } else { 0 };
        is_kept_free |= !fits && matches!(claim.standing, Standing::Overdue(_));
        fits
    });
    waiting.truncate(schedule.bounds.started_max.saturating_sub(n_started));
    started.append(&mut waiting);
    started.sort();
    started.truncate(schedule.at_once());
    started.into_iter().map(|claim| claim.number).collect()
}

/// What started requests hold.
fn bytes_from_scratch(schedule: &Schedule) -> u64 {
    let executing = schedule.in_slots.values().chain(schedule.yielding.values());
    let outside = schedule.outside.values().filter(|entry| entry.is_started());
    executing.chain(outside).map(|entry| schedule.held(entry)).sum()
}

/// The last of the overdue requests that the age guard lets go first.
fn line_from_scratch(schedule: &Schedule, now: Duration) -> Line {
    if now < schedule.guard_rests_until {
        return None;
    }
    let all = schedule.in_slots.values().chain(schedule.yielding.values());
    let all = all
        .chain(schedule.outside.values())
        .filter(|entry| entry.phase != Phase::Leaving && !entry.abandoned);
    let mut overdue: Vec<(Duration, u64)> = all
        .map(|entry| (entry, schedule.deadline(entry)))
        .filter(|(entry, deadline)| *deadline <= entry.waited_until(now))
        .map(|(entry, deadline)| (deadline, entry.progress.number()))
        .collect();
    overdue.sort();
    overdue.truncate(schedule.guard_share());
    overdue.last().copied()
}

pub(super) fn check(schedule: &Schedule, now: Duration) {
    let choice = schedule.choose(now);
    let mut chosen: BTreeSet<u64> = schedule.in_slots.keys().copied().collect();
    chosen.retain(|number| !choice.leaves.contains(number));
    chosen.extend(choice.enters);
    assert_eq!(chosen, chosen_from_scratch(schedule, now));
    check_books(schedule);
}

fn check_books(schedule: &Schedule) {
    let outside = |phase| schedule.outside.values().filter(move |entry| entry.phase == phase);
    let asked = schedule.in_slots.values().filter(|entry| entry.is_asked());
    assert_eq!(schedule.n_asked, asked.count());
    for (phase, ranked) in [(Phase::Waiting, &schedule.waiting), (Phase::Parked, &schedule.parked)]
    {
        assert_eq!(ranked.len(), outside(phase).count());
        let work_secs: f64 = outside(phase).map(Entry::work_left_secs).sum();
        assert!((ranked.work_secs() - work_secs).abs() < 1e-9, "{work_secs}");
    }
}
