//! How long a request waits on a host whose claims start in order of arrival.

use smallvec::SmallVec;

use super::Claim;

/// The wait behind `claims` that start in order of arrival, in CPU-seconds of a core.
pub(crate) fn fcfs_wait(claims: &[Claim], cores: usize) -> f64 {
    if claims.len() < cores {
        return 0.0;
    }
    let remaining = claims.iter().map(|claim| claim.remaining.as_cpu_secs());
    if cores == 1 {
        return remaining.sum();
    }
    // When each core is free, ascending.
    let mut free: SmallVec<[f64; 16]> = SmallVec::from_elem(0.0, cores);
    let free = free.as_mut_slice();
    for work in remaining {
        let end = free[0] + work;
        let mut place = 1;
        while place < cores && free[place] < end {
            free[place - 1] = free[place];
            place += 1;
        }
        free[place - 1] = end;
    }
    free[0]
}
