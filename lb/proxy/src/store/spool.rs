//! Observations on disk while the store takes none: written at one end, read at the other.
//!
//! A folder of numbered files. Only the process that made a file appends to it, and the file is
//! deleted when the store has all of it. A process that dies leaves at most one torn record at the
//! end, which is left out and counted as lost; after its return it begins a new file. Rows of a
//! file that were stored before are stored again, which changes nothing, because rows are
//! recognised by their ids.
//!
//! A balancer that is followed by another while a third still has the folder (upgrades in a row)
//! leaves its last rows in a file of their own, which whoever has the folder takes up.
//!
//! # Decision: the spool is files of our own
//!
//! A queue with one reader that forgets whole files needs no index, no compaction and no cursor, so
//! no crate is used. SQLite, which is here already, may be the store that is in trouble. Nothing
//! waits for the disk: a process that is killed loses nothing that was added. Cost: a machine that
//! loses power may lose the last seconds. Look again when observations have to survive that.

mod record;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};

use super::sqlite::lock;
use super::{StoreError, StoredObservation};
use record::{Contents, Scan, contents, record, scan};

use crate::private;

/// What the names of the files end with.
const SUFFIX: &str = "spool";

/// What the names of files end with that were left for whoever has the folder.
const LEFT: &str = "left";

/// What they end with while they are written.
const UNFINISHED: &str = "unfinished";

/// The number of files that share the room. Dropping the oldest file then drops little.
const SEGMENTS: u64 = 16;

/// The largest file. A file is read as a whole, and after a crash stored again as a whole.
const SEGMENT_BYTES_MAX: u64 = 4 << 20;

/// Rows waiting on disk. One process at a time has a folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// The newest of them, while it may grow.
    open: Option<File>,
    next: u64,
    /// Held until the spool is dropped or the process ends. `None` while the balancer that this one
    /// follows still has the folder: nothing is known of what is in it.
    lock: Option<File>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    number: u64,
    bytes: u64,
    rows: u64,
    /// Rows that were cut off at its end before we opened it.
    torn: u64,
}

/// The oldest file, read.
#[derive(Debug, PartialEq)]
pub(super) struct Oldest {
    number: u64,
    /// As they were added.
    pub(super) batches: Vec<Vec<StoredObservation>>,
    /// Rows that could not be read.
    pub(super) lost: u64,
}

