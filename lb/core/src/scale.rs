//! How many hosts there should be: fleet, policy and now give a plan, which is executed elsewhere.
//!
//! A rule says how many hosts are desired ([`rules`]). More are launched at once; fewer only when
//! the desire has held for the stable window. Panic begins when the requests, over the short panic
//! window, want `panic_factor` times the hosts that exist. Then all hosts that are wanted are
//! launched, and none is drained for a stable window.
//!
//! # Decision: the fleet is sized for 70 %, from means of the whole fleet
//!
//! Up over 70 % and down under 20 %, as is common, a simulated day cost 77 % more than an oracle's
//! fleet; with down under 60 %, 6 % more. Busy cores and requests are averaged for the whole fleet
//! and then divided among the hosts that exist (as Knative's KPA does with concurrency). A mean
//! over each host's own past would still hold what it had when hosts were more or fewer. Cost: a
//! burst meets a fleet with less room. Look again where hosts do not run the shortest request
//! first.

pub mod deletion;
pub mod rules;
mod stabilize;

use std::time::Duration;

use serde::Serialize;

use crate::fleet::Fleet;
use crate::host::{HostId, HostState, Phase};
use crate::jobs::LineWork;
use crate::queue::QueueState;
use crate::units::{Seconds, Speed, Time, Work};

pub use rules::{Desire, Rule, ScaleReason, View};
use stabilize::{Mean, Stabilizer};

/// A host that has been ejected this often without getting well is replaced.
const EJECTIONS_MAX: u32 = 5;

/// A host that has not answered for this time, and twice what one needs to boot, is replaced:
/// another is there before it can be expected back.
const DOWN_MAX: Seconds = Seconds(10.0);

/// The gain of the moving average of boot times.
const BOOT_GAIN: f64 = 0.3;

/// How the fleet is sized.
#[derive(Debug, Clone)]
pub struct ScalePolicy {
    /// Which rule says how many hosts are desired.
    pub rule: &'static dyn Rule,
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
    /// Scale up when the mean utilization over the stable window is above this.
    pub cpu_high: f64,
    /// Scale down when it is below this.
    pub cpu_low: f64,
    /// The utilization to size the fleet for.
    pub cpu_target: f64,
    /// Scale up when the predicted backlog would take longer than this to drain, counted from when
    /// a host that is launched now would be ready.
    pub backlog_max: Duration,
    /// The desire must hold this long before scaling down.
    pub stable_window: Duration,
    /// The window over which panic looks for bursts.
    pub panic_window: Duration,
    /// Panic when the burst's desire is at least this multiple of the hosts there are.
    pub panic_factor: f64,
    /// The time a host needs to boot until it has been learned.
    pub boot_time: Duration,
    /// A host that is not ready after this is replaced.
    pub boot_timeout: Duration,
}

/// What to launch and drain. Leaves its executor no choice: `launch` hosts are launched and join
/// before the next tick, the hosts of `drain` and `replace` are drained and then stopped.
/// Replacements are counted in `launch`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScalePlan {
    /// How many hosts to launch.
    pub launch: usize,
    /// Hosts that are not needed.
    pub drain: Vec<HostId>,
    /// Hosts that are of no use: never became ready, keep failing, or have not answered for long.
    pub replace: Vec<HostId>,
    /// Why.
    pub reason: ScaleReason,
}

/// What the balancer remembers from tick to tick to plan.
#[derive(Debug, Clone)]
pub struct Scaler {
    policy: ScalePolicy,
    /// How many hosts the last decision wanted: what is missing of them has failed.
    target: usize,
    /// The least and the most hosts: the policy's, unless others say otherwise.
    bounds: (usize, usize),
    boot_time: Seconds,
    /// Hosts' worth of what is busy, over the stable window.
    busy: Mean,
    /// Requests that run or wait, over the panic window.
    requests: Mean,
    stabilizer: Stabilizer,
    panic_until: Time,
    /// When hosts were last launched or drained.
    changed: Time,
    /// What others are told who scale; see [`Scaler::wanted`].
    wanted: Option<usize>,
}

// === impl ScalePlan ===

impl ScalePlan {
    /// Whether there is nothing to do.
    pub fn is_steady(&self) -> bool {
        self.launch == 0 && self.drain.is_empty() && self.replace.is_empty()
    }
}

// === impl Scaler ===

