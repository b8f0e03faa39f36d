//! Files and folders that not every user of the machine may read: what requests were is nobody
//! else's business.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// For the owner, and to read for the group.
#[cfg(unix)]
const FILE_MODE: u32 = 0o640;

/// For the owner, and to read for the group.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o750;

/// For the owner alone.
#[cfg(unix)]
const SECRET_FILE_MODE: u32 = 0o600;

/// For the owner alone.
#[cfg(unix)]
const SECRET_FOLDER_MODE: u32 = 0o700;

/// Makes `folder`, with those around it, where they are not there.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.recursive(true).create(folder)
}

/// Makes `folder`, where it is not there, for its owner alone.
pub(crate) fn create_secret_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        create_folder(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, SECRET_FOLDER_MODE);
    builder.recursive(true).create(folder)
}

/// Puts `bytes` into the file at `path`, in place of what it had, for its owner alone. Whoever
/// reads it finds all of the one or all of the other.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    // A process that was killed may have left one.
    let _none = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, SECRET_FILE_MODE);
    let mut file = options.write(true).create_new(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Opens the file at `path` for what comes behind what it has; makes it where it is not there.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options.append(true).create(true).open(path)
}

/// Makes a new file at `path`.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options.append(true).create_new(true).open(path)
}

/// Makes an empty file at `path` where there is none, to be opened by others.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    if fs::exists(path)? { Ok(()) } else { append(path).map(drop) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn others_cannot_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        append(&inner.join("log")).unwrap();
        touch(&inner.join("store")).unwrap();
        for (path, most) in
            [(inner.clone(), 0o750), (inner.join("log"), 0o640), (inner.join("store"), 0o640)]
        {
            assert_eq!(mode(&path) & !most, 0, "{}", path.display());
        }
    }
}
