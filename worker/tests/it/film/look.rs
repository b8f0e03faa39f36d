//! What FFmpeg says of films, and music that it makes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use tempfile::TempDir;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is in a film.
#[derive(Debug, Deserialize)]
pub(super) struct Looked {
    pub(super) seconds: f64,
    pub(super) codec: String,
    pub(super) size: [u32; 2],
    pub(super) fps: f64,
    pub(super) matrix: u32,
    pub(super) said_frames: usize,
    /// When each frame is shown.
    pub(super) times: Vec<f64>,
    /// Frames that need no other.
    pub(super) keys: Vec<usize>,
    /// Those that were asked for.
    pub(super) pixels: Vec<[u8; 3]>,
    pub(super) sound: Option<Sound>,
}

/// What is heard.
#[derive(Debug, Deserialize)]
pub(super) struct Sound {
    pub(super) codec: String,
    pub(super) channels: u32,
    /// How long the track says that it is, and how long it is heard.
    pub(super) seconds: f64,
    pub(super) heard_until: f64,
    /// The root of the mean square of each tenth of a second.
    pub(super) loudness: Vec<f64>,
}

/// Looks at a film, and at pixels of it: frame, column, row.
pub(super) fn look(film: &[u8], pixels: &[[usize; 3]]) -> Looked {
    let pixels = serde_json::to_string(pixels).expect("numbers");
    let told = with_file("film.mp4", film, |path| python(&["film", path, &pixels]));
    serde_json::from_slice(&told).expect("as the program tells it")
}

/// Sizes and checksums of the packets that are heard in a file.
pub(super) fn packets(name: &str, file: &[u8]) -> Vec<[u32; 2]> {
    let told = with_file(name, file, |path| python(&["packets", path]));
    serde_json::from_slice(&told).expect("as the program tells it")
}

/// A tone of 440 Hz; the end of `name` says in which container.
pub(super) fn tone(name: &str, codec: &str, rate: u32, seconds: f64) -> Vec<u8> {
    let folder = TempDir::new().expect("there is room");
    let path = folder.path().join(name);
    let (rate, seconds) = (rate.to_string(), seconds.to_string());
    python(&["tone", path.to_str().expect("it is UTF-8"), codec, &rate, &seconds]);
    fs::read(path).expect("it was written")
}

fn with_file<T>(name: &str, content: &[u8], run: impl FnOnce(&str) -> T) -> T {
    let folder = TempDir::new().expect("there is room");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("there is room");
    run(path.to_str().expect("it is UTF-8"))
}

/// What the program beside this file prints.
fn python(arguments: &[&str]) -> Vec<u8> {
    let tools = Command::new(Path::new(REPOSITORY).join(".ci/emulators")).output();
    let tools = tools.expect("it runs").stdout;
    let tools = Path::new(std::str::from_utf8(&tools).expect("it is UTF-8").trim());
    let output = Command::new(tools.join("python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/film/look.py"))
        .args(arguments)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output.stdout
}
