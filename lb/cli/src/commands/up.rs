//! `weighbridge up`: everything on this machine, without any preparation.

use std::path::{Path, PathBuf};

use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::Server;
use weighbridge_scene_extract::extractors;

use super::serve::OverrideArguments;
use super::{CommandError, check, run};

/// Run everything on this machine: balancer, autoscaler, workers and store.
///
/// Starts one worker with one core, and more as the load asks for them. With --run they run your
/// own HTTP server. Prints the addresses, and what to try. Ctrl-C finishes the requests that are
/// there, and ends everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge up
  weighbridge up --run 'gunicorn app:app -b {address} -w 1'
  weighbridge up --workers 2..8 --listen 0.0.0.0:8000
  weighbridge up --data-dir /tmp/try")]
pub(crate) struct Up {
    /// A configuration file [default: the configuration that `weighbridge config` prints].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The command that starts your own HTTP server, as a shell takes it. {address} in it becomes
    /// 127.0.0.1:PORT, and {port} the port. It is the only route; a configuration file says the
    /// same with fleet.local.run.
    #[arg(long, value_name = "COMMAND", conflicts_with = "config")]
    run: Option<String>,
    /// How often each worker runs it [default: 4].
    #[arg(long, value_name = "N", requires = "run")]
    processes: Option<usize>,
    #[command(flatten)]
    overrides: OverrideArguments,
}

impl Up {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let Up { config, run, processes, overrides } = self;
        let (command, overrides) = (run.clone(), overrides.into());
        let read =
            move || Ok(read(config.as_deref(), run.as_deref(), processes)?.with(&overrides)?);
        run::run(Box::new(read), |server| {
            let tries = match &command {
                Some(command) => tries_of_own(server, command),
                None => tries(server),
            };
            run::say(&welcome(server, &tries));
        })
    }
}

/// The `file`, or the configuration that stands for one.
fn read(
    file: Option<&Path>,
    run: Option<&str>,
    processes: Option<usize>,
) -> Result<Config, CommandError> {
    let text = match (file, run) {
        (Some(file), _) => return check::read(file),
        (None, Some(run)) => configuration(run, processes),
        (None, None) => Config::default_text().to_owned(),
    };
    Config::parse(&text, &extractors()).map_err(|mistakes| CommandError::Config {
        file: "the default configuration".to_owned(),
        mistakes,
    })
}

/// The configuration for somebody's own server: every path goes to it.
fn configuration(run: &str, processes: Option<usize>) -> String {
    // A string of JSON is one of TOML.
    let run = serde_json::Value::from(run);
    let processes =
        processes.map(|processes| format!("arguments = [\"--processes={processes}\"]\n"));
    format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[fleet.local]\nrun = {run}\n{}",
        processes.unwrap_or_default()
    )
}

/// The addresses, and what to try.
fn welcome(server: &Server, tries: &str) -> String {
    format!(
        "\nWeighbridge is up.\n\
         {}\n\
         Try:\n\
         {tries}\n\
         Ctrl-C drains and ends it.\n",
        run::places(server)
    )
}

/// For somebody's own server.
fn tries_of_own(server: &Server, run: &str) -> String {
    let (listen, admin) = (server.listen, server.admin);
    format!(
        "\x20 curl -si {listen}/PATH      a path of your own: it goes to `{run}`\n\
         \x20 curl -s {admin}/fleet       the workers, and what they have to do\n\
         \x20 curl -s {admin}/models      what is learned of the cost of requests\n"
    )
}

/// Three requests, for the operations of the worker.
fn tries(server: &Server) -> String {
    let listen = server.listen;
    let scene = r#"{"scene":"0 2 8  0 0 0  0 1 0  45  2  0 0 0  1 1 1  1 0 0  4 8 6  1 1 1  1 0 0  1 solid .8 .2 .1  1 .2 .7 .3 40 0 0 0  2  0 0 sphere 0 0 0 2  0 0 plane 0 1 0 2"}"#;
    let ray_trace = format!(
        "curl -s '{listen}/raytracer?scols=400&srows=300&wcols=400&wrows=300&coff=0&roff=0' \\\n    \
         -d '{scene}' \\\n    | sed 's/^[^,]*,//' | base64 -d > scene.bmp"
    );
    format!(
        "\x20 {ray_trace}\n\
         \x20 curl -s {listen}/blurimage -H 'Content-Type: image/bmp' --data-binary @scene.bmp > blurred.bmp\n\
         \x20 curl -s {listen}/enhanceimage -H 'Content-Type: image/bmp' --data-binary @scene.bmp > enhanced.bmp\n"
    )
}
