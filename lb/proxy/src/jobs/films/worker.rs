//! The jobs of customers are taken from their queue, and done one after the other.
//!
//! A message says `CUSTOMER|JOB|JOB...`, and a job is `WORD SECONDS`, which sleeps, or the name of
//! a bucket, whose photos become a film. It is hidden from others again and again while it is done,
//! and deleted last. Who dies in between leaves a message that comes again: the customer's row says
//! so then (`try_count`), and films that were made, or are being made, are the same jobs as before.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval_at, sleep};

use super::bucket::Film;
use super::customers::{CustomersError, Row, Taken, ended, given_back, taken};
use super::desk::is_customer;
use crate::answer::Problem;
use crate::config::Films;
use crate::config::films::Desk;
use crate::jobs::JobRoom;
use crate::jobs::contract::desk::{AGAIN, WAIT_MAX};
use crate::jobs::contract::messages::{MessageError, Messages, Taken as Message};
use crate::jobs::contract::puller::{LATER, LOOK};
use crate::jobs::ledger::LedgerError;
use crate::jobs::objects::ObjectError;

/// The most jobs of one message.
const JOBS_MAX: usize = 64;

/// A row that somebody else was first to write is read again so often.
const RACES_MAX: usize = 8;

/// Why a message is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    /// It cannot be done, now or later: the customer's fault, or that of a photo.
    #[error("{0}")]
    Failed(String),
    /// There is no memory for it now.
    #[error("there is no room in memory")]
    NoRoom,
    /// The balancer stops.
    #[error("the balancer stops")]
    Draining,
    /// It is somebody else's by now.
    #[error("it was taken by somebody else")]
    Lost,
    /// Its film cannot become a job now.
    #[error("it cannot become a job: {}", .0.detail)]
    Refused(Box<Problem>),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Messages(#[from] MessageError),
    #[error(transparent)]
    Customers(#[from] CustomersError),
}

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Job<'a> {
    /// To wait for so long.
    Sleep(Duration),
    /// A film of the photos in this bucket.
    Film(&'a str),
}

/// A message that is being done.
struct Held {
    room: Arc<JobRoom>,
    route: String,
    films: Arc<Films>,
    messages: Arc<dyn Messages>,
    message: Message,
}

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Takes the jobs of customers of the route `route`, and does them, until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>, route: String) {
    let Some(messages) = room.contracts.outside.messages.clone() else { return };
    let Some(window) = desk_of(&room, &route).map(|(_, desk)| desk.window) else { return };
    let places = Arc::new(Semaphore::new(window));
    let mut failures = 0;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while !room.may_take(&route) {
            sleep(LOOK).await;
        }
        let Some((films, desk)) = desk_of(&room, &route) else { return };
        match messages.take(&desk.queue, 1, (WAIT_MAX, desk.visibility)).await {
            Ok(taken) => {
                failures = 0;
                let Some(message) = taken.into_iter().next() else { continue };
                let (room, route) = (Arc::clone(&room), route.clone());
                let messages = Arc::clone(&messages);
                let held = Held { room, route, films, messages, message };
                tokio::spawn(held.follow(desk, place));
            }
            Err(error) => {
                failures += 1;
                room.metrics.loop_failed("jobs_films");
                tracing::warn!(%error, "jobs of customers cannot be taken");
                drop(place);
                sleep(AGAIN.wait(failures)).await;
            }
        }
    }
}

fn desk_of(room: &JobRoom, route: &str) -> Option<(Arc<Films>, Desk)> {
    let id = room.route_named(route)?;
    let films = room.rooms().config.route(id).films.clone()?;
    let desk = films.desk.clone()?;
    Some((films, desk))
}

/// A message apart: whose it is, and what is to be done.
fn parts(body: &str) -> Option<(&str, Vec<&str>)> {
    let (customer, jobs) = body.split_once('|')?;
    is_customer(customer).then(|| (customer, jobs.split('|').map(str::trim).collect()))
}

/// What is to be done.
fn job(text: &str, sleep_max: Duration) -> Result<Job<'_>, Left> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [bucket] => Ok(Job::Film(bucket)),
        [_, secs] => {
            let secs = secs.parse().ok().filter(|secs: &f64| 0.0 <= *secs);
            let span = secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
            let span = span.filter(|span| *span <= sleep_max).map(Job::Sleep);
            span.ok_or_else(|| Left::Failed(format!("nobody sleeps for `{}`", words[1])))
        }
        _ => Err(Left::Failed(format!("nobody knows how to do `{text}`"))),
    }
}

// === impl Held ===

impl Held {
    /// Does it, or leaves it to others.
    async fn follow(self, desk: Desk, _place: OwnedSemaphorePermit) {
        let _held = self.room.contracts.hold();
        let Err(left) = self.serve(&desk).await else { return };
        let hidden = match left {
            Left::Lost => return,
            Left::Draining => Duration::ZERO,
            Left::NoRoom | Left::Refused(_) => LATER,
            _ => desk.visibility,
        };
        if !matches!(left, Left::Draining | Left::NoRoom) {
            self.room.metrics.loop_failed("jobs_films");
        }
        tracing::warn!(queue = desk.queue, times = self.message.times, %left, "a job is left");
        let hide = self.messages.hide(&desk.queue, &self.message.handle, hidden).await;
        if let Err(error) = hide {
            tracing::debug!(%error, "a job is seen again when its time is over");
        }
    }

