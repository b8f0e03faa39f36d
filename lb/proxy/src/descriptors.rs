//! File descriptors: as many as the configuration needs, or a word that the system forbids it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// What is open besides the connections of clients and those to hosts: listeners, the admin API's
/// connections, logs, the store, probes.
const OTHERS: u64 = 256;

/// Allows this process the file descriptors that `limits` need. Returns how many connections of
/// clients there may be: a warning tells where they are fewer than configured.
pub(crate) fn allow(limits: &Limits) -> usize {
    // One for the client, one for the host.
    let wanted = 2 * limits.connections_max as u64 + OTHERS;
    let before = getrlimit(Resource::Nofile);
    if before.current.is_none_or(|current| wanted <= current) {
        return limits.connections_max;
    }
    let allowed = before.maximum.map_or(wanted, |maximum| wanted.min(maximum));
    let raised = Rlimit { current: Some(allowed), maximum: before.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => allowed,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors cannot be raised");
            before.current.unwrap_or(allowed)
        }
    };
    let connections_max = connections_within(allowed, limits.connections_max);
    if connections_max < limits.connections_max {
        let configured = limits.connections_max;
        tracing::warn!(
            "the system allows {allowed} file descriptors, and limits.connections_max = \
             {configured} needs {wanted}: {connections_max} connections of clients are taken at \
             once; raise the limit (LimitNOFILE of systemd, `ulimit -Hn`) or lower \
             limits.connections_max"
        );
    }
    connections_max
}

/// How many connections of clients go with so many descriptors; at least one.
fn connections_within(descriptors: u64, connections_max: usize) -> usize {
    let others = OTHERS.min(descriptors / 2);
    let room = usize::try_from((descriptors - others) / 2).unwrap_or(usize::MAX);
    room.clamp(1, connections_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(connections_within(1 << 20, 10_000), 10_000);
        assert_eq!(connections_within(1024, 10_000), 384);
        assert_eq!(connections_within(100, 10_000), 25);
        assert_eq!(connections_within(0, 10_000), 1);
    }
}
