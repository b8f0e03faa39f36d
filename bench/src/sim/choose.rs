//! Steps that dispatchers share: a host at random, two of them, the least of them.

#[cfg(test)]
pub(super) mod testing;

use weighbridge_core::random::Random;

use super::policies::{HostView, Sight};

/// Draws before the hosts that are up are counted: with half of them up, one in 65,536 needs it.
const DRAWS_MAX: usize = 16;

/// A host that takes requests, each as likely; `None` where there is none.
pub(super) fn any(sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
    any_but(None, sight, random)
}

/// Two different hosts that take requests, each pair as likely; twice the same where there is but
/// one.
pub(super) fn two(sight: &Sight<'_>, random: &mut Random) -> Option<[usize; 2]> {
    let first = any(sight, random)?;
    let second = any_but(Some(first), sight, random).unwrap_or(first);
    Some([first, second])
}

/// The host with the least `key`; each of several as likely.
pub(super) fn least(
    sight: &Sight<'_>,
    random: &mut Random,
    mut key: impl FnMut(usize, &HostView) -> f64,
) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    let mut ties = 1;
    for (host, view) in sight.up() {
        let key = key(host, view);
        let better = best.is_none_or(|(least, _)| key < least);
        let tie = best.is_some_and(|(least, _)| key.total_cmp(&least).is_eq());
        ties = if tie { ties + 1 } else { ties };
        if better {
            ties = 1;
        }
        if better || tie && random.below(ties) == 0 {
            best = Some((key, host));
        }
    }
    best.map(|(_, host)| host)
}

/// What is kept of `host`, made where there is nothing yet.
pub(super) fn of<T: Default>(kept: &mut Vec<T>, host: usize) -> &mut T {
    if kept.len() <= host {
        kept.resize_with(host + 1, T::default);
    }
    &mut kept[host]
}

fn any_but(not: Option<usize>, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
    let fits = |host: &usize| sight.hosts[*host].up && Some(*host) != not;
    let n_hosts = sight.hosts.len();
    if n_hosts == 0 {
        return None;
    }
    let drawn = (0..DRAWS_MAX).map(|_| random.below(n_hosts)).find(fits);
    drawn.or_else(|| {
        let n_fit = (0..n_hosts).filter(fits).count();
        (0..n_hosts).filter(fits).nth(random.below(n_fit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testing::{Hosts, host};

    #[test]
    fn each_host_that_is_up_is_drawn_as_often() {
        let mut hosts = Hosts::of(vec![host(0); 40]);
        for host in 2..40 {
            hosts.views[host].up = false;
        }
        let mut random = Random::new(1);
        let drawn: Vec<usize> =
            (0..1000).filter_map(|_| any(&hosts.sight(), &mut random)).collect();
        let first = drawn.iter().filter(|host| **host == 0).count();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|host| *host < 2));
        assert!((450..550).contains(&first), "{first}");
    }

    #[test]
    fn two_hosts_differ_where_there_are_two() {
        let hosts = Hosts::of(vec![host(0), host(0)]);
        let mut random = Random::new(1);
        for _ in 0..50 {
            let [first, second] = two(&hosts.sight(), &mut random).unwrap();
            assert_ne!(first, second);
        }
        let one = Hosts::of(vec![host(0)]);
        assert_eq!(two(&one.sight(), &mut random), Some([0, 0]));
        assert_eq!(two(&Hosts::of(vec![]).sight(), &mut random), None);
    }

    #[test]
    fn ties_for_the_least_are_drawn_as_often() {
        let hosts = Hosts::of(vec![host(1), host(5), host(1), host(1)]);
        let mut random = Random::new(1);
        let mut counts = [0; 4];
        for _ in 0..3000 {
            let key = |_: usize, view: &HostView| f64::from(view.in_flight);
            counts[least(&hosts.sight(), &mut random, key).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        for count in [counts[0], counts[2], counts[3]] {
            assert!((900..1100).contains(&count), "{counts:?}");
        }
    }
}
