//! Finds the hosts of fleets by names and by files, and tells the roster of them.
//!
//! A name is asked for again when its answer has ended (TTL). While nobody answers, the last good
//! answer holds. A file is looked at every second, and read when it has changed; where it has
//! mistakes, what it said before holds.

mod dns;
mod file;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::backoff::Backoff;
use crate::config::{
    Discovery, FleetIndex, HostAddress, HostTemplate, NamedHosts, StaticHost, Target,
};
use crate::front::{Current, Front};
use crate::roster::Origin;

use dns::{Answer, DnsError, Resolver};
use file::File;

/// Between two looks at what is due, and at whether a file has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Pauses between questions that nobody answers.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), max: Duration::from_secs(30) };

/// The most hosts that names and a file stand for, in one fleet.
const HOSTS_MAX: usize = 4096;

/// What is known of the hosts of one fleet.
#[derive(Default)]
struct Found {
    names: BTreeMap<Target, Known>,
    file: File,
    /// What the roster was told last.
    told: Vec<StaticHost>,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Known {
    /// The last good answer, if there has been one.
    hosts: Option<Vec<SocketAddr>>,
    /// When to ask again; `None`: it has not been asked yet.
    due: Option<Instant>,
    /// Failures in a row.
    failures: u64,
    /// Since when it stands for nothing, where it did before.
    nothing_since: Option<Instant>,
}

/// Follows the names and the file of the fleet at `index`, by the configuration in use.
pub(crate) async fn follow(current: Current, index: FleetIndex) {
    let mut found = Found::default();
    let mut resolver = Resolver::default();
    loop {
        let front = current.load_full();
        if let Some(discovery) = front.config.discovery.get(index.0) {
            let hosts = found.look(&front, discovery, &mut resolver).await;
            found.tell(&front, index, hosts);
        }
        drop(front);
        let pause = found.pause(Instant::now());
        tokio::time::sleep(pause).await;
    }
}

// === impl Found ===

impl Found {
    /// The hosts by what is known now; `None` while a name has never been answered or refused.
    async fn look(
        &mut self,
        front: &Front,
        discovery: &Discovery,
        resolver: &mut Resolver,
    ) -> Option<Vec<StaticHost>> {
        if let Err(error) = self.file.look(discovery.file.as_deref()).await {
            front.ledger.metrics.loop_failed("hosts_file");
            tracing::warn!(%error, "the hosts of a file stay as they were");
        }
        let of_file = self.file.targets().iter();
        let of_file = of_file.map(|target| (target.clone(), discovery.template.clone()));
        let of_names = discovery
            .names
            .iter()
            .map(|NamedHosts { target, template }| (target.clone(), template.clone()));
        let wanted: Vec<(Target, HostTemplate)> = of_names.chain(of_file).collect();
        self.names.retain(|name, _| wanted.iter().any(|(target, _)| target == name));
        for (target, _) in &wanted {
            self.names.entry(target.clone()).or_default();
        }
        self.ask(front, resolver).await;
        self.hosts(&wanted, discovery)
    }

    /// Asks for the names that are due.
    async fn ask(&mut self, front: &Front, resolver: &mut Resolver) {
        let now = Instant::now();
        let due = self.names.iter().filter(|(_, known)| known.due.is_none_or(|due| due <= now));
        let due: Vec<Target> = due.map(|(target, _)| target.clone()).collect();
        if due.is_empty() {
            return;
        }
        let dns = &front.config.dns;
        let resolver = resolver.by(dns);
        let asked = due.into_iter().map(|target| async move {
            let answer = resolver.hosts(&target).await;
            (target, answer)
        });
        for (target, answer) in join_all(asked).await {
            if answer.is_err() {
                front.ledger.metrics.loop_failed("dns");
            }
            if let Some(known) = self.names.get_mut(&target) {
                known.learn(&target, answer, (dns.ttl_min, dns.ttl_max, dns.hold));
            }
        }
    }

    fn hosts(
        &self,
        wanted: &[(Target, HostTemplate)],
        discovery: &Discovery,
    ) -> Option<Vec<StaticHost>> {
        let addresses = self.file.addresses().iter();
        let mut hosts: Vec<StaticHost> =
            addresses.map(|address| discovery.template.at(address.clone())).collect();
        for (target, template) in wanted {
            let known = self.names.get(target)?;
            known.due?;
            let addresses = known.hosts.iter().flatten().copied();
            hosts.extend(addresses.map(|address| template.at(HostAddress::Tcp(address))));
        }
        // One address may have several names; the first one says what it is.
        let mut seen = std::collections::BTreeSet::new();
        hosts.retain(|host| seen.insert(host.address.clone()));
        if HOSTS_MAX < hosts.len() {
            tracing::warn!(hosts = hosts.len(), most = HOSTS_MAX, "there are too many hosts");
            hosts.truncate(HOSTS_MAX);
        }
        Some(hosts)
    }

