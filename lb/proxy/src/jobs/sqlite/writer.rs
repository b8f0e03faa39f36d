//! The thread that writes: what has come by then, in one transaction.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{LedgerError, stopped};

/// The most writes that wait to be taken. Further ones wait to wait.
const WAITING_MAX: usize = 4096;

/// The most writes of one transaction.
const BATCH_MAX: usize = 512;

/// A write: what it does, and then who is told whether it stands.
type Work = Box<dyn FnOnce(Result<&Connection, &LedgerError>) -> Told + Send>;
type Told = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// See the module. Its thread ends with it, after what it was told to write.
#[derive(Debug)]
pub(super) struct Writer {
    works: SyncSender<Work>,
}

// === impl Writer ===

impl Writer {
    /// Starts the thread, which writes by `connection`.
    pub(super) fn start(connection: Connection) -> Result<Writer, LedgerError> {
        let (works, received) = sync_channel(WAITING_MAX);
        let run = move || run(connection, &received);
        let started = thread::Builder::new().name("jobs".to_owned()).spawn(run);
        started.map_err(|error| LedgerError::Away(error.to_string()))?;
        Ok(Writer { works })
    }

    /// Has `write` done in a transaction. Where it fails, it has had no effect. Returns when it is
    /// durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tell, told) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let result = connection.map_err(Clone::clone).and_then(|one| atomic(one, write));
            Box::new(move |committed| {
                // Who has left does not want to know.
                let _left = tell.send(committed.and(result));
            })
        });
        self.send(work).await?;
        told.await.map_err(|_| stopped())?
    }

    async fn send(&self, work: Work) -> Result<(), LedgerError> {
        use std::sync::mpsc::TrySendError;

        match self.works.try_send(work) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
            Err(TrySendError::Full(work)) => {
                let works = self.works.clone();
                let sent = tokio::task::spawn_blocking(move || works.send(work).is_ok()).await;
                if sent.unwrap_or(false) { Ok(()) } else { Err(stopped()) }
            }
        }
    }
}

fn run(mut connection: Connection, works: &Receiver<Work>) {
    while let Ok(first) = works.recv() {
        let batch: Vec<Work> =
            std::iter::once(first).chain(works.try_iter().take(BATCH_MAX - 1)).collect();
        let (told, committed) = transact(&mut connection, batch);
        for tell in told {
            tell(committed.clone());
        }
    }
}

/// Carries `batch` out in one transaction. Whom to tell, and whether it stands.
fn transact(connection: &mut Connection, batch: Vec<Work>) -> (Vec<Told>, Result<(), LedgerError>) {
    match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => {
            let told = batch.into_iter().map(|work| work(Ok(&transaction))).collect();
            (told, transaction.commit().map_err(LedgerError::from))
        }
        Err(error) => {
            let error = LedgerError::from(error);
            let told = batch.into_iter().map(|work| work(Err(&error))).collect();
            (told, Err(error))
        }
    }
}

/// Does `write`, or nothing.
fn atomic<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    // A full disk may have undone all of the transaction.
    if connection.is_autocommit() {
        return Err(LedgerError::Full("an earlier write has failed".to_owned()));
    }
    connection.prepare_cached("SAVEPOINT one")?.execute([])?;
    let result = write(connection);
    if result.is_err() {
        connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    connection.prepare_cached("RELEASE one")?.execute([])?;
    result
}
