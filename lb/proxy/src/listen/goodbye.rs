//! Lets requests of HTTP/2 through that cross a GOAWAY.
//!
//! A server that leaves a connection says so twice (RFC 9113, section 6.8): first that no request
//! is to come after that has been heard, later which one was the last that it takes. h2 says the
//! second as soon as the ping that goes with the first is answered. A client may send that answer
//! ahead of requests that it has begun before, and h2 would not look at them. So the answer to a
//! ping waits here for the time [`CROSSING`]; everything else passes as it comes.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// How much later than the answer to a ping requests may come that were begun before it.
pub(crate) const CROSSING: Duration = Duration::from_millis(250);

/// What a connection begins with (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// The head of a frame: 3 bytes of its length, then type, flags, and 4 bytes of its stream.
const HEAD_BYTES: usize = 9;

/// The length of a ping.
const PING_BYTES: usize = 8;

/// Type and flags of the answer to one.
const PING: u8 = 6;
const ACK: u8 = 1;

/// See the module.
#[derive(Debug)]
pub(super) struct Goodbye {
    /// What is still to come of the present frame, or of the preface.
    rest: usize,
    /// What has come of the head of the next one.
    head: Vec<u8>,
    /// What has come and passes, ahead of all that comes.
    ready: BytesMut,
    /// The answer to a ping that waits: one at most.
    answer: Vec<u8>,
    /// Until when it does, once all of it has come.
    until: Option<Pin<Box<Sleep>>>,
    /// It has waited for long enough, and passes at the end of the present frame.
    is_due: bool,
}

impl Goodbye {
    /// Of a connection of which nothing has been read.
    pub(super) fn new() -> Goodbye {
        Goodbye {
            rest: PREFACE_BYTES,
            head: Vec::new(),
            ready: BytesMut::new(),
            answer: Vec::new(),
            until: None,
            is_due: false,
        }
    }

    /// Hands out what has come before; false where there is none.
    pub(super) fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> bool {
        let is_over = |until: &mut Pin<Box<Sleep>>| until.as_mut().poll(context).is_ready();
        if self.until.as_mut().is_some_and(is_over) {
            (self.until, self.is_due) = (None, true);
        }
        if self.rest == 0 {
            self.release();
        }
        let length = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..length]);
        self.ready.advance(length);
        0 < length
    }

    /// Whether all of `came` passes as it is. Else it is to be [sorted](Goodbye::sort).
    pub(super) fn passes(&mut self, came: &[u8]) -> bool {
        let is_waited_for = !self.answer.is_empty() && self.until.is_none();
        if !self.head.is_empty() || is_waited_for {
            return false;
        }
        let mut at = self.rest;
        while let Some(next) = came.get(at..).filter(|next| !next.is_empty()) {
            match next.first_chunk() {
                Some(head) if !is_answer(head) => at += HEAD_BYTES + length(head),
                _ => return false,
            }
        }
        self.rest = at - came.len();
        true
    }

    /// Puts what passes of `came` where it is handed out, and keeps what does not.
    pub(super) fn sort(&mut self, mut came: &[u8]) {
        while !came.is_empty() {
            let is_head = self.rest == 0;
            let wanted = if is_head { HEAD_BYTES - self.head.len() } else { self.rest };
            let (these, more) = came.split_at(wanted.min(came.len()));
            came = more;
            if is_head {
                self.add_to_head(these);
            } else {
                self.add(these);
            }
        }
    }

    /// Nothing more comes: whatever there is passes. False where there is nothing.
    pub(super) fn end(&mut self) -> bool {
        self.ready.extend_from_slice(&std::mem::take(&mut self.head));
        self.is_due = true;
        self.release();
        !self.ready.is_empty()
    }

    fn add_to_head(&mut self, these: &[u8]) {
        self.release();
        self.head.extend_from_slice(these);
        let Some(head) = self.head.first_chunk::<HEAD_BYTES>().copied() else { return };
        self.head.clear();
        self.rest = length(&head);
        // Of two answers, the second passes: what waits has a limit.
        if is_answer(&head) && self.answer.is_empty() {
            self.answer.extend_from_slice(&head);
        } else {
            self.ready.extend_from_slice(&head);
        }
    }

    fn add(&mut self, these: &[u8]) {
        self.rest -= these.len();
        let is_coming = !self.answer.is_empty() && self.answer.len() < HEAD_BYTES + PING_BYTES;
        if !is_coming {
            return self.ready.extend_from_slice(these);
        }
        self.answer.extend_from_slice(these);
        if self.rest == 0 {
            self.until = Some(Box::pin(tokio::time::sleep(CROSSING)));
        }
    }

    /// Lets the answer pass, where it is due. To be called between two frames.
    fn release(&mut self) {
        if self.is_due {
            self.ready.extend_from_slice(&std::mem::take(&mut self.answer));
            (self.is_due, self.until) = (false, None);
        }
    }
}

/// The length of the frame after `head`, without it.
fn length(head: &[u8; HEAD_BYTES]) -> usize {
    let [a, b, c, ..] = *head;
    (usize::from(a) << 16) | (usize::from(b) << 8) | usize::from(c)
}

/// Whether the frame after `head` is the answer to a ping.
fn is_answer(head: &[u8; HEAD_BYTES]) -> bool {
    length(head) == PING_BYTES && head[3] == PING && head[4] & ACK != 0
}

#[cfg(test)]
mod tests;
