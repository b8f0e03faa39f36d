//! Jobs in DynamoDB, shared by all balancers: the ledger, and the line of each fleet.
//!
//! ```text
//! TABLE-jobs   pk job#ID       sk job | request | answer
//!              pk key#HASH     sk key         what tells repeats
//!              pk callback#N   sk callback    a callback until it is delivered
//!              pk forgotten#ID sk forgotten   that there was such a job; expires_at
//!              pk forgotten    sk count | slot#NTH   which ids are forgotten next
//!
//! index line      line (the fleet), rank         those that wait, the least work first
//! index overdue   line, overdue_at               the same, those first that are overdue first
//! index tick      shard, tick_at                 what is to be looked at, and when
//! index new       shard, n                       all, by when they came; how much there is
//! ```
//!
//! Only jobs that wait have the attribute `line`, so the first two indexes hold nothing else.
//!
//! # Decision: a job and its place in the line are one item
//!
//! They change in one write, so ledger and line cannot disagree and no outbox is needed between
//! them. The indexes follow within moments: whoever finds a job there reads the item itself, and
//! the claim compares its version. Cost: balancers that look at the same time try to claim the same
//! jobs, and all but one of them are refused. Look again when many balancers share one line.
//!
//! # Decision: limits are counted now and then
//!
//! One item that counts would be written with every job, and transactions that meet in it fail.
//! Instead each balancer counts the index `new` every `jobs.aws.look`, and adds what it has written
//! itself since. Cost: several balancers may exceed a limit by what the others accept meanwhile.

mod attempts;
mod callbacks;
mod create;
mod errors;
mod find;
mod forget;
mod line;
mod look;
mod row;
mod table;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use moka::future::Cache;
use tokio::sync::OnceCell;

use weighbridge_core::jobs::{JobId, LineWork, OwnerId};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{
    Ahead, Bounds, Callback, Called, Created, Due, Filter, Found, InLine, JobLedger, JobWrite,
    Kept, LedgerError, Message, NewJob, Page, Totals,
};

use crate::Aws;
use look::Looks;

pub(crate) use line::stands;

type Result<T> = std::result::Result<T, LedgerError>;

/// Bytes of requests that are remembered, so that a job that finds no room is not read again and
/// again with its body.
const REQUESTS_MAX_BYTES: u64 = 32 << 20;

/// Bits of a job's number that tell balancers from each other.
const OWNER_BITS: u32 = 10;

/// The ledger of jobs. Clones share everything.
#[derive(Debug, Clone)]
pub struct DynamoJobs {
    shared: Arc<Shared>,
}

/// What there is of a ledger in DynamoDB to set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the name of the table begins with: `TABLE-jobs`.
    pub table: String,
    /// The longest that one try of a request takes.
    pub timeout: Duration,
    /// Between two counts of what there is, at least; zero: each time that somebody asks.
    pub look: Duration,
    /// How much may be kept.
    pub bounds: Bounds,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    table: String,
    /// Set once the table is known to be there and ours.
    ready: OnceCell<()>,
    bounds: Bounds,
    owner: OwnerId,
    /// The highest number that was given to a job or callback.
    newest: AtomicU64,
    looks: Looks,
    requests: Cache<JobId, Message>,
}

// === impl DynamoJobs ===

impl DynamoJobs {
    /// The ledger that `settings` name. Connects to nothing yet.
    pub fn new(aws: &Aws, settings: &Settings) -> DynamoJobs {
        let weigh = |_: &JobId, request: &Message| {
            let body = request.body.as_ref().map_or(0, bytes::Bytes::len);
            u32::try_from(request.head.len() + body).unwrap_or(u32::MAX)
        };
        let shared = Shared {
            client: super::client(aws, settings.timeout),
            table: format!("{}-jobs", settings.table),
            ready: OnceCell::new(),
            bounds: settings.bounds,
            owner: OwnerId(fastrand::u64(1..1 << 62)),
            newest: AtomicU64::new(0),
            looks: Looks::new(settings.look),
            requests: Cache::builder().max_capacity(REQUESTS_MAX_BYTES).weigher(weigh).build(),
        };
        DynamoJobs { shared: Arc::new(shared) }
    }

