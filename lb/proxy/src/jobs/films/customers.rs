//! The table of customers, as others know it: `CustomerId`, `job_stats` (C, P, F, E), `try_count`;
//! and what becomes of a row.
//!
//! ```text
//!        asked           taken             ended
//! (none, F, E) ──▶ C ──────────▶ P, 1 ──────────▶ F, E
//!                  ▲   given back │ ▲ taken again: try_count + 1, beyond `tries_max` E
//!                  └──────────────┘─┘
//! ```
//!
//! Every row is written by compare-and-set of all of it, so whoever has lost a job to another can
//! say nothing about it any more: `try_count` has grown. A job that nobody has been heard of for
//! `silence_max` (its message is lost) stands in the way of no other.

use std::time::Duration;

use async_trait::async_trait;

/// Keeps rows of customers.
#[async_trait]
pub trait Customers: Send + Sync {
    /// The row of `customer` in `table`, as it is now.
    async fn get(&self, table: &str, customer: &str) -> Result<Option<Row>, CustomersError>;

    /// Writes `row`, where what is there is still `before`. Returns whether it was.
    async fn put(
        &self,
        table: &str,
        customer: &str,
        (row, before): (&Row, Option<&Row>),
    ) -> Result<bool, CustomersError>;
}

/// What is kept of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How the job is.
    pub state: State,
    /// How often it was begun.
    pub tries: u32,
    /// When this was written, in seconds since 1970; `None` where others have written it.
    pub at: Option<u64>,
}

/// How the job of a customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Created,
    /// It is being done.
    InProgress,
    /// It has ended well.
    Finished,
    /// It has failed.
    Failed,
}

/// The table cannot be used. A later try may work.
#[derive(Debug, thiserror::Error)]
#[error("the table `{table}` cannot be used: {why}")]
pub struct CustomersError {
    /// Which one.
    pub table: String,
    /// Why.
    pub why: String,
}

/// What a message about a customer is, by its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is to be done, and the row says so.
    Begun(Row),
    /// It was begun too often.
    GivenUp(Row),
    /// It has ended: the message is an old one.
    Ended,
}

// === impl State ===

impl State {
    /// Its letter in the table.
    pub const fn letter(self) -> &'static str {
        match self {
            State::Created => "C",
            State::InProgress => "P",
            State::Finished => "F",
            State::Failed => "E",
        }
    }

    /// The state of that letter.
    pub fn of_letter(letter: &str) -> Option<State> {
        let all = [State::Created, State::InProgress, State::Finished, State::Failed];
        all.into_iter().find(|state| state.letter() == letter)
    }

    /// What the customer is told.
    pub(super) const fn words(self) -> &'static str {
        match self {
            State::Created => "Job Created",
            State::InProgress => "Job in progress",
            State::Finished => "Job completed",
            State::Failed => "Error occured",
        }
    }

    const fn is_open(self) -> bool {
        matches!(self, State::Created | State::InProgress)
    }
}

/// The row of a customer who asks for a job, where there is `row` now; `None` where there is one
/// under way.
pub(super) fn asked(row: Option<Row>, now: u64, silence_max: Duration) -> Option<Row> {
    let is_under_way = row.is_some_and(|row| {
        let is_silent = row.at.is_some_and(|at| at + silence_max.as_secs() < now);
        row.state.is_open() && !is_silent
    });
    (!is_under_way).then_some(Row { state: State::Created, tries: 0, at: Some(now) })
}

/// What a message is, where there is `row` now.
pub(super) fn taken(row: Option<Row>, now: u64, tries_max: u32) -> Taken {
    // Others send the message first, and the row then.
    let row = row.unwrap_or(Row { state: State::Created, tries: 0, at: None });
    if !row.state.is_open() {
        return Taken::Ended;
    }
    if tries_max <= row.tries {
        return Taken::GivenUp(ended(row, false, now));
    }
    Taken::Begun(Row { state: State::InProgress, tries: row.tries + 1, at: Some(now) })
}

/// The row of a job that has ended, well or not.
pub(super) fn ended(row: Row, is_well: bool, now: u64) -> Row {
    let state = if is_well { State::Finished } else { State::Failed };
    Row { state, at: Some(now), ..row }
}

/// The row of a job that is given back, and has not been tried.
pub(super) fn given_back(row: Row, now: u64) -> Row {
    Row { state: State::Created, tries: row.tries.saturating_sub(1), at: Some(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn row(letter: &str, tries: u32) -> Row {
        Row { state: State::of_letter(letter).expect("a state"), tries, at: Some(1000) }
    }

    #[test]
    fn a_customer_has_one_job_at_once() {
        let new = Some(Row { state: State::Created, tries: 0, at: Some(2000) });
        assert_eq!(asked(None, 2000, DAY), new);
        for ended in ["F", "E"] {
            assert_eq!(asked(Some(row(ended, 3)), 2000, DAY), new, "{ended}");
        }
        for open in ["C", "P"] {
            assert_eq!(asked(Some(row(open, 1)), 2000, DAY), None, "{open}");
            assert!(asked(Some(row(open, 1)), 90_000, DAY).is_some(), "{open}: it is lost");
            let of_others = Row { at: None, ..row(open, 1) };
            assert_eq!(asked(Some(of_others), 90_000, DAY), None, "{open}");
        }
    }

    #[test]
    fn a_job_is_begun_so_often_and_not_more() {
        let mut row = row("C", 0);
        for nth in 1..=3 {
            let Taken::Begun(begun) = taken(Some(row), 2000, 3) else { unreachable!("{nth}") };
            assert_eq!((begun.state, begun.tries), (State::InProgress, nth));
            row = begun;
        }
        let Taken::GivenUp(given_up) = taken(Some(row), 2000, 3) else { unreachable!() };
        assert_eq!((given_up.state, given_up.tries), (State::Failed, 3));
        assert_eq!(taken(Some(given_up), 2000, 3), Taken::Ended);
        assert!(matches!(taken(None, 2000, 3), Taken::Begun(Row { tries: 1, .. })));
    }

    #[test]
    fn what_is_given_back_was_not_tried() {
        let begun = row("P", 1);
        assert_eq!(given_back(begun, 5), Row { state: State::Created, tries: 0, at: Some(5) });
        assert_eq!(ended(begun, true, 5), Row { state: State::Finished, tries: 1, at: Some(5) });
    }
}
