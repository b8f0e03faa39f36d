//! `weighbridge up`: everything on this machine, without any preparation.

use std::path::PathBuf;

use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::Server;
use weighbridge_scene_extract::extractors;

use super::serve::OverrideArguments;
use super::{CommandError, check, run};

/// Run everything on this machine: balancer, autoscaler, workers and store.
///
/// Starts one worker with one core, and more as the load asks for them. Prints the addresses, and
/// three requests to try. Ctrl-C finishes the requests that are there, and ends everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge up
  weighbridge up --workers 2..8 --listen 0.0.0.0:8000
  weighbridge up --data-dir /tmp/try")]
pub(crate) struct Up {
    /// A configuration file [default: the configuration that `weighbridge config` prints].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArguments,
}

impl Up {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let config = match &self.config {
            Some(file) => check::read(file)?,
            None => Config::parse(Config::default_text(), &extractors()).map_err(|mistakes| {
                CommandError::Config { file: "the default configuration".to_owned(), mistakes }
            })?,
        };
        let config = config.with(&self.overrides.into())?;
        let data_dir = config.store.data_dir.clone();
        run::run(config, |server| run::say(&welcome(server, &data_dir)))
    }
}

/// The addresses, and three requests to try.
fn welcome(server: &Server, data_dir: &std::path::Path) -> String {
    let listen = server.listen;
    let scene = r#"{"scene":"0 2 8  0 0 0  0 1 0  45  2  0 0 0  1 1 1  1 0 0  4 8 6  1 1 1  1 0 0  1 solid .8 .2 .1  1 .2 .7 .3 40 0 0 0  2  0 0 sphere 0 0 0 2  0 0 plane 0 1 0 2"}"#;
    let ray_trace = format!(
        "curl -s '{listen}/raytracer?scols=400&srows=300&wcols=400&wrows=300&coff=0&roff=0' \\\n    \
         -d '{scene}' \\\n    | sed 's/^[^,]*,//' | base64 -d > scene.bmp"
    );
    format!(
        "\nWeighbridge is up.\n\
         {}\n\
         Try:\n\
         \x20 {ray_trace}\n\
         \x20 curl -s {listen}/blurimage -H 'Content-Type: image/bmp' --data-binary @scene.bmp > blurred.bmp\n\
         \x20 curl -s {listen}/enhanceimage -H 'Content-Type: image/bmp' --data-binary @scene.bmp > enhanced.bmp\n\n\
         Ctrl-C drains and ends it.\n",
        run::places(server, data_dir)
    )
}
