//! What is wrong with a request, and what is said about it.

use image::ImageFormat;
use serde_json::{Value, json};
use weighbridge_instrument::{Interrupt, interruptible};
use weighbridge_worker::operations::{
    ALL, Blur, Enhance, Limits, Operation, OperationError, OperationRequest, RayTrace, by_path, run,
};

use super::{data_url, encode, post};
use crate::data;

const QUERY: &str = "scols=8&srows=6&wcols=8&wrows=6&coff=0&roff=0";

const SCENE: &str = "0 0 0  0 0 -1  0 1 0  30
2
0 0 0   .2 .2 .2  1 0 0
9 9 9   1 1 1     1 0 0
2
solid 1 0 0
checker 1 1 1 0 0 0 2
1
.4 .6 .7 30 0 0 0
2
0 0 sphere 0 0 -9 1
1 0 plane 0 1 0 3
";

fn tiny_png() -> Vec<u8> {
    encode(&data::photo(1, 4, 3, 3), ImageFormat::Png)
}

fn explain(error: &OperationError) -> String {
    format!("{} {}: {error}", error.status(), error.field().unwrap_or("-"))
}

fn check_post(operation: &dyn Operation, query: &str, body: &[u8], expected: &str) {
    let error = post(operation, query, body).expect_err(expected);
    assert_eq!(explain(&error), expected);
}

fn check_image(body: &str, expected: &str) {
    check_post(&Blur, "", body.as_bytes(), expected);
    check_post(&Enhance, "", body.as_bytes(), expected);
}

fn check_query(query: &str, expected: &str) {
    let body = json!({ "scene": SCENE }).to_string();
    check_post(&RayTrace, query, body.as_bytes(), expected);
}

fn check_json(body: &Value, expected: &str) {
    check_post(&RayTrace, QUERY, body.to_string().as_bytes(), expected);
}

/// Replaces `from`, which the scene has, by `to`.
fn check_scene(from: &str, to: &str, expected: &str) {
    assert!(SCENE.contains(from), "{from} is in the scene");
    check_json(&json!({ "scene": SCENE.replacen(from, to, 1) }), expected);
}

fn check_limit(operation: &dyn Operation, body: &[u8], limits: Limits, expected: &str) {
    let request = OperationRequest { query: QUERY, content_type: None, accept: None, body };
    let error = run(operation, &request, &limits).expect_err(expected);
    assert_eq!(explain(&error), expected);
}

#[test]
fn the_valid_request_is_valid() {
    let body = json!({ "scene": SCENE }).to_string();
    post(&RayTrace, QUERY, body.as_bytes()).unwrap();
}

#[test]
fn a_path_names_its_operation_by_its_start() {
    let served_at = |path: &str| by_path(path).map(Operation::name);
    for &operation in ALL {
        assert_eq!(served_at(operation.path()), Some(operation.name()));
        assert_eq!(served_at(&format!("{}/x", operation.path())), Some(operation.name()));
    }
    assert_eq!(served_at("/"), None);
    assert_eq!(served_at("/blur"), None);
}

#[test]
fn an_empty_body_is_refused_at_once() {
    for &operation in ALL {
        check_post(operation, QUERY, b"", "400 body: the body is empty");
    }
}

#[test]
fn what_is_no_image_is_told_so() {
    let neither =
        "400 body: the body is neither `data:image/FMT;base64,...` nor announced as `image/*`";
    for body in ["hello", "data:text/plain;base64,AAAA", "data:", "{}", " "] {
        check_image(body, neither);
    }
    let not_base64 = "400 body: the data URL has no `;base64,` in front of its data";
    for body in ["data:image/png", "data:image/png,AAAA", "data:image/png;utf8,AAAA"] {
        check_image(body, not_base64);
    }
    check_image(&format!("data:image/png;{};base64,AAAA", "x".repeat(999)), not_base64);
    check_image("data:image/;base64,AAAA", "400 body: the data URL names no image format");
    check_image("data:image/png;base64,", "400 body: the data URL has no data");
    check_image("data:image/png;base64, \n", "400 body: the data URL has no data");
    check_image("data:image/png;base64,AA*A", "400 body: the base64 text is malformed");
    check_image("data:image/png;base64,A", "400 body: the base64 text is malformed");
    check_image("data:image/png;base64,AA==AAAA", "400 body: the base64 text is malformed");
    let unknown = "400 body: the image is not a JPEG, PNG, BMP, GIF or TIFF file";
    check_image("data:image/png;base64,aGVsbG8gd29ybGQ=", unknown);
}

