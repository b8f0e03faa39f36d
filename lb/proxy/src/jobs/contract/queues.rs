//! Queues as folders: `ROOT/QUEUE/ID`, a file for each message, in the order in which they came.
//! What is taken is hidden by this program alone; when it starts anew, all that was not deleted is
//! there again. One program at a time uses the folder.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::messages::{MessageError, Messages, Taken};
use crate::private;

/// The most messages of a queue.
const MESSAGES_MAX: usize = 10_000;

/// What the names of unfinished files end with.
const UNFINISHED: &str = ".new";

/// See the module.
#[derive(Debug)]
pub struct QueueFolder {
    root: PathBuf,
    taken: Mutex<HashMap<PathBuf, Hidden>>,
    /// There is something new, or something is given back.
    changed: Notify,
}

/// A message that was taken.
#[derive(Debug, Clone, Copy)]
struct Hidden {
    until: Instant,
    times: u32,
}

// === impl QueueFolder ===

impl QueueFolder {
    /// The queues in the folder `root`, each made with its first message.
    pub fn new(root: &Path) -> QueueFolder {
        QueueFolder { root: root.to_owned(), taken: Mutex::default(), changed: Notify::new() }
    }

    /// Takes what nobody hides now. Returns when the first of those that are hidden is seen again.
    fn take_now(
        &self,
        files: Vec<PathBuf>,
        (most, hidden): (usize, Duration),
    ) -> (Vec<(PathBuf, u32)>, Option<Instant>) {
        let now = Instant::now();
        let (mut taken, mut first) = (Vec::new(), None::<Instant>);
        let mut all = self.taken.lock();
        for file in files {
            let before = all.get(&file).copied();
            if let Some(Hidden { until, .. }) = before.filter(|one| now < one.until) {
                first = Some(first.map_or(until, |first| first.min(until)));
            } else if taken.len() < most {
                let times = before.map_or(0, |one| one.times) + 1;
                all.insert(file.clone(), Hidden { until: now + hidden, times });
                taken.push((file, times));
            }
        }
        (taken, first)
    }

    /// The file of a handle, where it is of the last who has taken it.
    fn held(&self, queue: &str, handle: &str) -> Option<PathBuf> {
        let (id, times) = handle.split_once(' ')?;
        let file = self.root.join(queue).join(id);
        let times: u32 = times.parse().ok()?;
        let is_last = self.taken.lock().get(&file)?.times == times;
        is_last.then_some(file)
    }
}

#[async_trait]
impl Messages for QueueFolder {
    async fn send(&self, queue: &str, body: &str, _: Option<&str>) -> Result<(), MessageError> {
        let (folder, body) = (self.root.join(queue), body.to_owned());
        blocking(queue, move || write(&folder, &body)).await?;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn take(
        &self,
        queue: &str,
        most: usize,
        (wait, hidden): (Duration, Duration),
    ) -> Result<Vec<Taken>, MessageError> {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let folder = self.root.join(queue);
            let files = blocking(queue, move || list(&folder)).await?;
            let (taken, first) = self.take_now(files, (most, hidden));
            if !taken.is_empty() || deadline <= Instant::now() {
                return blocking(queue, move || Ok(read(taken))).await;
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(first.map_or(deadline, |first| first.min(deadline))) => {}
            }
        }
    }

    async fn hide(
        &self,
        queue: &str,
        handle: &str,
        hidden: Duration,
    ) -> Result<bool, MessageError> {
        let Some(file) = self.held(queue, handle) else { return Ok(false) };
        if let Some(one) = self.taken.lock().get_mut(&file) {
            one.until = Instant::now() + hidden;
        }
        self.changed.notify_waiters();
        Ok(true)
    }

    async fn waiting(&self, queue: &str) -> Result<usize, MessageError> {
        let folder = self.root.join(queue);
        let files = blocking(queue, move || list(&folder)).await?;
        let (now, taken) = (Instant::now(), self.taken.lock());
        let is_hidden = |file: &&PathBuf| taken.get(*file).is_some_and(|one| now < one.until);
        Ok(files.len() - files.iter().filter(is_hidden).count())
    }

