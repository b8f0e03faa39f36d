//! Which balancers of this machine are alive: each holds a lock on a file of its own for as long as
//! its process lives. The system gives the lock back whatever ends the process.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use weighbridge_core::jobs::OwnerId;

use super::LedgerError;
use crate::private;

/// The folder of their files.
const FOLDER: &str = "owners";

/// This balancer among those that share the ledger.
#[derive(Debug)]
pub(super) struct Owners {
    folder: PathBuf,
    own: OwnerId,
    /// Locked until it is dropped.
    _lock: File,
}

// === impl Owners ===

impl Owners {
    /// A new owner in the folder of jobs, `folder`. Removes the files of those that are gone.
    pub(super) fn open(folder: &Path) -> Result<Owners, LedgerError> {
        let folder = folder.join(FOLDER);
        let away =
            |error: std::io::Error| LedgerError::Away(format!("{}: {error}", folder.display()));
        private::create_folder(&folder).map_err(away)?;
        // SQLite's integers have a sign.
        let own = OwnerId(fastrand::u64(1..1 << 62));
        let lock = private::create_new(&file(&folder, own)).map_err(away)?;
        lock.try_lock().map_err(|error| LedgerError::Away(error.to_string()))?;
        Ok(Owners { folder, own, _lock: lock })
    }

    /// This balancer.
    pub(super) fn own(&self) -> OwnerId {
        self.own
    }

    /// Whether the balancer `owner` is known to be gone.
    pub(super) fn is_gone(&self, owner: OwnerId) -> bool {
        if owner == self.own {
            return false;
        }
        match File::options().read(true).write(true).open(file(&self.folder, owner)) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
            },
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        // Where it stays, the lock on it is gone nevertheless.
        let _ = fs::remove_file(file(&self.folder, self.own));
    }
}

fn file(folder: &Path, owner: OwnerId) -> PathBuf {
    folder.join(format!("{:016x}", owner.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lives_is_there_and_who_has_ended_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let one = Owners::open(folder.path()).unwrap();
        let other = Owners::open(folder.path()).unwrap();
        assert_ne!(one.own(), other.own());
        assert!(!one.is_gone(other.own()) && !other.is_gone(one.own()) && !one.is_gone(one.own()));
        let ended = other.own();
        drop(other);
        assert!(one.is_gone(ended));
        assert!(one.is_gone(OwnerId(5)), "nobody was ever called so");
        // What a killed process leaves behind.
        fs::write(file(&folder.path().join(FOLDER), OwnerId(6)), "").unwrap();
        assert!(one.is_gone(OwnerId(6)));
    }
}
