//! Takes a lease, renews it well before it ends, and gives it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Fence, Held, Leadership, LeaseError, Leases};
use crate::metrics::Metrics;

/// How often in its term a lease is renewed, or asked for again while another balancer has it.
const RENEWALS: u32 = 3;

/// After an error, it is asked for again after this part of the term.
const RETRY: u32 = 10;

/// The part of the term for which the holder believes in its lease. The rest is for clocks that do
/// not run equally fast.
const SURE: f64 = 0.9;

/// The longest that giving back takes. Without it the lease ends with its term.
const GIVE_BACK_MAX: Duration = Duration::from_secs(2);

/// A balancer that wants to lead.
pub(crate) struct Candidate {
    pub(crate) leases: Arc<dyn Leases>,
    /// The lease.
    pub(crate) name: &'static str,
    /// Names this run of this balancer.
    pub(crate) holder: String,
    pub(crate) term: Duration,
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Candidate {
    /// Keeps the leadership as it is, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut led = None;
        loop {
            let asked = Instant::now();
            // A later answer would be of no use.
            let patience = self.leadership.left().unwrap_or(self.term).min(self.term / RENEWALS);
            let take = self.leases.take(self.name, &self.holder, self.term);
            let pause = match timeout(patience, take).await {
                Ok(Ok(fence)) => {
                    let until = Some(asked + self.term.mul_f64(SURE));
                    self.leadership.hold(fence.map(|fence| Held { fence, until }));
                    self.term / RENEWALS
                }
                Ok(Err(error)) => self.failed(Some(&error)),
                Err(_) => self.failed(None),
            };
            self.tell(&mut led);
            // Wakes at the end of the leadership, to say so at once.
            sleep(self.leadership.left().unwrap_or(pause).min(pause)).await;
            self.tell(&mut led);
        }
    }

    /// Gives the lease back, so that another balancer need not wait for its end.
    pub(crate) async fn give_back(&self) {
        if self.leadership.fence().is_none() {
            return;
        }
        self.leadership.hold(None);
        self.metrics.leading(self.name, false);
        let give_back = self.leases.give_back(self.name, &self.holder);
        match timeout(GIVE_BACK_MAX, give_back).await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "a lease is given back"),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(lease = self.name, error, "a lease is not given back: it will end");
            }
            Err(_) => tracing::warn!(lease = self.name, "a lease is not given back: it will end"),
        }
    }

    fn failed(&self, error: Option<&LeaseError>) -> Duration {
        self.metrics.loop_failed("lease");
        let error = error.map(|error| error as &dyn std::error::Error);
        tracing::warn!(lease = self.name, error, "it is not known who has a lease");
        self.term / RETRY
    }

    fn tell(&self, led: &mut Option<Fence>) {
        let leads = self.leadership.fence();
        self.metrics.leading(self.name, leads.is_some());
        if *led == leads {
            return;
        }
        if let Some(Fence(fence)) = leads {
            tracing::info!(lease = self.name, fence, "leading");
        } else {
            tracing::warn!(lease = self.name, "no longer leading");
        }
        *led = leads;
    }
}
