//! The requests that are here, for people who look: those with the most work left.

use super::{Balancer, Grant, Request};
use crate::estimate::Estimate;
use crate::host::HostId;
use crate::policy::FunctionId;
use crate::request::{RequestId, RouteId};
use crate::units::{Time, Work};

/// Requests that are here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Here {
    /// How many have been sent somewhere.
    pub running: usize,
    /// How many wait.
    pub waiting: usize,
    /// Of those that have been sent somewhere the ones with the most work left, the most first; of
    /// equals the one that came first.
    pub largest_running: Vec<RequestHere>,
    /// Likewise of those that wait.
    pub largest_waiting: Vec<RequestHere>,
}

/// One request that is here.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestHere {
    /// Which.
    pub id: RequestId,
    /// Its route.
    pub route: RouteId,
    /// Where it is.
    pub whereabouts: Whereabouts,
    /// What it was placed by.
    pub estimate: Estimate,
    /// Of that what is left, as of the last event that touched its host. Of one that waits or is on
    /// Lambda all of it.
    pub work_left: Work,
    /// When it came.
    pub arrived: Time,
    /// How often it has been sent somewhere.
    pub tries: usize,
    /// Whether it is an attempt of a job.
    pub is_job: bool,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// At that host.
    Host(HostId),
    /// On Lambda, by that function.
    Lambda(FunctionId),
    /// In the waiting room.
    Waiting,
    /// Its host has left.
    Nowhere,
}

// === impl Balancer ===

impl Balancer {
    /// The requests that are here, `most` at most of those that run and of those that wait. Looks
    /// at each once.
    pub fn here(&self, most: usize) -> Here {
        let claims = self.hosts().flat_map(|host| &host.claims);
        let mut running: Vec<(Work, RequestId)> =
            claims.filter_map(|claim| Some((claim.remaining, claim.request?))).collect();
        let mut waiting = Vec::new();
        for (id, request) in &self.requests {
            match request.grant {
                Grant::Claim(_) => {}
                Grant::Run(_) | Grant::Nothing => running.push((request.estimate.mean, *id)),
                Grant::Place { .. } => waiting.push((request.estimate.mean, *id)),
            }
        }
        Here {
            running: running.len(),
            waiting: waiting.len(),
            largest_running: self.describe_largest(running, most),
            largest_waiting: self.describe_largest(waiting, most),
        }
    }

    fn describe_largest(&self, requests: Vec<(Work, RequestId)>, most: usize) -> Vec<RequestHere> {
        let largest = largest(requests, most).into_iter();
        let known = largest.filter_map(|(left, id)| Some((left, id, self.requests.get(&id)?)));
        known.map(|(left, id, request)| RequestHere::new(id, request, left)).collect()
    }
}

/// The `most` with the most work, in order.
fn largest(mut requests: Vec<(Work, RequestId)>, most: usize) -> Vec<(Work, RequestId)> {
    let order = |a: &(Work, RequestId), b: &(Work, RequestId)| {
        b.0.as_cpu_secs().total_cmp(&a.0.as_cpu_secs()).then(a.1.cmp(&b.1))
    };
    if most == 0 {
        return Vec::new();
    }
    if most < requests.len() {
        requests.select_nth_unstable_by(most - 1, order);
        requests.truncate(most);
    }
    requests.sort_unstable_by(order);
    requests
}

// === impl RequestHere ===

impl RequestHere {
    fn new(id: RequestId, request: &Request, work_left: Work) -> RequestHere {
        let whereabouts = match request.grant {
            Grant::Claim(host) => Whereabouts::Host(host),
            Grant::Run(run) => Whereabouts::Lambda(run.function),
            Grant::Place { .. } => Whereabouts::Waiting,
            Grant::Nothing => Whereabouts::Nowhere,
        };
        RequestHere {
            id,
            route: request.ask.route,
            whereabouts,
            estimate: request.estimate,
            work_left,
            arrived: request.arrived,
            tries: request.tries,
            is_job: request.ask.job.is_some(),
        }
    }
}
