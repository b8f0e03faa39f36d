//! Customers as files: `ROOT/TABLE/HASH.json`, each with the attributes that the table at AWS has.
//! One program at a time uses the folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bucket::hex;
use super::customers::{Customers, CustomersError, Row, State};
use crate::private;

/// The most customers of a table.
const CUSTOMERS_MAX: usize = 100_000;

/// See the module.
#[derive(Debug)]
pub struct CustomersFolder {
    root: PathBuf,
    /// One write at a time.
    writing: Arc<Mutex<()>>,
}

/// A row as it stands in its file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "CustomerId")]
    customer: String,
    job_stats: String,
    try_count: u32,
    at: Option<u64>,
}

// === impl CustomersFolder ===

impl CustomersFolder {
    /// The tables in the folder `root`, each made with its first customer.
    pub fn new(root: &Path) -> CustomersFolder {
        CustomersFolder { root: root.to_owned(), writing: Arc::default() }
    }

    /// The file of a customer: names of customers may be too long, or two of them one, for a file.
    fn path(&self, table: &str, customer: &str) -> PathBuf {
        let hash = hex(&Sha256::digest(customer)[..]);
        self.root.join(table).join(format!("{hash}.json"))
    }
}

#[async_trait]
impl Customers for CustomersFolder {
    async fn get(&self, table: &str, customer: &str) -> Result<Option<Row>, CustomersError> {
        let path = self.path(table, customer);
        blocking(table, move || read(&path)).await
    }

    async fn put(
        &self,
        table: &str,
        customer: &str,
        (row, before): (&Row, Option<&Row>),
    ) -> Result<bool, CustomersError> {
        let (path, before, row) = (self.path(table, customer), before.copied(), *row);
        let kept = Kept {
            customer: customer.to_owned(),
            job_stats: row.state.letter().to_owned(),
            try_count: row.tries,
            at: row.at,
        };
        let writing = Arc::clone(&self.writing);
        blocking(table, move || {
            let _one = writing.lock();
            if read(&path)? != before {
                return Ok(false);
            }
            write(&path, &kept, before.is_none()).map(|()| true)
        })
        .await
    }
}

fn read(path: &Path) -> io::Result<Option<Row>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept: Kept = serde_json::from_slice(&text)?;
    let state = State::of_letter(&kept.job_stats);
    let state = state.ok_or_else(|| io::Error::other("a row has no state that is known"))?;
    Ok(Some(Row { state, tries: kept.try_count, at: kept.at }))
}

fn write(path: &Path, kept: &Kept, is_new: bool) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a table has a folder"))?;
    private::create_folder(folder)?;
    if is_new && CUSTOMERS_MAX <= fs::read_dir(folder)?.count() {
        return Err(io::Error::other(format!("it has {CUSTOMERS_MAX} customers")));
    }
    private::write_secret(path, &serde_json::to_vec(kept)?)?;
    fs::File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    table: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, CustomersError> {
    let told = |why: String| CustomersError { table: table.to_owned(), why };
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| told("the program is stopping".to_owned()))?;
    done.map_err(|error| told(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_is_written_over_what_was_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let customers = CustomersFolder::new(folder.path());
        let row = |tries| Row { state: State::InProgress, tries, at: Some(7) };
        let (first, second) = (row(1), row(2));
        assert_eq!(customers.get("t", "../a b").await.unwrap(), None);
        assert!(!customers.put("t", "../a b", (&first, Some(&second))).await.unwrap());
        assert!(customers.put("t", "../a b", (&first, None)).await.unwrap());
        assert!(!customers.put("t", "../a b", (&second, None)).await.unwrap());
        assert!(customers.put("t", "../a b", (&second, Some(&first))).await.unwrap());
        assert_eq!(customers.get("t", "../a b").await.unwrap(), Some(second));
        assert_eq!(customers.get("t", "a b").await.unwrap(), None);
        assert_eq!(fs::read_dir(folder.path().join("t")).unwrap().count(), 1);
    }
}
