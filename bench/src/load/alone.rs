//! What each request of a pool takes alone, and what the right answer to it is.

use std::time::{Duration, Instant};

use super::pool::Known;
use super::progress::Progress;
use super::send::{Failure, Sender};
use crate::requests::Request;

/// Why a pool cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// A request has no right answer, with nothing else to do.
    #[error("cannot measure `{target}` alone: {failure}")]
    Failed {
        /// What was asked.
        target: String,
        /// What came of it.
        failure: String,
    },
    /// The same request has different answers, so none can be checked.
    #[error("`{0}` was answered in two ways")]
    Different(String),
}

/// Each request is sent so often; the median counts.
const TIMES: usize = 3;

/// Their numbers are from here on.
const FIRST: u64 = 1 << 61;

/// Sends every request a few times, one after the other.
pub(crate) async fn measure(
    sender: &Sender,
    requests: Vec<Request>,
) -> Result<Vec<Known>, AloneError> {
    let mut progress = Progress::new("measuring alone", requests.len() as u64);
    let mut known = Vec::with_capacity(requests.len());
    for request in requests {
        known.push(measure_one(sender, request).await?);
        progress.show(known.len() as u64, String::new);
    }
    progress.end();
    Ok(known)
}

async fn measure_one(sender: &Sender, request: Request) -> Result<Known, AloneError> {
    let mut times = [Duration::ZERO; TIMES];
    let mut answer = None;
    for (index, time) in times.iter_mut().enumerate() {
        let start = Instant::now();
        let hash = sender.send(&request, FIRST + index as u64).await;
        *time = start.elapsed();
        let hash = hash.map_err(|failure: Failure| AloneError::Failed {
            target: request.target.clone(),
            failure: failure.to_string(),
        })?;
        if *answer.get_or_insert(hash) != hash {
            return Err(AloneError::Different(request.target));
        }
    }
    times.sort();
    Ok(Known { request, alone: times[TIMES / 2], answer: answer.unwrap_or_default() })
}
