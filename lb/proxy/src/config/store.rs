//! Where observations and models are kept.
//!
//! To add a kind of store: a [`StoreKind`] and its keys here, their comments in the default file,
//! and the store itself: in a file beside `store/sqlite.rs`, with a line in `store::open`, or in a
//! crate of its own, from where the program hands it to the server.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Section;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const MS: Duration = Duration::from_millis(1);

/// The most observations that are written at once.
const BATCH_MAX: usize = 1000;

/// Where observations and models are kept.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Which store.
    pub kind: StoreKind,
    /// Folder of everything that the balancer writes.
    pub data_dir: PathBuf,
    /// Observations older than this are deleted.
    pub ttl: Duration,
    /// The most observations written at once; at least 1.
    pub batch_max: usize,
    /// An observation waits at most this long for others before it is written.
    pub batch_age: Duration,
    /// The most observations that wait to be written; further ones are dropped. At least
    /// `batch_max`.
    pub queue_max: usize,
    /// The most bytes of observations kept on disk while the store takes none; 0: none are.
    pub spool_bytes_max: u64,
    /// Between two looks at what other balancers have kept.
    pub share_interval: Duration,
    /// How long a lease lasts that is not renewed.
    pub lease_term: Duration,
    /// What is particular to DynamoDB.
    pub dynamodb: DynamoConfig,
}

/// Tables in DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoConfig {
    /// What the names of the tables begin with: `TABLE-observations`, `TABLE-state`.
    pub table: String,
    /// Partitions that the observations of a route and day are spread over; at least 1.
    pub shards: u32,
    /// The most days that are looked at for recent observations, today included; at least 1.
    pub days_max: u32,
    /// The longest that one try of a request takes.
    pub timeout: Duration,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A SQLite file in the data folder.
    Sqlite,
    /// Tables in DynamoDB, shared by all balancers.
    DynamoDb,
    /// None: a restart forgets everything.
    Off,
}

/// Where a store is. What the balancer does with a store depends on this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHome {
    /// In the data folder: the proxy opens it itself, for this balancer alone.
    DataFolder,
    /// At AWS: all balancers share it.
    Aws,
    /// There is none.
    Nowhere,
}

// === impl StoreKind ===

impl StoreKind {
    /// Every kind there is.
    pub const ALL: [StoreKind; 3] = [StoreKind::Sqlite, StoreKind::DynamoDb, StoreKind::Off];

    /// Its name in `store.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            StoreKind::Sqlite => "sqlite",
            StoreKind::DynamoDb => "dynamodb",
            StoreKind::Off => "off",
        }
    }

    /// Where it is.
    pub const fn home(self) -> StoreHome {
        match self {
            StoreKind::Sqlite => StoreHome::DataFolder,
            StoreKind::DynamoDb => StoreHome::Aws,
            StoreKind::Off => StoreHome::Nowhere,
        }
    }
}

/// Reads `[store]`; what is particular to a kind is checked whichever is taken.
pub(super) fn read(mut section: Section<'_>) -> StoreConfig {
    let store = StoreConfig {
        kind: section.word("kind", &StoreKind::ALL.map(|kind| (kind.name(), kind))),
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

/// What the names of tables may begin with: what DynamoDB allows, with room for the longest ending.
pub(super) fn table_name(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let fits = (3..=240).contains(&text.len()) && text.chars().all(allowed);
    fits.then(|| text.to_owned())
}

fn dynamodb(mut section: Section<'_>) -> DynamoConfig {
    let expected = "3 to 240 letters, digits, `_`, `-` or `.`";
    let dynamodb = DynamoConfig {
        table: section.text("table", expected, table_name).unwrap_or_default(),
        shards: section.whole("shards", 1..=256),
        days_max: section.whole("days_max", 1..=366),
        timeout: section.duration("timeout", 100 * MS..=MINUTE),
    };
    section.finish();
    dynamodb
}
