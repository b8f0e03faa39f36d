//! What is wrong with a request for a film, and what is said about it.

use image::ImageFormat;
use proptest::collection::vec;
use proptest::prelude::*;
use weighbridge_instrument::{Interrupt, interruptible};
use weighbridge_worker::operations::{Limits, OperationError, OperationRequest, Video, run};

use super::{FORM, Form, encoded, flat, make, make_within, small};

fn explain(error: &OperationError) -> String {
    format!("{} {}: {error}", error.status(), error.field().unwrap_or("-"))
}

#[track_caller]
fn check(form: &Form, expected: &str) {
    let error = make(form).map(drop).expect_err(expected);
    assert_eq!(explain(&error), expected);
}

fn photo() -> Vec<u8> {
    encoded(&flat([1, 2, 3], 16, 16), ImageFormat::Png)
}

#[test]
fn all_mistakes_are_told_at_once() {
    let form = Form::default().text("fps", 0).text("colour", "red");
    check(
        &form,
        "400 body: `fps`: it is `0`, expected a whole number from 1 to 60; `colour` is no part of a \
         film, expected `photos`, `music`, `seconds`, `fade`, `width`, `height`, `fps` or `order`; \
         `photos`: there is none, expected 1 to 200 files",
    );
    let form = Form::default()
        .photo(&photo())
        .file("photos", "a\"b.txt", b"text")
        .photo(&photo()[..20])
        .file("music", "m", b"no music at all");
    let error = make(&form).map(drop).expect_err("it is wrong");
    let said = explain(&error);
    let begin = "400 body: `photos`: photo 2, `a`: the image is not a JPEG, PNG, BMP, GIF or TIFF \
                 file; `photos`: photo 3, `photo`: cannot decode the image: the header of the PNG \
                 file is damaged; `music`: it cannot be read (";
    assert!(said.starts_with(begin), "{said}");
    let end = "), expected an MP3, AAC (ADTS or M4A), WAV, FLAC or Ogg Vorbis file";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn what_is_no_form_is_told_so() {
    for (content_type, expected) in [
        (None, "400 body: the body is announced as ``, expected `multipart/form-data`"),
        (
            Some("image/png"),
            "400 body: the body is announced as `image/png`, expected `multipart/form-data`",
        ),
        (Some(FORM), "400 body: the boundary is nowhere in the body"),
    ] {
        let request = OperationRequest { query: "", content_type, accept: None, body: b"x" };
        let error = run(&Video, &request, &Limits::default()).map(drop).expect_err(expected);
        assert_eq!(explain(&error), expected);
    }
}

#[test]
fn a_photo_that_is_damaged_is_named() {
    let photo = encoded(&super::gradient(64, 3), ImageFormat::Png);
    let form = Form::default()
        .photo(&photo)
        .file("photos", "b.png", &photo[..photo.len() / 2])
        .size(32, 32)
        .text("seconds", "0.1");
    let error = make(&form).map(drop).expect_err("it is damaged");
    let said = explain(&error);
    let expected = "400 photos: `photos`: photo 2, `b.png`: cannot decode the image: ";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn photos_are_not_decoded_beyond_the_limit() {
    let limits = Limits { image_pixels: 100, ..Limits::default() };
    let form = Form::default().photo(&photo()).file("photos", "b.png", &photo());
    let error = make_within(&form, &limits).map(drop).expect_err("they are too large");
    assert_eq!(
        explain(&error),
        "413 photos: `photos`: photo 1, `photo`: the image has `16x16` pixels, the limit is `100` in \
         all; `photos`: photo 2, `b.png`: the image has `16x16` pixels, the limit is `100` in all",
    );
}

#[test]
fn films_have_a_limit() {
    let form = Form::default().photo(&photo()).size(3840, 2160).text("fps", 60);
    check(
        &form.text("seconds", 60),
        "413 body: the film has 3600 frames of `3840x2160`, which are 29859840000 pixels, expected at \
         most 17179869184",
    );
}

/// A head of a WAV file without samples.
#[test]
fn music_without_sound_is_told_so() {
    let mut wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data\0\0\0\0");
    let form = Form::default().photo(&photo()).size(16, 16).text("seconds", "0.1");
    check(&form.file("music", "m.wav", &wav), "400 music: `music`: there is no sound in it");
}

#[test]
fn a_film_ends_where_its_client_is_gone() {
    let interrupt = Interrupt::new();
    interrupt.abandon();
    let made = interruptible(&interrupt, || make(&small(64)));
    assert!(made.is_err_and(|error| error.is_abandoned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is sent, there is a film or a mistake.
    #[test]
    fn anything_has_an_answer(
        changes in vec((any::<usize>(), any::<u8>()), 0..8),
        cut in prop_oneof![3 => Just(0), 1 => any::<usize>()],
        kind in 0..3_usize,
    ) {
        let music: [&[u8]; 3] = [
            b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0\
              data\x08\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\xff\xf1\x50\x80\x02\x1f\xfc\xde\x02\0\xff\xf1\x50\x80\x02\x1f\xfc\xde\x02\0",
            b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis",
        ];
        let form = small(16).file("music", "m", music[kind]);
        let mut body = form.body();
        let n = body.len();
        for (place, value) in changes {
            body[place % n] = value;
        }
        body.truncate(n - cut % n);
        let limits = Limits { image_pixels: 64 << 10, ..Limits::default() };
        let request =
            OperationRequest { query: "", content_type: Some(FORM), accept: None, body: &body };
        if let Err(error) = run(&Video, &request, &limits) {
            prop_assert!((400..500).contains(&error.status()), "{}", error);
            prop_assert!(error.field().is_some() && !error.is_abandoned(), "{}", error);
        }
    }
}
