//! The services, and random requests for them over ranges that clients have.

use bytes::Bytes;
use clap::ValueEnum;
use fastrand::Rng;
use http::Method;
use serde_json::json;

use crate::requests::{picture, spread};

/// So many different pictures are sent, with sides of so many pixels.
const PICTURES: u64 = 60;
const PICTURE_SIDES: (f64, f64) = (200.0, 2400.0);

/// A service around a well-known library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// Pillow.
    Thumbnail,
    /// matplotlib.
    Chart,
    /// zipfile, of the standard library.
    Archive,
    /// sqlite3, of the standard library.
    Sql,
    /// reportlab.
    Pdf,
    /// jinja2.
    Page,
}

/// One request for a service.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

impl Service {
    /// Its name: that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Service::Thumbnail => "thumbnail",
            Service::Chart => "chart",
            Service::Archive => "archive",
            Service::Sql => "sql",
            Service::Pdf => "pdf",
            Service::Page => "page",
        }
    }

    /// What it runs.
    pub(super) fn source(self) -> &'static str {
        match self {
            Service::Thumbnail => include_str!("../../services/thumbnail.py"),
            Service::Chart => include_str!("../../services/chart.py"),
            Service::Archive => include_str!("../../services/archive.py"),
            Service::Sql => include_str!("../../services/sql.py"),
            Service::Pdf => include_str!("../../services/pdf.py"),
            Service::Page => include_str!("../../services/page.py"),
        }
    }

    /// A random request.
    pub(super) fn call(self, random: &mut Rng) -> Call {
        match self {
            Service::Thumbnail => thumbnail(random),
            Service::Chart => chart(random),
            Service::Archive => archive(random),
            Service::Sql => sql(random),
            Service::Pdf => pdf(random),
            Service::Page => page(random),
        }
    }
}

/// Of few pictures: large ones take long to make.
fn thumbnail(random: &mut Rng) -> Call {
    let seed = random.u64(0..PICTURES);
    let (content_type, body) = picture::file(&mut Rng::with_seed(seed), PICTURE_SIDES);
    let [width, height] = [(); 2].map(|()| whole(random, 64.0, 1200.0));
    let format = one_of(random, &["jpeg", "png", "webp"]);
    let target = format!("/thumbnail?width={width}&height={height}&format={format}");
    Call { method: Method::POST, target, content_type, body: body.into() }
}

fn chart(random: &mut Rng) -> Call {
    let kind = one_of(random, &["line", "scatter", "bar"]);
    let (points, series) = (whole(random, 20.0, 500.0), random.u32(1..=4));
    let dpi = one_of(random, &["72", "100", "150", "200"]);
    get(format!("/chart?kind={kind}&points={points}&series={series}&dpi={dpi}"))
}

fn archive(random: &mut Rng) -> Call {
    let files: Vec<_> = (0..random.u32(1..=20))
        .map(|index| {
            let text = text(random, 100.0, 8000.0);
            json!({ "name": format!("{index}.txt"), "text": text })
        })
        .collect();
    post("/archive", &json!({ "level": random.u32(1..=9), "files": files }))
}

fn sql(random: &mut Rng) -> Call {
    let n_rows = whole(random, 1000.0, 150_000.0);
    let from = random.u64(0..200_000 - n_rows);
    let by = one_of(random, &["customer", "product", "none"]);
    let limit = one_of(random, &["10", "100", "1000"]);
    get(format!("/sql?from={from}&to={}&by={by}&limit={limit}", from + n_rows))
}

fn pdf(random: &mut Rng) -> Call {
    let rows: Vec<_> = (0..whole(random, 5.0, 800.0))
        .map(|n| json!({ "what": format!("part {n}"), "n": random.u32(1..100), "usd": random.u32(1..9999) }))
        .collect();
    let notes: Vec<_> = (0..random.u32(0..=10)).map(|_| text(random, 5.0, 120.0)).collect();
    post("/pdf", &json!({ "title": "Invoice", "rows": rows, "notes": notes }))
}

fn page(random: &mut Rng) -> Call {
    let (items, columns) = (whole(random, 50.0, 5000.0), random.u32(1..=12));
    let layout = one_of(random, &["list", "table"]);
    get(format!("/page?items={items}&columns={columns}&layout={layout}"))
}

fn get(target: String) -> Call {
    Call { method: Method::GET, target, content_type: "", body: Bytes::new() }
}

fn post(path: &str, body: &serde_json::Value) -> Call {
    let (target, body) = (path.to_owned(), body.to_string().into());
    Call { method: Method::POST, target, content_type: "application/json", body }
}

/// So many words that say nothing, from `least` to `most`.
fn text(random: &mut Rng, least: f64, most: f64) -> String {
    const SYLLABLES: [&str; 12] =
        ["ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "wa", "zo", "be"];

    let mut text = String::new();
    for _ in 0..whole(random, least, most) {
        for _ in 0..random.u8(1..=4) {
            text.push_str(one_of(random, &SYLLABLES));
        }
        text.push(' ');
    }
    text
}

/// A whole number, every factor between the two as likely.
fn whole(random: &mut Rng, least: f64, most: f64) -> u64 {
    spread(random, least, most).round() as u64
}

fn one_of(random: &mut Rng, all: &[&'static str]) -> &'static str {
    all[random.usize(0..all.len())]
}
