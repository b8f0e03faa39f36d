//! `weighbridge explain`: what a running balancer would do with a request, and why.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::CommandError;
use super::operate::Admin;

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
    #[command(flatten)]
    admin: Admin,
    /// Print the same as JSON.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let body = self.body.as_deref().map(read).transpose()?.unwrap_or_default();
        let request = self.request(body).map_err(|error| self.admin.failed(&error))?;
        print!("{}", self.admin.ask(request)?);
        Ok(())
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let accept = if self.json { "application/json" } else { "text/plain" };
        let uri = format!("/explain/{}", self.target.trim_start_matches('/'));
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
