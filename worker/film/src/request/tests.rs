use super::*;

const TYPE: &str = "multipart/form-data; boundary=b";

/// A form of `NAME=CONTENT` or `NAME@FILE=CONTENT`.
fn body(parts: &[&str]) -> String {
    let part = |part: &&str| {
        let (name, content) = part.split_once('=').unwrap();
        let name = match name.split_once('@') {
            Some((name, file)) => format!("\"{name}\"; filename=\"{file}\""),
            None => format!("\"{name}\""),
        };
        format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n")
    };
    parts.iter().map(part).collect::<String>() + "--b--"
}

fn check_mistakes(parts: &[&str], field: &str, expected: &str) {
    let body = body(parts);
    let mistakes = FilmRequest::read(TYPE, body.as_bytes()).map(|_| ()).expect_err(expected);
    assert_eq!((mistakes.field(), mistakes.to_string().as_str()), (field, expected));
}

/// The contents of the photos, in order.
fn check_order(parts: &[&str], expected: &str) {
    let body = body(parts);
    let request = FilmRequest::read(TYPE, body.as_bytes()).unwrap();
    let contents = request.photos.iter().map(|photo| String::from_utf8_lossy(photo.content));
    assert_eq!(contents.collect::<String>(), expected);
}

#[test]
fn a_form_says_everything() {
    let parts = [
        "photos@a.jpg=1",
        "photos[]@b.jpg=2",
        "music@m.mp3=3",
        "seconds=0.5",
        "fade=0",
        "width=640",
        "height= 360 ",
        "fps=30",
        "music@=",
    ];
    let body = body(&parts);
    let request = FilmRequest::read(TYPE, body.as_bytes()).unwrap();
    assert_eq!(request.photos.len(), 2);
    assert_eq!(request.music.as_ref().map(|music| music.content), Some(&b"3"[..]));
    let expected = Settings { seconds: 0.5, fade: 0.0, width: 640, height: 360, fps: 30 };
    assert_eq!(request.settings, expected);
    let timeline = request.timeline();
    assert_eq!((timeline.still, timeline.faded, timeline.frames()), (15, 0, 30));
    assert!((timeline.seconds() - 1.0).abs() < 1e-9);
}

#[test]
fn what_is_not_said_has_a_default() {
    let body = body(&["photos@a.jpg=1", "photos@b.jpg=1", "photos@c.jpg=1"]);
    let request = FilmRequest::read(TYPE, body.as_bytes()).unwrap();
    assert_eq!(request.settings, Settings::default());
    let timeline = request.timeline();
    // Half a second is 12.5 frames, which is rounded up.
    assert_eq!((timeline.still, timeline.faded, timeline.frames()), (50, 13, 176));
}

#[test]
fn photos_come_as_the_order_names_them() {
    let photos = ["photos@a=1", "photos@b=2", "photos@c=3"];
    check_order(&photos, "123");
    check_order(&[&photos[..], &["order=c\na\r\nb"]].concat(), "312");
    check_order(&[&["order=b"], &photos[..], &["order[]=a"]].concat(), "213");
    check_order(&["photos@a=1", "photos@a=2", "photos@b=3", "order=b\na\na"], "312");
    let none = "`order`: `d` is not the file name of a photo, or of none that is left; \
                `order`: `a` is not the file name of a photo, or of none that is left";
    check_mistakes(&[&photos[..], &["order=a\nd\na"]].concat(), "order", none);
}

#[test]
fn all_mistakes_are_told_at_once() {
    check_mistakes(
        &[
            "seconds=0",
            "fade=-1",
            "width=641",
            "height=x\ny",
            "fps=1e1",
            "bitrate=9",
            "music@a=1",
            "music@b=2",
            "fps=12.5",
            "seconds=inf",
        ],
        "body",
        "`seconds`: it is `0`, expected a number from 0.1 to 60; \
         `fade`: it is `-1`, expected a number from 0 to 10; \
         `width`: it is `641`, expected an even number from 16 to 3840; \
         `height`: it is `x\\ny`, expected an even number from 16 to 3840; \
         `fps`: it is `1e1`, expected a whole number from 1 to 60; \
         `bitrate` is no part of a film, expected `photos`, `music`, `seconds`, `fade`, `width`, \
         `height`, `fps` or `order`; \
         `music`: there are several, expected one file; \
         `fps`: it is `12.5`, expected a whole number from 1 to 60; \
         `seconds`: it is `inf`, expected a number from 0.1 to 60; \
         `photos`: there is none, expected 1 to 200 files",
    );
    check_mistakes(
        &["photos@a=1", &format!("fps={}", "9".repeat(33))],
        "fps",
        "`fps`: it is 33 bytes, expected a whole number from 1 to 60",
    );
    check_mistakes(
        &["photos@a=1", "width=2200", "height=2200"],
        "height",
        "`height`: a frame has `2200x2200` pixels, expected a smaller side of at most 2160",
    );
}

#[test]
fn a_form_that_is_cut_is_not_said_to_have_no_photos() {
    let body = "--b\r\nContent-Disposition: form-data; name=fps\r\n\r\n1";
    let mistakes = FilmRequest::read(TYPE, body.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(mistakes.to_string(), "the body ends within part 1");
}

#[test]
fn photos_and_frames_have_limits() {
    let photos = vec!["photos@a=1"; PHOTOS_MAX + 1];
    let long = [&photos[..], &["seconds=60"]].concat();
    let body = body(&long);
    let mistakes = FilmRequest::read(TYPE, body.as_bytes()).map(|_| ()).unwrap_err();
    assert!(mistakes.are_limits());
    assert_eq!(
        mistakes.to_string(),
        "`photos`: there are 201, expected 1 to 200 files; the film has 304100 frames of \
         `1280x720`, which are 280258560000 pixels, expected at most 17179869184",
    );
}

#[test]
fn mistakes_have_a_limit() {
    let body = body(&["x=1"; 100]);
    let mistakes = FilmRequest::read(TYPE, body.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(mistakes.0.len(), MISTAKES_MAX);
}

#[test]
fn a_picture_is_fitted_and_never_larger_than_the_frame() {
    let settings = Settings { width: 100, height: 50, ..Settings::default() };
    for (picture, fitted) in [
        ((200, 100), (100, 50)),
        ((10, 10), (50, 50)),
        ((1, 1000), (1, 50)),
        ((3000, 1), (100, 1)),
        ((30, 40), (38, 50)),
        ((0, 0), (50, 50)),
    ] {
        assert_eq!(settings.fitted(picture), fitted, "{picture:?}");
    }
}
