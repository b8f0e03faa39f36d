//! Buckets as folders: `ROOT/BUCKET/KEY`. A file is written under another name, synced, and
//! renamed, so that whoever reads it finds all of one object.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::buckets::{Buckets, Object, Place};
use crate::jobs::objects::ObjectError;
use crate::private;

/// Where unfinished files are. No bucket has such a name.
const UNFINISHED: &str = ".unfinished";

/// The longest part of a key between two `/`.
const PART_MAX: usize = 255;

/// The longest key.
const KEY_MAX: usize = 1024;

/// See the module.
#[derive(Debug)]
pub struct BucketFolder {
    root: PathBuf,
    /// Tells the unfinished files of this process from each other.
    next: AtomicU64,
}

// === impl BucketFolder ===

impl BucketFolder {
    /// The buckets in the folder `root`, each made with its first object.
    pub fn new(root: &Path) -> BucketFolder {
        BucketFolder { root: root.to_owned(), next: AtomicU64::new(fastrand::u64(..)) }
    }

    fn path(&self, place: &Place) -> Result<PathBuf, ObjectError> {
        let is_good = is_key(&place.key) && is_part(&place.bucket);
        let path = || self.root.join(&place.bucket).join(&place.key);
        if is_good { Ok(path()) } else { Err(ObjectError::Key(place.key.clone())) }
    }

    fn unfinished(&self) -> PathBuf {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        self.root.join(UNFINISHED).join(format!("{nth:016x}"))
    }
}

#[async_trait]
impl Buckets for BucketFolder {
    async fn put(&self, place: &Place, object: &Object) -> Result<(), ObjectError> {
        let (path, unfinished) = (self.path(place)?, self.unfinished());
        let body = object.body.clone();
        blocking(move || {
            let written = write(&unfinished, &path, &body);
            if written.is_err() {
                let _none = fs::remove_file(&unfinished);
            }
            written
        })
        .await
    }

    async fn get(&self, place: &Place, most: u64) -> Result<Option<Bytes>, ObjectError> {
        let path = self.path(place)?;
        blocking(move || match File::open(path) {
            Ok(file) => {
                let mut body = Vec::new();
                file.take(most.saturating_add(1)).read_to_end(&mut body)?;
                Ok((body.len() as u64 <= most).then(|| Bytes::from(body)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn list(&self, bucket: &str, most: usize) -> Result<Option<Vec<String>>, ObjectError> {
        if !is_part(bucket) {
            return Ok(None);
        }
        let folder = self.root.join(bucket);
        blocking(move || {
            let mut keys = Vec::new();
            match list(&folder, "", (most, &mut keys)) {
                Ok(()) => Ok(Some(keys)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Renaming is what comes first or second.
    async fn commit(&self, place: &Place, object: &Object, _: &str) -> Result<(), ObjectError> {
        self.put(place, object).await
    }
}

fn write(unfinished: &Path, path: &Path, body: &[u8]) -> io::Result<()> {
    for folder in [path.parent(), unfinished.parent()].into_iter().flatten() {
        private::create_folder(folder)?;
    }
    let mut file = private::create_new(unfinished)?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Adds the keys of all files in `folder`, whose own begin with `before`, up to `most` of them.
fn list(folder: &Path, before: &str, (most, keys): (usize, &mut Vec<String>)) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let file = file?;
        // Nobody could ask for such a key.
        let Some(name) = file.file_name().to_str().map(str::to_owned) else { continue };
        let key = format!("{before}{name}");
        if !is_part(&name) || KEY_MAX < key.len() {
            continue;
        }
        if most <= keys.len() {
            break;
        }
        let kind = file.file_type()?;
        if kind.is_dir() {
            list(&file.path(), &format!("{key}/"), (most, keys))?;
        } else if kind.is_file() {
            keys.push(key);
        }
    }
    Ok(())
}

/// Whether a file can have this name.
fn is_part(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && c != '/' && c != '\\';
    (1..=PART_MAX).contains(&text.len()) && !text.starts_with('.') && text.chars().all(plain)
}

fn is_key(text: &str) -> bool {
    text.len() <= KEY_MAX && text.split('/').all(is_part)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    let stopped = |_| ObjectError::Away(io::Error::other("the program is stopping"));
    Ok(tokio::task::spawn_blocking(work).await.map_err(stopped)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bucket: &str, key: &str) -> Place {
        Place { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    fn object(body: &'static [u8]) -> Object {
        Object { media_type: "text/plain".to_owned(), body: Bytes::from_static(body) }
    }

    #[tokio::test]
    async fn the_last_object_of_a_name_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = BucketFolder::new(folder.path());
        assert_eq!(buckets.get(&at("b", "a/x y.jpg"), 9).await.unwrap(), None);
        for body in [&b"one"[..], b"two2"] {
            buckets.put(&at("b", "a/x y.jpg"), &object(body)).await.unwrap();
        }
        let found = buckets.get(&at("b", "a/x y.jpg"), 4).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"two2"[..]));
        assert_eq!(buckets.get(&at("b", "a/x y.jpg"), 3).await.unwrap(), None, "too long");
        assert_eq!(fs::read_dir(folder.path().join(UNFINISHED)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn all_keys_of_a_bucket_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = BucketFolder::new(folder.path());
        assert_eq!(buckets.list("b", 9).await.unwrap(), None);
        for key in ["2.jpg", "1.jpg", "x/3.jpg"] {
            buckets.put(&at("b", key), &object(b"photo")).await.unwrap();
        }
        fs::write(folder.path().join("b/.hidden"), "").unwrap();
        let mut listed = buckets.list("b", 9).await.unwrap().unwrap();
        listed.sort();
        assert_eq!(listed, ["1.jpg", "2.jpg", "x/3.jpg"]);
        assert_eq!(buckets.list("b", 2).await.unwrap().unwrap().len(), 2);
        for other in ["..", ".unfinished", "", "a/b"] {
            assert_eq!(buckets.list(other, 9).await.unwrap(), None, "{other}");
        }
    }

    #[tokio::test]
    async fn no_name_leads_out_of_its_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = BucketFolder::new(folder.path());
        let long = "x".repeat(256);
        for key in ["", ".", "..", "../x", "a/../x", "/x", "a//b", ".x", "a\\b", "a\nb", &long] {
            let put = buckets.put(&at("b", key), &object(b"")).await;
            assert!(matches!(put, Err(ObjectError::Key(_))), "{key}");
        }
        assert!(buckets.put(&at("..", "x"), &object(b"")).await.is_err());
    }
}
