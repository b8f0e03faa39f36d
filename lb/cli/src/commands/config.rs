//! `weighbridge config`: prints the default configuration.

use std::io::Write as _;

use weighbridge_proxy::config::Config;

use super::CommandError;

/// Prints the default file. A reader that stops reading (`| head`) is no error.
pub(crate) fn run() -> Result<(), CommandError> {
    match std::io::stdout().write_all(Config::default_text().as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}