    async fn delete(&self, queue: &str, handle: &str) -> Result<(), MessageError> {
        let Some(file) = self.held(queue, handle) else { return Ok(()) };
        let gone = file.clone();
        blocking(queue, move || match fs::remove_file(&gone) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await?;
        self.taken.lock().remove(&file);
        Ok(())
    }
}

/// The messages of a queue, the oldest first.
fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let files: io::Result<Vec<PathBuf>> = files.map(|file| Ok(file?.path())).collect();
    let mut files = files?;
    files.retain(|file| !file.to_string_lossy().ends_with(UNFINISHED));
    files.sort();
    Ok(files)
}

fn read(taken: Vec<(PathBuf, u32)>) -> Vec<Taken> {
    let read = taken.into_iter().filter_map(|(file, times)| {
        // What was deleted meanwhile is nobody's.
        let body = fs::read_to_string(&file).ok()?;
        let id = file.file_name()?.to_str()?.to_owned();
        Some(Taken { handle: format!("{id} {times}"), id, body, times })
    });
    read.collect()
}

fn write(folder: &Path, body: &str) -> io::Result<()> {
    private::create_folder(folder)?;
    if MESSAGES_MAX <= fs::read_dir(folder)?.count() {
        return Err(io::Error::other(format!("it has {MESSAGES_MAX} messages")));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("{now:024}-{:08x}", fastrand::u32(..));
    let unfinished = folder.join(format!("{name}{UNFINISHED}"));
    let mut file = private::create_new(&unfinished)?;
    file.write_all(body.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    queue: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, MessageError> {
    let told = |why: String| MessageError { queue: queue.to_owned(), why };
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| told("the program is stopping".to_owned()))?;
    done.map_err(|error| told(error.to_string()))
}

/// Queues in a folder, as [`super::Outside`] has them.
pub(crate) fn queues(root: &Path) -> Arc<dyn Messages> {
    Arc::new(QueueFolder::new(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const HIDDEN: Duration = Duration::from_mins(1);

    async fn take(queue: &QueueFolder, hidden: Duration) -> Vec<(String, String, u32)> {
        let taken = queue.take("q", 10, (NOW, hidden)).await.unwrap();
        taken.into_iter().map(|one| (one.body, one.handle, one.times)).collect()
    }

    #[tokio::test]
    async fn a_message_is_there_until_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let queue = QueueFolder::new(folder.path());
        assert!(take(&queue, HIDDEN).await.is_empty());
        for body in ["one", "two"] {
            queue.send("q", body, None).await.unwrap();
        }
        assert_eq!(queue.waiting("q").await.unwrap(), 2);
        let taken = take(&queue, HIDDEN).await;
        assert_eq!(taken.iter().map(|one| &*one.0).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(queue.waiting("q").await.unwrap(), 0);
        assert!(take(&queue, HIDDEN).await.is_empty(), "they are hidden");
        queue.delete("q", &taken[0].1).await.unwrap();
        // Who starts anew sees what was not deleted.
        let queue = QueueFolder::new(folder.path());
        let again = take(&queue, HIDDEN).await;
        assert_eq!((again.len(), &*again[0].0, again[0].2), (1, "two", 1));
    }

    #[tokio::test]
    async fn who_has_lost_a_message_can_do_nothing_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let queue = QueueFolder::new(folder.path());
        queue.send("q", "one", None).await.unwrap();
        let lost = take(&queue, NOW).await;
        let taken = take(&queue, HIDDEN).await;
        assert_eq!((lost[0].2, taken[0].2), (1, 2));
        assert!(!queue.hide("q", &lost[0].1, HIDDEN).await.unwrap());
        queue.delete("q", &lost[0].1).await.unwrap();
        assert!(queue.hide("q", &taken[0].1, NOW).await.unwrap(), "it is still there");
        assert_eq!(take(&queue, HIDDEN).await.len(), 1, "it was given back");
    }

    #[tokio::test]
    async fn who_waits_gets_what_comes() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Arc::new(QueueFolder::new(folder.path()));
        let waits = Arc::clone(&queue);
        let waits = tokio::spawn(async move { waits.take("q", 1, (HIDDEN, HIDDEN)).await });
        queue.send("q", "one", None).await.unwrap();
        assert_eq!(waits.await.unwrap().unwrap()[0].body, "one");
    }
}
