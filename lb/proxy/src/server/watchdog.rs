//! Tells systemd that the balancer is well, as long as it is: a balancer that hangs is restarted.
//!
//! It is well where a request would be decided, and where all that has to go on does. The look runs
//! where requests run, on the runtime's threads, and takes the lock that they take: where they
//! hang, it hangs, and systemd hears nothing.

use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use weighbridge_core::request::RouteId;

use crate::ask;
use crate::front::{Current, Front};
use crate::supervisor::{Supervisor, Word};

/// Tells `supervisor` as often as it wants to hear, until it is dropped. `vital` are the tasks that
/// end with the balancer only.
pub(super) async fn watch(
    supervisor: Arc<Supervisor>,
    current: Current,
    vital: Vec<(&'static str, AbortHandle)>,
) {
    let Some(every) = supervisor.interval() else { return };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let front = current.load_full();
        // A drain ends them.
        let ended = vital.iter().find(|(_, task)| task.is_finished() && !front.is_draining());
        if let Some((name, _)) = ended {
            tracing::error!(name, "a task has ended that must not: systemd is to restart all");
            continue;
        }
        decide(&front);
        supervisor.tell(Word::Well);
    }
}

/// Goes the way of a request of the first route in every fleet, up to the verdict, which is not
/// carried out.
fn decide(front: &Front) {
    let (head, ()) = http::Request::new(()).into_parts();
    let ask = ask::streamed(&front.dispatch, RouteId(0), &head, None).ask;
    for fleet in front.dispatch.fleets.all() {
        fleet.with(|balancer, now| drop(balancer.explain(now, &ask)));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::server::{Server, Services};
    use crate::supervisor::testing::supervisor;

    /// Nothing takes so long, unless something is wrong.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// Long enough for a dozen words.
    const SILENCE: Duration = Duration::from_millis(250);

    async fn start() -> Server {
        let text = "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nfleet.kind = \"static\"\n\
                    fleet.static.hosts = [{ address = \"127.0.0.1:1\" }]\nstore.kind = \"off\"\n\
                    access_log.to = \"off\"\n[[routes]]\nname = \"all\"\npath = \"/\"\n";
        Server::start(Config::parse(text, &[]).unwrap(), Services::default()).await.unwrap()
    }

    /// Waits for a word, for so long.
    fn hears(ear: &UnixDatagram, within: Duration) -> bool {
        ear.set_read_timeout(Some(within)).unwrap();
        match ear.recv(&mut [0; 64]) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    }

    /// Takes the words that have come already.
    fn forget(ear: &UnixDatagram) {
        while hears(ear, Duration::from_millis(1)) {}
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_balancer_that_decides_nothing_is_not_well() {
        let server = start().await;
        let (supervisor, ear, _folder) = supervisor(Duration::from_millis(60));
        let watching =
            tokio::spawn(watch(Arc::new(supervisor), server.current.clone(), server.vital.clone()));
        let front = server.front();
        let looking = tokio::task::spawn_blocking(move || {
            for _ in 0..3 {
                assert!(hears(&ear, DEADLINE), "it decides");
            }
            let (taken, is_taken) = channel();
            let (go, gone) = channel::<()>();
            let holder = std::thread::spawn(move || {
                front.dispatch.fleets.main().look(|_, _| {
                    taken.send(()).unwrap();
                    let _ = gone.recv();
                });
            });
            is_taken.recv().unwrap();
            forget(&ear);
            assert!(!hears(&ear, SILENCE), "nothing can be decided");
            drop(go);
            holder.join().unwrap();
            assert!(hears(&ear, DEADLINE), "it decides again");
            ear
        });
        let ear = looking.await.unwrap();

        // One of its tasks ends, as by a panic.
        server.vital[0].1.abort();
        let looking = tokio::task::spawn_blocking(move || {
            forget(&ear);
            assert!(!hears(&ear, SILENCE), "a part of it is dead");
        });
        looking.await.unwrap();
        watching.abort();
    }
}
