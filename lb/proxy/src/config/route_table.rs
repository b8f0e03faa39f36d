//! Which route a request takes: the policy, and all of it.
//!
//! A route takes a request by its host, its path and its method. Where several would, the one that
//! says most of it does: a host by name goes before `*.example.org`, and that before any host; an
//! exact path before a beginning of paths, and the longer beginning before the shorter; a route
//! that lists methods before one that does not. Of those that say as much, the first in the file.

use http::Method;

use weighbridge_core::request::RouteId;

/// What a request shows that its route is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The host that it asks for, as `NAME` or `NAME:PORT`; `None` where it names none.
    pub host: Option<&'a str>,
    /// Its path, as received.
    pub path: &'a str,
    /// Its method.
    pub method: &'a Method,
}

/// What takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A route with hosts.
    Route(RouteId),
    /// A route that is answered by the balancer itself; an index into
    /// [`Config::fixed`](super::Config::fixed).
    Fixed(usize),
    /// Routes serve its path, and none its method. These they serve.
    OtherMethods(Vec<Method>),
    /// Nothing.
    Nowhere,
}

/// Every route by what it takes.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    /// Those that say most come first.
    entries: Vec<Entry>,
}

/// What a route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Takes {
    /// Hosts; any where it is empty.
    pub(super) hosts: Vec<HostName>,
    /// Paths.
    pub(super) path: String,
    /// Whether `path` is all of a path, rather than its beginning.
    pub(super) is_exact: bool,
    /// Methods; any where it is empty.
    pub(super) methods: Vec<Method>,
}

/// A name by which clients reach a route, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostName {
    /// This name.
    Is(String),
    /// Every name that ends with this, which begins with a dot.
    Under(String),
}

#[derive(Debug, Clone)]
struct Entry {
    host: Option<HostName>,
    path: String,
    is_exact: bool,
    methods: Vec<Method>,
    taken: Taken,
}

// === impl RouteTable ===

impl RouteTable {
    /// A table of `routes`, in the order of the file.
    pub(super) fn new(routes: impl IntoIterator<Item = (Takes, Taken)>) -> RouteTable {
        let mut entries = Vec::new();
        for (takes, taken) in routes {
            let hosts = takes.hosts.into_iter().map(Some);
            let any = std::iter::once(None);
            let hosts: Vec<_> = if hosts.len() == 0 { any.collect() } else { hosts.collect() };
            for host in hosts {
                entries.push(Entry {
                    host,
                    path: takes.path.clone(),
                    is_exact: takes.is_exact,
                    methods: takes.methods.clone(),
                    taken: taken.clone(),
                });
            }
        }
        // Stable: of those that say as much, the first stays first.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.says()));
        RouteTable { entries }
    }

    /// Gives every route with hosts the number that `number` gives it.
    pub(super) fn renumber(&mut self, number: impl Fn(RouteId) -> RouteId) {
        for entry in &mut self.entries {
            if let Taken::Route(route) = &mut entry.taken {
                *route = number(*route);
            }
        }
    }

    /// The names by which clients reach routes, each once: `NAME` or `*.NAME`.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.entries.iter().filter_map(Entry::name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What takes a request that shows `shown`.
    pub fn take(&self, shown: Shown<'_>) -> Taken {
        let host = shown.host.map(name_of);
        let mut others = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.fits(host, shown.path)) {
            if entry.allows(shown.method) {
                return entry.taken.clone();
            }
            for method in &entry.methods {
                if !others.contains(method) {
                    others.push(method.clone());
                }
            }
        }
        if others.is_empty() { Taken::Nowhere } else { Taken::OtherMethods(others) }
    }
}

// === impl Entry ===

impl Entry {
    /// How much it says of a request; the more, the sooner it is asked.
    fn says(&self) -> (usize, bool, usize, bool) {
        let host = match &self.host {
            // No name is as long as this.
            Some(HostName::Is(_)) => usize::MAX,
            Some(HostName::Under(end)) => end.len(),
            None => 0,
        };
        (host, self.is_exact, self.path.len(), !self.methods.is_empty())
    }

    /// The name that it is for, if it is for one; not an address.
    fn name(&self) -> Option<String> {
        match self.host.as_ref()? {
            HostName::Is(name) => {
                let literal = name.trim_matches(['[', ']']);
                literal.parse::<std::net::IpAddr>().is_err().then(|| name.clone())
            }
            HostName::Under(end) => Some(format!("*{end}")),
        }
    }

    fn fits(&self, host: Option<&str>, path: &str) -> bool {
        let is_path = if self.is_exact { path == self.path } else { path.starts_with(&self.path) };
        is_path && self.host.as_ref().is_none_or(|name| host.is_some_and(|host| name.is(host)))
    }

