//! A Python with the libraries of the services, made once.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the services import that Python does not bring along.
const LIBRARIES: [&str; 4] = ["Pillow", "matplotlib", "reportlab", "jinja2"];

/// Whether they are there: what a Python says that has them.
const IMPORT: &str = "import PIL, matplotlib, reportlab, jinja2";

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// No Python, or no folder for it.
    #[error("`{0}` does not start")]
    Start(String, #[source] io::Error),
    /// A step failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// Which.
        command: String,
        /// The end of what it said.
        said: String,
    },
    /// This program does not know where it is.
    #[error("there is no folder for it")]
    NoFolder(#[source] io::Error),
}

/// The same with `more`, which is a module and a package of that name.
pub(crate) fn prepare_with(more: &str) -> Result<PathBuf, PythonError> {
    let python = prepare()?;
    if say(Command::new(&python).args(["-c", &format!("import {more}")])).is_err() {
        say(Command::new(&python).args(["-m", "pip", "install", "--quiet", more]))?;
    }
    Ok(python)
}

/// A Python that has the libraries. They are installed into `services`, beside the folder of this
/// program, where they are not there yet.
pub(super) fn prepare() -> Result<PathBuf, PythonError> {
    let own = std::env::current_exe().map_err(PythonError::NoFolder)?;
    // As `bench/peers/install.sh` has it: cargo builds into `target/release`.
    let target = own.ancestors().nth(2).unwrap_or(Path::new("."));
    let folder = target.join("services");
    let python = folder.join("bin/python");
    if say(Command::new(&python).args(["-c", IMPORT])).is_ok() {
        return Ok(python);
    }
    eprintln!("{} are installed into {}", LIBRARIES.join(", "), folder.display());
    say(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    say(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(LIBRARIES))?;
    say(Command::new(&python).args(["-c", IMPORT]))?;
    Ok(python)
}

/// Runs a command to its end.
fn say(command: &mut Command) -> Result<(), PythonError> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| PythonError::Start(shown.clone(), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().last().unwrap_or_default().to_owned();
    Err(PythonError::Failed { command: shown, said })
}
