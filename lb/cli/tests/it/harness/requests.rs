//! Requests for the three operations, and answers that are known to be right.

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::Arc;

use image::{ImageFormat, Rgb, RgbImage};

use super::client::{Answer, Client};

/// A request as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
}

/// A request and what has to be answered.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) request: Request,
    expected: Vec<u8>,
}

// === impl Request ===

impl Request {
    pub(crate) fn get(target: &str) -> Request {
        Request::new("GET", target, Vec::new())
    }

    pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
        Request::new("POST", target, body.into())
    }

    fn new(method: &str, target: &str, body: Vec<u8>) -> Request {
        Request { head: format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n"), body }
    }

    /// The same with a header line: `accept: application/json`.
    pub(crate) fn with(mut self, header: &str) -> Request {
        self.head += header;
        self.head += "\r\n";
        self
    }

    /// The whole of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = format!("{}Content-Length: {}\r\n\r\n", self.head, self.body.len());
        [head.as_bytes(), &self.body].concat()
    }
}

// === impl Job ===

impl Job {
    /// The right answer.
    pub(crate) fn expected(&self) -> &[u8] {
        &self.expected
    }

    /// Whether `answer` is the right one; what is wrong with it otherwise.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.text()));
        }
        let is_right = answer.body == self.expected;
        is_right.then_some(()).ok_or_else(|| format!("{} other bytes", answer.body.len()))
    }
}

/// Jobs of these requests: what `client` is answered now is right, for it is answered twice.
#[track_caller]
pub(crate) fn jobs(client: &mut Client, requests: Vec<Request>) -> Arc<[Job]> {
    let job = |request: Request| {
        let first = client.ask(&request).expect("it is answered");
        assert_eq!(first.status, 200, "{}", first.text());
        let job = Job { request, expected: first.body };
        let second = client.ask(&job.request).expect("it is answered");
        job.check(&second).expect("the same answer twice");
        job
    };
    requests.into_iter().map(job).collect()
}

/// Requests of all three operations, of some milliseconds to about a tenth of a second each.
pub(crate) fn mixed() -> Vec<Request> {
    vec![
        ray_trace(120, 40),
        blur(160, 120),
        enhance(150, 110),
        ray_trace(160, 60),
        blur(320, 240),
        enhance(200, 150),
        ray_trace(200, 80),
    ]
}

/// `side * side` pixels of a scene of `n_shapes` spheres.
pub(crate) fn ray_trace(side: u32, n_shapes: usize) -> Request {
    let target =
        format!("/raytracer?scols={side}&srows={side}&wcols={side}&wrows={side}&coff=0&roff=0");
    Request::post(&target, scene(n_shapes))
}

/// Longer than any test takes.
pub(crate) fn endless() -> Request {
    ray_trace(2000, 1000)
}

pub(crate) fn blur(width: u32, height: u32) -> Request {
    Request::post("/blurimage", png(width, height)).with("Content-Type: image/png")
}

pub(crate) fn enhance(width: u32, height: u32) -> Request {
    Request::post("/enhanceimage", png(width, height)).with("Content-Type: image/png")
}

/// The body of a ray trace.
pub(crate) fn scene(n_shapes: usize) -> Vec<u8> {
    let mut scene = format!(
        "0 0 0  0 0 -1  0 1 0  60  \
         2  0 0 0  1 1 1  1 0 0   10 50 10  1 1 1  1 0 0  \
         2  solid 1 .5 0  solid .2 .6 .9  \
         1  .4 .6 .3 50 .3 0 0  {n_shapes}"
    );
    for nth in 0..n_shapes {
        let number = |n: usize| i32::try_from(n).expect("a scene is small");
        let (x, y) = (2 * number(nth % 9) - 8, 2 * number(nth / 9 % 7) - 6);
        let z = -15 - number(nth / 63);
        // Writing to a String cannot fail.
        let _ = write!(scene, " {} 0 sphere {x} {y} {z} 0.8", nth % 2);
    }
    serde_json::json!({ "scene": scene }).to_string().into_bytes()
}

/// A PNG file with a pattern.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| Rgb([(x % 256) as u8, (y % 256) as u8, ((x * y) % 251) as u8]);
    let mut file = Cursor::new(Vec::new());
    let image = RgbImage::from_fn(width, height, pixel);
    image.write_to(&mut file, ImageFormat::Png).expect("it is encoded");
    file.into_inner()
}
