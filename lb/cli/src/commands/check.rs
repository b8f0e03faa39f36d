//! `weighbridge check`: tells of every mistake in a configuration file.

use std::path::{Path, PathBuf};

use weighbridge_proxy::config::Config;

use super::CommandError;

/// Check a configuration file.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The file.
    file: PathBuf,
}

impl Check {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let config = read(&self.file)?;
        println!("{}: {} routes, no mistakes", self.file.display(), config.routes.len());
        Ok(())
    }
}

/// The configuration in `file`.
pub(crate) fn read(file: &Path) -> Result<Config, CommandError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandError::Read(file.to_owned(), error))?;
    Config::parse(&text)
        .map_err(|mistakes| CommandError::Config { file: file.display().to_string(), mistakes })
}
