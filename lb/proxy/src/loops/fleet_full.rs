//! Says that a fleet is as large as it may be: whoever set the bound may want to raise it.

use std::time::{Duration, Instant};

use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::Phase;

use crate::config::{Config, FleetSource};

/// Time between two such lines while it stays so. An alarm that counts them looks every 5 minutes.
const SAY_INTERVAL: Duration = Duration::from_mins(4);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FleetFull {
    said: Option<Instant>,
}

/// The number of hosts of a fleet that scales, where it is the most that it may have; `None` where
/// it may have more, or always has the same.
pub(crate) fn most(config: &Config, balancer: &Balancer) -> Option<usize> {
    let scales = match config.fleet.source() {
        FleetSource::Listed(_) => false,
        FleetSource::Processes(_) | FleetSource::Rented(_) => true,
    };
    let is_kept = |phase| match phase {
        Phase::Starting | Phase::Active => true,
        Phase::Draining | Phase::Gone => false,
    };
    let (least, most) = (balancer.policy().scale.hosts_min, balancer.policy().scale.hosts_max);
    let kept = balancer.hosts().filter(|host| is_kept(host.phase)).count();
    (scales && least < most && most <= kept).then_some(kept)
}

impl FleetFull {
    /// Says so where the fleet has its `most` hosts: at once, and from time to time.
    pub(super) fn look(&mut self, most: Option<usize>) {
        if self.is_news(most.is_some(), Instant::now()) {
            tracing::warn!(hosts = most.unwrap_or(0), "the fleet is at its most");
        }
    }

    fn is_news(&mut self, is_full: bool, now: Instant) -> bool {
        if !is_full {
            self.said = None;
            return false;
        }
        let is_due = |said: Instant| SAY_INTERVAL <= now.saturating_duration_since(said);
        let is_news = self.said.is_none_or(is_due);
        if is_news {
            self.said = Some(now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_core::host::HostSpec;
    use weighbridge_core::units::{Speed, Time};

    use super::*;

    #[test]
    fn it_is_said_when_it_begins_and_once_in_each_interval() {
        let (mut full, begun) = (FleetFull::default(), Instant::now());
        let mut is_news = |is_full, secs| full.is_news(is_full, begun + Duration::from_secs(secs));
        assert!(!is_news(false, 0));
        assert!(is_news(true, 1));
        assert!(!is_news(true, 240));
        assert!(is_news(true, 241));
        assert!(!is_news(false, 242));
        assert!(is_news(true, 243), "it is so again");
    }

    fn most_of(text: &str, n_hosts: usize) -> Option<usize> {
        let route = "[[routes]]\nname = \"all\"\npath = \"/\"\n";
        let config = Config::parse(&format!("{text}\n{route}"), &[]).unwrap();
        let mut balancer = Balancer::new(config.policy.clone(), 1);
        for nth in 0..n_hosts {
            let spec = HostSpec {
                name: nth.to_string(),
                cores: 1,
                speed: Speed::ONE,
                discipline: None,
                price: 1.0,
            };
            balancer.join(Time::from_nanos(0), spec);
        }
        most(&config, &balancer)
    }

    #[test]
    fn only_a_fleet_that_scales_can_be_full() {
        let scales = "scale.hosts_max = 2";
        assert_eq!((most_of(scales, 1), most_of(scales, 2)), (None, Some(2)));
        assert_eq!(most_of("scale.hosts_min = 2\nscale.hosts_max = 2", 2), None);
        let fixed = "fleet.kind = \"static\"\nfleet.static.hosts = [{ address = \"10.0.0.7:80\" }, \
                     { address = \"10.0.0.8:80\" }]";
        assert_eq!(most_of(fixed, 2), None);
    }
}