/// What a spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waiting {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Spool {
    /// Opens `folder` with the files of an earlier process; creates it where it is missing. At most
    /// `bytes_max` bytes are kept. Blocks.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Spool, StoreError> {
        let state = Mutex::new(State::open(folder)?);
        Ok(Spool { folder: folder.to_owned(), bytes_max, state })
    }

    /// The same, where the balancer that this one follows may still have the folder. Until that has
    /// ended, the spool is empty and takes nothing. Blocks.
    pub fn inherit(folder: &Path, bytes_max: u64) -> Result<Spool, StoreError> {
        match Spool::open(folder, bytes_max) {
            Err(StoreError::InUse(_)) => {
                let state = Mutex::default();
                Ok(Spool { folder: folder.to_owned(), bytes_max, state })
            }
            opened => opened,
        }
    }

    /// What is in the folder, once it is this balancer's own.
    fn own(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut state = self.state.lock();
        if state.lock.is_none() {
            *state = State::open(&self.folder).map_err(|error| match error {
                StoreError::InUse(path) => StoreError::Locked(path),
                other => other,
            })?;
        }
        Ok(state)
    }

    /// Adds `rows`, and returns how many older rows were dropped to make room. Blocks.
    pub(super) fn push(&self, rows: &[StoredObservation]) -> Result<u64, StoreError> {
        let record = record(rows)?;
        let mut state = self.own()?;
        let bytes = record.len() as u64;
        let is_full =
            |segment: &Segment| self.segment_bytes_max() < segment.bytes.saturating_add(bytes);
        if state.segments.back().is_none_or(is_full) {
            state.open = None;
        }
        let dropped = self.make_room(&mut state, bytes)?;
        if state.open.is_none() {
            self.begin(&mut state)?;
        }
        let State { segments, open, .. } = &mut *state;
        let (Some(file), Some(segment)) = (open.as_mut(), segments.back_mut()) else {
            return Ok(dropped);
        };
        if let Err(source) = file.write_all(&record) {
            // Rows after a half-written record could not be read. The caller still has these.
            let path = self.path(segment.number);
            if let Err(cause) = file.set_len(segment.bytes) {
                tracing::warn!(file = %path.display(), %cause, "half a record stays on disk");
            }
            *open = None;
            return Err(failed(&path, source));
        }
        segment.bytes += bytes;
        segment.rows += rows.len() as u64;
        Ok(dropped)
    }

    /// Puts `rows` where whoever has the folder takes them up: for a balancer that ends and never
    /// had it. Blocks.
    pub(super) fn leave(&self, rows: &[StoredObservation]) -> Result<(), StoreError> {
        let record = record(rows)?;
        private::create_folder(&self.folder).map_err(|source| failed(&self.folder, source))?;
        let name = format!("{:016x}", fastrand::u64(..));
        let unfinished = self.folder.join(&name).with_extension(UNFINISHED);
        let written = private::create_new(&unfinished)
            .and_then(|mut file| file.write_all(&record))
            .and_then(|()| fs::rename(&unfinished, unfinished.with_extension(LEFT)));
        written.map_err(|source| failed(&unfinished, source))
    }

    /// Takes up what others have left.
    fn take_up(&self, state: &mut State) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.folder).map_err(|source| failed(&self.folder, source))? {
            let left = entry.map_err(|source| failed(&self.folder, source))?.path();
            if left.extension().is_none_or(|extension| extension != LEFT) {
                continue;
            }
            let path = self.path(state.next);
            fs::rename(&left, &path).map_err(|source| failed(&left, source))?;
            let Scan { bytes, rows, torn } = scan(&path).map_err(|source| failed(&path, source))?;
            state.segments.push_back(Segment { number: state.next, bytes, rows, torn });
            state.next += 1;
            state.open = None;
        }
        Ok(())
    }

    /// The oldest file. Rows that are added from now on go to another file. Blocks.
    pub(super) fn oldest(&self) -> Result<Option<Oldest>, StoreError> {
        let mut state = match self.own() {
            Err(StoreError::Locked(_)) => return Ok(None),
            owned => owned?,
        };
        self.take_up(&mut state)?;
        let Some(segment) = state.segments.front().copied() else { return Ok(None) };
        if state.segments.len() == 1 {
            state.open = None;
        }
        drop(state);
        let path = self.path(segment.number);
        let Contents { batches, rows } = contents(&path).map_err(|source| failed(&path, source))?;
        let lost = segment.rows.saturating_sub(rows) + segment.torn;
        Ok(Some(Oldest { number: segment.number, batches, lost }))
    }

    /// Deletes `oldest`: the store has it. Blocks.
    pub(super) fn remove(&self, oldest: &Oldest) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        match state.segments.front() {
            Some(segment) if segment.number == oldest.number => self.drop_oldest(&mut state)?,
            // It was dropped meanwhile, to make room.
            Some(_) | None => 0,
        };
        Ok(())
    }

    /// What is here.
    pub(super) fn waiting(&self) -> Waiting {
        let state = self.state.lock();
        state.segments.iter().fold(Waiting::default(), |sum, segment| Waiting {
            rows: sum.rows + segment.rows,
            bytes: sum.bytes + segment.bytes,
        })
    }

    fn make_room(&self, state: &mut State, bytes: u64) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let taken: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
            if state.segments.is_empty() || taken.saturating_add(bytes) <= self.bytes_max {
                return Ok(dropped);
            }
            if state.segments.len() == 1 {
                state.open = None;
            }
            dropped += self.drop_oldest(state)?;
        }
    }

    /// Deletes the oldest file, and returns how many rows it had.
    fn drop_oldest(&self, state: &mut State) -> Result<u64, StoreError> {
        let Some(segment) = state.segments.front() else { return Ok(0) };
        let path = self.path(segment.number);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(&path, source)),
        }
        Ok(state.segments.pop_front().map_or(0, |segment| segment.rows))
    }

    fn begin(&self, state: &mut State) -> Result<(), StoreError> {
        let path = self.path(state.next);
        let file = private::create_new(&path);
        state.open = Some(file.map_err(|source| failed(&path, source))?);
        state.segments.push_back(Segment { number: state.next, bytes: 0, rows: 0, torn: 0 });
        state.next += 1;
        Ok(())
    }

    fn segment_bytes_max(&self) -> u64 {
        SEGMENT_BYTES_MAX.min(self.bytes_max / SEGMENTS)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.{SUFFIX}"))
    }
}

// === impl State ===

impl State {
    /// Takes the folder, and looks at what is there.
    fn open(folder: &Path) -> Result<State, StoreError> {
        let lock = lock(folder)?;
        private::create_folder(folder).map_err(|source| failed(folder, source))?;
        let mut segments = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
            let path = entry.map_err(|source| failed(folder, source))?.path();
            let Some(number) = number(&path) else { continue };
            let Scan { bytes, rows, torn } = scan(&path).map_err(|source| failed(&path, source))?;
            if 0 < torn {
                tracing::error!(
                    file = %path.display(),
                    rows = torn,
                    "a file of observations on disk is cut off: at least so many are lost"
                );
            }
            segments.push(Segment { number, bytes, rows, torn });
        }
        segments.sort_by_key(|segment| segment.number);
        let next = segments.last().map_or(1, |segment| segment.number + 1);
        Ok(State { segments: segments.into(), open: None, next, lock: Some(lock) })
    }
}

/// The number of a file of ours.
fn number(path: &Path) -> Option<u64> {
    let is_ours = path.extension().is_some_and(|extension| extension == SUFFIX);
    is_ours.then(|| path.file_stem()?.to_str()?.parse().ok())?
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::File { path: path.to_owned(), source }
}
