//! The people that are enrolled, in a folder that several workers may share.
//!
//! A file for each photo, `LABEL@NAME.json`: the descriptor of its face, and the model that made
//! it. The photo itself is not kept. A file appears, changes and goes in one step, so that a reader
//! sees it whole or not. The folder's time of change tells whether to read it again; only files
//! that have changed are read. A folder that has just changed may change again within the same
//! tick of the clock, so it is read again until that is past.
//!
//! Of each photo the distance is computed: for 10,000 photos that takes a millisecond.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::UNKNOWN;
use super::describe::{Descriptor, LENGTH, distance};

/// Photos of all people.
pub(super) const PHOTOS_MAX: usize = 10_000;

/// Bytes of a label, and of the name of a photo.
const NAME_BYTES_MAX: usize = 96;

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// Between label and name in the name of a file; in neither of them.
const BETWEEN: char = '@';

/// What stands behind a name.
const EXTENSION: &str = ".json";

/// The model whose descriptors can be compared.
const MODEL: &str = "dlib_face_recognition_resnet_model_v1";

/// A folder that has changed within that time before it was read may change without being seen to.
const TICK: Duration = Duration::from_millis(100);

/// The people in a folder.
#[derive(Debug)]
pub(crate) struct People {
    folder: PathBuf,
    seen: Mutex<Seen>,
    /// One change at a time, of this worker's.
    changes: Mutex<()>,
}

/// What was read.
#[derive(Debug, Default)]
struct Seen {
    /// The folder's time of change; `None` where it is to be read again.
    changed: Option<SystemTime>,
    album: Arc<Album>,
}

/// All photos, by label and name.
#[derive(Debug, Default)]
pub(crate) struct Album {
    photos: BTreeMap<(String, String), Photo>,
}

#[derive(Debug, Clone)]
struct Photo {
    version: Version,
    descriptor: Arc<Descriptor>,
}

/// What differs where a file was replaced.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Version {
    changed: SystemTime,
    number: u64,
}

/// A file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    model: String,
    descriptor: Vec<f32>,
}

/// Why somebody cannot be enrolled or removed.
#[derive(Debug, Clone, Error)]
pub enum PeopleError {
    /// The client's.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There are enough.
    #[error("there are `{0}` photos of people, which is the limit: remove some")]
    Full(usize),
    /// Nobody of that name.
    #[error("nobody is enrolled as `{0}`")]
    Nobody(String),
    /// The system's.
    #[error("the folder of people `{0}` cannot be {1}: {2}")]
    Folder(String, &'static str, String),
}

/// Why something is no label, or no name of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {what} is `{name}`: {why}")]
pub struct NameError {
    what: &'static str,
    name: String,
    why: &'static str,
}

// === impl People ===

impl People {
    /// The people in `folder`, which may not be there yet.
    pub(super) fn open(folder: PathBuf) -> People {
        People { folder, seen: Mutex::default(), changes: Mutex::default() }
    }

    /// Everybody, as it is now.
    pub(crate) fn album(&self) -> Result<Arc<Album>, PeopleError> {
        let mut seen = self.seen.lock();
        let changed = match fs::metadata(&self.folder).and_then(|folder| folder.modified()) {
            Ok(changed) => changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *seen = Seen::default();
                return Ok(Arc::default());
            }
            Err(error) => return Err(self.failed("read", &error)),
        };
        if seen.changed != Some(changed) {
            let album = Album::read(&self.folder, &seen.album);
            seen.album = Arc::new(album.map_err(|error| self.failed("read", &error))?);
            let age = SystemTime::now().duration_since(changed).unwrap_or_default();
            seen.changed = (TICK < age).then_some(changed);
        }
        Ok(Arc::clone(&seen.album))
    }

    /// Adds a photo, or replaces it.
    pub(super) fn enrol(
        &self,
        label: &str,
        name: &str,
        descriptor: &Descriptor,
    ) -> Result<(), PeopleError> {
        let file = file_name(label, name)?;
        let _one_at_a_time = self.changes.lock();
        let album = self.album()?;
        let key = (label.to_owned(), name.to_owned());
        if PHOTOS_MAX <= album.photos.len() && !album.photos.contains_key(&key) {
            return Err(PeopleError::Full(PHOTOS_MAX));
        }
        self.write(&file, descriptor).map_err(|error| self.failed("written", &error))
    }

    /// Removes a photo of somebody, or all of them, and tells how many.
    pub(crate) fn remove(&self, label: &str, name: Option<&str>) -> Result<usize, PeopleError> {
        check_name("label", label)?;
        name.map_or(Ok(()), |name| check_name("name", name))?;
        let _one_at_a_time = self.changes.lock();
        let album = self.album()?;
        let mut removed = 0;
        for (one, photo) in album.photos.keys() {
            if one == label && name.is_none_or(|name| name == photo) {
                removed += usize::from(self.delete(&file_name(one, photo)?)?);
            }
        }
        if removed == 0 {
            let whole = name.map_or_else(|| label.to_owned(), |name| format!("{label}/{name}"));
            return Err(PeopleError::Nobody(whole));
        }
        Ok(removed)
    }

