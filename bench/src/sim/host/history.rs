//! What a host remembers of the requests that it has run.

use std::collections::VecDeque;

/// How many responses are remembered.
const LATENCIES_MAX: usize = 64;

/// How many of them an estimate is made of: those that found the most similar number there.
const NEAREST: usize = 9;

/// What is believed of a request's work before any has been run.
const USUAL: f64 = 0.1;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Mean work and number of each route's requests.
    routes: Vec<(f64, u64)>,
    /// Requests found and response, the newest last.
    latencies: VecDeque<(u32, f64)>,
}

// === impl History ===

impl History {
    pub(super) fn learn(&mut self, route: u16, work: f64, latency: (u32, f64)) {
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
        self.latencies.push_back(latency);
    }

    pub(super) fn usual(&self, route: u16) -> f64 {
        self.routes.get(usize::from(route)).map_or(USUAL, |(mean, _)| *mean)
    }

    /// Median response of those that found a number of requests most similar to `found`; of equally
    /// similar ones, the newest. 0 before there is any.
    pub(super) fn latency(&self, found: u32) -> f64 {
        let newest = self.latencies.iter().rev();
        let mut near: Vec<(u32, f64)> =
            newest.map(|(then, response)| (then.abs_diff(found), *response)).collect();
        near.sort_by_key(|(apart, _)| *apart);
        near.truncate(NEAREST);
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        near.get(near.len() / 2).map_or(0.0, |(_, response)| *response)
    }
}
