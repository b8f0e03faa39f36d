//! How hosts order their requests.

use serde::Serialize;

/// How a host orders the requests that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Discipline {
    /// Shortest remaining processing time first, preemptive.
    Srpt,
    /// Processor sharing: everything at once, as an ordinary server does.
    Ps,
    /// First come, first served.
    Fcfs,
}

impl Discipline {
    /// Every discipline, in the order in which messages list them.
    pub const ALL: [Discipline; 3] = [Discipline::Srpt, Discipline::Ps, Discipline::Fcfs];

    /// Its name, as in configurations, in load reports and on the worker's command line.
    pub const fn name(self) -> &'static str {
        match self {
            Discipline::Srpt => "srpt",
            Discipline::Ps => "ps",
            Discipline::Fcfs => "fcfs",
        }
    }

    /// The discipline called `name`.
    pub fn by_name(name: &str) -> Option<Discipline> {
        Discipline::ALL.into_iter().find(|discipline| discipline.name() == name)
    }
}
