//! Jobs: what is accepted now and answered later, and what bounds it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::reader::Section;
use super::{NamedFleet, contract, proxy, store};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The folder in the data folder, where no other is named.
const FOLDER: &str = "jobs";

/// The longest body that a row of DynamoDB has room for, beside what else it has: 400 KB.
const AWS_INLINE_MAX: u64 = 256 << 10;

/// The longest name of a queue in SQS.
const SQS_NAME_MAX: usize = 80;

/// The longest object in S3: 10,000 parts of 8 MiB.
const AWS_OBJECT_MAX: u64 = 10_000 * (8 << 20);

/// The most names in a list.
const LISTED_MAX: usize = 64;

/// Jobs, and what bounds them.
#[derive(Debug, Clone, PartialEq)]
pub struct JobsConfig {
    /// Whether requests may become jobs at all.
    pub enabled: bool,
    /// Where they are kept.
    pub kind: JobsKind,
    /// Where clients ask for jobs: `/jobs`. Without a `/` at its end.
    pub path: String,
    /// Folder of the ledger and the objects; empty: one in the data folder.
    pub folder: PathBuf,
    /// The most jobs that have not ended.
    pub waiting_max: u64,
    /// The most bytes of stored requests and results.
    pub bytes_max: u64,
    /// The largest body of a request that becomes a job.
    pub input_bytes_max: u64,
    /// The largest result.
    pub result_bytes_max: u64,
    /// Bodies and results up to this stand in the ledger, longer ones are objects.
    pub inline_bytes_max: u64,
    /// The longest that a client waits for a job with one request.
    pub wait_max: Duration,
    /// The most requests that wait for jobs at once.
    pub polls_max: usize,
    /// The most jobs that this balancer runs at once; at least 1.
    pub running_max: usize,
    /// The most attempts; at least 1.
    pub attempts_max: u32,
    /// The most hosts that may die under one job; at least 1.
    pub host_deaths_max: u32,
    /// The first wait between two attempts, at most.
    pub backoff_min: Duration,
    /// The longest wait between two attempts; at least `backoff_min`.
    pub backoff_max: Duration,
    /// The shortest lease.
    pub lease_min: Duration,
    /// The longest lease; at least `lease_min`.
    pub lease_max: Duration,
    /// The longest that one attempt may run.
    pub run_max: Duration,
    /// The age guard lets a job go first after this,
    pub age_floor: Duration,
    /// and this many times its predicted work.
    pub age_factor: f64,
    /// How much more an interactive request counts than a job of the same size; at least 1.
    pub weight: f64,
    /// Between two looks at what other balancers have done.
    pub poll: Duration,
    /// A job that has not begun after this expires.
    pub expire_after: Duration,
    /// How long ended jobs are kept.
    pub retention: Duration,
    /// The most forgotten jobs whose ids are remembered.
    pub forgotten_max: u64,
    /// Callbacks.
    pub callbacks: CallbacksConfig,
    /// What is particular to AWS.
    pub aws: AwsJobsConfig,
}

/// Where jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobsKind {
    /// In a folder of this machine.
    Embedded,
    /// At AWS, shared by all balancers.
    Aws,
}

/// Where jobs are at AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsJobsConfig {
    /// Where the ledger is.
    pub ledger: LedgerHome,
    /// What the name of the table in DynamoDB begins with: `TABLE-jobs`.
    pub table: String,
    /// The bucket in S3 of what is too long for the table.
    pub bucket: String,
    /// What the keys of objects begin with.
    pub prefix: String,
    /// The longest that one try of a call takes.
    pub timeout: Duration,
    /// Between two counts of what there is.
    pub look: Duration,
    /// What the names of the queues in SQS begin with; empty: the line is in the table alone.
    pub queue: String,
    /// The most jobs of each line whose messages this balancer holds, beside one of each class.
    pub window: usize,
    /// How long a link to a large result holds, to which its client is sent; zero: results come
    /// through the balancer.
    pub link_for: Duration,
}

/// Where the ledger of jobs is, whose queues and buckets are at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerHome {
    /// In a table of DynamoDB, which all balancers share.
    Table,
    /// In a folder of each balancer's own machine.
    Folder,
}

