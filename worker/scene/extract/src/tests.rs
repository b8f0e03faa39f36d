use proptest::prelude::*;

use weighbridge_core::features::{FEATURE_MAX, FeatureSet};
use weighbridge_core::request::RequestSpec;

use super::*;

/// Two lamps; a mirror ball over a floor.
const SCENE: &str = "0 0 0  0 0 -1  0 1 0  40
3  0 0 0 .2 .2 .2 1 0 0   10 100 10 1 1 1 1 0 0   100 100 100 1 1 1 1 0 0
2  solid 1 0 0   checker 0 0 1 1 1 1 2
2  .4 .6 0 1 0 0 0   .4 .6 .7 500 .5 0 0
3
0 1 sphere 0 0 -15 3
1 0 plane 0 1 0 4
0 0 cylinder 0 0 0 1 1 1 3
";

const WINDOW: &str = "scols=40&srows=30&wcols=40&wrows=30&coff=0&roff=0";

fn set(names: &[&str]) -> FeatureSet {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    FeatureSet::parse(&names, &extractors()).unwrap()
}

fn numbers(set: &FeatureSet, query: &str, body: &[u8]) -> Vec<f64> {
    set.extract(&RequestSpec { query, headers: &[], body_bytes: None, body }).0.to_vec()
}

/// Checks the features of a request; one expression and its value a line.
fn check(query: &str, body: &[u8], expected: &str) {
    let lines: Vec<(&str, &str)> =
        expected.trim().lines().map(|line| line.rsplit_once(" = ").unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let values = numbers(&set(&names), query, body);
    let got = names.iter().zip(values).map(|(name, value)| format!("{name} = {value}"));
    assert_eq!(got.collect::<Vec<_>>().join("\n"), expected.trim());
}

fn body(scene: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "texmap": [1, 2, 3], "scene": scene })).unwrap()
}

#[test]
fn a_scene_is_counted() {
    check(
        "",
        &body(SCENE),
        "
scene.shapes = 3
scene.solids = 2
scene.spheres = 1
scene.planes = 1
scene.triangles = 0
scene.lights = 3
scene.pigments = 2
scene.finishes = 2
scene.rays = 0
",
    );
}

#[test]
fn shapes_are_tried_as_the_ray_tracer_tries_them() {
    // Looking down at the floor from between five balls that no ray meets; one light above, which a
    // triangle blocks.
    let balls = "0 0 sphere 99 0 0 1 ".repeat(5);
    let scene = format!(
        "0 1 0  0 0 0  0 0 1  20  2 0 0 0 1 1 1 1 0 0  0 9 0 1 1 1 1 0 0  1 solid 1 1 1 \
         1 1 1 1 1 0 0 1  8 {balls} 0 0 plane 0 1 0 0 \
         0 0 triangle -9 5 -9  9 5 -9  0 5 9  0 0 triangle -9 7 -9  9 7 -9  0 7 9"
    );
    check(
        "scols=40&srows=40&wcols=40&wrows=40&coff=0&roff=0",
        &body(&scene),
        "
scene.rays = 2
scene.shadows = 1
scene.hits = 1
scene.lit = 0
scene.sphere_tests = 4
scene.spheres_met = 0
scene.plane_tests = 2
scene.triangle_tests = 3
scene.triangles_met = 1",
    );
}

#[test]
fn an_empty_view_takes_one_ray_for_a_pixel() {
    let scene = SCENE.replace("0 0 -1  0 1 0", "0 1 0  0 0 1");
    check(
        &format!("{WINDOW}&aa=TRUE"),
        &body(&scene),
        "
scene.rays = 4
scene.shadows = 0
scene.intersections = 8
scene.hits = 0
scene.lit = 0
",
    );
}

/// A row of the window is as far down as `roff` says, and no sample lies outside the window.
#[test]
fn only_what_the_window_sees_is_sampled() {
    let set = set(&["scene.hits"]);
    let hits = |wrows: i32, roff: i32| {
        let query = format!("scols=40&srows=30&wcols=40&wrows={wrows}&coff=0&roff={roff}");
        numbers(&set, &query, &body(SCENE))
    };
    // The floor fills the lower half of the picture, the ball its middle, and nothing its top.
    assert_eq!([hits(4, 0), hits(4, -26)], [[1.0], [0.0]]);
    assert!([0.0][..] < hits(20, -5)[..]);
}

#[test]
fn a_malformed_scene_counts_nothing() {
    let cut = &SCENE[..SCENE.len() - 4];
    let huge = SCENE.replace("\n3\n", "\n1e300\n");
    let bodies = [cut, &huge, "", "1 2 x"].map(body);
    let others = [&b"{"[..], b"", b"[1]", b"{\"scene\": 5}", b"{\"scene\": [1, 2]}"];
    for body in bodies.iter().map(Vec::as_slice).chain(others) {
        check(WINDOW, body, "scene.shapes = 0\nscene.lights = 0\nscene.rays = 0");
    }
}

#[test]
fn a_query_that_asks_for_no_window_sees_no_rays() {
    for query in ["", "wcols=9", "scols=0&srows=1&wcols=1&wrows=1&coff=0&roff=0", "scols=x"] {
        check(query, &body(SCENE), "scene.shapes = 3\nscene.rays = 0\nscene.lit = 0");
    }
}

