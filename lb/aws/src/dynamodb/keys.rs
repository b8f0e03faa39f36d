//! Keys of rows: where each lies, and where those of a day are looked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weighbridge_proxy::store::StoredObservation;

/// Attribute of the partition key in both tables.
pub(super) const PARTITION: &str = "pk";

/// Attribute of the sort key of observations.
pub(super) const SORT: &str = "sk";

const DAY: Duration = Duration::from_hours(24);

/// Where `row` lies: partition and sort key.
pub(super) fn of_row(row: &StoredObservation, shards: u32) -> (String, String) {
    let shard = row.id % u64::from(shards);
    let at = micros(row.at);
    (partition(&row.route, day(row.at), shard as u32), format!("{at:016x}-{:016x}", row.id))
}

/// A part of a day of a route.
pub(super) fn partition(route: &str, day: u64, shard: u32) -> String {
    format!("{route}#{day}#{shard}")
}

/// The least sort key of what was completed at `at` or later.
pub(super) fn since(at: SystemTime) -> String {
    format!("{:016x}", micros(at))
}

/// The time and id in a sort key.
pub(super) fn read(sort: &str) -> Option<(SystemTime, u64)> {
    let (at, id) = sort.split_once('-')?;
    let at = Duration::from_micros(u64::from_str_radix(at, 16).ok()?);
    Some((UNIX_EPOCH.checked_add(at)?, u64::from_str_radix(id, 16).ok()?))
}

/// The day of `at`, from 1970.
pub(super) fn day(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY.as_secs()
}

/// Microseconds since 1970.
pub(super) fn micros(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_are_in_the_order_of_time_and_say_it() {
        let at = |micros| UNIX_EPOCH + Duration::from_micros(micros);
        assert!(since(at(9)) < since(at(10)) && since(at(0xffff)) < since(at(0x1_0000)));
        let sort = format!("{}-{:016x}", since(at(1_795_000_000_000_007)), u64::MAX);
        assert_eq!(read(&sort), Some((at(1_795_000_000_000_007), u64::MAX)));
        assert!(since(at(1_795_000_000_000_007)) < sort, "its own time is not too early");
        assert_eq!(read("nonsense"), None);
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let at = |secs| UNIX_EPOCH + Duration::from_secs(secs);
        assert_eq!([86_399, 86_400].map(|secs| day(at(secs))), [0, 1]);
    }
}
