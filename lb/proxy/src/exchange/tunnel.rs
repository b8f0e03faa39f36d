//! What becomes of a connection that switches to another protocol, such as WebSocket.

use pingora::http::ResponseHeader;

use super::{Exchange, ExchangeError};
use crate::caller::{Caller, Gone};
use crate::decide::Ticket;
use crate::forward::Rest;
use crate::headers;

impl<C: Caller> Exchange<'_, C> {
    /// Passes on another protocol, both ways, until one side ends or both are silent for as long as
    /// an answer may take. The host has answered the request: what follows is no work of which
    /// anything is known, and holds no place.
    pub(super) async fn tunnel(
        &mut self,
        ticket: Ticket,
        mut header: Box<ResponseHeader>,
        mut rest: Rest,
    ) -> Result<(), ExchangeError> {
        self.record.answered();
        self.ledger.hear(self.record, &header);
        self.learn(ticket, None);
        headers::strip(&mut header);
        self.record.add_timing(&mut header).map_err(|_| Gone)?;
        self.caller.switch(header).await?;
        loop {
            tokio::select! {
                piece = rest.next() => match piece.map_err(ExchangeError::BrokenOff)? {
                    Some(piece) => {
                        self.record.bytes_out += piece.len() as u64;
                        self.caller.piece(Some(piece)).await?;
                    }
                    None => break,
                },
                came = self.caller.receive() => match came {
                    Some(came) => {
                        self.record.bytes_in += came.len() as u64;
                        rest.send(&came).await.map_err(ExchangeError::BrokenOff)?;
                    }
                    None => break,
                },
            }
        }
        Ok(self.caller.piece(None).await?)
    }
}
