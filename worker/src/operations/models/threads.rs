//! Lets models run on the thread that calls.
//!
//! The library runs a model in a pool of threads, and hands it over to them. A request would then
//! use cores that the run queue knows nothing of, and the meter of its thread would see nothing of
//! it. Work that begins in a pool stays there, though. So each thread that runs requests is the one
//! thread of a pool of its own, and models that run on it are told to use that pool.
//!
//! This costs one more thread for each, which does nothing but wait.

use std::cell::RefCell;
use std::sync::Arc;

use rten::{RunOptions, ThreadPool};

thread_local! {
    /// The pool whose one thread this is.
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
}

/// Runs `life` on the one thread of a pool, and returns after it.
pub(crate) fn host(life: &mut (dyn FnMut() + Send)) {
    let pool = Arc::new(ThreadPool::with_num_threads(1));
    let own = Arc::clone(&pool);
    pool.run(move || {
        POOL.set(Some(own));
        life();
        // Otherwise the pool would wait for its thread, and the thread for its pool.
        POOL.take();
    });
}

/// How to run a model on this thread. A thread that is not in a pool gets one for this run.
pub(super) fn options() -> RunOptions {
    let pool = POOL.with_borrow(Clone::clone);
    let pool = pool.unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1)));
    RunOptions::default().with_thread_pool(Some(pool))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn work_for_the_pool_of_a_thread_runs_on_that_thread() {
        let mut threads = Vec::new();
        host(&mut || {
            let pool = POOL.with_borrow(Clone::clone).expect("it is hosted");
            threads = vec![thread::current().id(), pool.run(|| thread::current().id())];
        });
        assert_eq!(threads.len(), 2);
        assert_eq!(threads[0], threads[1]);
        assert_ne!(threads[0], thread::current().id());
        assert!(POOL.with_borrow(Option::is_none), "the caller's thread is in no pool");
    }
}
