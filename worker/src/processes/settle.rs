//! A process whose request has lost its client, or failed: until it is free again.
//!
//! Nobody can see from outside whether a server has noticed that its client is gone. So the process
//! is asked what it was asked at its start, over a connection of its own: one that serves one
//! request at a time answers when it is free. It is asked after all other requests, and replaced
//! where it does not answer in the time that it has to start. Where a signal is asked for, it is
//! told first, and may give up what it does.

use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::kill_process_group;

use super::config::{HangUpSignal, OnHangUp};
use super::executor::Shared;
use super::process::Lease;
use super::ready;
use super::tree::children;

/// Waits for it, or has it replaced. Its request ends either way.
pub(super) async fn settle(shared: Arc<Shared>, number: u64, mut lease: Lease) {
    let config = &shared.config;
    match config.on_hang_up {
        OnHangUp::Replace => lease.replace.notify_one(),
        OnHangUp::Finish | OnHangUp::Tell(_) => {
            if let OnHangUp::Tell(told) = config.on_hang_up {
                tell(&lease, told);
            }
            let answers = ready::wait(&lease.address, config.ready.as_deref());
            let free = tokio::time::timeout(config.start_timeout, answers);
            let is_free = tokio::select! {
                free = free => free.is_ok(),
                // Its request has ended with it.
                _ = lease.ended.wait_for(Option::is_some) => return,
            };
            if is_free {
                shared.freed(number);
            } else {
                tracing::warn!(
                    process = lease.process,
                    time = ?config.start_timeout,
                    "is not free again: is replaced"
                );
                lease.replace.notify_one();
            }
        }
    }
}

/// Sends the signal to the command that the guard has started, and to what is in its group: the
/// guard's first child, for others are adopted later.
fn tell(lease: &Lease, told: HangUpSignal) {
    let Some(command) = children(lease.guard).first().copied() else { return };
    match kill_process_group(command, told.signal) {
        // What has no group any more has ended.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            tracing::warn!(process = lease.process, %error, "cannot be told of a hang-up");
        }
    }
}