impl Scaler {
    /// Has seen nothing yet.
    pub fn new(policy: ScalePolicy) -> Scaler {
        debug_assert!(policy.hosts_min <= policy.hosts_max, "the policy is an interval");
        Scaler {
            target: policy.hosts_min,
            bounds: (policy.hosts_min, policy.hosts_max.max(policy.hosts_min)),
            boot_time: Seconds::from(policy.boot_time),
            busy: Mean::new(policy.stable_window),
            requests: Mean::new(policy.panic_window),
            stabilizer: Stabilizer::new(policy.stable_window),
            panic_until: Time::ZERO,
            changed: Time::ZERO,
            wanted: None,
            policy,
        }
    }

    /// Goes on by `policy`, with what has been seen so far. Bounds that others set are forgotten:
    /// who sets them says them again.
    pub fn reconfigure(&mut self, policy: ScalePolicy) {
        debug_assert!(policy.hosts_min <= policy.hosts_max, "the policy is an interval");
        if policy.boot_time != self.policy.boot_time {
            self.boot_time = Seconds::from(policy.boot_time);
        }
        self.bounds = (policy.hosts_min, policy.hosts_max.max(policy.hosts_min));
        self.target = self.target.clamp(self.bounds.0, self.bounds.1);
        self.busy.set_window(policy.stable_window);
        self.requests.set_window(policy.panic_window);
        self.stabilizer.set_window(policy.stable_window);
        self.policy = policy;
    }

    /// A host has taken `boot` to become ready.
    pub fn booted(&mut self, boot: Seconds) {
        let most = self.policy.boot_timeout.as_secs_f64();
        let seen = boot.0.clamp(0.0, most);
        self.boot_time = Seconds(self.boot_time.0 + BOOT_GAIN * (seen - self.boot_time.0));
    }

    /// The time that a host needs to boot, as learned.
    pub fn boot_time(&self) -> Seconds {
        self.boot_time
    }

    /// How many hosts are wanted, for others who scale the fleet: the most that was desired within
    /// the stable window, whether they are there or not. Until the window has passed once it is not
    /// less than what there is. `None` while nothing tells: until then, without a host.
    pub fn wanted(&self) -> Option<usize> {
        self.wanted
    }

    /// Keeps between `least` and `most` hosts, against the policy where need be; within that the
    /// policy's own bounds hold.
    pub fn bound(&mut self, least: usize, most: usize) {
        let most = most.max(least);
        let (own_least, own_most) = (self.policy.hosts_min, self.policy.hosts_max);
        self.bounds = (own_least.clamp(least, most), own_most.max(own_least).clamp(least, most));
    }

    /// The plan for now. `fleet` has been brought to `now`.
    /// `line`: the jobs that wait for this fleet.
    pub fn plan(
        &mut self,
        now: Time,
        fleet: &Fleet,
        (waiting, line): (QueueState, &LineWork),
    ) -> ScalePlan {
        let replace = self.useless(now, fleet);
        let usable: Vec<&HostState> = fleet
            .hosts()
            .iter()
            .filter(|host| matches_kept(host) && !replace.contains(&host.id))
            .collect();
        let view = View { line: *line, ..self.view(now, &usable, waiting) };
        let desire = self.decide(now, &view);
        let mut plan = self.change(&usable, desire);
        if !replace.is_empty() && plan.reason == ScaleReason::Steady {
            plan.reason = ScaleReason::HostFailed;
        }
        plan.replace = replace;
        if plan.launch != 0 || !plan.drain.is_empty() {
            self.changed = now;
        }
        plan
    }

    /// Hosts that never became ready, that keep failing, or that have not answered for long.
    fn useless(&self, now: Time, fleet: &Fleet) -> Vec<HostId> {
        let down_max = (DOWN_MAX + self.boot_time * 2.0).to_duration();
        let is_long_down =
            |host: &HostState| host.down_since.is_some_and(|down| down_max <= now.since(down));
        let is_useless = |host: &&HostState| match host.phase {
            Phase::Starting => self.policy.boot_timeout <= now.since(host.since),
            Phase::Active => EJECTIONS_MAX <= host.ejections || is_long_down(host),
            Phase::Draining | Phase::Gone => false,
        };
        fleet.hosts().iter().filter(is_useless).map(|host| host.id).collect()
    }

