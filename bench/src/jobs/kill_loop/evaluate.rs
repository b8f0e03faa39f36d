//! How long it took until what was killed ran again.

use crate::jobs::log::Execution;
use crate::jobs::spans::Spans;
use crate::jobs::stage::Role;

/// A process was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kill {
    /// When, by the system's monotonic clock, in nanoseconds.
    pub(super) at: u64,
    pub(super) name: String,
    pub(super) role: Role,
}

/// From the kill of a worker until each job that it was running was begun again; and from the kill
/// of a balancer until each job that ended nowhere, and on no worker that was killed, was. In
/// seconds, with their numbers.
///
/// A job that its worker had been given and had not begun is in neither.
pub(super) fn recoveries(
    executions: &[Execution],
    kills: &[Kill],
) -> ((usize, Spans), (usize, Spans)) {
    let (mut of_workers, mut of_balancers) = (Vec::new(), Vec::new());
    for execution in executions {
        let next = executions
            .iter()
            .find(|one| one.job == execution.job && execution.token < one.token)
            .map(|one| one.token);
        let end = execution.end.unwrap_or(u64::MAX);
        let cut = |kill: &&Kill| execution.token <= kill.at && kill.at < end;
        let worker = |kill: &&Kill| kill.role == Role::Worker && kill.name == execution.host;
        // The first kill of its worker ended it, if it had not ended by then.
        let killed = kills.iter().filter(worker).find(cut);
        let Some(next) = next else { continue };
        let secs = |kill: &Kill| next.saturating_sub(kill.at) as f64 / 1e9;
        match killed {
            Some(kill) if kill.at < next => of_workers.push(secs(kill)),
            Some(_) => {}
            None => {
                let balancer = |kill: &&Kill| kill.role == Role::Balancer && kill.at < next;
                of_balancers.extend(kills.iter().filter(balancer).rfind(cut).map(secs));
            }
        }
    }
    let spans = |secs: Vec<f64>| (secs.len(), Spans::of(secs));
    (spans(of_workers), spans(of_balancers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(job: &str, token: u64, host: &str, end: Option<u64>) -> Execution {
        Execution { job: job.to_owned(), token, host: host.to_owned(), end }
    }

    fn kill(at: u64, name: &str, role: Role) -> Kill {
        Kill { at, name: name.to_owned(), role }
    }

    #[test]
    fn a_recovery_is_from_the_kill_to_the_next_begin() {
        let secs = 1_000_000_000;
        let executions = [
            execution("1", secs, "worker-0", None),
            execution("2", 2 * secs, "worker-1", None),
            execution("3", 2 * secs + 1, "worker-0", Some(3 * secs)),
            execution("1", 5 * secs, "worker-1", Some(6 * secs)),
            execution("2", 9 * secs, "worker-1", Some(10 * secs)),
        ];
        let kills = [
            kill(4 * secs, "worker-0", Role::Worker),
            kill(7 * secs, "balancer-0", Role::Balancer),
        ];
        let (workers, balancers) = recoveries(&executions, &kills);
        assert_eq!((workers.0, balancers.0), (1, 1));
        assert!((workers.1.max - 1.0).abs() < 1e-9 && (balancers.1.max - 2.0).abs() < 1e-9);
    }
}
