//! What is known of a request before it runs.

use serde::{Deserialize, Serialize};

/// One request, unique as long as the balancer lives; given by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Index of a route in [`Policy::routes`](crate::balancer::Policy::routes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteId(pub u16);

/// What can be read of a request before it runs. Borrowed: the caller owns the buffers.
#[derive(Debug, Clone, Copy)]
pub struct RequestSpec<'a> {
    /// Query string without `?`, as received; empty where there is none.
    pub query: &'a str,
    /// Header names in lower case, with their values. Method and path may stand before them as
    /// `:method` and `:path`, as in HTTP/2 (RFC 9113, section 8.3.1).
    pub headers: &'a [(&'a str, &'a str)],
    /// Length of the body, where it is known.
    pub body_bytes: Option<u64>,
    /// What was read of the body: all of it, or its beginning, or nothing.
    pub body: &'a [u8],
}

// === impl RequestSpec ===

impl RequestSpec<'_> {
    /// Value of the query parameter `name`, as received (not percent-decoded). The last duplicate
    /// wins; a name without `=` has an empty value.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query
            .rsplit('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Value of the header `name`, given in lower case. The first duplicate wins.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| (*key == name).then_some(*value))
    }
}
