//! Where lines go, and how a file is opened again.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::AccessLogError;
use crate::private;

/// See the module.
pub(super) struct Sink {
    out: Box<dyn Write + Send>,
    /// The name of the file; `None` where it is none.
    path: Option<PathBuf>,
}

impl Sink {
    /// The end of the file at `path`, which is made where it is missing, and so is its folder.
    pub(super) fn file(path: &Path) -> Result<Sink, AccessLogError> {
        Ok(Sink { out: Box::new(open(path)?), path: Some(path.to_owned()) })
    }

    /// A stream, which is never opened again.
    pub(super) fn stream(out: impl Write + Send + 'static) -> Sink {
        Sink { out: Box::new(out), path: None }
    }

    /// Writes all of `text`.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)?;
        self.out.flush()
    }

    /// Goes on in the file that has the name now. Where it cannot be opened, goes on as before.
    pub(super) fn reopen(&mut self) -> Result<(), AccessLogError> {
        if let Some(path) = &self.path {
            self.out = Box::new(open(path)?);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, AccessLogError> {
    let failed = |path: &Path, source| AccessLogError::Open { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        private::create_folder(folder).map_err(|source| failed(folder, source))?;
    }
    private::append(path).map_err(|source| failed(path, source))
}
