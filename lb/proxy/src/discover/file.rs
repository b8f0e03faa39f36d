//! A file of hosts, as Prometheus takes it (`file_sd`): `[{"targets": ["10.0.0.7:8001"]}]`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use crate::config::{HostAddress, Target, Written};

/// The longest file that is read.
const BYTES_MAX: u64 = 4 << 20;

/// What a file has said last.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Which one, and what it was like when it was read.
    read: Option<(PathBuf, Stamp)>,
    addresses: Vec<HostAddress>,
    targets: Vec<Target>,
}

/// What of a file changes when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// A file that takes the name of another has a number of its own.
    number: u64,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// It cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, io::Error),
    /// It is too long.
    #[error("`{0}` has {1} bytes: expected at most {BYTES_MAX}")]
    TooLong(PathBuf, u64),
    /// It is not what Prometheus takes.
    #[error("`{0}` is not a list of {{\"targets\": [\"HOST:PORT\"]}}: {1}")]
    Format(PathBuf, serde_json::Error),
    /// An entry is no host.
    #[error(
        "`{0}` has the target `{1}`: expected an IP address or a name, and a port, or unix:PATH"
    )]
    Target(PathBuf, String),
}

#[derive(Deserialize)]
struct Group {
    targets: Vec<String>,
    /// They say what Prometheus is to write beside its numbers.
    #[serde(default, rename = "labels")]
    _labels: serde_json::Map<String, serde_json::Value>,
}

impl File {
    /// Reads the file at `path` where it has changed. An error is told once for each change.
    pub(super) async fn look(&mut self, path: Option<&Path>) -> Result<(), FileError> {
        let Some(path) = path else {
            *self = File::default();
            return Ok(());
        };
        let stamp = match tokio::fs::metadata(path).await {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => {
                // Looked for again each time, and told of once.
                let missing = Stamp { modified: None, length: 0, number: 0 };
                let is_news = self.is_news(path, missing);
                return if is_news { Err(FileError::Read(path.to_owned(), error)) } else { Ok(()) };
            }
        };
        if !self.is_news(path, stamp.clone()) {
            return Ok(());
        }
        if BYTES_MAX < stamp.length {
            return Err(FileError::TooLong(path.to_owned(), stamp.length));
        }
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| FileError::Read(path.to_owned(), error))?;
        (self.addresses, self.targets) = parse(path, &text)?;
        tracing::info!(
            file = %path.display(),
            hosts = self.addresses.len() + self.targets.len(),
            "a file of hosts has been read"
        );
        Ok(())
    }

    /// Whether the file is another one than was read last; then it is noted.
    fn is_news(&mut self, path: &Path, stamp: Stamp) -> bool {
        let now = Some((path.to_owned(), stamp));
        let is_news = self.read != now;
        self.read = now;
        is_news
    }

    /// The hosts that it names by address.
    pub(super) fn addresses(&self) -> &[HostAddress] {
        &self.addresses
    }

    /// What it names that stands for hosts.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt as _;
        Stamp { modified: metadata.modified().ok(), length: metadata.len(), number: metadata.ino() }
    }
}

fn parse(path: &Path, text: &str) -> Result<(Vec<HostAddress>, Vec<Target>), FileError> {
    let groups: Vec<Group> =
        serde_json::from_str(text).map_err(|error| FileError::Format(path.to_owned(), error))?;
    let (mut addresses, mut targets) = (Vec::new(), Vec::new());
    for written in groups.into_iter().flat_map(|group| group.targets) {
        match Written::parse(&written) {
            Some(Written::Address(address)) => addresses.push(address),
            Some(Written::Target(target)) => targets.push(target),
            None => return Err(FileError::Target(path.to_owned(), written)),
        }
    }
    targets.sort_unstable();
    targets.dedup();
    Ok((addresses, targets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_when_it_changes_and_mistakes_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts.json");
        let mut file = File::default();
        let missing = file.look(Some(&path)).await.unwrap_err();
        assert!(matches!(missing, FileError::Read(..)), "{missing}");
        assert!(file.look(Some(&path)).await.is_ok(), "told once");

        let text = r#"[{"targets": ["10.0.0.7:8001", "w.example:1"], "labels": {"zone": "a"}},
                       {"targets": ["[::1]:8002", "unix:/run/a.sock"]}]"#;
        std::fs::write(&path, text).unwrap();
        file.look(Some(&path)).await.unwrap();
        let expected = ["10.0.0.7:8001", "[::1]:8002", "unix:/run/a.sock"];
        assert_eq!(file.addresses(), expected.map(|address| address.parse().unwrap()));
        assert_eq!(file.targets(), [Target::Name("w.example".to_owned(), 1)]);

        for (wrong, why) in [
            ("[{", "is not a list of"),
            ("{\"targets\": []}", "is not a list of"),
            ("[{\"targets\": [\"10.0.0.8:8001\", \"nowhere\"]}]", "`nowhere`"),
        ] {
            std::fs::write(&path, wrong).unwrap();
            let error = file.look(Some(&path)).await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(file.look(Some(&path)).await.is_ok(), "told once");
            assert_eq!(file.addresses().len(), 3, "what was said before holds");
        }
        std::fs::write(&path, "[]").unwrap();
        file.look(Some(&path)).await.unwrap();
        assert!(file.addresses().is_empty() && file.targets().is_empty());
    }
}
