//! `weighbridge check`: lists every mistake in a configuration file.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weighbridge_proxy::config::Config;
use weighbridge_scene_extract::extractors;

use super::CommandError;

/// List every mistake in a configuration file, with its line.
///
/// Nothing is started. The files of certificates are read, too. The exit status is 0 where there is
/// no mistake.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  weighbridge check my.toml && systemctl restart weighbridge")]
pub(crate) struct Check {
    /// The configuration file.
    file: PathBuf,
}

impl Check {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let config = read(&self.file)?;
        for note in config.notes() {
            println!("note: {note}");
        }
        let expired = config.expired(SystemTime::now());
        if !expired.is_empty() {
            return Err(CommandError::Expired(expired));
        }
        println!("{}: {} routes, no mistakes", self.file.display(), config.routes.len());
        Ok(())
    }
}

/// The configuration in `file`.
pub(crate) fn read(file: &Path) -> Result<Config, CommandError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandError::Read(file.to_owned(), error))?;
    Config::parse(&text, &extractors())
        .map_err(|mistakes| CommandError::Config { file: file.display().to_string(), mistakes })
}
