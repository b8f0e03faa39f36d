//! Answers that are too long to be held.

use std::time::Duration;

use bytes::Bytes;
use pingora::http::ResponseHeader;

use weighbridge_core::observe::Failure;

use super::{Exchange, ExchangeError};
use crate::caller::{Caller, Gone};
use crate::decide::Ticket;
use crate::forward::Rest;
use crate::headers;

/// How long a host that sends an answer keeps its place while it waits for the caller to read.
const PLACE_KEPT: Duration = Duration::from_millis(100);

impl<C: Caller> Exchange<'_, C> {
    /// Passes on an answer that is too long to be held, as it arrives.
    pub(super) async fn relay(
        &mut self,
        ticket: Ticket,
        mut header: Box<ResponseHeader>,
        beginning: Bytes,
        mut rest: Rest,
    ) -> Result<(), ExchangeError> {
        self.ledger.hear(self.record, &header);
        self.record.work = self.dispatch.fleets.of(self.route).believe(self.record);
        headers::strip(&mut header);
        self.record.add_timing(&mut header).map_err(|_| Gone)?;
        self.caller.begin(header).await?;
        let (mut ticket, mut piece) = (Some(ticket), Some(beginning));
        while let Some(bytes) = piece {
            self.record.bytes_out += bytes.len() as u64;
            if !bytes.is_empty() {
                self.hand_over(&mut ticket, bytes).await?;
            }
            self.share.try_hold(0);
            piece = rest.next().await.map_err(|error| {
                self.ledger.metrics.try_failed(Failure::AfterResponse);
                if let Some(ticket) = &mut ticket {
                    ticket.fail(Failure::AfterResponse);
                }
                ExchangeError::BrokenOff(error)
            })?;
        }
        self.caller.piece(None).await?;
        let idle = self.dispatch.config.timeouts.idle;
        rest.release(&self.dispatch.connections, idle).await;
        if let Some(ticket) = ticket {
            self.record.answered();
            self.learn(ticket, None);
        }
        Ok(())
    }

    /// Hands the caller a piece of an answer. A host that has to wait for the caller has done its
    /// work: its place is given back, so that callers that read slowly do not keep others away.
    async fn hand_over(&mut self, ticket: &mut Option<Ticket>, piece: Bytes) -> Result<(), Gone> {
        let handing = self.caller.piece(Some(piece));
        tokio::pin!(handing);
        if let Ok(handed) = tokio::time::timeout(PLACE_KEPT, &mut handing).await {
            return handed;
        }
        if let Some(ticket) = ticket.take() {
            self.record.answered();
            let observation = ticket.complete(&self.record.outcome(), None);
            if let Some(observation) = observation {
                self.ledger.learned(self.record, observation, self.fingerprint);
            }
        }
        handing.await
    }
}
