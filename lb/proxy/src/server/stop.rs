//! The end of a balancer, in order: nothing that was begun is left.

use std::time::{Duration, Instant};

use pingora::apps::ServerApp as _;

use super::{Server, jobs};
use crate::front::Front;
use crate::listen::goodbye::CROSSING;

/// Between two looks at whether everything is finished.
pub(super) const DRAIN_LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The longest wait for the last spans to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// The longest wait for connections that are about to end.
const GOODBYE_MAX: Duration = CROSSING.saturating_mul(4);

/// Waits for connections that end by themselves: those of HTTP/2, on which requests may be under
/// way that were begun before their client knew of the end. Others are not waited for.
async fn said_goodbye(front: &Front) {
    let connections = &front.ledger.metrics.connections;
    let ended = async {
        while 0 < connections.get() {
            tokio::time::sleep(DRAIN_LOOK_INTERVAL).await;
        }
    };
    let _others = tokio::time::timeout(GOODBYE_MAX, ended).await;
}

impl Server {
    /// Tells the connections of clients that no more requests are taken on them.
    async fn clean_up(&self) {
        for proxy in &self.proxies {
            proxy.cleanup().await;
        }
    }

    /// Says that it leaves, and goes on for the time of a lame duck. Then stops taking connections,
    /// finishes what is there within the drain timeout, and ends every host that it started.
    /// Returns how many requests were cut off because that was not enough.
    pub async fn stop(mut self) -> usize {
        tracing::info!("draining");
        let front = self.front();
        front.leave();
        if let Some(upgrading) = self.upgrading.take() {
            upgrading.abort();
        }
        tokio::time::sleep(front.config.timeouts.lame_duck).await;
        front.drain();
        self.close_listeners();
        let _ = self.ends.shutdown.send(true);
        self.clean_up().await;
        let drain = front.config.timeouts.drain;
        let deadline = Instant::now() + drain;
        if let Some(jobs) = &front.jobs {
            jobs.drain(drain);
        }
        said_goodbye(&front).await;
        while 0 < front.in_flight() && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_LOOK_INTERVAL).await;
        }
        jobs::stop(front.jobs.as_deref(), deadline).await;
        self.end().await
    }

    /// No connection of a client is accepted from now on.
    pub(super) fn close_listeners(&mut self) {
        self.sockets.clear();
        let _ = self.ends.closing.send(true);
    }

    /// Ends what goes on beside requests. Returns how many of those are left.
    pub(super) async fn end(mut self) -> usize {
        let front = self.front();
        let _ = self.ends.shutdown.send(true);
        self.clean_up().await;
        jobs::stop(front.jobs.as_deref(), Instant::now()).await;
        let left = front.in_flight();
        if 0 < left {
            tracing::warn!(requests = left, "requests are cut off");
        }
        front.ledger.traces.flush(FLUSH_MAX).await;
        self.loops.shutdown().await;
        front.dispatch.roster.stop();
        if let Some(executor) = &self.executor {
            executor.stop(0 < left).await;
        }
        if let Some(recorder) = &front.ledger.recorder {
            recorder.close().await;
        }
        for candidate in &self.candidates {
            candidate.give_back().await;
        }
        front.ledger.access_log.close();
        tracing::info!("stopped");
        left
    }
}