    /// In place at once, and on the disk before it is told of.
    fn write(&self, file: &str, descriptor: &Descriptor) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let stored = Stored { model: MODEL.to_owned(), descriptor: descriptor.to_vec() };
        let mut part = NamedTempFile::with_prefix_in(".part-", &self.folder)?;
        serde_json::to_writer(&mut part, &stored)?;
        part.flush()?;
        part.as_file().sync_all()?;
        part.persist(self.folder.join(file))?;
        fs::File::open(&self.folder)?.sync_all()
    }

    /// Whether it was there: another worker may have been faster.
    fn delete(&self, file: &str) -> Result<bool, PeopleError> {
        match fs::remove_file(self.folder.join(file)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed("written", &error)),
        }
    }

    fn failed(&self, done: &'static str, error: &io::Error) -> PeopleError {
        PeopleError::Folder(self.folder.display().to_string(), done, error.to_string())
    }
}

// === impl Album ===

impl Album {
    /// What is in `folder`; what `old` has and has not changed is taken from there.
    fn read(folder: &Path, old: &Album) -> io::Result<Album> {
        let mut photos = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Some(key) = entry.file_name().to_str().and_then(key_of) else { continue };
            // It may be gone since.
            let Ok(metadata) = entry.metadata() else { continue };
            let version = Version::of(&metadata)?;
            let known = old.photos.get(&key).filter(|photo| photo.version == version).cloned();
            let photo = known.or_else(|| Photo::read(&entry, &metadata, version));
            if let Some(photo) = photo {
                photos.insert(key, photo);
            }
        }
        Ok(Album { photos })
    }

    /// The label of the photo that is nearest, and its distance; of several the first.
    pub(super) fn nearest(&self, descriptor: &Descriptor) -> Option<(&str, f32)> {
        let far = self
            .photos
            .iter()
            .map(|((label, _), photo)| (label.as_str(), distance(&photo.descriptor, descriptor)));
        far.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// Names of photos, by label.
    pub(crate) fn names(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, name) in self.photos.keys() {
            names.entry(label).or_default().push(name);
        }
        names
    }
}

// === impl Photo ===

impl Photo {
    /// `None` where the file is of no use, which the log is told.
    fn read(entry: &DirEntry, metadata: &Metadata, version: Version) -> Option<Photo> {
        let wrong = |why: &str| {
            tracing::warn!(file = %entry.path().display(), why, "leaves a photo of somebody out");
        };
        if FILE_BYTES_MAX < metadata.len() || !metadata.is_file() {
            wrong("it is too large, or no file");
            return None;
        }
        let file = fs::read(entry.path()).inspect_err(|error| wrong(&error.to_string())).ok()?;
        let stored: Stored =
            serde_json::from_slice(&file).inspect_err(|error| wrong(&error.to_string())).ok()?;
        let Stored { model, descriptor } = stored;
        let numbers: Option<[f32; LENGTH]> = descriptor.try_into().ok();
        let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        if model != MODEL || numbers.is_none() {
            wrong("it is of another model: enrol the photo again");
        }
        let descriptor = numbers.filter(|_| model == MODEL)?;
        Some(Photo { version, descriptor: Arc::new(descriptor) })
    }
}

// === impl Version ===

impl Version {
    fn of(metadata: &Metadata) -> io::Result<Version> {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = metadata.len();
        Ok(Version { changed: metadata.modified()?, number })
    }
}

/// Checks a label or a name: letters and digits of any script, spaces, and `-_.',` inside; at most
/// 96 bytes.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), NameError> {
    let allowed = |letter: char| letter.is_alphanumeric() || " -_.',".contains(letter);
    let why = if name.is_empty() {
        "expected at least a letter"
    } else if NAME_BYTES_MAX < name.len() {
        "expected at most 96 bytes"
    } else if !name.chars().all(allowed) {
        "expected letters, digits, spaces and `-_.',`"
    } else if !name.starts_with(char::is_alphanumeric) || name.ends_with(' ') {
        "expected a letter or a digit first, and no space at the end"
    } else if what == "label" && name == UNKNOWN {
        "that is what nobody is called"
    } else {
        return Ok(());
    };
    let name = name.chars().take(NAME_BYTES_MAX).collect();
    Err(NameError { what, name, why })
}

fn file_name(label: &str, name: &str) -> Result<String, NameError> {
    check_name("label", label)?;
    check_name("name", name)?;
    Ok(format!("{label}{BETWEEN}{name}{EXTENSION}"))
}

/// Label and name of a file; `None` for what is none of ours.
fn key_of(file: &str) -> Option<(String, String)> {
    let (label, name) = file.strip_suffix(EXTENSION)?.split_once(BETWEEN)?;
    file_name(label, name).ok()?;
    Some((label.to_owned(), name.to_owned()))
}

// === impl PeopleError ===

impl PeopleError {
    pub(crate) fn status(&self) -> u16 {
        match self {
            PeopleError::Name(_) => 400,
            PeopleError::Nobody(_) => 404,
            PeopleError::Full(_) => 507,
            PeopleError::Folder(..) => 500,
        }
    }

    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            PeopleError::Name(_) | PeopleError::Nobody(_) => Some("path"),
            PeopleError::Full(_) | PeopleError::Folder(..) => None,
        }
    }
}

#[cfg(test)]
mod tests;
