//! `weighbridge explain`: what a running balancer would do with a request, and why.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::{CommandError, operate};

/// Say what a running balancer would do with a request, and why.
///
/// Prints the features of the request, its estimate, the hosts that each filter passed, the weight
/// of each host in seconds, and the verdict. No host gets the request.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge explain /blurimage --body in.png
  weighbridge explain '/raytracer?scols=40&srows=30&wcols=40&wrows=30&coff=0&roff=0' -b scene.json")]
pub(crate) struct Explain {
    /// Path and query of the request.
    target: String,
    /// A file with the body of the request; `-` is standard input [default: no body].
    #[arg(short, long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The method of the request [default: GET without a body, POST with one].
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<hyper::Method>,
    /// The host that the request asks for, where routes are chosen by it.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The balancer's admin address (`admin` in its configuration).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Print the same as JSON.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let body = self.body.as_deref().map(read).transpose()?.unwrap_or_default();
        let request = self.request(body).map_err(|error| self.failed(&error))?;
        let (status, text) = operate::send(request).map_err(|error| self.failed(&*error))?;
        if status.is_success() {
            print!("{text}");
            return Ok(());
        }
        Err(CommandError::Ask { admin: self.admin.to_string(), why: format!("{status}: {text}") })
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let accept = if self.json { "application/json" } else { "text/plain" };
        let uri = format!("http://{}/explain/{}", self.admin, self.target.trim_start_matches('/'));
        let usual = if self.body.is_some() { hyper::Method::POST } else { hyper::Method::GET };
        let mut request = Request::builder()
            .method(self.method.clone().unwrap_or(usual))
            .uri(uri)
            .header(hyper::header::ACCEPT, accept);
        if let Some(host) = &self.host {
            request = request.header("x-forwarded-host", host);
        }
        request.body(Full::new(Bytes::from(body)))
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> CommandError {
        CommandError::Ask { admin: self.admin.to_string(), why: operate::with_causes(error) }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    let read = if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut body).map(|_| body)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| CommandError::Read(file.to_owned(), error))
}
