//! `weighbridge completions`: what a shell needs to complete the command line.

use clap_complete::Shell;

use super::{CommandError, run};

/// Print what a shell needs to complete the command line.
///
/// The Debian package installs it for bash, zsh and fish.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge completions bash > ~/.local/share/bash-completion/completions/weighbridge
  weighbridge completions zsh > ~/.zfunc/_weighbridge
  weighbridge completions fish > ~/.config/fish/completions/weighbridge.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    #[expect(clippy::unnecessary_wraps, reason = "every command has a result")]
    pub(crate) fn run(self, mut command: clap::Command) -> Result<(), CommandError> {
        let mut text = Vec::new();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut text);
        run::say(&String::from_utf8_lossy(&text));
        Ok(())
    }
}
