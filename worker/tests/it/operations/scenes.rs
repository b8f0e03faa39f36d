//! The ray tracer against its definition.

use image::ImageFormat;
use serde_json::json;
use weighbridge_worker::operations::RayTrace;

use super::{encode, open_data_url, post};
use crate::data::{self, SceneShape};
use crate::reference::raytrace::{self, View};

const VIEW: View = View { scols: 24, srows: 16, wcols: 24, wrows: 16, coff: 0, roff: 0, aa: false };

/// A camera at the origin, two lights, three pigments, and two finishes: the second as given.
const HEAD: &str = "0 0 0  0 0 -1  0 1 0  40
2
0 0 0   .2 .2 .2  1 0 0
10 10 5  1  1  1  1 0.01 .001
3
solid .9 .1 .2
checker 1 1 1  0 0 .3  1.5
gradient 0 0 0  1 0 0  .1 .8 .3  1 1 1
2
.4 .6 .7 30 0 0 0
";

fn check(text: &str, texture: bool, view: View) {
    let image = texture.then(|| data::photo(5, 19, 13, 3));
    let texmap = image.as_ref().map(|image| encode(image, ImageFormat::Png));
    let body = match texmap {
        Some(bytes) => json!({ "scene": text, "texmap": bytes }),
        None => json!({ "scene": text }),
    };
    let View { scols, srows, wcols, wrows, coff, roff, aa } = view;
    let query = format!(
        "scols={scols}&srows={srows}&wcols={wcols}&wrows={wrows}&coff={coff}&roff={roff}&aa={aa}"
    );
    let reply = post(&RayTrace, &query, body.to_string().as_bytes()).unwrap();
    let (head, file) = open_data_url(&reply);
    assert_eq!(head, "data:image/bmp;base64");
    let expected = raytrace::render(text, image, view);
    assert!(file == expected, "{view:?}\n{text}");
    let colours = |file: &[u8]| file[54..].iter().any(|&byte| byte != file[54]);
    assert!(text.lines().last() == Some("0") || colours(&file), "something is seen\n{text}");
}

fn check_shapes(finish: &str, shapes: &[&str]) {
    let text = format!("{HEAD}{finish}\n{}\n{}\n", shapes.len(), shapes.join("\n"));
    check(&text, false, VIEW);
}

#[test]
fn spheres_hide_each_other() {
    check_shapes(
        "0 1 0 1 0 0 0",
        &["0 0 sphere 0 0 -15 3", "1 1 sphere 1 1 -12 1", "2 0 sphere -2 -1 -10 1.5"],
    );
}

#[test]
fn planes_are_seen_from_both_sides() {
    check_shapes("0 1 0 1 0 0 0", &["1 0 plane 0 1 0 2", "2 0 plane 0 -1 .1 3"]);
}

#[test]
fn triangles_have_edges() {
    check_shapes(
        "0 1 0 1 0 0 0",
        &["0 0 triangle -3 -2 -10  3 -2 -12  0 3 -9", "2 0 triangle 0 0 -5  1 0 -5  0 1 -5"],
    );
}

#[test]
fn a_triangle_without_area_is_never_hit() {
    check_shapes(
        "0 1 0 1 0 0 0",
        &[
            "0 0 triangle 0 0 -5  1 0 -5  2 0 -5",
            "0 0 triangle 0 0 -5 0 0 -5 0 0 -5",
            "1 0 sphere 0 0 -9 1",
        ],
    );
}

#[test]
fn of_equally_near_shapes_the_first_counts() {
    check_shapes(
        "0 1 0 1 0 0 0",
        &["0 0 plane 0 0 1 9", "1 0 plane 0 0 1 9", "2 0 triangle -2 -2 -9  2 -2 -9  0 2 -9"],
    );
    check_shapes("0 1 0 1 0 0 0", &["2 0 sphere 0 0 -9 2", "0 0 sphere 0 0 -9 2"]);
}

#[test]
fn mirrors_mirror_each_other() {
    check_shapes(
        ".1 .2 .5 50 .9 0 0",
        &["0 1 sphere -2 0 -10 1.8", "2 1 sphere 2 0 -10 1.8", "1 0 plane 0 1 0 3"],
    );
}

#[test]
fn glass_refracts_and_reflects_totally() {
    for ior in ["1.5", ".5", "1", "0", "2.4"] {
        check_shapes(
            &format!(".1 .2 .5 50 .2 .8 {ior}"),
            &["0 1 sphere 0 0 -8 2", "2 1 sphere 1.5 0 -11 1.8", "1 0 plane 0 1 0 3"],
        );
    }
}

#[test]
fn the_camera_may_be_inside_a_sphere() {
    check_shapes(".2 .7 0 1 .3 .4 1.3", &["1 1 sphere 0 0 0 20", "0 0 sphere 0 0 -8 1"]);
}

#[test]
fn what_is_never_hit_takes_its_place_in_the_order() {
    let points = ["0 "; 48].concat();
    let bezier = format!("0 0 bezier {points}");
    check_shapes(
        "0 1 0 1 0 0 0",
        &[
            "0 0 cylinder 0 0 -5 0 1 0 2",
            "2 1 cone 0 0 -5 0 1 0 2",
            "0 0 disc 0 0 -5 0 0 1 2",
            "0 0 polyhedron 2  1 0 0 1  0 1 0 1",
            "0 0 polyhedron 0",
            "0 0 parallelogram 0 0 -5 1 0 -5 0 1 -5",
            &bezier,
            "1 0 sphere 0 0 -9 1",
        ],
    );
}

#[test]
fn a_scene_without_lights_or_shapes_renders() {
    check(&format!("{HEAD}0 1 0 1 0 0 0\n0"), false, VIEW);
    let dark = "0 0 0 0 0 -1 0 1 0 40\n0\n1\nsolid 1 1 1\n1\n0 1 1 1 0 0 0\n1\n0 0 sphere 0 0 -9 1";
    check(dark, false, VIEW);
}

#[test]
fn windows_offsets_and_anti_aliasing_select_pixels() {
    let shape = SceneShape { shapes: 9, lights: 3, mirrors: true, texture: false };
    let text = data::scene(11, shape);
    let base = View { scols: 40, srows: 30, wcols: 17, wrows: 9, coff: 0, roff: 0, aa: false };
    for (coff, roff, aa) in [(0, 0, true), (11, 13, false), (-3, -9, true), (30, 2, false)] {
        check(&text, false, View { coff, roff, aa, ..base });
    }
    check(&text, false, View { scols: -40, ..base });
    check(&text, false, View { wcols: 1, wrows: 1, aa: true, ..base });
}

#[test]
fn checkers_on_a_lattice_plane_round_as_before() {
    check_shapes("0 1 0 1 0 0 0", &["1 0 plane 0 1 0 3", "1 0 plane 1 0 0 3"]);
}

#[test]
fn generated_scenes_are_what_the_definition_says() {
    for seed in 0..40 {
        let shape = SceneShape {
            shapes: 1 + seed as usize % 23,
            lights: 1 + seed as usize % 4,
            mirrors: seed % 3 == 0,
            texture: seed % 2 == 0,
        };
        check(&data::scene(seed, shape), shape.texture, View { aa: seed % 5 == 0, ..VIEW });
    }
}

#[test]
fn textures_wrap() {
    let text = "0 5 0  0 0 -10  0 1 0  60
1
0 0 0  1 1 1  1 0 0
1
texmap any.bmp  .1 0 0 -.5  0 0 .07 300.25
1
1 0 0 1 0 0 0
1
0 0 plane 0 1 0 1
";
    check(text, true, VIEW);
}
