//! After 200 requests of random sizes the next 100 are predicted within a few percent.

use weighbridge_core::features::{FeatureSet, extractors};
use weighbridge_core::request::RequestSpec;

use crate::learning::{Random, Request, check};

fn features(names: &[&str]) -> FeatureSet {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    FeatureSet::parse(&names, extractors::ALL).unwrap()
}

/// An image request whose cost is linear in its pixels, give or take two percent.
fn image(random: &mut Random, set: &FeatureSet, per_pixel: f64) -> Request {
    let [width, height] = [(); 2].map(|()| random.whole(30, 2000) as u16);
    let mut body = b"\xff\xd8\xff\xc0\0\x11\x08".to_vec();
    body.extend(height.to_be_bytes());
    body.extend(width.to_be_bytes());
    body.extend([3, 0, 0, 0, 0, 0, 0, 0, 0]);
    let pixels = f64::from(width) * f64::from(height);
    let body_bytes = Some((pixels * random.between(0.05, 0.6)) as u64);
    let spec = RequestSpec { query: "", headers: &[], body_bytes, body: &body };
    let cpu_secs = (0.0004 + pixels * per_pixel) * random.noise(0.02);
    (set.extract(&spec), cpu_secs)
}

const IMAGE: [&str; 2] = ["body.image.pixels", "body.bytes"];

#[test]
fn blur_like_requests_are_predicted_within_five_percent() {
    check(&features(&IMAGE), 1, |random, set| image(random, set, 1.1e-7));
}

#[test]
fn enhance_like_requests_are_predicted_within_five_percent() {
    check(&features(&IMAGE), 2, |random, set| image(random, set, 4.3e-7));
}

#[test]
fn sides_are_multiplied_where_nobody_declared_the_product() {
    let sides = features(&["body.image.width", "body.image.height"]);
    check(&sides, 3, |random, set| image(random, set, 2e-7));
}