    /// What the rules see.
    fn view(&mut self, now: Time, usable: &[&HostState], waiting: QueueState) -> View {
        let active: Vec<&&HostState> =
            usable.iter().filter(|host| host.phase == Phase::Active).collect();
        let n_active = active.len();
        let per = 1.0 / n_active.max(1) as f64;
        let busy: f64 = active.iter().map(|host| host.occupancy()).sum();
        let cores: f64 = active.iter().map(|host| f64::from(host.cores)).sum();
        let in_flight: usize = active.iter().map(|host| host.n_requests() as usize).sum();
        let capacity: f64 = active.iter().map(|host| host.capacity().as_cpu_secs()).sum();
        let horizon = self.boot_time + Seconds::from(self.policy.backlog_max);
        let left: f64 = active.iter().map(|host| host.work_within(horizon).as_cpu_secs()).sum();
        let requests = in_flight + waiting.requests;
        let speed = usable.first().map_or(Speed::ONE, |host| host.speed);
        let waiting_most = speed * horizon * waiting.requests as f64;
        let host = if n_active == 0 {
            usable.first().map_or(1.0, |host| host.capacity().as_cpu_secs())
        } else {
            capacity * per
        };
        View {
            active: n_active,
            kept: usable.len(),
            utilization: self.busy.add(now, busy) * per,
            requests,
            requests_per_core: self.requests.add(now, requests as f64) / cores.max(1.0),
            backlog: Work::saturating(left) + waiting.work.min(waiting_most),
            host_capacity: Work::saturating(host),
            boot_time: self.boot_time,
            line: LineWork::default(),
            cores: cores as usize,
            since_change: Seconds::from(now.since(self.changed)),
        }
    }

    /// The whole policy: how many hosts, and why.
    fn decide(&mut self, now: Time, view: &View) -> Desire {
        let policy = &self.policy;
        let (least, most) = self.bounds;
        let desire = policy.rule.desired(view, policy).clamp(least, most);

        let burst = view.burst(policy).min(most);
        let wanted = policy.panic_factor * view.kept.max(1) as f64;
        if view.kept < burst && wanted <= burst as f64 {
            self.panic_until = now + policy.stable_window;
            self.stabilizer.hold(now, burst);
            self.want(view.kept, burst.max(desire.hosts), usize::MAX);
            return Desire { hosts: burst.max(desire.hosts), reason: ScaleReason::Panic };
        }
        let stable = self.stabilizer.add(now, desire.hosts);
        self.want(view.kept, desire.hosts, stable);
        if view.kept < desire.hosts {
            return desire;
        }
        if most < view.kept {
            return Desire { hosts: most, reason: ScaleReason::HostsMax };
        }
        if now < self.panic_until || view.kept <= stable {
            return Desire {
                hosts: view.kept.max(self.target).min(most),
                reason: ScaleReason::HostFailed,
            };
        }
        Desire { hosts: stable, reason: desire.reason }
    }

    /// Notes what is wanted: `stable`, or `usize::MAX` where that is not known, of which `desired`
    /// is a part.
    fn want(&mut self, kept: usize, desired: usize, stable: usize) {
        let (least, most) = self.bounds;
        let known = match stable {
            usize::MAX if kept == 0 && self.wanted.is_none() => return,
            usize::MAX => desired.max(kept).max(self.wanted.unwrap_or(0)),
            stable => stable,
        };
        self.wanted = Some(known.clamp(least, most));
    }

    /// From how many to which.
    fn change(&mut self, usable: &[&HostState], desire: Desire) -> ScalePlan {
        let kept = usable.len();
        let reason = match (kept < self.bounds.0, desire.hosts <= self.target) {
            (true, _) => ScaleReason::HostsMin,
            // It was wanted before, and is missing: lost.
            (false, true) if kept < desire.hosts => ScaleReason::HostFailed,
            (false, true | false) => desire.reason,
        };
        self.target = desire.hosts;
        if kept < desire.hosts {
            return ScalePlan { launch: desire.hosts - kept, reason, ..ScalePlan::default() };
        }
        if kept == desire.hosts {
            return ScalePlan::default();
        }
        let drain = idlest(usable, kept - desire.hosts);
        ScalePlan { drain, reason: desire.reason, ..ScalePlan::default() }
    }
}

/// Whether a host is kept: it runs, or will.
fn matches_kept(host: &HostState) -> bool {
    match host.phase {
        Phase::Starting | Phase::Active => true,
        Phase::Draining | Phase::Gone => false,
    }
}

/// The `n` hosts with the least work left; of equals, the one that joined last.
fn idlest(hosts: &[&HostState], n: usize) -> Vec<HostId> {
    let mut order: Vec<&&HostState> = hosts.iter().collect();
    order.sort_by(|a, b| {
        let (left_a, left_b) = (a.work_left.as_cpu_secs(), b.work_left.as_cpu_secs());
        left_a.total_cmp(&left_b).then(b.id.cmp(&a.id))
    });
    order.into_iter().take(n).map(|host| host.id).collect()
}

#[cfg(test)]
mod tests;
