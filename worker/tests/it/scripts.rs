//! The request scripts of `bench/requests`, against a worker. They need bash, curl, base64 and jq.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::ImageFormat;
use tempfile::TempDir;

use crate::fixture::{Running, png};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/requests");

/// Runs a script against `worker`.
fn run(worker: &Running, script: &str, arguments: &[&str]) -> Output {
    Command::new(Path::new(SCRIPTS).join(script))
        .args(["-u", &format!("http://{}", worker.address)])
        .args(arguments)
        .output()
        .expect("the script starts")
}

/// What a script printed where it succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_scripts_send_samples_of_their_own() {
    let worker = Running::start(1);
    let folder = TempDir::new().expect("there is room");
    for script in ["raytrace.sh", "blur.sh", "enhance.sh"] {
        let file = folder.path().join(script);
        let file = file.to_str().expect("it is UTF-8");
        let printed = printed(&run(&worker, script, &["-n", "5", "-c", "3", "-o", file]));
        assert!(printed.starts_with("5 answers with status 200\n"), "{printed}");
        let result = fs::read(file).expect("it was written");
        image::load_from_memory_with_format(&result, ImageFormat::Bmp).expect("a BMP");
    }
}

#[test]
fn the_scripts_send_files() {
    let worker = Running::start(1);
    let folder = TempDir::new().expect("there is room");
    let [image, result] = ["in.png", "out.jpg"].map(|name| folder.path().join(name));
    fs::write(&image, png(20, 10)).expect("there is room");
    let [image, result] = [&image, &result].map(|path| path.to_str().expect("it is UTF-8"));
    printed(&run(&worker, "blur.sh", &["-f", "jpg", "-o", result, image]));
    let blurred = fs::read(result).expect("it was written");
    image::load_from_memory_with_format(&blurred, ImageFormat::Jpeg).expect("a JPEG");
    printed(&run(
        &worker,
        "raytrace.sh",
        &["-s", "40x30", "-w", "8x6", "-p", "3,2", "-a", "-t", image],
    ));
}

/// The four quarters of a picture, each rendered for itself, are the picture.
#[test]
fn parts_of_a_picture_fit_together() {
    let worker = Running::start(1);
    let folder = TempDir::new().expect("there is room");
    let file = folder.path().join("part.bmp");
    let file = file.to_str().expect("it is UTF-8");
    let render = |part: &str, start: &str| {
        let arguments = ["-s", "40x30", "-w", part, "-p", start, "-o", file];
        printed(&run(&worker, "raytrace.sh", &arguments));
        let bmp = fs::read(file).expect("it was written");
        image::load_from_memory_with_format(&bmp, ImageFormat::Bmp).expect("a BMP").into_rgb8()
    };
    let whole = render("40x30", "0,0");
    for (column, row) in [(0, 0), (20, 0), (0, 15), (20, 15)] {
        let part = render("20x15", &format!("{column},{row}"));
        let expected = image::imageops::crop_imm(&whole, column, row, 20, 15).to_image();
        assert!(part == expected, "at {column},{row}");
    }
}

#[cfg(feature = "video")]
#[test]
fn a_script_makes_a_film() {
    let worker = Running::start(1);
    let folder = TempDir::new().expect("there is room");
    let file = folder.path().join("film.mp4");
    let file = file.to_str().expect("it is UTF-8");
    let own = ["-s", "64x48", "-t", "0.2", "-f", "0.1", "-r", "10"];
    let many = ["-n", "3", "-c", "2", "-o", file];
    let printed = printed(&run(&worker, "video.sh", &[&own[..], &many].concat()));
    assert!(printed.starts_with("3 answers with status 200\n"), "{printed}");
    let film = fs::read(file).expect("it was written");
    assert_eq!(&film[4..8], b"ftyp");

    let output = run(&worker, "video.sh", &["-r", "0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("400 Bad Request: `fps`: it is `0`, expected"), "{said}");
}

#[test]
fn the_scripts_tell_what_went_wrong() {
    let worker = Running::start(1);
    let folder = TempDir::new().expect("there is room");
    let text = folder.path().join("text.png");
    fs::write(&text, "no image").expect("there is room");
    let output = run(&worker, "blur.sh", &[text.to_str().expect("it is UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("400 Bad Request: "), "{said}");

    for (arguments, expected) in [
        (["-n", "0"], "blur.sh: -n 0 is not a count\n"),
        (["-x", "1"], "blur.sh: there is no option -x; see --help\n"),
        (["/nowhere", "-h"], "blur.sh: cannot read /nowhere\n"),
    ] {
        let output = run(&worker, "blur.sh", &arguments);
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    }
    for script in ["raytrace.sh", "blur.sh", "enhance.sh", "video.sh"] {
        assert!(printed(&run(&worker, script, &["--help"])).starts_with("usage: "));
    }
}