#[test]
fn a_format_that_cannot_be_written_is_unsupported() {
    let file = tiny_png();
    for name in ["webp", "svg+xml", "pn", "*"] {
        let expected =
            format!("415 body: cannot write `image/{name}`, only jpeg, png, bmp, gif and tiff");
        check_image(&data_url(name, &file), &expected);
    }
}

#[test]
fn a_media_type_that_cannot_be_written_is_not_acceptable() {
    let request = OperationRequest {
        query: "",
        content_type: Some("image/png"),
        accept: Some("image/webp, image/png;q=0"),
        body: &tiny_png(),
    };
    let error = run(&Blur, &request, &Limits::default()).unwrap_err();
    assert_eq!(
        explain(&error),
        "406 accept: cannot write any of `image/webp, image/png;q=0`, \
         only jpeg, png, bmp, gif and tiff"
    );
}

#[test]
fn a_damaged_file_cannot_be_decoded() {
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff] {
        let file = encode(&data::photo(1, 40, 30, 3), format);
        let half = data_url("png", &file[..file.len() / 2]);
        for operation in [&Blur as &dyn Operation, &Enhance] {
            let error = post(operation, "", half.as_bytes()).unwrap_err();
            let text = explain(&error);
            assert!(text.starts_with("400 body: cannot decode the image: "), "{format:?}: {text}");
        }
    }
}

#[test]
fn a_side_may_be_too_long_for_the_format() {
    let long = encode(&data::gradient(65_536, 1, 1), ImageFormat::Png);
    check_image(&data_url("jpg", &long), "422 body: cannot write the image as `image/jpeg`");
    check_image(&data_url("gif", &long), "422 body: cannot write the image as `image/gif`");
}

#[test]
fn parameters_are_required() {
    for name in ["scols", "srows", "wcols", "wrows", "coff", "roff"] {
        let query = QUERY.replace(&format!("{name}="), "other=");
        check_query(&query, &format!("400 {name}: the query has no `{name}`"));
    }
    check_query("", "400 scols: the query has no `scols`");
}

#[test]
fn parameters_are_integers_of_32_bits() {
    for value in ["", "x", "1.0", "1e3", "0x10", "--1", "2147483648", "99999999999999999999"] {
        let query = QUERY.replace("coff=0", &format!("coff={value}"));
        let expected = format!("400 coff: `coff` is `{value}`, expected an integer of 32 bits");
        check_query(&query, &expected);
    }
    let query = QUERY.replace("coff=0", "coff=%00%0a");
    check_query(&query, "400 coff: `coff` is `\\0\\n`, expected an integer of 32 bits");
}

#[test]
fn sizes_have_a_range() {
    for (value, name) in [("0", "wcols"), ("-1", "wcols"), ("0", "wrows"), ("-2147483648", "wrows")]
    {
        let query = format!("{QUERY}&{name}={value}");
        let expected = format!("400 {name}: `{name}` is `{value}`, expected a number above zero");
        check_query(&query, &expected);
    }
    for name in ["scols", "srows"] {
        let query = format!("{QUERY}&{name}=-0");
        check_query(&query, &format!("400 {name}: `{name}` is `0`, expected anything but zero"));
    }
}

#[test]
fn the_last_duplicate_counts_and_the_query_is_decoded() {
    let body = json!({ "scene": SCENE }).to_string();
    let render = |query: &str| post(&RayTrace, query, body.as_bytes()).unwrap();
    let plain = render(&format!("{QUERY}&aa=true"));
    assert_ne!(plain, render(QUERY), "anti-aliasing is visible");
    for query in [
        format!("wcols=x&{QUERY}&aa=no&aa=TRUE&multi=true&&unknown&=&%zz"),
        format!("{}&%61a=tr%75e", QUERY.replace("wcols=8", "wcols=%38").replace("=0", "=+0")),
    ] {
        assert_eq!(plain, render(&query), "{query}");
    }
    assert_eq!(render(&format!("{QUERY}&aa=true&aa=")), render(QUERY));
}

