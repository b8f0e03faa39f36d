//! `weighbridge man`: the manual.

use std::path::{Path, PathBuf};

use super::{CommandError, run};

/// Print the manual page, or write one for each command.
///
/// The Debian package installs them, so that `man weighbridge` and `man weighbridge-serve` work.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge man | man -l -
  weighbridge man --out /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder for the pages, one for each command; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, mut command: clap::Command) -> Result<(), CommandError> {
        // Subcommands get their full names with this.
        command.build();
        let Some(folder) = self.out else {
            run::say(&String::from_utf8_lossy(&page(&command)?));
            return Ok(());
        };
        std::fs::create_dir_all(&folder)?;
        write(&folder, "weighbridge", &command)
    }
}

/// Writes the page of `command`, called `name`, and those of its own commands.
fn write(folder: &Path, name: &str, command: &clap::Command) -> Result<(), CommandError> {
    std::fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    for one in shown.filter(|one| one.get_name() != "help") {
        write(folder, &format!("{name}-{}", one.get_name()), one)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
