//! The line of jobs in SQS: balancers that share it do not reach for the same jobs.
//!
//! ```text
//! QUEUE-s, -m, -l    a message for each job that waits, by size: each class has an equal load
//! QUEUE-dead         messages that were received too often
//! ```
//!
//! The queues of another fleet than the first are QUEUE-FLEET-s and so on. A message names a job;
//! all else is in the [table](crate::dynamodb::jobs). Each balancer holds a
//! [window](weighbridge_core::jobs::Window) of messages, whose visibility timeout is its lease on
//! them, and reads the jobs that they name. A message goes when its job is claimed, and when the
//! table shows that it waits no more.
//!
//! # Decision: the queues are a hint, and the table is what is true
//!
//! A job is written first and its message sent then. Where that message is lost with a balancer, a
//! purge or an outage, nothing else is: a job that is overdue goes by the table's index, message or
//! none. While SQS is away, all of the line is read from the table. So there is no outbox to be
//! kept and emptied with each job. Cost: a job whose message is lost waits until it is overdue
//! (`jobs.age_floor`). Look again where that is too long.

mod classes;
mod held;
pub mod messages;
mod queues;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use weighbridge_core::jobs::{Age, JobId, LineWork, OwnerId, Turns};
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{
    Ahead, Callback, Called, Created, Due, Filter, Found, InLine, JobLedger, JobWrite, Kept,
    LedgerError, Message, NewJob, Page, Totals,
};

use crate::Aws;
use crate::dynamodb::jobs::DynamoJobs;
use classes::LearnedClasses;
use held::Line;
use queues::{Client, Queues};

type Result<T> = std::result::Result<T, LedgerError>;

/// What there is of queues to set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the names of the queues begin with.
    pub queue: String,
    /// The fleet whose queues have no name of a fleet.
    pub main: String,
    /// The longest that one try of a request takes.
    pub timeout: Duration,
    /// The most jobs of each line that this balancer holds, beside one of each class.
    pub window: usize,
    /// Jobs are overdue after this,
    pub age_floor: Duration,
    /// and this many times their work.
    pub age_factor: f64,
}

/// A ledger whose line is in SQS.
#[derive(Debug)]
pub struct QueuedJobs {
    table: DynamoJobs,
    client: Client,
    settings: Settings,
    classes: LearnedClasses,
    lines: Mutex<BTreeMap<String, Arc<Line>>>,
}

// === impl QueuedJobs ===

impl QueuedJobs {
    /// The jobs of `table`, in line at the queues that `settings` name. Connects to nothing yet.
    pub fn new(aws: &Aws, table: DynamoJobs, settings: Settings) -> QueuedJobs {
        QueuedJobs {
            table,
            client: Client::new(aws, settings.timeout),
            classes: LearnedClasses::new(),
            lines: Mutex::default(),
            settings,
        }
    }

    /// The line of `fleet`.
    fn line_of(&self, fleet: &str) -> Arc<Line> {
        let mut lines = self.lines.lock();
        let line = lines.entry(fleet.to_owned()).or_insert_with(|| {
            let Settings { queue, main, window, age_floor, age_factor, .. } = &self.settings;
            let age = Age { floor: *age_floor, factor: *age_factor };
            let name = if fleet == main { queue.clone() } else { format!("{queue}-{fleet}") };
            let queues = Queues::new(self.client.clone(), name);
            Arc::new(Line::new(queues, age, *window))
        });
        Arc::clone(line)
    }

    /// Sends a message for `kept`, where it waits.
    async fn send(&self, kept: &Kept) {
        let Some(not_before) = kept.job.state.not_before() else { return };
        let class = self.classes.of(kept.job.work);
        let line = self.line_of(&kept.fleet);
        if let Err(error) = line.queues.send(kept, class, not_before).await {
            let job = kept.job.id;
            tracing::warn!(%job, %error, "a job has no message: it goes when it is overdue");
        }
    }

    /// The first jobs by the queues, and what the table says of them.
    async fn by_queue(
        &self,
        fleet: &str,
        now: Time,
        most: usize,
    ) -> Result<(Vec<JobId>, Vec<Kept>)> {
        let line = self.line_of(fleet);
        line.fill(&self.table, (fleet, now)).await?;
        let ids = line.first(now, most);
        let jobs = self.table.jobs(&ids).await?;
        let waits = |id: &JobId| {
            let job = jobs.iter().find(|kept| kept.job.id == *id);
            job.is_some_and(|kept| crate::dynamodb::jobs::stands(kept, fleet).is_some())
        };
        let gone: Vec<JobId> = ids.iter().copied().filter(|id| !waits(id)).collect();
        line.drop_gone(&gone);
        line.tidy().await?;
        Ok((ids, jobs))
    }
}

#[async_trait]
impl JobLedger for QueuedJobs {
    async fn create(&self, new: NewJob) -> Result<Created> {
        let created = self.table.create(new).await?;
        if let Created::Kept(kept) = &created {
            self.classes.learn(kept.job.work);
            self.send(kept).await;
        }
        Ok(created)
    }

    async fn get(&self, id: JobId) -> Result<Found> {
        self.table.get(id).await
    }

    async fn request(&self, id: JobId) -> Result<Option<Message>> {
        self.table.request(id).await
    }

    async fn answer(&self, id: JobId) -> Result<Option<Message>> {
        self.table.answer(id).await
    }

    async fn write(&self, write: JobWrite) -> Result<Option<Kept>> {
        let written = self.table.write(write).await?;
        if let Some(kept) = &written {
            if kept.job.state.not_before().is_some() {
                self.send(kept).await;
            } else {
                self.line_of(&kept.fleet).started(kept.job.id);
            }
        }
        Ok(written)
    }

    async fn forget(&self, kept: &Kept) -> Result<bool> {
        self.table.forget(kept).await
    }

    async fn line(&self, fleet: &str, now: Time, most: usize) -> Result<Vec<InLine>> {
        let (by_queue, mut jobs) = match self.by_queue(fleet, now, most).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the line is read from the table");
                return self.table.line(fleet, now, most).await;
            }
        };
        let overdue = self.table.overdue(fleet, now, most.div_ceil(2)).await?;
        let missing: Vec<JobId> =
            overdue.iter().copied().filter(|id| !by_queue.contains(id)).collect();
        jobs.extend(self.table.jobs(&missing).await?);
        let ids = Turns::default().merge(overdue, by_queue, most);
        self.table.in_line(jobs, (fleet, now, &ids)).await
    }

    async fn before(&self, kept: &Kept) -> Result<Ahead> {
        self.table.before(kept).await
    }

    async fn waiting(&self, now: Time) -> Result<Vec<(String, LineWork)>> {
        self.table.waiting(now).await
    }

    async fn due(&self, now: Time, most: usize) -> Result<Vec<Due>> {
        self.table.due(now, most).await
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        self.table.list(filter).await
    }

    async fn totals(&self) -> Result<Totals> {
        self.table.totals().await
    }

    async fn callbacks(&self, now: Time, hold: Duration, most: usize) -> Result<Vec<Callback>> {
        self.table.callbacks(now, hold, most).await
    }

    async fn called(&self, n: i64, result: Called) -> Result<()> {
        self.table.called(n, result).await
    }

    async fn dead_callbacks(&self, most: usize) -> Result<Vec<Callback>> {
        self.table.dead_callbacks(most).await
    }

    fn owner(&self) -> OwnerId {
        self.table.owner()
    }
}
