use weighbridge_core::features::FeatureSet;

use super::*;
use crate::extractors;

/// The head of a PNG file.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    file.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    file.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    file
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend([head.as_bytes(), *content, &b"\r\n"[..]].concat());
    }
    [&body[..], b"--b--"].concat()
}

/// The features of a request; one and its value a line.
fn check(content_type: &str, body: &[u8], expected: &str) {
    let names: Vec<String> = Field::ALL.iter().map(|(name, _)| format!("film.{name}")).collect();
    let set = FeatureSet::parse(&names, &extractors()).unwrap();
    let headers = [("content-type", content_type)];
    let spec = RequestSpec { query: "", headers: &headers, body_bytes: None, body };
    let features = set.extract(&spec).0;
    let lines = names.iter().zip(features).filter(|(_, value)| *value != 0.0);
    let lines: Vec<String> = lines.map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(lines.join("\n"), expected.trim());
}

const TYPE: &str = "multipart/form-data; boundary=b";

#[test]
fn a_film_is_its_photos_and_its_frames() {
    let png = png(200, 100);
    let body = form(&[
        ("photos", &png),
        ("photos[]", b"no photo"),
        ("photos", &png),
        ("music", b"RIFF...."),
        ("width", b"100"),
        ("height", b"60"),
        ("fps", b"10"),
        ("seconds", b"1"),
        ("fade", b"0.5"),
    ]);
    // Photos are 100x50 in a frame, and half of each fade is theirs; what is none has frames alone.
    check(
        TYPE,
        &body,
        "
film.photos = 3
film.photo_pixels = 40000
film.png_pixels = 40000
film.first_pixels = 10000
film.still_pixels = 180000
film.faded_pixels = 60000
film.faded_picture = 25000
film.faded_detail = 41.25
film.frames = 40
film.music_seconds = 4
",
    );
}

#[test]
fn a_film_without_anything_said_has_its_defaults() {
    check(
        TYPE,
        &form(&[("photos", b"no photo"), ("music", b"ID3")]),
        "
film.photos = 1
film.still_pixels = 46080000
film.frames = 50
",
    );
}

#[test]
fn what_is_no_film_has_no_features() {
    check("text/plain", b"--b--", "");
    check(TYPE, &form(&[("seconds", b"3")]), "");
    check(TYPE, &form(&[("photos", b"")]), "");
}
