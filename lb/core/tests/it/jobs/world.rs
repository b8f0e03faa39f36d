//! Three balancers on one ledger, some jobs, and a network that does what it likes.

use std::collections::BTreeMap;
use std::time::Duration;

use weighbridge_core::jobs::{
    Action, Actions, Event, Fence, Job, JobId, Limits, Object, OwnerId, Phase, State, step,
};
use weighbridge_core::random::Random;
use weighbridge_core::units::{Time, Work};

use super::ledger::Ledger;

const EVENTS: usize = 60;

/// A moment before the epoch's first year has passed; clocks jump to and fro around it.
const START: Duration = Duration::from_hours(1000);

/// What has happened in a history; that all of it happens is a test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Met(BTreeMap<&'static str, u64>);

/// What is under way to a balancer.
#[derive(Debug, Clone, Copy)]
struct Message {
    to: usize,
    job: JobId,
    event: Event,
}

/// One run of a job at a host.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Execution {
    job: JobId,
    fence: Fence,
    holder: usize,
}

/// A balancer: the rows that it has read, as old as they may be.
#[derive(Debug, Default)]
struct Holder {
    copies: BTreeMap<JobId, Job>,
}

/// See the module.
pub(crate) struct World {
    random: Random,
    limits: Limits,
    now: Time,
    ledger: Ledger,
    holders: Vec<Holder>,
    executions: Vec<Execution>,
    network: Vec<Message>,
    jobs: Vec<JobId>,
    /// Whether events may be lost and balancers die: not at the end.
    is_wild: bool,
    /// How often each job was told of in each generation, and as what.
    told: BTreeMap<(JobId, u32), Vec<Phase>>,
    pub(crate) met: Met,
    said: Vec<String>,
}

/// What a history was.
#[derive(Debug, PartialEq)]
pub(crate) struct History {
    pub(crate) met: Met,
    said: Vec<String>,
}

// === impl Met ===

impl Met {
    const ALL: [&'static str; 17] = [
        "actions lost",
        "anew",
        "balancer died",
        "cancelled",
        "committed",
        "dead",
        "duplicate",
        "excused",
        "expired",
        "failed",
        "forgotten",
        "host lost",
        "lease lost",
        "loser's answer",
        "refused write",
        "stale event",
        "told twice",
    ];

    fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// Histories in which it happened, of several.
    pub(crate) fn add(&mut self, other: &Met) {
        for what in other.0.keys() {
            self.note(what);
        }
    }

    /// What happened in the fewest.
    pub(crate) fn least(&self) -> (&'static str, u64) {
        let counts = Met::ALL.map(|what| (what, self.0.get(what).copied().unwrap_or(0)));
        assert!(self.0.keys().all(|what| Met::ALL.contains(what)), "{self:?}");
        counts.into_iter().min_by_key(|(_, n)| *n).expect("there are some")
    }
}

// === impl World ===

