//! Photos with the truth about them, and a worker that is asked: what `classify` and `recognise`
//! share.

mod folder;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use crate::client::ClientError;

pub(crate) use folder::{Photo, labelled, listed};
pub(crate) use worker::{Asked, Models, OwnWorker};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The folder or a file cannot be read.
    #[error("`{}` cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// There is nothing to measure with.
    #[error("`{path}` has {1}", path = .0.display())]
    Folder(PathBuf, &'static str),
    /// A row of the list is wrong.
    #[error("`{path}`, line {1}: {2}", path = .0.display())]
    Row(PathBuf, u64, String),
    /// The truth is unknown to the model.
    #[error("these are no labels of the model, nor numbers of its classes: {0}")]
    Labels(String),
    /// There is no program, or it did not start.
    #[error("there is no worker: {0}")]
    Worker(String),
    /// It did not answer.
    #[error("`{}` was not answered", .0.display())]
    Photo(PathBuf, #[source] ClientError),
    /// Another request was not answered.
    #[error("a request failed")]
    Client(#[from] ClientError),
    /// The answer is not what was expected.
    #[error("the answer `{0}` is not understood")]
    Answer(String),
    /// The system refused.
    #[error("the system refused")]
    System(#[from] io::Error),
}

/// How often something happened, and between what its probability is, at 95 %: Wilson 1927.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) of: usize,
    pub(crate) all: usize,
}

/// The normal deviate of 95 %.
const DEVIATE: f64 = 1.959_964;

impl Share {
    pub(crate) fn part(self) -> f64 {
        self.of as f64 / self.all.max(1) as f64
    }

    /// Between what it is; from 0 to 1 where nothing was tried.
    pub(crate) fn interval(self) -> (f64, f64) {
        if self.all == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.all as f64, self.part());
        let square = DEVIATE * DEVIATE;
        let centre = (p + square / (2.0 * n)) / (1.0 + square / n);
        let spread = (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
        let half = DEVIATE * spread / (1.0 + square / n);
        ((centre - half).max(0.0), (centre + half).min(1.0))
    }
}

/// `74.2 % (71.8 to 76.5)`.
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = self.interval();
        let percent = |part: f64| part * 100.0;
        write!(f, "{:.1} % ({:.1} to {:.1})", percent(self.part()), percent(least), percent(most))
    }
}
