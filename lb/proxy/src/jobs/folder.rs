//! Objects as files in a folder.
//!
//! A file is written under another name, synced, and then linked to its own: the link fails where
//! there is one, whoever made it. Files lie in 256 folders by the first two characters of their
//! keys, so that none of them grows too long.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use super::objects::{ObjectError, ObjectInfo, ObjectReader, ObjectWriter, Objects, is_key};
use crate::private;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 128 << 10;

/// What the names of unfinished files end with.
const UNFINISHED: &str = ".part";

/// An unfinished file that has not changed for so long is nobody's any more.
const UNFINISHED_MAX: std::time::Duration = std::time::Duration::from_hours(24);

/// See the module.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Tells the unfinished files of this process from each other.
    next: AtomicU64,
}

// === impl Folder ===

impl Folder {
    /// The objects in the folder `root`, made where it is missing. Removes unfinished files that
    /// nobody has written to for a day. Blocks.
    pub fn open(root: &Path) -> Result<Folder, ObjectError> {
        private::create_folder(root)?;
        let folder = Folder { root: root.to_owned(), next: AtomicU64::new(fastrand::u64(..)) };
        folder.remove_unfinished()?;
        Ok(folder)
    }

    fn path(&self, key: &str) -> Result<PathBuf, ObjectError> {
        if is_key(key) && !key.ends_with(UNFINISHED) {
            Ok(self.root.join(&key[..2]).join(key))
        } else {
            Err(ObjectError::Key(key.into()))
        }
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for (path, name) in self.files()? {
            let is_old = || -> io::Result<bool> {
                let age = fs::metadata(&path)?.modified()?.elapsed().unwrap_or_default();
                Ok(UNFINISHED_MAX < age)
            };
            if name.ends_with(UNFINISHED) && is_old()? {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Every file, with its name.
    fn files(&self) -> io::Result<Vec<(PathBuf, String)>> {
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                files.push((file.path(), file.file_name().to_string_lossy().into_owned()));
            }
        }
        Ok(files)
    }

    fn list_now(&self, after: Option<&str>, most: usize) -> io::Result<Vec<ObjectInfo>> {
        let mut files = self.files()?;
        files.retain(|(_, name)| {
            !name.ends_with(UNFINISHED) && after.is_none_or(|after| after < name.as_str())
        });
        files.sort_by(|(_, a), (_, b)| a.cmp(b));
        let infos = files.into_iter().take(most).filter_map(|(path, key)| {
            // One that has gone since is none.
            let modified = fs::metadata(path).ok()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            Some(ObjectInfo { key, modified })
        });
        Ok(infos.collect())
    }
}

#[async_trait]
impl Objects for Folder {
    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        let path = self.path(key)?;
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let part = self.root.join(&key[..2]).join(format!("{key}.{nth:x}{UNFINISHED}"));
        let begun = blocking(move || {
            if let Some(folder) = part.parent() {
                private::create_folder(folder)?;
            }
            let file = private::create_new(&part)?;
            Ok(Writing { file: Some(file), part, path })
        });
        Ok(Box::new(begun.await?))
    }

    async fn open(&self, key: &str) -> Result<Option<Box<dyn ObjectReader>>, ObjectError> {
        let path = self.path(key)?;
        let opened = blocking(move || match File::open(path) {
            Ok(file) => {
                let bytes = file.metadata()?.len();
                Ok(Some(Reading { file: Some(file), bytes }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        });
        Ok(opened.await?.map(|reading| Box::new(reading) as Box<dyn ObjectReader>))
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let path = self.path(key)?;
        blocking(move || match fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        })
        .await
    }

    async fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<ObjectInfo>, ObjectError> {
        let after = after.map(str::to_owned);
        let folder = Folder { root: self.root.clone(), next: AtomicU64::new(0) };
        blocking(move || Ok(folder.list_now(after.as_deref(), most)?)).await
    }
}

/// An object that is being written. Its unfinished file goes with it.
#[derive(Debug)]
struct Writing {
    /// Taken while it is written to.
    file: Option<File>,
    part: PathBuf,
    path: PathBuf,
}

#[async_trait]
impl ObjectWriter for Writing {
    async fn write(&mut self, piece: Bytes) -> Result<(), ObjectError> {
        let Some(mut file) = self.file.take() else { return Err(broken()) };
        self.file = Some(
            blocking(move || {
                file.write_all(&piece)?;
                Ok(file)
            })
            .await?,
        );
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ObjectError> {
        let Some(file) = self.file.take() else { return Err(broken()) };
        let (part, path) = (self.part.clone(), self.path.clone());
        blocking(move || {
            file.sync_all()?;
            match fs::hard_link(&part, &path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(ObjectError::Exists);
                }
                Err(error) => return Err(error.into()),
            }
            // The name is durable with its folder, and that with the one around it.
            for folder in path.ancestors().skip(1).take(2) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.part)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, file = %self.part.display(), "an unfinished object stays");
        }
    }
}

/// An object that is being read.
#[derive(Debug)]
struct Reading {
    file: Option<File>,
    bytes: u64,
}

#[async_trait]
impl ObjectReader for Reading {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let Some(mut file) = self.file.take() else { return Err(broken()) };
        let (file, piece) = blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let read = file.read(&mut piece)?;
            piece.truncate(read);
            Ok((file, piece))
        })
        .await?;
        self.file = Some(file);
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

/// An earlier read or write has failed, or was given up.
fn broken() -> ObjectError {
    ObjectError::Away(io::Error::other("an earlier piece could not be read or written"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, ObjectError> {
    let stopped = |_| ObjectError::Away(io::Error::other("the program is stopping"));
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}