/// Callbacks: what tells a client that its job has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbacksConfig {
    /// Names of hosts that may be called, in lower case; `*.NAME` for all below a name. Empty:
    /// there are no callbacks.
    pub hosts: Vec<String>,
    /// Networks whose addresses may be called although they are private.
    pub networks: Vec<IpNet>,
    /// The file with the secret that callbacks are signed by; empty where there are none.
    pub secret_file: PathBuf,
    /// The most callbacks that have not been delivered.
    pub pending_max: u64,
    /// The longest that one delivery may take.
    pub timeout: Duration,
    /// The longest wait between two tries of one callback.
    pub backoff_max: Duration,
    /// How long a callback is tried before it is dead.
    pub try_for: Duration,
}

/// Which requests of a route become jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteJobs {
    /// None.
    Never,
    /// Those whose clients prefer it (`Prefer: respond-async`).
    Prefer,
    /// All.
    Always,
}

// === impl JobsKind ===

impl JobsKind {
    /// Every kind there is.
    pub const ALL: [JobsKind; 2] = [JobsKind::Embedded, JobsKind::Aws];

    /// Its name in `jobs.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            JobsKind::Embedded => "embedded",
            JobsKind::Aws => "aws",
        }
    }
}

// === impl JobsConfig ===

impl JobsConfig {
    /// Whether the ledger and its objects are at AWS.
    pub fn has_table(&self) -> bool {
        self.kind == JobsKind::Aws && self.aws.ledger == LedgerHome::Table
    }

    /// Folder of the ledger and the objects, where the balancer's data is in `data_dir`.
    pub fn folder_in(&self, data_dir: &Path) -> PathBuf {
        if self.folder.as_os_str().is_empty() { data_dir.join(FOLDER) } else { self.folder.clone() }
    }
}

/// Reads `[jobs]`, where there are these fleets beside the main one.
pub(super) fn read(root: &mut Section<'_>, fleets: &[NamedFleet]) -> JobsConfig {
    let jobs = table(root.table("jobs"));
    check_queues(root, &jobs, fleets);
    jobs
}

fn table(mut section: Section<'_>) -> JobsConfig {
    let any = |text: &str| Some(PathBuf::from(text));
    let path = "a path without a `/` at its end, such as \"/jobs\"";
    let jobs = JobsConfig {
        enabled: section.flag("enabled"),
        kind: section.word("kind", &JobsKind::ALL.map(|kind| (kind.name(), kind))),
        path: section.text("path", path, own_path).unwrap_or_default(),
        folder: section.text("folder", "a folder, or \"\"", any).unwrap_or_default(),
        waiting_max: section.whole("waiting_max", 1..=100_000_000),
        bytes_max: section.size("bytes_max", 1 << 20..=1 << 50),
        input_bytes_max: section.size("input_bytes_max", 0..=1 << 40),
        result_bytes_max: section.size("result_bytes_max", 0..=1 << 40),
        inline_bytes_max: section.size("inline_bytes_max", 0..=1 << 20),
        wait_max: section.duration("wait_max", Duration::ZERO..=HOUR),
        polls_max: section.whole("polls_max", 0..=1_000_000),
        running_max: section.whole("running_max", 1..=1_000_000),
        attempts_max: section.whole("attempts_max", 1..=100),
        host_deaths_max: section.whole("host_deaths_max", 1..=100),
        backoff_min: section.duration("backoff_min", MS..=HOUR),
        backoff_max: section.duration("backoff_max", MS..=DAY),
        lease_min: section.duration("lease_min", SECOND..=HOUR),
        lease_max: section.duration("lease_max", SECOND..=DAY),
        run_max: section.duration("run_max", 100 * MS..=30 * DAY),
        age_floor: section.duration("age_floor", Duration::ZERO..=30 * DAY),
        age_factor: section.number("age_factor", 0.0..=10_000.0),
        weight: section.number("weight", 1.0..=1000.0),
        poll: section.duration("poll", 10 * MS..=MINUTE),
        expire_after: section.duration("expire_after", SECOND..=3650 * DAY),
        retention: section.duration("retention", SECOND..=3650 * DAY),
        forgotten_max: section.whole("forgotten_max", 0..=100_000_000),
        callbacks: callbacks(section.table("callbacks")),
        aws: aws(section.table("aws")),
    };
    check_aws(&section, &jobs);
    ordered(&section, ["backoff_min", "backoff_max"], (jobs.backoff_min, jobs.backoff_max));
    ordered(&section, ["lease_min", "lease_max"], (jobs.lease_min, jobs.lease_max));
    section.finish();
    jobs
}