#[test]
fn the_body_is_json() {
    let expected = |place: &str| {
        let body = "`{\"scene\": \"...\", \"texmap\": [byte, ...]}`";
        format!("400 body: the body is not {body}: {place}")
    };
    for (body, place) in [
        (&b"x"[..], "line 1, column 1"),
        (b"[1]", "line 1, column 2"),
        (b"{\"scene\": 1}", "line 1, column 11"),
        (b"{\n\"scene\": \"", "line 2, column 10"),
        (b"\"text\"", "line 1, column 6"),
        (b"{}\n\n {}", "line 3, column 2"),
        (b"{\"scene\": \"\xff\"}", "line 1, column 12"),
    ] {
        check_post(&RayTrace, QUERY, body, &expected(place));
    }
    let deep = format!("{{\"x\": {}", "[".repeat(100_000));
    check_post(&RayTrace, QUERY, deep.as_bytes(), &expected("line 1, column 100006"));
    let bytes = [("[256]", 5), ("[-129]", 6), ("[\"1\"]", 4), ("[1.5]", 4), ("\"AAAA\"", 6)];
    for (bytes, column) in bytes {
        let body = format!("{{\"scene\": \"\",\n\"texmap\":\n{bytes}}}");
        let expected = expected(&format!("line 3, column {column}"));
        check_post(&RayTrace, QUERY, body.as_bytes(), &expected);
    }
    check_json(&json!({}), "400 scene: the body has no `scene`");
    check_json(&json!({ "scene": null }), "400 scene: the body has no `scene`");
}

#[test]
fn a_scene_may_end_too_early_anywhere() {
    let tokens: Vec<&str> = SCENE.split_whitespace().collect();
    for n in 0..tokens.len() {
        let body = json!({ "scene": tokens[..n].join(" ") }).to_string();
        let error = post(&RayTrace, QUERY, body.as_bytes()).unwrap_err();
        let text = explain(&error);
        assert!(text.starts_with("400 scene: the scene ends where "), "{n} tokens: {text}");
    }
}

#[test]
fn what_follows_the_scene_and_crlf_are_ignored() {
    let render = |scene: &str| {
        let body = json!({ "scene": scene }).to_string();
        post(&RayTrace, QUERY, body.as_bytes()).unwrap()
    };
    let expected = render(SCENE);
    assert_eq!(expected, render(&SCENE.replace('\n', "\r\n\t ")));
    assert_eq!(expected, render(&format!("{SCENE} and more 1 2 3")));
}

#[test]
fn scenes_are_made_of_finite_numbers_and_known_words() {
    for token in ["NaN", "inf", "-Infinity", "1e999", "x", "1,5", "0x1"] {
        let expected =
            format!("400 scene: line 11 of the scene has `{token}` where a radius was expected");
        check_scene("-9 1\n", &format!("-9 {token}\n"), &expected);
    }
    check_scene(
        ".4 .6",
        "1e39 .6",
        "400 scene: line 9 of the scene has `1e39` where a factor of a finish was expected",
    );
    check_scene(
        "solid",
        "Solid\u{7}",
        "400 scene: line 6 of the scene has `Solid\\u{7}` where a pigment was expected",
    );
    check_scene(
        "sphere",
        &"torus".repeat(99),
        &format!(
            "400 scene: line 11 of the scene has `{}to` where a shape was expected",
            "torus".repeat(6)
        ),
    );
    for count in ["-1", "1.0", "99999999999999999999999"] {
        check_scene(
            "30\n2\n",
            &format!("30\n{count}\n"),
            &format!(
                "400 scene: line 2 of the scene has `{count}` \
                 where the number of lights was expected"
            ),
        );
    }
}

#[test]
fn pigments_and_finishes_exist() {
    check_scene(
        "1 0 plane",
        "2 0 plane",
        "400 scene: line 12 of the scene has the pigment `2`, but there are only 2",
    );
    check_scene(
        "1 0 plane",
        "1 1 plane",
        "400 scene: line 12 of the scene has the finish `1`, but there are only 1",
    );
    check_scene(
        "1 0 plane",
        "-1 0 plane",
        "400 scene: line 12 of the scene has `-1` where pigment was expected",
    );
}

#[test]
fn a_count_alone_costs_nothing() {
    check_scene(
        "2\nsolid",
        "4000000000\nsolid",
        "400 scene: line 8 of the scene has `1` where a pigment was expected",
    );
    check_scene(
        "sphere",
        "polyhedron 18446744073709551615",
        "400 scene: line 12 of the scene has `plane` where a number of a shape was expected",
    );
}

#[test]
fn a_texture_is_needed_and_has_to_be_an_image() {
    let scene = SCENE.replace("solid 1 0 0", "texmap any.bmp 1 0 0 0 0 1 0 0");
    let missing = "400 texmap: the scene has a texmap pigment, but `texmap` is missing or empty";
    check_json(&json!({ "scene": scene }), missing);
    check_json(&json!({ "scene": scene, "texmap": [] }), missing);
    check_json(&json!({ "scene": scene, "texmap": null }), missing);
    check_json(
        &json!({ "scene": scene, "texmap": [1, 2, 3] }),
        "400 texmap: the texture cannot be read: \
         the image is not a JPEG, PNG, BMP, GIF or TIFF file",
    );
}

