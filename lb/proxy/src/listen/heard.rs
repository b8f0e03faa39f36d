//! What has come from a client by HTTP/1, followed beside the parser, and kept from it where it
//! must not see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep};

use crate::answer;
use crate::stage::{self, Stage};

use super::absolute::Absolute;
use super::wire::{Fault, HeadLimits, Wire};

/// A client that closes its sending half with its request, or within this time of its end, has
/// nothing more to say, and waits for its answer (RFC 9112, section 9.6). One that closes later has
/// left: TCP does not tell the two apart.
const HALF_CLOSE: Duration = Duration::from_millis(10);

/// What has come by HTTP/1.
#[derive(Debug)]
pub(super) struct Heard {
    wire: Wire,
    limits: HeardLimits,
    /// When the present head has to have ended; `None` while there is none, or all of it.
    head_by: Option<Pin<Box<Sleep>>>,
    /// The present head has not ended in time.
    pub(super) is_late: bool,
    /// What has come of a head whose target may be a URL.
    pub(super) absolute: Absolute,
    /// When the last request had come whole.
    ended_at: Instant,
    /// Whether nothing came after it when that was looked for.
    is_silent: bool,
    /// The client sends no more, and waits.
    is_half_closed: bool,
}

/// What may come by HTTP/1.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeardLimits {
    /// The longest head.
    pub(super) head: HeadLimits,
    /// From the first byte of a head to its end.
    pub(super) head_read: Duration,
}

// === impl Heard ===

impl Heard {
    pub(super) fn new(limits: HeardLimits) -> Heard {
        Heard {
            wire: Wire::new(limits.head),
            limits,
            head_by: None,
            is_late: false,
            absolute: Absolute::default(),
            ended_at: Instant::now(),
            is_silent: false,
            is_half_closed: false,
        }
    }

    /// Follows what came into `buffer` from `before` on, and leaves there what may be read now.
    /// `false`: nothing yet.
    pub(super) fn follow(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let came = &buffer.filled()[before..];
        let begins = self.wire.is_between();
        let good = self.wire.take(came);
        if self.wire.is_between() {
            (self.ended_at, self.is_silent) = (Instant::now(), false);
        }
        let has_ended = !self.wire.is_in_head();
        if self.absolute.hold(&came[..good], begins, has_ended) {
            buffer.set_filled(before);
            self.absolute.read(buffer);
        } else {
            buffer.set_filled(before + good);
        }
        before < buffer.filled().len()
    }

    /// Nothing more has come yet.
    pub(super) fn nothing_came(&mut self) {
        self.is_silent = true;
    }

    /// Whether the end of what the client sends is that of its sending half only.
    pub(super) fn is_half_close(&mut self) -> bool {
        let is_waiting = matches!(stage::now(), Stage::Read | Stage::Answering);
        if !is_waiting || !self.wire.is_between() {
            return false;
        }
        self.is_half_closed |= !self.is_silent || self.ended_at.elapsed() < HALF_CLOSE;
        self.is_half_closed
    }

    /// Why nothing more is read now, if so: what is wrong has been reached.
    pub(super) fn poll_broken(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<()>>> {
        match self.wire.fault() {
            None => {}
            Some(Fault::Chunks | Fault::Trailers) => {
                return Some(Poll::Ready(Err(io::ErrorKind::InvalidData.into())));
            }
            // The request before it goes on, and the connection ends after it.
            Some(Fault::HeadTooLong | Fault::TooManyFields) => {
                return Some(match stage::now() {
                    Stage::Unread => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                    Stage::Read | Stage::Answering | Stage::Tunnel => Poll::Pending,
                });
            }
        }
        if stage::now() != Stage::Unread || !self.wire.is_in_head() {
            self.head_by = None;
            return None;
        }
        let head_read = self.limits.head_read;
        let by = self.head_by.get_or_insert_with(|| Box::pin(tokio::time::sleep(head_read)));
        self.is_late = by.as_mut().poll(context).is_ready();
        self.is_late.then(|| Poll::Ready(Err(io::ErrorKind::TimedOut.into())))
    }

    /// Our answer to the head that was broken off, if one was.
    pub(super) fn refusal(&self) -> Option<Vec<u8>> {
        let fields_max = self.limits.head.fields_max;
        match self.wire.fault() {
            Some(Fault::HeadTooLong) => Some(answer::long_head("the head is too long".to_owned())),
            Some(Fault::TooManyFields) => {
                let detail = format!("the head has more than `{fields_max}` fields");
                Some(answer::long_head(detail))
            }
            Some(Fault::Chunks | Fault::Trailers) => None,
            None => self.is_late.then(answer::late_head),
        }
    }
}
