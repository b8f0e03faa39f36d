//! A balancer in the hands of its operator: it runs until a signal ends it.

use std::pin::pin;
use std::sync::Arc;

use super::{Server, watchdog};
use crate::order::{Order, Upgraded};
use crate::signals::{Asked, Signals};
use crate::supervisor::{Supervisor, Word};

impl Server {
    /// Runs until a signal asks it to stop, or another process has taken over, then drains. A
    /// second signal ends it at once. Returns how many requests were cut off: 0 after a drain that
    /// had time enough.
    pub async fn run(mut self, signals: &mut Signals) -> usize {
        let supervisor = Supervisor::from_env().map(Arc::new);
        let tell = |word| supervisor.iter().for_each(|supervisor| supervisor.tell(word));
        if let Some(supervisor) = supervisor.clone() {
            // To be where requests are: this future may have a thread of its own.
            let vital = self.vital.clone();
            tokio::spawn(watchdog::watch(supervisor, self.current.clone(), vital));
        }
        tell(Word::Ready);
        self.say_when_ready();
        let heir = loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => break None,
                    Asked::ReopenLogs => self.reopen_logs(),
                    Asked::Reload => {
                        self.reopen_logs();
                        // What became of it is in the log and in metrics.
                        let _told = self.reload().await;
                    }
                },
                Some(order) = self.orders.recv() => {
                    if let Some(heir) = self.obey(order).await {
                        break Some(heir);
                    }
                }
            }
        };
        tell(heir.map_or(Word::Stopping, Word::Main));
        let (front, log) = (self.front(), self.front().ledger.access_log.clone());
        let mut stopped = pin!(async {
            match heir {
                None => self.stop().await,
                Some(_) => self.hand_over().await,
            }
        });
        loop {
            tokio::select! {
                cut_off = &mut stopped => return cut_off,
                asked = signals.next() => match asked {
                    Asked::ReopenLogs | Asked::Reload => log.reopen(),
                    Asked::Stop => {
                        let cut_off = front.in_flight();
                        tracing::warn!(requests = cut_off, "ended at once; requests are cut off");
                        return cut_off;
                    }
                }
            }
        }
    }

    fn reopen_logs(&self) {
        tracing::info!("opens the logs again");
        self.front().ledger.access_log.reopen();
    }

    /// Carries out `order`. The process that has taken over, where one has.
    async fn obey(&mut self, order: Order) -> Option<u32> {
        match order {
            Order::Reload(told) => {
                self.reopen_logs();
                // Who asked may have left.
                let _left = told.send(self.reload().await);
                None
            }
            Order::Upgrade(told) => {
                self.upgrade(told);
                None
            }
            Order::HandOver { pid, told } => {
                let _left = told.send(Ok(Upgraded { pid }));
                Some(pid)
            }
        }
    }
}
