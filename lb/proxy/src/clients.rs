//! What one client may have at once, and how often it may ask: told by its address, of IPv6 by the
//! network that it is in.
//!
//! Nothing is known of a client that has nothing and owes nothing, so what is kept is bounded: by
//! connections and requests, and by [`OWING_MAX`] for those that only owe.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::config::ClientLimits;

/// Clients that have nothing here and have used up some of what they may ask for; of more, those
/// that owe the least are forgiven.
const OWING_MAX: usize = 100_000;

/// See the module. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<IpAddr, Account>,
    /// How many there may be before those that owe nothing are looked for.
    sweep_at: usize,
}

/// What a client has.
#[derive(Debug)]
struct Account {
    connections: usize,
    requests: usize,
    /// Requests that it may make at once; grows with time.
    credit: f64,
    /// When that was so.
    at: Instant,
}

/// Something that a client has, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    clients: Clients,
    client: IpAddr,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Connection,
    Request,
}

/// Why a client may not have more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TooMany {
    /// It has as many at once as it may.
    AtOnce,
    /// It asks too often: it may ask again after so many seconds.
    TooOften(f64),
}

impl TooMany {
    /// As metrics have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TooMany::AtOnce => "at_once",
            TooMany::TooOften(_) => "rate",
        }
    }
}

impl Clients {
    /// One more connection of `client`, where it may have one.
    pub(crate) fn connect(
        &self,
        limits: &ClientLimits,
        client: IpAddr,
    ) -> Result<Option<Held>, TooMany> {
        let Some(most) = limits.connections_max else { return Ok(None) };
        let client = network(client, limits.ipv6_prefix);
        let mut state = self.0.lock();
        let account = state.account(client, (limits, Instant::now()));
        if most <= account.connections {
            return Err(TooMany::AtOnce);
        }
        account.connections += 1;
        drop(state);
        Ok(Some(Held { clients: self.clone(), client, what: What::Connection }))
    }

    /// One more request of `client`, where it may make one at `now`.
    pub(crate) fn ask(
        &self,
        limits: &ClientLimits,
        (client, now): (IpAddr, Instant),
    ) -> Result<Option<Held>, TooMany> {
        if limits.requests_max.is_none() && limits.rate.is_none() {
            return Ok(None);
        }
        let client = network(client, limits.ipv6_prefix);
        let mut state = self.0.lock();
        let account = state.account(client, (limits, now));
        if limits.requests_max.is_some_and(|most| most <= account.requests) {
            return Err(TooMany::AtOnce);
        }
        if let Some(rate) = limits.rate {
            if account.credit < 1.0 {
                return Err(TooMany::TooOften((1.0 - account.credit) / rate));
            }
            account.credit -= 1.0;
        }
        account.requests += 1;
        drop(state);
        Ok(Some(Held { clients: self.clone(), client, what: What::Request }))
    }
}

impl State {
    /// The account of `client`, with what it may ask for by now.
    fn account(&mut self, client: IpAddr, (limits, now): (&ClientLimits, Instant)) -> &mut Account {
        if self.sweep_at <= self.known.len() {
            self.sweep((limits, now));
        }
        let burst = f64::from(limits.burst);
        let fresh = || Account { connections: 0, requests: 0, credit: burst, at: now };
        let account = self.known.entry(client).or_insert_with(fresh);
        account.grow((limits, now));
        account
    }

    /// Forgets those that have nothing and owe nothing, and some of the others where they are too
    /// many.
    fn sweep(&mut self, (limits, now): (&ClientLimits, Instant)) {
        let burst = f64::from(limits.burst);
        self.known.retain(|_, account| {
            account.grow((limits, now));
            account.has_something() || account.credit < burst
        });
        let mut owing: Vec<(f64, IpAddr)> = self
            .known
            .iter()
            .filter(|(_, account)| !account.has_something())
            .map(|(client, account)| (account.credit, *client))
            .collect();
        if OWING_MAX < owing.len() {
            owing.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (_, client) in owing.split_off(OWING_MAX / 2) {
                self.known.remove(&client);
            }
        }
        self.sweep_at = (2 * self.known.len()).max(1024);
    }
}

impl Account {
    fn has_something(&self) -> bool {
        0 < self.connections + self.requests
    }