    fn tell(&mut self, front: &Front, index: FleetIndex, hosts: Option<Vec<StaticHost>>) {
        let Some(hosts) = hosts.filter(|hosts| *hosts != self.told) else { return };
        if let Some(fleet) = front.dispatch.fleets.all().get(index.0) {
            front.dispatch.roster.tell((index, fleet), &Origin::Found, &hosts);
            self.told = hosts;
        }
    }

    /// Until something may be due.
    fn pause(&self, now: Instant) -> Duration {
        let due = self.names.values().filter_map(|known| known.due).min();
        due.map_or(LOOK_INTERVAL, |due| due.saturating_duration_since(now)).min(LOOK_INTERVAL)
    }
}

// === impl Known ===

impl Known {
    /// Takes over what was answered. Answers hold for the times `ttl_min` to `ttl_max`, and that
    /// there is nothing is believed after `hold`.
    fn learn(
        &mut self,
        target: &Target,
        answer: Result<Answer, DnsError>,
        (ttl_min, ttl_max, hold): (Duration, Duration, Duration),
    ) {
        let now = Instant::now();
        match answer {
            Ok(Answer { hosts, ttl }) => {
                if 0 < self.failures {
                    tracing::info!(%target, "DNS answers again");
                }
                (self.failures, self.nothing_since) = (0, None);
                self.hosts = Some(hosts);
                self.due = Some(now + ttl.clamp(ttl_min, ttl_max));
            }
            Err(error) => {
                self.failures += 1;
                if self.failures == 1 {
                    tracing::warn!(%target, %error, "DNS says nothing good: what it said last holds");
                }
                self.due = Some(now + BACKOFF.wait(self.failures).max(ttl_min));
                if !matches!(error, DnsError::Nothing) {
                    return;
                }
                let since = *self.nothing_since.get_or_insert(now);
                let had_any = self.hosts.as_ref().is_some_and(|hosts| !hosts.is_empty());
                if had_any && hold <= now.duration_since(since) {
                    tracing::warn!(%target, "the name stands for no host any more");
                    self.hosts = Some(Vec::new());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: (Duration, Duration, Duration) =
        (Duration::from_secs(1), Duration::from_mins(5), Duration::ZERO);

    fn target() -> Target {
        Target::Name("workers.example".to_owned(), 80)
    }

    fn answer(hosts: &[&str], ttl: u64) -> Answer {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        Answer { hosts, ttl: Duration::from_secs(ttl) }
    }

    fn left(known: &Known) -> u64 {
        known.due.unwrap().saturating_duration_since(Instant::now()).as_secs()
    }

    #[test]
    fn an_answer_holds_for_its_time_within_bounds() {
        let mut known = Known::default();
        for (ttl, expected) in [(0, 0..=1), (60, 59..=60), (1_000_000, 299..=300)] {
            known.learn(&target(), Ok(answer(&["10.0.0.1:80"], ttl)), TIMES);
            assert!(expected.contains(&left(&known)), "{ttl}: {}", left(&known));
        }
    }

    #[test]
    fn the_last_good_answer_holds_while_nobody_answers() {
        let mut known = Known::default();
        known.learn(&target(), Ok(answer(&["10.0.0.1:80"], 60)), TIMES);
        for _ in 0..10 {
            known.learn(&target(), Err(DnsError::Timeout), TIMES);
        }
        assert_eq!(known.hosts.as_ref().unwrap().len(), 1);
        assert!((14..=30).contains(&left(&known)), "{}", left(&known));
        known.learn(&target(), Ok(answer(&["10.0.0.2:80", "10.0.0.3:80"], 60)), TIMES);
        assert_eq!((known.hosts.as_ref().unwrap().len(), known.failures), (2, 0));
    }

    #[test]
    fn that_a_name_stands_for_nothing_is_believed_after_a_while() {
        let mut known = Known::default();
        let hold = |secs| (TIMES.0, TIMES.1, Duration::from_secs(secs));
        known.learn(&target(), Ok(answer(&["10.0.0.1:80"], 60)), TIMES);
        known.learn(&target(), Err(DnsError::Nothing), hold(3600));
        known.learn(&target(), Err(DnsError::Nothing), hold(3600));
        assert_eq!(known.hosts.as_ref().unwrap().len(), 1);
        known.learn(&target(), Err(DnsError::Nothing), hold(0));
        assert_eq!(known.hosts.as_ref().unwrap().len(), 0);
    }
}
