//! What is kept of certificates that were got by ACME: the account, and a file for each name.
//!
//! All of it is private: keys stand in the files of certificates, too.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use instant_acme::AccountCredentials;

use crate::config::CertificateFiles;
use crate::private;
use crate::tls::files;

/// The file of the account.
const ACCOUNT: &str = "account.json";

/// The file that one process locks.
const LOCK: &str = "lock";

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    /// Held until this is dropped or the process ends.
    _lock: File,
}

impl State {
    /// What is in `folder`, which is made where it is missing; `None` while another process has it.
    pub(super) fn open(folder: &Path) -> io::Result<Option<State>> {
        private::create_secret_folder(folder)?;
        let lock = private::append(&folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(State { folder: folder.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether it is what is in `folder`.
    pub(super) fn is_at(&self, folder: &Path) -> bool {
        self.folder == folder
    }

    /// Whether a certificate for `name` is wanted at `now`: there is none, or a third of its time
    /// is left.
    pub(super) fn is_due(&self, name: &str, now: SystemTime) -> bool {
        let file = file_in(&self.folder, name);
        let files = CertificateFiles { chain: file.clone(), key: file };
        files::certificate(&files).map_or(true, |certificate| certificate.said.renew_at() <= now)
    }

    /// Keeps `pem`, the certificate of `name` with those that sign it, and its key.
    pub(super) fn keep(&self, name: &str, pem: &str) -> io::Result<()> {
        private::write_secret(&file_in(&self.folder, name), pem.as_bytes())
    }

    /// The account, where there is one.
    pub(super) fn account(&self) -> io::Result<Option<AccountCredentials>> {
        match fs::read(self.folder.join(ACCOUNT)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets the account, which the authority does not know.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(self.folder.join(ACCOUNT))
    }

    /// Keeps the account.
    pub(super) fn keep_account(&self, account: &AccountCredentials) -> io::Result<()> {
        private::write_secret(&self.folder.join(ACCOUNT), &serde_json::to_vec(account)?)
    }
}

/// The file in `folder` of the certificate for `name`, with its key.
pub(crate) fn file_in(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::tls::testing::Pki;

    #[test]
    fn a_certificate_is_due_when_a_third_of_its_time_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("acme");
        let state = State::open(&folder).unwrap().unwrap();
        assert!(State::open(&folder).unwrap().is_none(), "one process has it");
        // The first of January 2030.
        let begin = SystemTime::UNIX_EPOCH + Duration::from_hours(525_960);
        assert!(state.is_due("a.example", begin));
        let pki = Pki::new();
        let files = pki.sign("a", &["a.example"], |params| {
            params.not_before = rcgen::date_time_ymd(2030, 1, 1);
            params.not_after = rcgen::date_time_ymd(2030, 1, 10);
        });
        let pem = [&files.chain, &files.key].map(|file| fs::read_to_string(file).unwrap());
        state.keep("a.example", &pem.concat()).unwrap();
        for (hours, is_due) in [(0, false), (6 * 24 - 1, false), (6 * 24, true), (240, true)] {
            let now = begin + Duration::from_hours(hours);
            assert_eq!(state.is_due("a.example", now), is_due, "{hours}");
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file_in(&folder, "a.example")), 0o600);
        assert_eq!(mode(&folder), 0o700);
    }
}