#[test]
fn bytes_of_a_texture_may_be_signed() {
    let scene = SCENE.replace("solid 1 0 0", "texmap any.bmp 1 0 0 0 0 1 0 0");
    let file = tiny_png();
    let signed: Vec<i8> = file.iter().map(|&byte| byte.cast_signed()).collect();
    let render = |texmap: Value| {
        let body = json!({ "scene": scene, "texmap": texmap }).to_string();
        post(&RayTrace, QUERY, body.as_bytes()).unwrap()
    };
    assert_eq!(render(json!(file)), render(json!(signed)));
}

#[test]
fn every_limit_says_which_it_is() {
    let limits = Limits::default();
    let image = data_url("png", &tiny_png()).into_bytes();
    let scene = json!({ "scene": SCENE }).to_string().into_bytes();
    check_limit(
        &Blur,
        &image,
        Limits { body_bytes: 20, ..limits },
        &format!("413 body: the body has `{}` bytes, the limit is `20`", image.len()),
    );
    check_limit(
        &Enhance,
        &image,
        Limits { image_pixels: 11, ..limits },
        "413 body: the image has `4x3` pixels, the limit is `11` in all",
    );
    check_limit(
        &RayTrace,
        &scene,
        Limits { output_pixels: 47, ..limits },
        "422 wcols: the window has `8x6` pixels, the limit is `47` in all",
    );
    check_limit(
        &RayTrace,
        &scene,
        Limits { shapes: 1, ..limits },
        "422 scene: the scene has `2` shapes, the limit is `1`",
    );
    check_limit(
        &RayTrace,
        &scene,
        Limits { lights: 1, ..limits },
        "422 scene: the scene has `2` lights, the limit is `1`",
    );
}

#[test]
fn limits_of_textures_and_mirrors_say_which_they_are() {
    let limits = Limits::default();
    let file = tiny_png();
    let scene = SCENE.replace("solid 1 0 0", "texmap any.bmp 1 0 0 0 0 1 0 0");
    let textured = json!({ "scene": scene, "texmap": file }).to_string().into_bytes();
    check_limit(
        &RayTrace,
        &textured,
        Limits { texture_bytes: 9, ..limits },
        &format!("413 texmap: the texture has `{}` bytes, the limit is `9`", file.len()),
    );
    check_limit(
        &RayTrace,
        &textured,
        Limits { image_pixels: 11, ..limits },
        "413 texmap: the texture cannot be read: \
         the image has `4x3` pixels, the limit is `11` in all",
    );
    for finish in [".1 .1 .1 1 .5 0 0", ".1 .1 .1 1 0 .5 1"] {
        let scene = SCENE.replace(".4 .6 .7 30 0 0 0", finish);
        check_limit(
            &RayTrace,
            json!({ "scene": scene }).to_string().as_bytes(),
            Limits { recursion_depth: 5, ..limits },
            "422 scene: the scene reflects or transmits rays up to `6` times, the limit is `5`",
        );
    }
}

#[test]
fn an_enormous_image_is_refused_by_its_header() {
    let mut bmp = encode(&data::photo(1, 4, 3, 3), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xF0, 0xFF, 0, 0, 0xF0, 0xFF, 0, 0]);
    let expected = "413 body: the image has `65520x65520` pixels, the limit is `67108864` in all";
    check_image(&data_url("png", &bmp), expected);
    let query = QUERY.replace("wcols=8&wrows=6", "wcols=2147483647&wrows=2147483647");
    check_query(
        &query,
        "422 wcols: the window has `2147483647x2147483647` pixels, the limit is `16777216` in all",
    );
}

#[test]
fn an_abandoned_request_ends_at_its_next_checkpoint() {
    let image = data_url("png", &encode(&data::photo(1, 300, 300, 3), ImageFormat::Png));
    let scene = json!({ "scene": SCENE }).to_string();
    let interrupt = Interrupt::new();
    interrupt.abandon();
    for (operation, body) in
        [(&Blur as &dyn Operation, &image), (&Enhance, &image), (&RayTrace, &scene)]
    {
        let result = interruptible(&interrupt, || post(operation, QUERY, body.as_bytes()));
        assert!(result.unwrap_err().is_abandoned(), "{operation:?}");
    }
}
