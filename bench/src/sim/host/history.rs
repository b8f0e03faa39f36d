//! What a host remembers of the requests that it has run.

use std::collections::VecDeque;

/// How many responses are remembered.
const LATENCIES_MAX: usize = 64;

/// How many of them an estimate is made of: those that found the most similar number there.
const NEAREST: usize = 9;

/// An older response is not recent, in seconds; all are where none is.
const RECENT_SECS: f64 = 5.0;

/// What is believed of a request's work before any has been run.
const USUAL: f64 = 0.1;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Mean work and number of each route's requests.
    routes: Vec<(f64, u64)>,
    /// The newest last.
    latencies: VecDeque<Latency>,
}

/// A response.
#[derive(Debug, Clone, Copy)]
struct Latency {
    at: f64,
    /// How many requests it found there.
    found: u32,
    secs: f64,
}

// === impl History ===

impl History {
    pub(super) fn learn(&mut self, at: f64, route: u16, work: f64, (found, secs): (u32, f64)) {
        let route = usize::from(route);
        if self.routes.len() <= route {
            self.routes.resize(route + 1, (USUAL, 0));
        }
        let (mean, n) = &mut self.routes[route];
        *n += 1;
        *mean += (work - *mean) / *n as f64;
        if self.latencies.len() == LATENCIES_MAX {
            self.latencies.pop_front();
        }
        self.latencies.push_back(Latency { at, found, secs });
    }

    pub(super) fn usual(&self, route: u16) -> f64 {
        self.routes.get(usize::from(route)).map_or(USUAL, |(mean, _)| *mean)
    }

    /// Median response of the recent requests that found about as many others as `found`; of
    /// equally similar ones, the newest count. Each response is converted to `found`, as though all
    /// requests shared the cores evenly. An idle host without a recent response answers 0, because
    /// a host that has drained would otherwise be shunned for what it was. 0 before there is any.
    pub(super) fn latency(&self, now: f64, found: u32, cores: u32) -> f64 {
        let share = |found: u32| (f64::from(found + 1) / f64::from(cores)).max(1.0);
        let recent = |latency: &&Latency| now - latency.at <= RECENT_SECS;
        let any_recent = self.latencies.back().is_some_and(|latency| recent(&latency));
        if found == 0 && !any_recent {
            return 0.0;
        }
        let newest = self.latencies.iter().rev().filter(|latency| !any_recent || recent(latency));
        let brought = |latency: &Latency| latency.secs / share(latency.found) * share(found);
        let mut near: Vec<(u32, f64)> =
            newest.map(|latency| (latency.found.abs_diff(found), brought(latency))).collect();
        near.sort_by_key(|(apart, _)| *apart);
        near.truncate(NEAREST);
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        near.get(near.len() / 2).map_or(0.0, |(_, response)| *response)
    }
}
