//! Threads for work that may wait: writing observations.
//!
//! # Decision: work that may wait is nicer
//!
//! Observations are written at a higher niceness, so that threads that carry requests run first.
//! Training is not nicer: models are needed most on a busy machine, which would let it wait. The
//! next model waits for as many observations as the last one rests on, so training takes a bounded
//! part of the CPU. Cost: a busy machine writes later. Look again when training shows in response
//! times.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How much nicer they are: beside a busy request a core's 10 %, so that they go on in any case.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// A runtime of one thread, and others where work blocks. What still runs when this is dropped is
/// given up.
#[derive(Debug)]
pub struct Background {
    /// Taken only by the drop.
    runtime: Option<Runtime>,
    handle: Handle,
}

// === impl Background ===

impl Background {
    /// Starts it. An error says that the system gives no more threads or files.
    pub fn start() -> io::Result<Background> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("background")
            .on_thread_start(become_nicer)
            .enable_all()
            .build()?;
        Ok(Background { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn what may wait.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on those of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes this thread nicer than it was, which needs no privilege.
#[cfg(target_os = "linux")]
fn become_nicer() {
    use rustix::process::{getpriority_process, setpriority_process};

    let nicer = getpriority_process(None)
        .and_then(|niceness| setpriority_process(None, niceness.saturating_add(NICENESS)));
    if let Err(error) = nicer {
        tracing::warn!(%error, "background work may slow requests");
    }
}

/// Elsewhere niceness is the whole process's.
#[cfg(not(target_os = "linux"))]
fn become_nicer() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn its_threads_are_nicer_than_this_one() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let background = Background::start().unwrap();
        let here = niceness();
        let nicer = (here + NICENESS).min(19);
        let worker = background.handle().spawn(async move { niceness() });
        let blocking = background.handle().spawn_blocking(niceness);
        assert_eq!((worker.await.unwrap(), blocking.await.unwrap()), (nicer, nicer));
        assert_eq!(niceness(), here);
    }

    #[tokio::test]
    async fn it_may_be_dropped_where_requests_run_and_gives_up_what_it_does() {
        let background = Background::start().unwrap();
        let endless = background.handle().spawn(std::future::pending::<()>());
        drop(background);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