    /// Makes the table where it is missing, and checks it where it is there. Every use of the
    /// ledger does so first, until it has gone well once.
    pub async fn prepare(&self) -> Result<()> {
        self.ready().await.map(|_| ())
    }

    /// Those in the line of `fleet` that are overdue, the first ones first.
    pub(crate) async fn overdue(&self, fleet: &str, now: Time, most: usize) -> Result<Vec<JobId>> {
        line::overdue(self.ready().await?, fleet, now, most).await
    }

    /// The jobs `ids` as they are now, in no order.
    pub(crate) async fn jobs(&self, ids: &[JobId]) -> Result<Vec<Kept>> {
        find::jobs(self.ready().await?, ids).await
    }

    /// Those of `jobs` that stand in the line of `fleet` and may go, in the order of `ids`.
    pub(crate) async fn in_line(
        &self,
        jobs: Vec<Kept>,
        (fleet, now, ids): (&str, Time, &[JobId]),
    ) -> Result<Vec<InLine>> {
        line::in_line(self.ready().await?, jobs, (fleet, now, ids)).await
    }

    async fn ready(&self) -> Result<&Shared> {
        let shared = &*self.shared;
        shared.ready.get_or_try_init(|| table::prepare(&shared.client, &shared.table)).await?;
        Ok(shared)
    }
}

#[async_trait]
impl JobLedger for DynamoJobs {
    async fn create(&self, new: NewJob) -> Result<Created> {
        create::create(self.ready().await?, &new).await
    }

    async fn get(&self, id: JobId) -> Result<Found> {
        find::get(self.ready().await?, id).await
    }

    async fn request(&self, id: JobId) -> Result<Option<Message>> {
        find::message(self.ready().await?, id, row::REQUEST).await
    }

    async fn answer(&self, id: JobId) -> Result<Option<Message>> {
        find::message(self.ready().await?, id, row::ANSWER).await
    }

    async fn write(&self, write: JobWrite) -> Result<Option<Kept>> {
        write::write(self.ready().await?, write).await
    }

    async fn forget(&self, kept: &Kept) -> Result<bool> {
        forget::forget(self.ready().await?, kept).await
    }

    async fn line(&self, fleet: &str, now: Time, most: usize) -> Result<Vec<InLine>> {
        Box::pin(line::line(self.ready().await?, fleet, now, most)).await
    }

    async fn before(&self, kept: &Kept) -> Result<Ahead> {
        let look = look::look(self.ready().await?).await?;
        Ok(look.before(&kept.fleet, kept.job.rank()))
    }

    async fn waiting(&self, now: Time) -> Result<Vec<(String, LineWork)>> {
        Ok(look::look(self.ready().await?).await?.waiting(now))
    }

    /// No balancer sees that another one is gone: its leases run out.
    async fn due(&self, now: Time, most: usize) -> Result<Vec<Due>> {
        find::due(self.ready().await?, now, most).await
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        find::list(self.ready().await?, filter).await
    }

    async fn totals(&self) -> Result<Totals> {
        Ok(look::look(self.ready().await?).await?.totals.clone())
    }

    async fn callbacks(&self, now: Time, hold: Duration, most: usize) -> Result<Vec<Callback>> {
        callbacks::take(self.ready().await?, now, hold, most).await
    }

    async fn called(&self, n: i64, result: Called) -> Result<()> {
        callbacks::called(self.ready().await?, n, result).await
    }

    async fn dead_callbacks(&self, most: usize) -> Result<Vec<Callback>> {
        callbacks::dead(self.ready().await?, most).await
    }

    fn owner(&self) -> OwnerId {
        self.shared.owner
    }
}

// === impl Shared ===

impl Shared {
    /// A number that is higher than all before it of this balancer, and about as high as those that
    /// others give at the same time: microseconds, and then which balancer. It fits 63 bits until
    /// the year 2255.
    fn next_number(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX) & (u64::MAX >> 11);
        let newer = |newest: u64| Some(now.max(newest + 1));
        let before = self.newest.fetch_update(Ordering::AcqRel, Ordering::Acquire, newer);
        let micros = before.map_or(now, |newest| now.max(newest + 1));
        let own = self.owner.0 & ((1 << OWNER_BITS) - 1);
        i64::try_from((micros << OWNER_BITS) | own).unwrap_or(i64::MAX)
    }
}
