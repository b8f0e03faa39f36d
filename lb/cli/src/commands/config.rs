//! `weighbridge config`: prints the default configuration.

use std::io::Write as _;

use weighbridge_proxy::config::Config;

use super::CommandError;

/// Print the default configuration, with a comment on every key.
///
/// Each comment says what the key does, which values it takes, and what raising it does. Write only
/// the keys that you change into a file of your own: every other key keeps the value that is
/// printed here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  weighbridge config > my.toml
  weighbridge config | less")]
pub(crate) struct Print {}

impl Print {
    /// Prints the default file. A reader that stops reading (`| head`) is no error.
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(self) -> Result<(), CommandError> {
        match std::io::stdout().write_all(Config::default_text().as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            printed => Ok(printed?),
        }
    }
}