/// Reads `[jobs.aws]`.
fn aws(mut section: Section<'_>) -> AwsJobsConfig {
    let table = "3 to 240 letters, digits, `_`, `-` or `.`";
    let bucket = "3 to 63 small letters, digits, `-` or `.`, or \"\"";
    let prefix = "up to 512 letters, digits, `_`, `-`, `.` or `/`";
    let queue = "up to 40 letters, digits, `_` or `-`";
    let homes = [("table", LedgerHome::Table), ("folder", LedgerHome::Folder)];
    let aws = AwsJobsConfig {
        ledger: section.word("ledger", &homes),
        table: section.text("table", table, store::table_name).unwrap_or_default(),
        bucket: section.text("bucket", bucket, bucket_name).unwrap_or_default(),
        prefix: section.text("prefix", prefix, key_prefix).unwrap_or_default(),
        timeout: section.duration("timeout", 100 * MS..=MINUTE),
        look: section.duration("look", SECOND..=HOUR),
        queue: section.text("queue", queue, queue_name).unwrap_or_default(),
        window: section.whole("window", 1..=1000),
        link_for: section.duration("link_for", Duration::ZERO..=7 * DAY),
    };
    section.finish();
    aws
}

/// Tells of what AWS cannot keep.
fn check_aws(section: &Section<'_>, jobs: &JobsConfig) {
    if !jobs.enabled || !jobs.has_table() {
        return;
    }
    section.check(!jobs.aws.bucket.is_empty(), &["kind"], || {
        let kind = section.name("kind");
        format!("{kind} is \"aws\", but jobs.aws.bucket is empty: expected the name of a bucket")
    });
    section.check(jobs.folder.as_os_str().is_empty(), &["folder", "kind"], || {
        let [folder, kind] = ["folder", "kind"].map(|key| section.name(key));
        format!("{folder} is set, but {kind} is \"aws\", which has none: expected \"\"")
    });
    let bounds = [
        ("inline_bytes_max", jobs.inline_bytes_max, AWS_INLINE_MAX),
        ("input_bytes_max", jobs.input_bytes_max, AWS_OBJECT_MAX),
        ("result_bytes_max", jobs.result_bytes_max, AWS_OBJECT_MAX),
    ];
    for (key, value, most) in bounds {
        section.check(value <= most, &[key, "kind"], || {
            let [name, kind] = [key, "kind"].map(|key| section.name(key));
            format!("{name} is {value} bytes, but {kind} is \"aws\": expected {most} at most")
        });
    }
}

/// Tells of fleets whose queues would have names that are too long: `QUEUE-FLEET-dead`.
fn check_queues(root: &Section<'_>, jobs: &JobsConfig, fleets: &[NamedFleet]) {
    let queue = &jobs.aws.queue;
    if !jobs.enabled || !jobs.has_table() || queue.is_empty() {
        return;
    }
    let most = SQS_NAME_MAX - "--dead".len() - queue.len();
    for NamedFleet { name, .. } in fleets {
        root.check(name.len() <= most, &["fleets"], || {
            format!(
                "fleets.{name}: the name is too long for queues of jobs.aws.queue `{queue}`: \
                 expected at most {most} characters"
            )
        });
    }
}

/// The name of a bucket, or none.
pub(super) fn bucket_name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || byte == b'-' || byte == b'.';
    let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
    let good = (3..=63).contains(&text.len()) && ends && text.bytes().all(inner);
    (good || text.is_empty()).then(|| text.to_owned())
}

