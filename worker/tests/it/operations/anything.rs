//! Whatever is sent, an operation answers: it replies or says what is wrong, and never panics.

use image::ImageFormat;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use weighbridge_worker::operations::{
    ALL, Blur, Enhance, Limits, Operation, OperationRequest, RayTrace, run,
};

use super::{data_url, encode};
use crate::data::{self, SceneShape};

/// Small enough that no case takes long.
const LIMITS: Limits = Limits {
    body_bytes: 64 << 10,
    image_pixels: 64 << 10,
    output_pixels: 400,
    shapes: 20,
    lights: 5,
    texture_bytes: 16 << 10,
    recursion_depth: Limits::RECURSION_DEPTH_NEEDED,
};

fn answers(operation: &dyn Operation, query: &str, content_type: Option<&str>, body: &[u8]) {
    let accept = Some("image/png, */*;q=0.5");
    let request = OperationRequest { query, content_type, accept, body };
    match run(operation, &request, &LIMITS) {
        Ok(reply) => assert!(!reply.body.is_empty()),
        Err(error) => {
            assert!((400..500).contains(&error.status()), "{error}");
            assert!(error.field().is_some() && !error.is_abandoned(), "{error}");
        }
    }
}

/// Changes bytes, and cuts the end off.
fn mutate(mut bytes: Vec<u8>, changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let n = bytes.len();
    for &(place, value) in changes {
        bytes[place % n] = value;
    }
    bytes.truncate(n - cut % n);
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    vec((any::<usize>(), any::<u8>()), 0..6)
}

fn cut() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => any::<usize>()]
}

/// Numbers that have been trouble somewhere.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (-30.0..30.0).prop_map(|x: f64| x.to_string()),
        (-4..4).prop_map(|x: i32| x.to_string()),
        Just("1e308".to_owned()),
        Just("-1e-308".to_owned()),
        Just("nan".to_owned()),
        Just("sphere".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(body in vec(any::<u8>(), 0..200), query in ".{0,60}") {
        for &operation in ALL {
            answers(operation, &query, None, &body);
            answers(operation, &query, Some("image/png"), &body);
        }
    }

    #[test]
    fn damaged_files(format in 0_usize..5, changes in changes(), cut in cut(), bands in 1_usize..5) {
        let formats =
            [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff];
        let bands = if format == 0 { bands } else { 3 };
        let file = encode(&data::photo(1, 21, 17, bands), formats[format]);
        let file = mutate(file, &changes, cut);
        answers(&Blur, "", Some("image/any"), &file);
        answers(&Enhance, "", None, data_url("jpg", &file).as_bytes());
    }

    #[test]
    fn damaged_texts(changes in changes(), cut in cut()) {
        let body = data_url("png", &encode(&data::photo(1, 21, 17, 3), ImageFormat::Png));
        answers(&Blur, "", None, &mutate(body.into_bytes(), &changes, cut));
    }

    #[test]
    fn damaged_scenes(seed: u64, changes in changes(), cut in cut(), roff: i32, aa: bool) {
        let shape = SceneShape { shapes: 6, lights: 2, mirrors: seed % 2 == 0, texture: false };
        let scene = mutate(data::scene(seed, shape).into_bytes(), &changes, cut);
        let body = json!({ "scene": String::from_utf8_lossy(&scene) }).to_string();
        let query = format!("scols=9&srows=-7&wcols=6&wrows=5&coff=-1&roff={roff}&aa={aa}");
        answers(&RayTrace, &query, None, body.as_bytes());
    }

    #[test]
    fn strange_numbers(changes in vec((any::<usize>(), number()), 1..8), wcols: i32, scols: i32) {
        let shape = SceneShape { shapes: 6, lights: 2, mirrors: true, texture: true };
        let scene = data::scene(3, shape);
        let mut tokens: Vec<&str> = scene.split_whitespace().collect();
        for (place, token) in &changes {
            let n = tokens.len();
            tokens[place % n] = token;
        }
        let texmap = encode(&data::photo(1, 5, 4, 3), ImageFormat::Png);
        let body = json!({ "scene": tokens.join(" "), "texmap": texmap }).to_string();
        for wcols in [6, wcols % 30] {
            let query = format!("scols={scols}&srows=7&wcols={wcols}&wrows=5&coff=0&roff=0");
            answers(&RayTrace, &query, None, body.as_bytes());
        }
    }
}
