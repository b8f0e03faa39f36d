//! A body that is gathered piece by piece, within its limit and the memory budget.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::answer::Problem;
use crate::budget::Share;

/// The first memory that a body of unknown length gets.
const LONGER_BYTES_MIN: usize = 4 << 10;

/// What has come of a body. Memory counts when it is filled, not when it is announced.
#[derive(Debug)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    share: Share,
    /// Whether its memory was measured by the length that it has by its head.
    is_announced: bool,
    bytes_max: u64,
    pause_max: Duration,
}

impl Gathered {
    /// Nothing yet, of a body that is said to be `announced` long and may have `bytes_max`. It
    /// waits for memory for `pause_max` at most.
    pub(crate) fn new(
        share: Share,
        announced: Option<u64>,
        (bytes_max, pause_max): (u64, Duration),
    ) -> Gathered {
        // Memory that is not written to is an address only.
        let room = announced.unwrap_or(0).min(bytes_max);
        let bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        Gathered { bytes, share, is_announced: announced.is_some(), bytes_max, pause_max }
    }

    /// Waits until something may come.
    pub(crate) async fn begin(&mut self) -> Result<(), Problem> {
        self.reserve(1).await
    }

    /// Takes the next piece; waits for memory for it.
    pub(crate) async fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let length = self.bytes.len() + piece.len();
        if self.bytes_max < length as u64 {
            return Err(too_large(self.bytes_max));
        }
        if self.bytes.capacity() < length {
            // It moves to a longer place. For a moment there are both, of one body a thread.
            let room = longer(length, self.bytes_max);
            self.is_announced = false;
            self.reserve(room as u64).await?;
            self.bytes.reserve_exact(room - self.bytes.len());
        } else if self.is_announced {
            self.reserve(length as u64).await?;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// All of it, and its share of the memory.
    pub(crate) fn whole(mut self) -> (Bytes, Share) {
        self.share.complete();
        (Bytes::from(self.bytes), self.share)
    }

    async fn reserve(&mut self, bytes: u64) -> Result<(), Problem> {
        let room = tokio::time::timeout(self.pause_max, self.share.hold(bytes)).await;
        room.map_err(|_| {
            let detail = format!("no room to hold a body of `{bytes}` bytes");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).at("body").retry_after(1)
        })
    }
}

/// The answer to a body that is too long.
pub(crate) fn too_large(bytes_max: u64) -> Problem {
    let detail = format!("the body is longer than `{bytes_max}` bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body")
}

/// How much memory a body of unknown length gets that is `length` long and may be `bytes_max`: a
/// quarter more than it needs, so that it moves seldom, and there is little more than there must
/// be.
fn longer(length: usize, bytes_max: u64) -> usize {
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    (length + length / 4).max(LONGER_BYTES_MIN).min(bytes_max).max(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{BudgetLimits, MemoryBudget, Owner};

    const MIB: u64 = 1 << 20;

    fn budget() -> MemoryBudget {
        let total = 8 * MIB;
        MemoryBudget::new(BudgetLimits { total, client: total, connection: total, body: 4 * MIB })
    }

    fn gathered(budget: &MemoryBudget, announced: Option<u64>) -> Gathered {
        let bounds = (4 * MIB, Duration::from_millis(10));
        Gathered::new(budget.share(Owner(None)), announced, bounds)
    }

    #[tokio::test]
    async fn what_has_come_counts_not_what_is_announced() {
        let budget = budget();
        let mut many: Vec<Gathered> = (0..20).map(|_| gathered(&budget, Some(4 * MIB))).collect();
        for body in &mut many {
            body.add(b"abc").await.unwrap();
        }
        assert_eq!(budget.held_bytes(), 60);
        let (bytes, share) = many.remove(0).whole();
        assert_eq!((&bytes[..], share.bytes()), (b"abc".as_slice(), 3));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_counts_with_the_memory_that_it_has() {
        let budget = budget();
        let mut body = gathered(&budget, None);
        let piece = vec![7; 60_000];
        for n in 1..=60 {
            body.add(&piece).await.unwrap();
            assert_eq!(budget.held_bytes(), body.bytes.capacity() as u64);
            assert!(body.bytes.capacity() <= 60_000 * n * 5 / 4);
        }
        let (bytes, _share) = body.whole();
        assert!(bytes.len() == 3_600_000 && bytes.iter().all(|byte| *byte == 7));
    }

    #[tokio::test]
    async fn too_much_is_told() {
        let budget = budget();
        let mut body = gathered(&budget, None);
        let whole = vec![0; 4 << 20];
        body.add(&whole).await.unwrap();
        assert_eq!(body.add(b"a").await.unwrap_err().status, 413);
        let mut others: Vec<Gathered> = (0..2).map(|_| gathered(&budget, Some(4 * MIB))).collect();
        let _held = body.whole();
        others[0].add(&whole).await.unwrap();
        assert_eq!(others[1].begin().await.unwrap_err().status, 503);
    }
}