/// What the names of queues may begin with: SQS allows 80 characters.
fn queue_name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (text.len() <= 40 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// What keys may begin with.
fn key_prefix(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let good = text.len() <= 512 && !text.starts_with('/') && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// Tells of a least value that is more than the most one.
fn ordered(section: &Section<'_>, keys: [&'static str; 2], (least, most): (Duration, Duration)) {
    section.check(least <= most, &keys, || {
        let [least, most] = keys.map(|key| section.name(key));
        format!("{least} is more than {most}: expected at most as much")
    });
}

fn callbacks(mut section: Section<'_>) -> CallbacksConfig {
    let expected = "a list of names, such as [\"example.org\", \"*.example.org\"]";
    let hosts = listed(&mut section, ("hosts", expected), host_name);
    let expected = "a list of addresses or networks, such as [\"10.0.0.0/8\"]";
    let networks = listed(&mut section, ("networks", expected), proxy::network);
    let any = |text: &str| Some(PathBuf::from(text));
    let secret_file = section.text("secret_file", "a file, or \"\"", any).unwrap_or_default();
    let is_signed = hosts.is_empty() || !secret_file.as_os_str().is_empty();
    section.check(is_signed, &["hosts", "secret_file"], || {
        let (hosts, secret) = (section.name("hosts"), section.name("secret_file"));
        format!("{hosts} allows callbacks, but {secret} is empty: expected a file")
    });
    let callbacks = CallbacksConfig {
        hosts,
        networks,
        secret_file,
        pending_max: section.whole("pending_max", 0..=100_000_000),
        timeout: section.duration("timeout", 100 * MS..=10 * MINUTE),
        backoff_max: section.duration("backoff_max", SECOND..=DAY),
        try_for: section.duration("try_for", Duration::ZERO..=30 * DAY),
    };
    section.finish();
    callbacks
}

/// A list of what `parse` reads of texts.
fn listed<T>(
    section: &mut Section<'_>,
    (key, expected): (&'static str, &'static str),
    parse: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let texts = section.texts(key, expected);
    section.check(texts.len() <= LISTED_MAX, &[key], || {
        format!("{} has {} entries: expected at most {LISTED_MAX}", section.name(key), texts.len())
    });
    let mut read = Vec::new();
    for text in texts {
        match parse(&text) {
            Some(one) => read.push(one),
            None => section.check(false, &[key], || {
                format!("{} has `{text}`: expected {expected}", section.name(key))
            }),
        }
    }
    read
}

/// A name of a host or an address, in lower case, or `*.NAME`.
fn host_name(text: &str) -> Option<String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let good = (1..=253).contains(&name.len()) && name.bytes().all(plain);
    good.then(|| text.to_ascii_lowercase())
}

/// A path of at least one segment, without a `/` at its end.
fn own_path(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let good = text.len() <= 256
        && text.starts_with('/')
        && !text.ends_with('/')
        && !text.contains("//")
        && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// From how much predicted work on a route's requests become jobs; `None`: never.
pub(super) fn async_above(section: &mut Section<'_>) -> Option<Duration> {
    section.duration_or("async_above", "never", Duration::ZERO..=DAY)
}

/// Which of a route's requests become jobs. Where there is a contract, all.
pub(super) fn of_route(section: &mut Section<'_>) -> RouteJobs {
    if contract::is_written(section) {
        return RouteJobs::Always;
    }
    let words =
        [("never", RouteJobs::Never), ("prefer", RouteJobs::Prefer), ("always", RouteJobs::Always)];
    section.word("jobs", &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_jobs_has_no_end_and_no_pattern() {
        for good in ["/jobs", "/a/b", "/~jobs.v1"] {
            assert!(own_path(good).is_some(), "{good}");
        }
        for bad in ["", "/", "jobs", "/jobs/", "/a//b", "/a?b", "/{id}"] {
            assert!(own_path(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_bucket_is_named_as_s3_has_it() {
        for good in ["", "jobs", "a.b-c", "0a0"] {
            assert!(bucket_name(good).is_some(), "{good}");
        }
        for bad in ["ab", "Jobs", "-ab", "ab-", "a_b", "a/b", &"a".repeat(64)] {
            assert!(bucket_name(bad).is_none(), "{bad}");
        }
        assert!(key_prefix("a/b-").is_some() && key_prefix("").is_some());
        assert!(key_prefix("/a").is_none() && key_prefix("a b").is_none());
        assert!(queue_name("a_b-1").is_some() && queue_name(&"a".repeat(41)).is_none());
        assert!(queue_name("a.fifo").is_none() && queue_name("a b").is_none());
    }

    #[test]
    fn a_host_of_callbacks_is_a_name_or_all_below_one() {
        assert_eq!(host_name("*.Example.org").as_deref(), Some("*.example.org"));
        assert_eq!(host_name("127.0.0.1").as_deref(), Some("127.0.0.1"));
        for bad in ["", "*", "*.", "a/b", "a b", "http://a"] {
            assert!(host_name(bad).is_none(), "{bad}");
        }
    }
}