impl World {
    pub(crate) fn run(seed: u64) -> History {
        let mut world = World::new(seed);
        for _ in 0..EVENTS {
            world.happen();
            world.ledger.check();
        }
        world.end();
        if 0 < world.ledger.refused {
            world.met.note("refused write");
        }
        History { met: world.met, said: world.said }
    }

    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let limits = limits(&mut random);
        let mut world = World {
            random,
            limits,
            now: Time::ZERO + START,
            ledger: Ledger::default(),
            holders: (0..3).map(|_| Holder::default()).collect(),
            executions: Vec::new(),
            network: Vec::new(),
            jobs: Vec::new(),
            is_wild: true,
            told: BTreeMap::new(),
            met: Met::default(),
            said: Vec::new(),
        };
        for _ in 0..=world.random.below(3) {
            world.receive();
        }
        world
    }

    fn happen(&mut self) {
        match self.random.below(100) {
            0..5 => self.receive(),
            5..25 => self.claim(),
            25..45 => self.execute(),
            45..75 => self.deliver(),
            75..83 => self.tick(),
            83..85 => self.ask(Event::Cancel),
            85..87 => self.ask(Event::Retry),
            87..89 => self.die(),
            89..92 => self.remember(),
            92..98 => self.now = self.now + self.span(),
            98 => self.now = self.now + self.span() + self.limits.retention,
            _ => {
                let back = self.span().as_nanos() as u64;
                self.now = Time::from_nanos(self.now.as_nanos().saturating_sub(back));
            }
        }
    }

    fn span(&mut self) -> Duration {
        Duration::from_secs_f64(self.random.unit() * self.random.unit() * 60.0)
    }

    /// A request begins to come in.
    fn receive(&mut self) {
        if 3 <= self.jobs.len() {
            return;
        }
        let bits = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let work = Work::saturating(0.1 / (1.0 - self.random.unit()));
        let mut job = Job::new(JobId::from_bits(bits), (work, work * 2.0), self.now, &self.limits);
        job.weight = 0.1;
        self.jobs.push(job.id);
        self.ledger.insert(job.clone());
        let to = self.random.below(self.holders.len());
        self.send(Message { to, job: job.id, event: Event::Stored });
    }

    /// A balancer takes a job from the line, by a copy that may be old.
    fn claim(&mut self) {
        let holder = self.random.below(self.holders.len());
        let Some(job) = self.any_job() else { return };
        self.act(Message { to: holder, job, event: Event::Claimed { owner: owner(holder) } });
    }

    /// Something becomes of a run at a host, and its balancer hears of it.
    fn execute(&mut self) {
        if self.executions.is_empty() {
            return;
        }
        let n = self.random.below(self.executions.len());
        let Execution { job, fence, holder } = self.executions[n];
        let retry_after = Some(self.span()).filter(|_| self.random.below(2) == 0);
        let event = match self.random.below(17) {
            0..3 => Event::Started { fence },
            3 => Event::Progress { fence, done: Work::saturating(self.random.unit()) },
            4 => Event::Renewed { fence },
            5..9 => Event::Answered { fence, status: 200, retry_after: None },
            9 => Event::Answered { fence, status: 404, retry_after: None },
            10 => Event::Answered { fence, status: 500, retry_after: None },
            11 => Event::Answered { fence, status: 503, retry_after },
            12 => Event::HostLost { fence },
            13 => Event::TimedOut { fence },
            14 => Event::Returned { fence },
            15 => Event::Unplaced { fence },
            _ => Event::Answered { fence, status: 429, retry_after },
        };
        let ends = !matches!(
            event,
            Event::Started { .. } | Event::Progress { .. } | Event::Renewed { .. }
        );
        if ends {
            self.executions.swap_remove(n);
        }
        self.send(Message { to: holder, job, event });
    }

    /// Puts an event on its way: it may be lost, or come twice.
    fn send(&mut self, message: Message) {
        if self.is_wild && self.random.below(10) == 0 {
            return;
        }
        self.network.push(message);
        if self.is_wild && self.random.below(10) == 0 {
            self.met.note("duplicate");
            self.network.push(message);
        }
    }

    /// One of the events that are under way comes, whichever.
    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let n = self.random.below(self.network.len());
        let message = self.network.swap_remove(n);
        self.act(message);
    }

    /// A sweeper looks at a job.
    fn tick(&mut self) {
        let to = self.random.below(self.holders.len());
        let Some(job) = self.any_job() else { return };
        self.act(Message { to, job, event: Event::Tick });
    }

    /// A client or an operator asks for something.
    fn ask(&mut self, event: Event) {
        let to = self.random.below(self.holders.len());
        let Some(job) = self.any_job() else { return };
        self.act(Message { to, job, event });
    }

    /// A balancer reads a row that it will use later.
    fn remember(&mut self) {
        let holder = self.random.below(self.holders.len());
        let Some(job) = self.any_job() else { return };
        if let Some(row) = self.ledger.read(job) {
            self.holders[holder].copies.insert(job, row);
        }
    }

    /// A balancer dies with what it was about, and starts again: its leases were its own.
    fn die(&mut self) {
        self.met.note("balancer died");
        let dead = self.random.below(self.holders.len());
        self.holders[dead] = Holder::default();
        self.executions.retain(|one| one.holder != dead);
        self.network.retain(|one| one.to != dead);
        if self.random.below(2) == 0 {
            return;
        }
        let leases = self.ledger.rows().filter_map(|row| Some((row.id, row.state.lease()?)));
        let own: Vec<(JobId, Fence)> = leases
            .filter(|(_, lease)| lease.owner == owner(dead))
            .map(|(id, lease)| (id, lease.fence))
            .collect();
        for (job, fence) in own {
            self.act(Message { to: dead, job, event: Event::LeaseLost { fence } });
        }
    }

    /// A balancer takes a step on a row that it has read before or reads now, writes it, and does
    /// what the step asks for. Where the write is refused it reads the row and tries once more.
    fn act(&mut self, Message { to, job, event }: Message) {
        for _ in 0..2 {
            let copy = self.holders[to].copies.remove(&job);
            let Some(mut row) = copy.or_else(|| self.ledger.read(job)) else {
                return self.orphan(job, event);
            };
            let before = row.clone();
            let actions = step(&mut row, event, self.now, &self.limits);
            self.check_step(&before, event, &row, &actions);
            if row != before && !self.ledger.write(&row) {
                continue;
            }
            self.note(&before, event, &row);
            if self.is_wild && self.random.below(20) == 0 {
                self.met.note("actions lost");
                return;
            }
            for action in actions {
                self.perform(to, &row, action);
            }
            return;
        }
    }

    /// An answer of a job that has been forgotten is kept by nobody.
    fn orphan(&mut self, job: JobId, event: Event) {
        if let Event::Kept { fence } = event {
            self.ledger.answers.remove(&(job, fence));
        }
    }

    /// What a step may do, whatever the row was.
    fn check_step(&mut self, from: &Job, event: Event, to: &Job, actions: &Actions) {
        super::ledger::check_change(from, to);
        let holder = from.state.lease().map(|lease| lease.fence);
        if event.fence().is_some_and(|fence| Some(fence) != holder) {
            self.met.note("stale event");
            assert_eq!(from, to, "an old fence changes nothing: {event:?}");
            let is_sweeping =
                |action: &Action| matches!(action, Action::Delete(Object::Answer { .. }));
            assert!(actions.iter().all(is_sweeping), "{event:?} {actions:?}");
        }
        for action in actions {
            match action {
                Action::Send { not_before } => {
                    assert_eq!(to.state, State::Queued { not_before: *not_before });
                }
                Action::Forward { fence, .. } | Action::Put { fence } => {
                    assert_eq!(to.state.lease().map(|lease| lease.fence), Some(*fence));
                }
                Action::HangUp { fence } => assert_eq!(Some(*fence), holder),
                Action::Notify => assert!(to.state.is_final(), "told before the end: {to:?}"),
                Action::Delete(Object::Place) => {
                    assert_eq!(from.state.phase(), Phase::Queued);
                    assert!(to.state.is_final());
                }
                Action::Delete(Object::Answer { fence }) => {
                    assert_ne!(to.outcome.map(|one| one.fence), Some(*fence));
                }
                Action::Delete(Object::All) => assert!(to.state.is_final() && to.told),
            }
        }
    }

    /// Counts what has happened to the row.
    fn note(&mut self, from: &Job, event: Event, to: &Job) {
        self.said.push(format!("{} {event:?} {:?}", to.id, to.state));
        if from.state == to.state {
            return;
        }
        if from.state == State::Receiving && to.state.phase() == Phase::Queued {
            self.ledger.acknowledged.insert(to.id);
        }
        let met = match (to.state, event) {
            (State::Queued { .. }, Event::Retry) => "anew",
            (State::Queued { .. }, Event::HostLost { .. }) => "host lost",
            (State::Queued { .. }, Event::LeaseLost { .. } | Event::Tick) => "lease lost",
            (State::Queued { .. }, _) if from.excused < to.excused => "excused",
            (State::Succeeded, _) => "committed",
            (State::Failed, _) => "failed",
            (State::Cancelled, _) => "cancelled",
            (State::Expired, _) => "expired",
            (State::Dead, _) => "dead",
            (_, _) => return,
        };
        self.met.note(met);
    }

    fn perform(&mut self, holder: usize, job: &Job, action: Action) {
        match action {
            // Written with the row.
            Action::Send { .. } | Action::Delete(Object::Place) => {}
            Action::Forward { fence, .. } => {
                let run = Execution { job: job.id, fence, holder };
                assert!(!self.executions.contains(&run), "a claim forwards once");
                self.executions.push(run);
            }
            Action::HangUp { fence } => {
                let own = Execution { job: job.id, fence, holder };
                self.executions.retain(|one| *one != own);
            }
            Action::Put { fence } => {
                self.ledger.answers.insert((job.id, fence));
                self.send(Message { to: holder, job: job.id, event: Event::Kept { fence } });
            }
            Action::Notify => self.notify(holder, job),
            Action::Delete(Object::Answer { fence }) => {
                self.met.note("loser's answer");
                self.ledger.delete_answer(job.id, fence);
            }
            Action::Delete(Object::All) => {
                if self.ledger.forget(job) {
                    self.met.note("forgotten");
                }
            }
        }
    }

    /// Everybody is told, and told the same. It may be twice: receivers tell by the job's id.
    fn notify(&mut self, holder: usize, job: &Job) {
        let row = self.ledger.read(job.id);
        if let Some(row) = row.filter(|row| row.generation == job.generation) {
            assert_eq!(row.state, job.state, "nothing is told before it is written");
        }
        let told = self.told.entry((job.id, job.generation)).or_default();
        told.push(job.state.phase());
        let is_one = told.iter().all(|phase| *phase == job.state.phase());
        assert!(is_one, "{} was told as {told:?}", job.id);
        if told.len() == 2 {
            self.met.note("told twice");
        }
        self.send(Message {
            to: holder,
            job: job.id,
            event: Event::Told { generation: job.generation },
        });
    }

    /// From here on nothing is lost and nobody dies: all that is open ends.
    fn end(&mut self) {
        self.is_wild = false;
        for _ in 0..400 {
            while !self.network.is_empty() {
                self.deliver();
                self.ledger.check();
            }
            let open: Vec<JobId> = self.ledger.rows().map(|row| row.id).collect();
            if open.is_empty() {
                break;
            }
            for job in open {
                self.act(Message { to: 0, job, event: Event::Tick });
                self.act(Message { to: 1, job, event: Event::Claimed { owner: owner(1) } });
            }
            for Execution { job, fence, holder } in std::mem::take(&mut self.executions) {
                let event = Event::Answered { fence, status: 200, retry_after: None };
                self.send(Message { to: holder, job, event });
            }
            self.ledger.check();
            self.now = self.now + self.limits.lease_max / 2;
        }
        self.check_end();
    }

    fn check_end(&self) {
        assert_eq!(self.ledger.rows().count(), 0, "everything ends: {:?}", self.ledger);
        assert_eq!(self.ledger.line.len(), 0, "nobody is left in the line");
        assert_eq!(self.ledger.answers.len(), 0, "no answer is left: {:?}", self.ledger.answers);
        for id in &self.ledger.acknowledged {
            let phase = self.ledger.forgotten.get(id).expect("each has ended");
            let mut told = self.told.iter().filter(|((job, _), _)| job == id);
            let last = told.next_back().map(|(_, phases)| phases[0]);
            assert_eq!(last, Some(*phase), "{id} was told of as it ended");
        }
    }

    fn any_job(&mut self) -> Option<JobId> {
        self.jobs.get(self.random.below(self.jobs.len())).copied()
    }
}

fn owner(holder: usize) -> OwnerId {
    OwnerId(holder as u64)
}

/// Limits that are met within a history.
fn limits(random: &mut Random) -> Limits {
    let mut secs =
        |least: f64, most: f64| Duration::from_secs_f64(least + (most - least) * random.unit());
    Limits {
        receive_max: secs(10.0, 60.0),
        wait_max: secs(30.0, 600.0),
        run_max: secs(10.0, 100.0),
        backoff_min: secs(0.0, 2.0),
        backoff_max: secs(2.0, 10.0),
        lease_min: secs(5.0, 30.0),
        lease_max: secs(30.0, 60.0),
        retention: secs(60.0, 600.0),
        attempts_max: 1 + random.below(4) as u32,
        host_deaths_max: 1 + random.below(3) as u32,
        alone_after: random.below(3) as u32,
    }
}