#[test]
fn the_first_shapes_stand_for_very_many() {
    let ball = "0 0 sphere 0 0 -15 3\n";
    let scene = SCENE.replace("\n3\n", &format!("\n100000\n{}", ball.repeat(100_000)));
    check(
        "",
        &body(&scene),
        "
scene.shapes = 100000
scene.spheres = 100000
scene.planes = 0
",
    );
    // What a ray is tried on is counted in full, though it is tried on a sparse part of it.
    let names = ["scene.intersections + -100000 * scene.rays"];
    assert_eq!(numbers(&set(&names), WINDOW, &body(&scene)), [0.0]);
}

/// Of the extractors' budget of tests: see `sample`.
#[test]
fn the_sample_is_bounded_whatever_the_scene_is() {
    use std::fmt::Write;

    let mut scene = "0 0 0  0 0 -1  0 1 0  60\n4000\n".to_owned();
    (0..4000).for_each(|_| scene += "0 9 0 1 1 1 1 0 0\n");
    scene += "1 solid 1 1 1 1 0 0 0 1 .5 .5 1.5 4000\n";
    for nth in 0..4000 {
        writeln!(scene, "0 0 sphere {} {} -{} 2", nth % 13 - 6, nth % 7 - 3, 5 + nth % 20).unwrap();
    }
    let outline = weighbridge_scene::outline(&scene).unwrap();
    let query = "scols=9000&srows=9000&wcols=9000&wrows=9000&coff=0&roff=0&aa=true";
    let view = weighbridge_scene::View::parse(query, u64::MAX).unwrap();
    let rays = crate::sample::rays(outline, &view);
    assert!(rays.n_tests() <= 16_000, "{rays:?}");
}

#[test]
fn mistakes_name_every_registered_extractor() {
    let mistakes = FeatureSet::parse(&["scene.colour".to_owned()], &extractors()).unwrap_err();
    let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
    let message = mistake.to_string();
    for extractor in extractors() {
        assert!(message.contains(&format!("`{}`", extractor.syntax())), "{message}");
    }
    let core = weighbridge_core::features::extractors::ALL;
    let mistake = FeatureSet::parse(&["scene.rays".to_owned()], core).unwrap_err();
    assert!(!mistake[0].to_string().contains("scene.{"), "{mistake:?}");
}

fn every_field() -> FeatureSet {
    let counts = ["shapes", "solids", "lights", "pigments", "finishes"];
    let rays = ["rays", "intersections", "hits", "lit", "sphere_tests", "triangles_met"];
    let names: Vec<String> =
        counts.into_iter().chain(rays).map(|field| format!("scene.{field} * 2")).collect();
    FeatureSet::parse(&names, &extractors()).unwrap()
}

fn assert_finite(query: &str, body: &[u8]) {
    let values = numbers(&every_field(), query, body);
    assert_eq!(values.len(), 11);
    assert!(values.iter().all(|value| value.abs() <= FEATURE_MAX), "{values:?}");
}

/// Tokens of a scene, some of them wrong.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => (-5_i32..40).prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec!["sphere", "plane", "triangle", "solid", "bezier", "1e999"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..80).prop_map(|tokens| tokens.join(" "))
}

/// A well-formed scene of whatever numbers.
fn wild_scene() -> impl Strategy<Value = String> {
    let number = prop_oneof![-9.0..9.0_f64, any::<f64>()];
    prop::collection::vec(number, 40).prop_map(|numbers| {
        let text = |range: std::ops::Range<usize>| {
            numbers[range].iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
        };
        format!(
            "{} 2 {} {} 1 solid 1 1 1 1 {} 3 0 0 sphere {} 0 0 plane {} 0 0 triangle {}",
            text(0..10),
            text(10..19),
            text(10..19),
            text(16..23),
            text(23..27),
            text(27..31),
            text(31..40)
        )
    })
}

/// A good scene, of which some tokens are replaced by others.
fn damaged_scene() -> impl Strategy<Value = String> {
    prop::collection::vec((0_usize..200, tokens()), 0..4).prop_map(|changes| {
        let mut words: Vec<&str> = SCENE.split_whitespace().collect();
        let n_words = words.len();
        for (place, token) in &changes {
            words[place % n_words] = token.split(' ').next().unwrap_or_default();
        }
        words.join(" ")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_scene_gives_finite_features(
        scene in prop_oneof![tokens(), wild_scene(), damaged_scene(), ".{0,60}"],
        sides in prop::array::uniform4(prop_oneof![(-3_i32..500).prop_map(f64::from), any::<f64>()]),
        window in any::<[i32; 6]>(),
    ) {
        let [scols, srows, wcols, coff] = sides;
        let query = format!("scols={scols}&srows={srows}&wcols={wcols}&wrows=9&coff={coff}&roff=0");
        assert_finite(&query, &body(&scene));
        assert_finite(WINDOW, &body(&scene));
        let [scols, srows, wcols, wrows, coff, roff] = window;
        let query = format!(
            "scols={scols}&srows={srows}&wcols={wcols}&wrows={wrows}&coff={coff}&roff={roff}"
        );
        assert_finite(&query, &body(&scene));
    }

    #[test]
    fn any_bytes_give_finite_features(
        query in "(scols|wrows|aa|[a-z&=]{0,3})=[-0-9a-f.]{0,9}",
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        assert_finite(&query, &body);
    }
}