    fn grow(&mut self, (limits, now): (&ClientLimits, Instant)) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let grown = self.credit + since * limits.rate.unwrap_or(f64::INFINITY);
        self.credit = if grown.is_nan() { self.credit } else { grown }.min(f64::from(limits.burst));
        self.at = now.max(self.at);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.clients.0.lock();
        let Some(account) = state.known.get_mut(&self.client) else { return };
        match self.what {
            What::Connection => account.connections = account.connections.saturating_sub(1),
            What::Request => account.requests = account.requests.saturating_sub(1),
        }
    }
}

/// The network that `address` counts for: of IPv4 itself.
fn network(address: IpAddr, ipv6_prefix: u8) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let host_bits = 128 - u32::from(ipv6_prefix.min(128));
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ClientLimits = ClientLimits {
        connections_max: Some(2),
        requests_max: Some(2),
        rate: Some(10.0),
        burst: 3,
        ipv6_prefix: 64,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_so_much_at_once() {
        let clients = Clients::default();
        let (a, b) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let first = clients.connect(&LIMITS, a).unwrap();
        let _second = clients.connect(&LIMITS, a).unwrap();
        assert_eq!(clients.connect(&LIMITS, ip("::ffff:192.0.2.1")).unwrap_err(), TooMany::AtOnce);
        let _other = clients.connect(&LIMITS, b).unwrap();
        drop(first);
        clients.connect(&LIMITS, a).unwrap().unwrap();
        let off = ClientLimits { connections_max: None, ..LIMITS };
        assert!(clients.connect(&off, a).unwrap().is_none());
    }

    #[test]
    fn networks_of_ipv6_are_one_client() {
        let clients = Clients::default();
        let limits = ClientLimits { connections_max: Some(1), ..LIMITS };
        let _first = clients.connect(&limits, ip("2001:db8::1")).unwrap();
        assert!(clients.connect(&limits, ip("2001:db8::2:1")).is_err());
        let _other = clients.connect(&limits, ip("2001:db8:0:1::1")).unwrap();
        let wide = ClientLimits { ipv6_prefix: 128, ..limits };
        assert!(clients.connect(&wide, ip("2001:db8::2")).is_ok());
        assert_eq!(network(ip("2001:db8::1"), 0), ip("::"));
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_ask_again() {
        let clients = Clients::default();
        let (a, start) = (ip("192.0.2.1"), Instant::now());
        let ask = |after_ms| clients.ask(&LIMITS, (a, start + Duration::from_millis(after_ms)));
        for _ in 0..3 {
            drop(ask(0).unwrap());
        }
        let Err(TooMany::TooOften(secs)) = ask(0) else { unreachable!("it may not") };
        assert!((secs - 0.1).abs() < 1e-9, "{secs}");
        assert!(ask(60).is_err());
        drop(ask(100).unwrap());
        assert!(ask(100).is_err());
        // At most the burst is saved up.
        for _ in 0..3 {
            drop(ask(60_000).unwrap());
        }
        assert!(ask(60_000).is_err());
    }

    #[test]
    fn requests_at_once_are_given_back() {
        let clients = Clients::default();
        let limits = ClientLimits { rate: None, ..LIMITS };
        let ask = || clients.ask(&limits, (ip("::1"), Instant::now()));
        let (first, _second) = (ask().unwrap(), ask().unwrap());
        assert_eq!(ask().unwrap_err(), TooMany::AtOnce);
        drop(first);
        ask().unwrap().unwrap();
    }

    #[test]
    fn clients_that_have_nothing_are_forgotten() {
        let clients = Clients::default();
        let start = Instant::now();
        let all = u32::try_from(3 * OWING_MAX).unwrap();
        for nth in 0..all {
            let client = IpAddr::V4(std::net::Ipv4Addr::from(nth));
            drop(clients.ask(&LIMITS, (client, start)).unwrap());
        }
        let known = clients.0.lock().known.len();
        assert!(known <= 2 * OWING_MAX, "{known}");
        // When nobody owes anything any longer, nobody is known.
        clients.0.lock().sweep((&LIMITS, start + Duration::from_secs(10)));
        assert_eq!(clients.0.lock().known.len(), 0);
    }
}
