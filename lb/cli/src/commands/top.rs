//! `weighbridge top`: what the page of a running balancer shows, in a terminal.

mod screen;
mod text;

use std::io::IsTerminal as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;

use super::operate::Admin;
use super::{CommandError, run};
use screen::{Key, Screen};
use text::Room;

/// Requests of each kind that are asked for where they go to a terminal.
const REQUESTS: usize = 100;

/// Show a running balancer: hosts, requests by the work that they have left, routes, changes.
///
/// It goes on until `q` or Ctrl-C; a space holds the picture. Where the output is no terminal, it
/// is printed once. The page at the admin address shows the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge top
  weighbridge top --once
  weighbridge top --json | jq '.hosts[] | {name, seconds_left}'")]
pub(crate) struct Top {
    #[command(flatten)]
    admin: Admin,
    /// Print it once, and end.
    #[arg(long)]
    once: bool,
    /// Print it once as JSON, as `/snapshot` has it, and end.
    #[arg(long)]
    json: bool,
    /// Seconds between two pictures, from 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    every: f64,
    /// Requests of each kind, at most, where it is printed once; from 0 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50)]
    most: u16,
}

fn seconds(text: &str) -> Result<f64, String> {
    let secs = text.parse().ok().filter(|secs| (0.1..=3600.0).contains(secs));
    secs.ok_or_else(|| "expected from 0.1 to 3600".to_owned())
}

impl Top {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let most = usize::from(self.most);
        if self.json {
            run::say(&self.snapshot(most)?);
        } else if self.once || !std::io::stdout().is_terminal() {
            let snapshot = self.read(most)?;
            run::say(&text::lines(&snapshot, &Room::unbounded()).concat());
        } else {
            self.follow()?;
        }
        Ok(())
    }

    /// Shows it until the user has seen enough.
    fn follow(&self) -> Result<(), CommandError> {
        // Who cannot be asked is told of before the screen is taken.
        let mut snapshot = Ok(self.read(REQUESTS)?);
        let mut screen = Screen::take()?;
        let mut holds = false;
        loop {
            let room = Room::of(screen.size());
            let lines = match &snapshot {
                Ok(snapshot) => text::lines(snapshot, &room),
                Err(error) => vec![format!("{error}\n")],
            };
            screen.show(&lines, holds)?;
            match Screen::key(Duration::from_secs_f64(self.every))? {
                Some(Key::Quit) => return Ok(()),
                Some(Key::Hold) => holds = !holds,
                None => {}
            }
            if !holds {
                snapshot = self.read(REQUESTS);
            }
        }
    }

    fn read(&self, most: usize) -> Result<Value, CommandError> {
        let text = self.snapshot(most)?;
        serde_json::from_str(&text).map_err(|error| self.admin.failed(&error))
    }

    fn snapshot(&self, most: usize) -> Result<String, CommandError> {
        let request = Request::get(format!("/snapshot?most={most}")).body(Full::<Bytes>::default());
        self.admin.ask(request.map_err(|error| self.admin.failed(&error))?)
    }
}
