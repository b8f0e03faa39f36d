//! How well a balancer predicts what films cost.
//!
//! ```text
//! cargo run --release -p weighbridge-worker --features video --example films [REQUESTS]
//! ```
//!
//! Makes films of random photos, sizes, lengths and music. Learns from two thirds of them with the
//! balancer's own model, and prints how far off the rest is, median and 90th percentile: the
//! estimate from the measured work (priced from counts), and from CPU time.

use std::alloc::System;
use std::fmt::Write;
use std::io::Cursor;
use std::process::ExitCode;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::learn::{TrainingSet, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::statistics::quantile;
use weighbridge_core::units::{Speed, Work};
use weighbridge_instrument::{CountingAllocator, Meter, prepare};
use weighbridge_scene_extract::extractors;
use weighbridge_worker::operations::{Limits, OperationRequest, Video, run};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

const FORM: &str = "multipart/form-data; boundary=film";

/// As the default configuration has them, in a comment.
const CONFIGURATION: &str = include_str!("../../deploy/files/weighbridge.toml");

const BUILD: u64 = 1;

/// A film that was made.
struct Made {
    features: Features,
    cost: RequestCost,
    cpu_secs: f64,
    instructions: f64,
    about: String,
}

fn main() -> ExitCode {
    let requests = std::env::args().nth(1).map_or(Ok(240), |requests| requests.parse::<u32>());
    let Ok(requests) = requests else {
        eprintln!("usage: films [REQUESTS]");
        return ExitCode::FAILURE;
    };
    let features = match FeatureSet::parse(&names(), &extractors()) {
        Ok(features) => features,
        Err(mistakes) => {
            eprintln!("the features of the configuration: {mistakes:?}");
            return ExitCode::FAILURE;
        }
    };
    prepare();
    let mut random = fastrand::Rng::with_seed(1);
    let made: Vec<Made> = (0..requests).map(|_| make(&mut random, &features)).collect();
    if std::env::var_os("FILMS_EACH").is_some() {
        for Made { features, cpu_secs, instructions, about, .. } in &made {
            println!("{about}\t{cpu_secs}\t{instructions}\t{:?}", features.0);
        }
    }
    report(&made, &features);
    ExitCode::SUCCESS
}

/// The features of the route `video`.
fn names() -> Vec<String> {
    let lines = CONFIGURATION.lines().filter_map(|line| line.strip_prefix("#         \"film."));
    lines.filter_map(|line| Some(format!("film.{}", line.strip_suffix("\",")?))).collect()
}

fn report(made: &[Made], features: &FeatureSet) {
    let observations: Vec<Observation> = made.iter().map(observation).collect();
    let (learned, judged) = observations.split_at(made.len() * 2 / 3);
    let set = TrainingSet {
        names: features.names().to_vec(),
        is_auto: false,
        observations: learned.to_vec(),
        build: BUILD,
    };
    let model = match train(&set, 1) {
        Ok(model) => model,
        Err(error) => return eprintln!("{error}"),
    };
    let mut predictor = predictor(features);
    learned.iter().for_each(|one| predictor.observe(one));
    predictor.install(model);
    let (mut of_work, mut of_cpu, mut priced) = (Vec::new(), Vec::new(), Vec::new());
    for one in judged {
        let estimate = predictor.estimate(&one.features, None).mean.as_cpu_secs();
        let cpu_secs = one.cost.cpu_seconds.unwrap_or(f64::NAN);
        let work = predictor.price(&one.cost, Speed::ONE).map_or(cpu_secs, Work::as_cpu_secs);
        of_work.push((estimate / work - 1.0).abs());
        of_cpu.push((estimate / cpu_secs - 1.0).abs());
        priced.push((work / cpu_secs - 1.0).abs());
    }
    println!("{} learned from, {} judged", learned.len(), judged.len());
    for (name, errors) in
        [("estimate of work", of_work), ("estimate of CPU time", of_cpu), ("price", priced)]
    {
        let [median, p90] = [0.5, 0.9].map(|at| 100.0 * quantile(&errors, at).unwrap_or(f64::NAN));
        println!("{name}: off by {median:.1} %, {p90:.1} % (median, 90th percentile)");
    }
}

fn predictor(features: &FeatureSet) -> weighbridge_core::learn::Predictor {
    let route = RoutePolicy {
        name: "video".to_owned(),
        features: features.clone(),
        prior: Work::saturating(5.0),
        work_min: Work::ZERO,
        work_max: Work::saturating(600.0),
        patience: std::time::Duration::ZERO,
        idempotent: Some(true),
        tries_max: None,
        function: None,
    };
    let learn =
        LearnPolicy { window: 1000, observations_min: 20, retrain_after: 50, drift_error_max: 1.0 };
    weighbridge_core::learn::Predictor::new(&route, &learn)
}

fn observation(made: &Made) -> Observation {
    Observation {
        route: RouteId(0),
        features: made.features.clone(),
        estimated: None,
        cost: made.cost,
        work: Work::saturating(made.cpu_secs),
        speed: Speed::ONE,
        build: BUILD,
    }
}

/// Makes a random film.
fn make(random: &mut fastrand::Rng, features: &FeatureSet) -> Made {
    let (body, about) = form(random);
    let headers = [("content-type", FORM)];
    let spec = RequestSpec { query: "", headers: &headers, body_bytes: None, body: &body };
    let features = features.extract(&spec);
    let request =
        OperationRequest { query: "", content_type: Some(FORM), accept: None, body: &body };
    let meter = Meter::start();
    let reply = run(&Video, &request, &Limits::default());
    let cost = meter.stop();
    assert!(reply.is_ok(), "the request is a good one");
    let count = |count: Option<u64>| count.map(|count| count as f64);
    Made {
        features,
        cpu_secs: cost.cpu_seconds.unwrap_or(f64::NAN),
        instructions: count(cost.instructions).unwrap_or(f64::NAN),
        cost: RequestCost {
            instructions: count(cost.instructions),
            basic_blocks: count(cost.basic_blocks),
            methods: count(cost.methods),
            cpu_seconds: cost.cpu_seconds,
            bytes_allocated: count(cost.bytes_allocated),
        },
        about,
    }
}

/// A form, and what is in it.
fn form(random: &mut fastrand::Rng) -> (Vec<u8>, String) {
    let mut body = Vec::new();
    let mut about = String::new();
    let (width, height) =
        random.choice([(320, 240), (640, 360), (854, 480), (1280, 720)]).unwrap_or((640, 360));
    let fields = [
        ("width", width.to_string()),
        ("height", height.to_string()),
        ("fps", random.choice(["10", "15", "25", "30"]).unwrap_or("25").to_owned()),
        ("seconds", format!("{:.2}", 0.3 + 2.5 * random.f64())),
        ("fade", format!("{:.2}", 1.2 * random.f64() * f64::from(random.u8(0..4).min(1)))),
    ];
    for (name, value) in fields {
        let _ = write!(about, "{name}={value} ");
        part(&mut body, name, value.as_bytes());
    }
    let photos = random.u32(1..9);
    let _ = write!(about, "photos={photos}");
    for _ in 0..photos {
        let photo = photo(random);
        part(&mut body, "photos\"; filename=\"photo", &photo);
    }
    if random.bool() {
        let music = wav(random);
        about.push_str(" music");
        part(&mut body, "music\"; filename=\"music", &music);
    }
    body.extend(b"--film--");
    (body, about)
}

fn part(body: &mut Vec<u8>, name: &str, content: &[u8]) {
    let head = format!("--film\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    body.extend(head.as_bytes());
    body.extend(content);
    body.extend(b"\r\n");
}

/// Waves, edges and a camera's grain, in a random format.
fn photo(random: &mut fastrand::Rng) -> Vec<u8> {
    let side = |random: &mut fastrand::Rng| (300.0 * 10_f64.powf(random.f64())) as u32;
    let (width, height) = (side(random), side(random));
    let waves: [f64; 8] = std::array::from_fn(|_| 0.004 + 0.06 * random.f64() * random.f64());
    let grain = random.u8(1..24);
    let edge = random.f64();
    let image = RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let is_above = y < edge * f64::from(height) + 40.0 * (waves[7] * x).sin();
        let level = |nth: usize| {
            let wave = (waves[nth] * x).sin() + (waves[nth + 3] * y).cos();
            (110.0 + 40.0 * wave + if is_above { 40.0 } else { 0.0 }) as u8
        };
        let noise = random.u8(0..grain);
        Rgb([0, 1, 2].map(|nth| level(nth).saturating_add(noise)))
    });
    let mut file = Cursor::new(Vec::new());
    let written = if random.u8(0..4) == 0 {
        image.write_to(&mut file, ImageFormat::Png)
    } else {
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut file, random.u8(60..95)))
    };
    written.expect("it is written to memory");
    file.into_inner()
}

/// Some seconds of noise and tones.
fn wav(random: &mut fastrand::Rng) -> Vec<u8> {
    let rate = random.choice([22_050_u32, 44_100, 48_000]).unwrap_or(44_100);
    let channels = random.u16(1..3);
    let frames = (f64::from(rate) * (1.0 + 9.0 * random.f64())) as u32;
    let data_bytes = frames * u32::from(channels) * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(data_bytes.to_le_bytes());
    let pitch = 0.01 + 0.1 * random.f64();
    for nth in 0..frames {
        for _ in 0..channels {
            let sample = (8000.0 * (f64::from(nth) * pitch).sin()) as i16 + random.i16(-500..500);
            file.extend(sample.to_le_bytes());
        }
    }
    file
}
