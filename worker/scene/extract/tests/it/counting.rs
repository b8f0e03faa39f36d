//! The balancer's copies of what the worker counts are not counted: that would slow them down.

use weighbridge_core::features::FeatureSet;
use weighbridge_core::request::RequestSpec;
use weighbridge_instrument::{Counting, Meter, counting, off_reason, prepare};
use weighbridge_scene_extract::extractors;

use crate::learning::Random;
use crate::truth::Render;

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
fn reading_a_scene_counts_nothing() {
    assert_ne!(counting(), Counting::Off, "{}", off_reason().unwrap_or_default());
    prepare();
    let names = ["scene.shapes", "scene.rays"].map(str::to_owned);
    let set = FeatureSet::parse(&names, &extractors()).unwrap();
    let render = Render::random(&mut Random(1));
    let (query, body) = (render.query(), render.body());
    let spec = RequestSpec { query: &query, headers: &[], body_bytes: None, body: &body };
    let meter = Meter::start();
    let features = set.extract(&spec);
    let cost = meter.stop();
    assert!(features.0.iter().all(|number| 0.0 < *number), "{features:?}");
    assert_eq!(cost.basic_blocks, Some(0), "{cost:?}");
}
