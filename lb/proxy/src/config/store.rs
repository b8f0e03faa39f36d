//! Where observations and models are kept.

use std::time::Duration;

use super::reader::Section;
use super::{DynamoConfig, StoreConfig, StoreKind};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const MS: Duration = Duration::from_millis(1);

/// The most observations that are written at once.
const BATCH_MAX: usize = 1000;

const KINDS: [(&str, StoreKind); 3] =
    [("sqlite", StoreKind::Sqlite), ("dynamodb", StoreKind::DynamoDb), ("off", StoreKind::Off)];

/// Reads `[store]`; what is particular to a kind is checked whichever is taken.
pub(super) fn read(mut section: Section<'_>) -> StoreConfig {
    let store = StoreConfig {
        kind: section.word("kind", &KINDS),
        data_dir: section.path("data_dir", "a folder"),
        ttl: section.duration("ttl", SECOND..=3650 * DAY),
        batch_max: BATCH_MAX,
        batch_age: section.duration("batch_age", MS..=MINUTE),
        queue_max: section.whole("queue_max", 1000..=10_000_000),
        spool_bytes_max: section.size("spool_bytes_max", 0..=1 << 40),
        share_interval: section.duration("share_interval", 100 * MS..=60 * MINUTE),
        lease_term: section.duration("lease_term", SECOND..=10 * MINUTE),
        dynamodb: dynamodb(section.table("dynamodb")),
    };
    section.finish();
    store
}

fn dynamodb(mut section: Section<'_>) -> DynamoConfig {
    // What DynamoDB allows, with room for the longer of the two endings.
    let expected = "3 to 240 letters, digits, `_`, `-` or `.`";
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let name = |text: &str| {
        let fits = (3..=240).contains(&text.len()) && text.chars().all(allowed);
        fits.then(|| text.to_owned())
    };
    let dynamodb = DynamoConfig {
        table: section.text("table", expected, name).unwrap_or_default(),
        shards: section.whole("shards", 1..=256),
        days_max: section.whole("days_max", 1..=366),
        timeout: section.duration("timeout", 100 * MS..=MINUTE),
    };
    section.finish();
    dynamodb
}
