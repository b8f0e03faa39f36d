//! Checkpoints at a steady pace.

use thiserror::Error;

/// Samples between two checkpoints: 30 to 200 microseconds.
const SAMPLES: usize = 16_384;

/// Called again and again while a file is decoded or encoded. An error ends that.
pub type Checkpoint<'a> = dyn FnMut() -> Result<(), Stopped> + 'a;

/// A checkpoint said that the result is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the result is no longer wanted")]
pub struct Stopped;

/// Calls a checkpoint once enough work was done since the last call.
pub(crate) struct Pace<'a> {
    checkpoint: &'a mut Checkpoint<'a>,
    left: usize,
}

// === impl Pace ===

impl<'a> Pace<'a> {
    pub(crate) fn new(checkpoint: &'a mut Checkpoint<'a>) -> Pace<'a> {
        // The first piece of work is preceded by a checkpoint.
        Pace { checkpoint, left: 0 }
    }

    /// Says that `samples` are worked on next.
    pub(crate) fn spend(&mut self, samples: usize) -> Result<(), Stopped> {
        if let Some(left) = self.left.checked_sub(samples) {
            self.left = left;
            return Ok(());
        }
        self.left = SAMPLES;
        (self.checkpoint)()
    }
}
