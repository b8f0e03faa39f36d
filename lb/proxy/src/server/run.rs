//! A balancer in the hands of its operator: it runs until a signal ends it.

use std::pin::pin;
use std::sync::Arc;

use super::{Server, watchdog};
use crate::signals::{Asked, Signals};
use crate::supervisor::{Supervisor, Word};

impl Server {
    /// Runs until a signal asks it to stop, then drains. A second one ends it at once. Returns how
    /// many requests were cut off: 0 after a drain that had time enough.
    pub async fn run(self, signals: &mut Signals) -> usize {
        let front = self.front.clone();
        let supervisor = Supervisor::from_env().map(Arc::new);
        let tell = |word| supervisor.iter().for_each(|supervisor| supervisor.tell(word));
        if let Some(supervisor) = supervisor.clone() {
            // To be where requests are: this future may have a thread of its own.
            tokio::spawn(watchdog::watch(supervisor, front.clone(), self.vital.clone()));
        }
        tell(Word::Ready);
        let reopen = || {
            tracing::info!("opens the logs again");
            front.ledger.access_log.reopen();
        };
        while signals.next().await == Asked::ReopenLogs {
            reopen();
        }
        tell(Word::Stopping);
        let mut stopped = pin!(self.stop());
        loop {
            tokio::select! {
                cut_off = &mut stopped => return cut_off,
                asked = signals.next() => match asked {
                    Asked::ReopenLogs => reopen(),
                    Asked::Stop => {
                        let cut_off = front.in_flight();
                        tracing::warn!(requests = cut_off, "ended at once; requests are cut off");
                        return cut_off;
                    }
                }
            }
        }
    }
}