    /// Whether it serves `method`. Who serves `GET` serves `HEAD` (RFC 9110, section 9.3.2).
    fn allows(&self, method: &Method) -> bool {
        let is_listed = |method: &Method| self.methods.contains(method);
        self.methods.is_empty()
            || is_listed(method)
            || (*method == Method::HEAD && is_listed(&Method::GET))
    }
}

// === impl HostName ===

impl HostName {
    /// Reads `NAME` or `*.NAME`.
    pub(super) fn parse(text: &str) -> Option<HostName> {
        let (is_under, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = if let Some(literal) = literal {
            !is_under && literal.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            let is_plain = name.bytes().all(plain);
            !name.is_empty() && name.len() <= 253 && is_plain && !name.starts_with('.')
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let known = if is_under { HostName::Under(format!(".{name}")) } else { HostName::Is(name) };
        is_name.then_some(known)
    }

    /// Whether `host`, without a port, is such a name.
    fn is(&self, host: &str) -> bool {
        match self {
            HostName::Is(name) => host.eq_ignore_ascii_case(name),
            HostName::Under(end) => {
                let begin = host.len().checked_sub(end.len()).filter(|begin| 0 < *begin);
                let tail = begin.and_then(|begin| host.get(begin..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
        }
    }
}

/// The name in `NAME:PORT`, without the dot that ends a name that is absolute.
pub(crate) fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes as `HOSTS PATH METHODS`; a path that ends with `$` is exact, `-` is any.
    fn table(routes: &[&str]) -> RouteTable {
        let takes = |(i, text): (usize, &&str)| {
            let [hosts, path, methods] = text.split(' ').collect::<Vec<_>>()[..] else { panic!() };
            let list = |text: &str| match text {
                "-" => Vec::new(),
                text => text.split(',').map(str::to_owned).collect::<Vec<_>>(),
            };
            let takes = Takes {
                hosts: list(hosts).iter().map(|name| HostName::parse(name).unwrap()).collect(),
                path: path.trim_end_matches('$').to_owned(),
                is_exact: path.ends_with('$'),
                methods: list(methods).iter().map(|name| name.parse().unwrap()).collect(),
            };
            (takes, Taken::Route(RouteId(u16::try_from(i).unwrap())))
        };
        RouteTable::new(routes.iter().enumerate().map(takes).collect::<Vec<_>>())
    }

    fn take(table: &RouteTable, method: &str, host: &str, path: &str) -> Taken {
        let method = method.parse().unwrap();
        table.take(Shown { host: Some(host), path, method: &method })
    }

    #[test]
    fn the_route_that_says_most_takes_a_request() {
        let table = table(&[
            "- / -",
            "- /images/ -",
            "- /images$ -",
            "*.example.org / -",
            "a.example.org / -",
            "- /images/ POST,PUT",
            "*.b.example.org / -",
            "a.example.org /only$ GET",
        ]);
        for (method, host, path, route) in [
            ("GET", "x", "/", 0),
            ("GET", "x", "/images/1", 1),
            ("GET", "x", "/images", 2),
            ("POST", "x", "/images/1", 5),
            ("GET", "c.example.org", "/images/1", 3),
            ("GET", "A.Example.org:8000", "/images/1", 4),
            ("GET", "a.example.org.", "/", 4),
            ("GET", "a.b.example.org", "/", 6),
            ("GET", "example.org", "/", 0),
            ("HEAD", "a.example.org", "/only", 7),
            ("POST", "a.example.org", "/only", 4),
        ] {
            let taken = take(&table, method, host, path);
            assert_eq!(taken, Taken::Route(RouteId(route)), "{method} {host} {path}");
        }
    }

    #[test]
    fn what_no_route_takes_is_told_which_methods_there_are() {
        let table = table(&["- /a GET,POST", "- /a/b PUT,GET", "h /c -"]);
        let others = |names: &[&str]| {
            Taken::OtherMethods(names.iter().map(|name| name.parse().unwrap()).collect())
        };
        assert_eq!(take(&table, "DELETE", "x", "/a/b"), others(&["PUT", "GET", "POST"]));
        assert_eq!(take(&table, "POST", "x", "/a/b"), Taken::Route(RouteId(0)));
        assert_eq!(take(&table, "GET", "x", "/c"), Taken::Nowhere);
        let nameless = Shown { host: None, path: "/c", method: &Method::GET };
        assert_eq!(table.take(nameless), Taken::Nowhere);
    }

    #[test]
    fn names_of_hosts_are_names() {
        for name in ["a", "*.a", "a.b-c_d", "127.0.0.1", "[::1]"] {
            assert!(HostName::parse(name).is_some(), "{name}");
        }
        for name in ["", "*", "*.", "a:80", "*a", "a.*", "a b", ".a", "*.[::1]", "[x]"] {
            assert_eq!(HostName::parse(name), None, "{name}");
        }
    }
}
