//! Folders of photos: `DIR/LABEL/PHOTO`, or a list of files and labels.

use std::fs;
use std::path::{Path, PathBuf};

use super::PhotoError;

/// A file, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Photo {
    pub(crate) file: PathBuf,
    pub(crate) label: String,
}

/// What workers decode, by its name.
const KINDS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff"];

/// All photos in the folders of `folder`, in the order of their names.
pub(crate) fn labelled(folder: &Path) -> Result<Vec<Photo>, PhotoError> {
    let mut photos = Vec::new();
    for inner in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let Some(label) = inner.file_name().and_then(|name| name.to_str()) else { continue };
        for file in entries(&inner)?.into_iter().filter(|path| is_photo(path)) {
            photos.push(Photo { file, label: label.to_owned() });
        }
    }
    if photos.is_empty() {
        return Err(PhotoError::Folder(folder.to_owned(), "no `LABEL/PHOTO` in it"));
    }
    Ok(photos)
}

/// The photos in `list`: a file, relative to `folder`, and its label in each row, without a head.
pub(crate) fn listed(folder: &Path, list: &Path) -> Result<Vec<Photo>, PhotoError> {
    let read = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_path(list);
    let wrong = |line: u64, why: String| PhotoError::Row(list.to_owned(), line, why);
    let mut photos = Vec::new();
    for row in read.map_err(|error| wrong(1, error.to_string()))?.records() {
        let row = row.map_err(|error| {
            wrong(error.position().map_or(0, csv::Position::line), "it is malformed".to_owned())
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let (Some(file), Some(label), 2) = (row.get(0), row.get(1), row.len()) else {
            return Err(wrong(
                line,
                format!("expected a file and a label, not {} fields", row.len()),
            ));
        };
        photos.push(Photo { file: folder.join(file), label: label.to_owned() });
    }
    if photos.is_empty() {
        return Err(PhotoError::Folder(list.to_owned(), "no row"));
    }
    Ok(photos)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PhotoError> {
    let failed = |error| PhotoError::Read(folder.to_owned(), error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn is_photo(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    KINDS.contains(&kind.to_ascii_lowercase().as_str())
}
