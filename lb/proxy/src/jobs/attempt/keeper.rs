//! The caller of a job's exchange: it keeps what hosts answer, long answers as objects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};

use weighbridge_core::host::HostId;
use weighbridge_core::jobs::{Fence, JobId};

use crate::answer::{Problem, Whole};
use crate::budget::Owner;
use crate::caller::{Caller, Gone};
use crate::jobs::JobRoom;
use crate::jobs::objects::{ObjectError, ObjectWriter, answer_key};

/// Where the run of a job is.
pub(super) type Whereabouts = Arc<Mutex<Option<HostId>>>;

/// What an attempt brought.
pub(super) enum Brought {
    /// Nothing yet.
    Nothing,
    /// The head of an answer, and what has come of its body.
    Answer(Box<ResponseHeader>, Body),
    /// The balancer's own word that no host answers.
    Refused(Problem),
    /// More than may be kept.
    TooLong,
    /// The objects did not take it.
    Unkept,
}

/// The body of an answer.
pub(super) enum Body {
    Inline(Vec<u8>),
    /// Too long for the ledger. The writer is there until all has come.
    Object(Option<Box<dyn ObjectWriter>>, u64),
}

/// The caller of a job's exchange: it keeps what comes.
pub(super) struct Keeper<'a> {
    pub(super) room: &'a JobRoom,
    pub(super) id: JobId,
    pub(super) fence: Fence,
    pub(super) head: &'a RequestHeader,
    pub(super) weight: f64,
    pub(super) host: Whereabouts,
    pub(super) brought: Brought,
}

/// Whether an answer of `status` may be the result of a job.
pub(super) fn may_be_result(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

// === impl Keeper ===

impl Keeper<'_> {
    /// Takes the next part of the body.
    async fn add(&mut self, piece: &[u8]) -> Result<(), ObjectError> {
        let settings = self.room.settings();
        let Brought::Answer(head, body) = &mut self.brought else { return Ok(()) };
        if !may_be_result(head.status) {
            return Ok(());
        }
        let so_far = match body {
            Body::Inline(bytes) => bytes.len() as u64,
            Body::Object(_, bytes) => *bytes,
        };
        if settings.result_bytes_max < so_far + piece.len() as u64 {
            self.brought = Brought::TooLong;
            return Ok(());
        }
        match body {
            Body::Inline(bytes) if so_far + piece.len() as u64 <= settings.inline_bytes_max => {
                bytes.extend_from_slice(piece);
            }
            Body::Inline(bytes) => {
                let begun = std::mem::take(bytes);
                let key = answer_key(self.id, self.fence);
                let mut writer = self.room.objects.create(&key).await?;
                if !begun.is_empty() {
                    writer.write(Bytes::from(begun)).await?;
                }
                writer.write(Bytes::copy_from_slice(piece)).await?;
                *body = Body::Object(Some(writer), so_far + piece.len() as u64);
            }
            Body::Object(Some(writer), bytes) => {
                writer.write(Bytes::copy_from_slice(piece)).await?;
                *bytes += piece.len() as u64;
            }
            Body::Object(None, _) => {}
        }
        Ok(())
    }

    /// All of the body has come.
    async fn end(&mut self) -> Result<(), ObjectError> {
        if let Brought::Answer(_, Body::Object(writer, _)) = &mut self.brought
            && let Some(writer) = writer.take()
        {
            writer.finish().await?;
        }
        Ok(())
    }

    /// Where objects fail, or the answer is too long, there is nothing more to come.
    fn checked(&mut self, result: Result<(), ObjectError>) -> Result<(), Gone> {
        if let Err(error) = result {
            self.room.metrics.loop_failed("jobs_objects");
            tracing::warn!(job = %self.id, %error, "an answer cannot be kept");
            self.brought = Brought::Unkept;
        }
        match self.brought {
            Brought::TooLong | Brought::Unkept => Err(Gone),
            Brought::Nothing | Brought::Answer(..) | Brought::Refused(_) => Ok(()),
        }
    }
}

impl Caller for Keeper<'_> {
    fn request(&self, _: u64) -> pingora::Result<Box<RequestHeader>> {
        Ok(Box::new(self.head.clone()))
    }

    fn owner(&self) -> Owner {
        Owner(None)
    }

    fn response_max(&self) -> Option<Duration> {
        Some(self.room.limits.run_max)
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn placed(&mut self, host: HostId) {
        *self.host.lock() = Some(host);
    }

    async fn refused(&mut self, problem: &Problem) -> Result<u64, Gone> {
        self.brought = Brought::Refused(problem.clone());
        Ok(0)
    }

    /// What ends an attempt drops the exchange.
    async fn gone(&mut self) {
        std::future::pending::<()>().await;
    }

    async fn interim(&mut self, _: Box<ResponseHeader>) -> Result<(), Gone> {
        Ok(())
    }

    async fn take(&mut self, answer: Whole) -> Result<u64, Gone> {
        self.begin(answer.header).await?;
        let added = self.add(&answer.body).await;
        self.checked(added)?;
        let ended = self.end().await;
        self.checked(ended)?;
        Ok(answer.body.len() as u64)
    }

    async fn begin(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        self.brought = Brought::Answer(head, Body::Inline(Vec::new()));
        Ok(())
    }

    /// No job asks for another protocol.
    async fn switch(&mut self, _: Box<ResponseHeader>) -> Result<(), Gone> {
        Err(Gone)
    }

    async fn receive(&mut self) -> Option<Bytes> {
        None
    }

    async fn piece(&mut self, piece: Option<Bytes>) -> Result<(), Gone> {
        let taken = match piece {
            Some(piece) => self.add(&piece).await,
            None => self.end().await,
        };
        self.checked(taken)
    }
}