    async fn serve(&self, desk: &Desk) -> Result<(), Left> {
        let Some((customer, jobs)) = parts(&self.message.body) else {
            tracing::warn!(queue = desk.queue, "a message that nobody can read is deleted");
            return self.delete(desk).await;
        };
        let Some(mut row) = self.begin(desk, customer).await? else {
            return self.delete(desk).await;
        };
        let done = self.work(desk, customer, (&jobs, &mut row)).await;
        let is_well = match done {
            Ok(()) => true,
            Err(Left::Failed(why)) => {
                tracing::info!(customer, why, "the job of a customer has failed");
                false
            }
            Err(left @ (Left::NoRoom | Left::Draining | Left::Refused(_))) => {
                self.put(desk, customer, (given_back(row, now()), row)).await?;
                return Err(left);
            }
            Err(left) => return Err(left),
        };
        self.put(desk, customer, (ended(row, is_well, now()), row)).await?;
        self.delete(desk).await
    }

    /// Writes that the job of `customer` is begun; `None` where it is not to be done.
    async fn begin(&self, desk: &Desk, customer: &str) -> Result<Option<Row>, Left> {
        let customers = &self.room.contracts.outside.customers;
        for _ in 0..RACES_MAX {
            let before = customers.get(&desk.table, customer).await?;
            let (row, is_begun) = match taken(before, now(), desk.tries_max) {
                Taken::Begun(row) => (row, true),
                Taken::GivenUp(row) => (row, false),
                Taken::Ended => return Ok(None),
            };
            if customers.put(&desk.table, customer, (&row, before.as_ref())).await? {
                return Ok(is_begun.then_some(row));
            }
        }
        Err(Left::Lost)
    }

    /// Writes `row`, where `before` is still there.
    async fn put(
        &self,
        desk: &Desk,
        customer: &str,
        (row, before): (Row, Row),
    ) -> Result<(), Left> {
        let customers = &self.room.contracts.outside.customers;
        let is_ours = customers.put(&desk.table, customer, (&row, Some(&before))).await?;
        if is_ours { Ok(()) } else { Err(Left::Lost) }
    }

    async fn delete(&self, desk: &Desk) -> Result<(), Left> {
        Ok(self.messages.delete(&desk.queue, &self.message.handle).await?)
    }

    /// Does all of it, while nobody else sees it.
    async fn work(
        &self,
        desk: &Desk,
        customer: &str,
        (jobs, row): (&[&str], &mut Row),
    ) -> Result<(), Left> {
        let all = self.all(desk, jobs);
        tokio::pin!(all);
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        let mut held = Instant::now();
        loop {
            tokio::select! {
                done = &mut all => return done,
                _ = looks.tick() => {}
            }
            if self.room.is_draining() {
                return Err(Left::Draining);
            }
            if desk.visibility / 3 <= held.elapsed() {
                let hide = self.messages.hide(&desk.queue, &self.message.handle, desk.visibility);
                if !hide.await? {
                    return Err(Left::Lost);
                }
                let renewed = Row { at: Some(now()), ..*row };
                self.put(desk, customer, (renewed, *row)).await?;
                (*row, held) = (renewed, Instant::now());
            }
        }
    }

    async fn all(&self, desk: &Desk, jobs: &[&str]) -> Result<(), Left> {
        if JOBS_MAX < jobs.len() {
            let n = jobs.len();
            return Err(Left::Failed(format!("there are {n} jobs, expected up to {JOBS_MAX}")));
        }
        // What nobody can do is told before anything is done.
        let jobs: Result<Vec<Job<'_>>, Left> =
            jobs.iter().map(|text| job(text, desk.sleep_max)).collect();
        for (nth, job) in jobs?.into_iter().enumerate() {
            match job {
                Job::Sleep(span) => sleep(span).await,
                Job::Film(bucket) => self.film(desk, (bucket, nth)).await?,
            }
        }
        Ok(())
    }

    async fn film(&self, desk: &Desk, (bucket, nth): (&str, usize)) -> Result<(), Left> {
        let gone = || Left::Failed("the route is no more".to_owned());
        let route = self.room.route_named(&self.route).ok_or_else(gone)?;
        let films = &self.films;
        let film = Film { films, desk, route, bucket, asked: (&self.message.id, nth) };
        film.make(&self.room).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_customer_and_jobs() {
        assert_eq!(parts("a|sleep 1|b"), Some(("a", vec!["sleep 1", "b"])));
        assert_eq!(parts("a|"), Some(("a", vec![""])));
        assert!(parts("a").is_none() && parts("|b").is_none());
    }

    #[test]
    fn a_job_sleeps_or_names_a_bucket() {
        let read = |text| job(text, Duration::from_mins(1)).ok();
        assert_eq!(read(" sleep  1.5 "), Some(Job::Sleep(Duration::from_millis(1500))));
        assert_eq!(read("photos"), Some(Job::Film("photos")));
        for bad in ["", "sleep 61", "sleep -1", "sleep x", "sleep inf", "sleep NaN", "a b c"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
