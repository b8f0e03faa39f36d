//! Files and folders that not every user of the machine may read: what requests were is nobody
//! else's business.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// For the owner, and to read for the group.
#[cfg(unix)]
const FILE_MODE: u32 = 0o640;

/// For the owner, and to read for the group.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o750;

/// Makes `folder`, with those around it, where they are not there.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.recursive(true).create(folder)
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
