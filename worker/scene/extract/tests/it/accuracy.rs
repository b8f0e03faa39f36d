//! After 200 random scenes the next 100 are predicted within a few percent.

use weighbridge_core::features::FeatureSet;
use weighbridge_core::request::RequestSpec;
use weighbridge_scene_extract::extractors;

use crate::learning::check;
use crate::truth::Render;

#[test]
fn ray_tracing_of_random_scenes_is_predicted_within_five_percent() {
    let names = [
        "query.wcols * query.wrows",
        "query.wcols * query.wrows * scene.intersections",
        "query.wcols * query.wrows * scene.hits",
    ];
    let set = FeatureSet::parse(&names.map(str::to_owned), &extractors()).unwrap();
    check(&set, 4, |random, set| {
        let render = Render::random(random);
        let (query, body) = (render.query(), render.body());
        let spec = RequestSpec { query: &query, headers: &[], body_bytes: None, body: &body };
        let counts = render.count();
        let cpu_secs = 2e-4
            + counts.pixels as f64 * 4e-8
            + counts.intersections as f64 * 7e-9
            + counts.hits as f64 * 5e-8;
        (set.extract(&spec), cpu_secs)
    });
}
