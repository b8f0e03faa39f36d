//! A ledger that compares and sets, and that checks at each write that the row may become so.

use std::collections::{BTreeMap, BTreeSet};

use weighbridge_core::jobs::{Fence, Job, JobId, Phase, State};

/// Rows, and what is kept beside them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    rows: BTreeMap<JobId, Job>,
    /// Answers that are kept.
    pub(crate) answers: BTreeSet<(JobId, Fence)>,
    /// Jobs that stand in the line: written with the row.
    pub(crate) line: BTreeSet<JobId>,
    /// Jobs that were told to have been accepted.
    pub(crate) acknowledged: BTreeSet<JobId>,
    /// Jobs that have been forgotten, with their last phase.
    pub(crate) forgotten: BTreeMap<JobId, Phase>,
    /// Writes that were refused, for somebody else had written.
    pub(crate) refused: u64,
}

impl Ledger {
    pub(crate) fn insert(&mut self, job: Job) {
        self.rows.insert(job.id, job);
    }

    pub(crate) fn read(&self, id: JobId) -> Option<Job> {
        self.rows.get(&id).cloned()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Job> {
        self.rows.values()
    }

    /// Writes `job` where nobody else has written since it was read. The place in the line is of
    /// the same transaction.
    pub(crate) fn write(&mut self, job: &Job) -> bool {
        let Some(row) = self.rows.get_mut(&job.id).filter(|row| row.version == job.version) else {
            self.refused += 1;
            return false;
        };
        check_change(row, job);
        if let State::Succeeded | State::Failed = job.state
            && row.state != job.state
        {
            let outcome = job.outcome.expect("what was answered has an outcome");
            let has = self.answers.contains(&(job.id, outcome.fence));
            assert!(has, "the answer is durable before it is committed");
        }
        *row = Job { version: row.version + 1, ..job.clone() };
        match job.state.phase() {
            Phase::Queued => self.line.insert(job.id),
            Phase::Receiving
            | Phase::Leased
            | Phase::Running
            | Phase::Committing
            | Phase::Succeeded
            | Phase::Failed
            | Phase::Cancelled
            | Phase::Expired
            | Phase::Dead => self.line.remove(&job.id),
        };
        true
    }

    pub(crate) fn delete_answer(&mut self, id: JobId, fence: Fence) {
        let committed = self.rows.get(&id).and_then(|row| row.outcome);
        assert_ne!(committed.map(|one| one.fence), Some(fence), "the committed answer is kept");
        self.answers.remove(&(id, fence));
    }

    /// Deletes all of a job where nobody has written it since it was read.
    pub(crate) fn forget(&mut self, job: &Job) -> bool {
        let Some(row) = self.rows.get(&job.id).filter(|row| row.version == job.version) else {
            return false;
        };
        assert!(row.state.is_final() && row.told, "only what is final and told is forgotten");
        self.forgotten.insert(job.id, row.state.phase());
        self.answers.retain(|(id, _)| *id != job.id);
        self.rows.remove(&job.id);
        true
    }

    /// What holds after each event.
    pub(crate) fn check(&self) {
        for row in self.rows.values() {
            let is_queued = matches!(row.state, State::Queued { .. });
            assert_eq!(self.line.contains(&row.id), is_queued, "in the line = queued: {row:?}");
            assert_eq!(row.finished.is_some(), row.state.is_final(), "final has an end: {row:?}");
            assert!(!row.told || row.state.is_final(), "told of its end only: {row:?}");
            if let Some(outcome) = row.outcome {
                let has = self.answers.contains(&(row.id, outcome.fence));
                assert!(has, "the committed answer is there: {row:?}");
            }
            if let Some(lease) = row.state.lease() {
                assert_eq!(lease.fence, row.fence, "who holds it made the last claim");
                assert_eq!(lease.attempt, row.attempts, "and counted it before it began");
            }
            if self.acknowledged.contains(&row.id) {
                assert_ne!(row.state, State::Receiving, "acknowledged after it was durable");
            }
        }
        for id in &self.acknowledged {
            let is_kept = self.rows.contains_key(id) || self.forgotten.contains_key(id);
            assert!(is_kept, "{id} was acknowledged and is lost");
        }
    }
}

/// Whether a row may change so.
pub(crate) fn check_change(from: &Job, to: &Job) {
    let is_anew = to.generation == from.generation + 1;
    if is_anew {
        assert_eq!(from.state, State::Dead, "only the dead run anew");
        assert_eq!((to.state.phase(), to.attempts), (Phase::Queued, 0));
    } else {
        assert_eq!(to.generation, from.generation);
        assert!(from.attempts <= to.attempts, "attempts never decrease: {from:?} → {to:?}");
        assert!(from.excused <= to.excused && from.host_deaths <= to.host_deaths);
        if from.state.is_final() {
            assert_eq!(from.state, to.state, "a final state stays");
            assert_eq!(from.outcome, to.outcome, "and so does its answer");
        }
    }
    let claims = to.fence.0 - from.fence.0;
    assert_eq!(claims, u64::from(!is_anew && from.attempts < to.attempts), "a claim has a fence");
    assert!(claims == 0 || to.attempts == from.attempts + 1, "one attempt at a time");
    if claims == 1 {
        assert_eq!(from.state.phase(), Phase::Queued, "only what waits is claimed");
    }
    assert!(to.excused <= to.attempts && to.host_deaths <= to.attempts, "of attempts: {to:?}");
    assert!(from.outcome.is_none() || from.outcome == to.outcome, "one answer is committed");
    assert_eq!((from.id, from.received, from.version), (to.id, to.received, to.version));
}
