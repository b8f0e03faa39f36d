//! A worker of the test's own, and requests for it.

use std::io::Cursor;
use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use weighbridge_worker::WorkerConfig;

pub(crate) use crate::running::Running;

impl Running {
    /// Starts a worker of `cores` slots.
    pub(crate) fn start(cores: usize) -> Running {
        Running::configured(|config| config.cores = cores)
    }

    /// Starts a worker whose configuration `adjust` has adjusted.
    pub(crate) fn configured(adjust: impl FnOnce(&mut WorkerConfig)) -> Running {
        let mut config = WorkerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        adjust(&mut config);
        Running::of(config)
    }
}

/// A target that renders `cols` x `rows`.
pub(crate) fn raytrace_target(cols: u32, rows: u32) -> String {
    format!("/raytracer?scols={cols}&srows={rows}&wcols={cols}&wrows={rows}&coff=0&roff=0")
}

/// Work for many seconds, wherever it runs: about 10^12 shadow rays.
pub(crate) fn endless() -> (String, Vec<u8>) {
    (raytrace_target(2000, 2000), scene(&"0 0 sphere 0 0 0 1\n".repeat(500), 500))
}

/// A body with a scene of one shining sphere.
pub(crate) fn sphere() -> Vec<u8> {
    scene("0 0 sphere 0 0 0 1\n", 1)
}

/// A body with `n_shapes` shapes, seen from z = 5 and lit from there.
fn scene(shapes: &str, n_shapes: usize) -> Vec<u8> {
    let scene = format!(
        "0 0 5  0 0 0  0 1 0  40\n\
         2  0 0 0  1 1 1  1 0 0   2 4 6  1 1 1  1 0 0\n\
         1  solid .9 .2 .2\n\
         1  .2 .6 .5 40 .3 0 1\n\
         {n_shapes}\n{shapes}"
    );
    serde_json::json!({ "scene": scene, "texmap": [] }).to_string().into_bytes()
}

/// A PNG file with a gradient.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| Rgb([(x % 256) as u8, (y % 256) as u8, ((x * y) % 251) as u8]);
    let mut file = Cursor::new(Vec::new());
    let image = RgbImage::from_fn(width, height, pixel);
    image.write_to(&mut file, ImageFormat::Png).expect("it is encoded");
    file.into_inner()
}

/// A BMP file of noise, which nothing makes smaller: `3 * width * height` bytes and a header.
pub(crate) fn bmp(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let image = RgbImage::from_fn(width, height, |_, _| Rgb([noise(), noise(), noise()]));
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Bmp).expect("it is encoded");
    file.into_inner()
}

/// `file` as the clients send it.
pub(crate) fn data_url(format: &str, file: &[u8]) -> Vec<u8> {
    format!("data:image/{format};base64,{}", BASE64_STANDARD.encode(file)).into_bytes()
}

/// The file in the data URL `text`, which names `format`.
#[track_caller]
pub(crate) fn file_of(format: &str, text: &str) -> Vec<u8> {
    let file = text.strip_prefix(&format!("data:image/{format};base64,")).expect("a data URL");
    BASE64_STANDARD.decode(file).expect("base64")
}
