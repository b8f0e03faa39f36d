use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// Checks the features of a request; one expression and its value a line.
fn check(query: &str, body: &[u8], expected: &str) {
    let lines: Vec<(&str, &str)> =
        expected.trim().lines().map(|line| line.rsplit_once(" = ").unwrap()).collect();
    let expressions: Vec<String> = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
    let set = FeatureSet::parse(&expressions, extractors::ALL).unwrap();
    let headers = [("x-size", "12"), ("x-deep", "TRUE")];
    let spec = RequestSpec { query, headers: &headers, body_bytes: None, body };
    let features = set.extract(&spec);
    let got = lines.iter().zip(&features.0).map(|((name, _), value)| format!("{name} = {value}"));
    assert_eq!(got.collect::<Vec<_>>().join("\n"), expected.trim());
}

/// Checks the messages of a set that cannot be parsed.
fn check_mistakes(expressions: &[&str], expected: &str) {
    let expressions: Vec<String> = expressions.iter().map(|&text| text.to_owned()).collect();
    let mistakes = FeatureSet::parse(&expressions, extractors::ALL).unwrap_err();
    let got: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(got.join("\n"), expected.trim());
}

fn data_url(image: &[u8]) -> Vec<u8> {
    format!("data:image/jpg;base64,{}", STANDARD.encode(image)).into_bytes()
}

/// Line ends every 76 characters, and here and there another space.
fn wrapped(text: &[u8]) -> Vec<u8> {
    let (head, rest) = text.split_at(text.iter().position(|byte| *byte == b',').unwrap() + 1);
    let mut out = head.to_vec();
    for (index, line) in rest.chunks(76).enumerate() {
        out.extend_from_slice(line);
        out.extend_from_slice(if index % 7 == 3 { b" \r\n\t" } else { b"\n" });
    }
    out
}

fn png(width: u32, height: u32, colour: u8) -> Vec<u8> {
    let mut image = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    image.extend(width.to_be_bytes());
    image.extend(height.to_be_bytes());
    image.extend([8, colour, 0, 0, 0]);
    image.resize(5_000, 7);
    image
}

/// A JPEG up to its frame header, behind application segments of that many bytes together.
fn jpeg(width: u16, height: u16, channels: u8, before: usize) -> Vec<u8> {
    let mut image = b"\xff\xd8".to_vec();
    let mut left = before;
    while 0 < left {
        let length = left.clamp(4, 60_000);
        image.extend([0xff, 0xe1]);
        image.extend((length as u16).to_be_bytes());
        image.resize(image.len() + length - 2, 0x55);
        left = left.saturating_sub(length);
    }
    image.extend([0xff, 0xc0, 0, 17, 8]);
    image.extend(height.to_be_bytes());
    image.extend(width.to_be_bytes());
    image.push(channels);
    image.resize(image.len() + 9_000, 0x33);
    image
}

/// A TIFF whose directory stands at its end.
fn tiff(width: u32, height: u32) -> Vec<u8> {
    let mut image = b"II*\0".to_vec();
    image.extend((8 + width * height * 3).to_le_bytes());
    image.resize(image.len() + (width * height * 3) as usize, 9);
    image.extend(2_u16.to_le_bytes());
    for (tag, value) in [(0x100_u16, width), (0x101, height)] {
        image.extend(tag.to_le_bytes());
        image.extend([4, 0, 1, 0, 0, 0]);
        image.extend(value.to_le_bytes());
    }
    image
}

const IMAGE: [&str; 4] =
    ["body.image.pixels", "body.image.width", "body.image.height", "body.image.channels"];

fn check_image(body: &[u8], expected: [f64; 4]) {
    let lines: Vec<String> =
        IMAGE.iter().zip(expected).map(|(name, value)| format!("{name} = {value}")).collect();
    check("", body, &lines.join("\n"));
}

#[test]
fn an_expression_is_a_sum_of_products() {
    check(
        "w=3&h=4&flag=True&w=5",
        b"",
        "
query.w * query.h = 20
2.5 * query.w+query.h = 16.5
 .5*query.flag * -1 = -0.5
query.missing + 1 = 1
7 = 7
",
    );
}

#[test]
fn what_is_no_number_counts_as_zero() {
    check(
        "a=x&b=inf&c=nan&d=&e&f=1e400&g=-3.5&h=1e300",
        b"",
        "
query.a = 0
query.b = 0
query.c = 0
query.d = 0
query.e = 0
query.f = 0
query.g = -3.5
query.h * query.h = 1000000000000000000
-1 * query.h * query.h = -1000000000000000000
query.h * query.h * query.h + -1 * query.h * query.h * query.h = 0
",
    );
}

#[test]
fn headers_and_body_length_are_features() {
    check("", b"12345", "header.X-Size * body.bytes = 60\nheader.x-deep = 1\nheader.none = 0");
}

#[test]
fn a_pointer_finds_numbers_and_lengths() {
    let body = br#" {"skip": [[{"a": 9}], "x"], "a/b": {"n": [10, 20.5, true, "30"]},
        "text": "h\u00e9llo", "n": 1, "n": 2} trailing"#;
    check(
        "",
        body,
        "
body.json./a~1b/n/1 = 20.5
body.json/a~1b/n/2 = 1
body.json./a~1b/n/3 = 30
body.json./a~1b/n/4 = 0
body.json./a~1b/n/x = 0
body.json./a~1b/n.length = 4
body.json./a~1b.length = 1
body.json./text.length = 6
body.json./text/deeper = 0
body.json./n = 1
body.json.length = 5
body.json = 0
",
    );
}

#[test]
fn mistakes_are_told_all_at_once() {
    check_mistakes(
        &["query.a *", "queri.a", "1e999", "body.image.depth", "query.a", "query.a", "song.x"],
        "
feature `query.a *` has an empty factor, expected a number or what an extractor reads
feature `queri.a` has the factor `queri.a`, expected a finite number, `query.NAME`, `header.NAME`, `body.bytes`, `body.image.{pixels,width,height,channels,bytes,is_jpeg,is_png,is_bmp,is_gif,is_tiff,to_jpeg,to_png,to_bmp,to_gif,to_tiff}` or `body.json/POINTER`
feature `1e999` has the factor `1e999`, expected a finite number, `query.NAME`, `header.NAME`, `body.bytes`, `body.image.{pixels,width,height,channels,bytes,is_jpeg,is_png,is_bmp,is_gif,is_tiff,to_jpeg,to_png,to_bmp,to_gif,to_tiff}` or `body.json/POINTER`
feature `body.image.depth` has the factor `body.image.depth`, expected a finite number, `query.NAME`, `header.NAME`, `body.bytes`, `body.image.{pixels,width,height,channels,bytes,is_jpeg,is_png,is_bmp,is_gif,is_tiff,to_jpeg,to_png,to_bmp,to_gif,to_tiff}` or `body.json/POINTER`
feature `query.a` is there twice
feature `song.x` has the factor `song.x`, expected a finite number, `query.NAME`, `header.NAME`, `body.bytes`, `body.image.{pixels,width,height,channels,bytes,is_jpeg,is_png,is_bmp,is_gif,is_tiff,to_jpeg,to_png,to_bmp,to_gif,to_tiff}` or `body.json/POINTER`
",
    );
    let many: Vec<String> = (0..17).map(|index| format!("query.n{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check_mistakes(&many, "17 features, expected at most 16");
    let long = vec!["1"; 33].join("+");
    check_mistakes(&[&long], &format!("feature `{long}` has 33 factors, expected at most 32"));
}

/// An extractor that the core does not know: how many factors of it a request's features have.
#[derive(Debug)]
struct Outside;

#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Extractor for Outside {
    fn name(&self) -> &'static str {
        "outside"
    }

    fn syntax(&self) -> String {
        "outside.NAME".to_owned()
    }

    fn about(&self) -> &'static str {
        "as many as there are"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Whole
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Names::default())
    }
}

impl Reader for Names {
    fn add(&mut self, factor: &str) -> bool {
        factor.strip_prefix("outside.").map(|name| self.0.push(name.to_owned())).is_some()
    }

    fn read(&self, _: &RequestSpec<'_>, numbers: &mut [f64]) {
        assert_eq!(numbers.len(), self.0.len());
        for (number, name) in numbers.iter_mut().zip(&self.0) {
            *number = (10 * self.0.len() + name.len()) as f64;
        }
    }
}

#[test]
fn an_extractor_is_registered_from_outside() {
    let names = ["outside.a * query.x", "query.x + outside.bcd", "2 * outside.a"];
    let names = names.map(str::to_owned);
    let extractors = [extractors::ALL, &[&Outside]].concat();
    let set = FeatureSet::parse(&names, &extractors).unwrap();
    let spec = RequestSpec { query: "x=2", headers: &[], body_bytes: None, body: b"" };
    // What two features name is read once.
    assert_eq!(set.extract(&spec).0[..], [42.0, 25.0, 42.0]);
    assert_eq!(set.body_need(), BodyNeed::Whole);

    let mistakes = FeatureSet::parse(&names, extractors::ALL).unwrap_err();
    assert_eq!(mistakes.len(), 3);
    let mistakes = FeatureSet::parse(&["outsid".to_owned()], &extractors).unwrap_err();
    let message = mistakes[0].to_string();
    assert!(message.ends_with("`body.json/POINTER` or `outside.NAME`"), "{message}");
}

#[test]
fn the_body_is_read_only_as_far_as_needed() {
    let need =
        |text: &str| FeatureSet::parse(&[text.to_owned()], extractors::ALL).unwrap().body_need();
    assert_eq!(need("query.a + body.bytes"), BodyNeed::Nothing);
    assert_eq!(need("query.a * body.image.width"), BodyNeed::Prefix);
    assert_eq!(need("body.image.width + body.json./a"), BodyNeed::Whole);
    assert_eq!(FeatureSet::default().body_need(), BodyNeed::Nothing);
}

#[test]
fn images_are_measured_raw_and_in_data_urls() {
    for image in [png(640, 480, 6), jpeg(640, 480, 4, 20)] {
        check_image(&image, [307_200.0, 640.0, 480.0, 4.0]);
        check_image(&data_url(&image), [307_200.0, 640.0, 480.0, 4.0]);
        check_image(&wrapped(&data_url(&image)), [307_200.0, 640.0, 480.0, 4.0]);
    }
    check_image(&png(1, 2, 0), [2.0, 1.0, 2.0, 1.0]);
    check_image(b"GIF89a\x10\0\x20\0\0\0\0rest of it", [512.0, 16.0, 32.0, 4.0]);
}

#[test]
fn an_image_has_the_size_that_its_decoder_finds() {
    let bitmap = |header: &[u8]| [b"BM\0\0\0\0\0\0\0\0\x36\0\0\0", header, &[0; 40]].concat();
    let from_the_top = bitmap(b"\x28\0\0\0\x2C\x01\0\0\x38\xFF\xFF\xFF\x01\0\x18\0");
    let of_the_old_header = bitmap(b"\x0C\0\0\0\x2C\x01\xC8\0\x01\0\x18\0");
    let mut filled = jpeg(300, 200, 3, 9);
    filled.splice(2..2, [0xFF, 0xFF]);
    for image in [from_the_top, of_the_old_header, filled] {
        check_image(&image, [60_000.0, 300.0, 200.0, 3.0]);
        check_image(&data_url(&image), [60_000.0, 300.0, 200.0, 3.0]);
    }
}

#[test]
fn a_frame_header_far_behind_is_found() {
    let image = jpeg(4000, 3000, 3, 200_000);
    for body in [image.clone(), data_url(&image), wrapped(&data_url(&image))] {
        check_image(&body, [12_000_000.0, 4000.0, 3000.0, 3.0]);
    }
    let image = tiff(300, 200);
    for body in [image.clone(), data_url(&image), wrapped(&data_url(&image))] {
        check_image(&body, [60_000.0, 300.0, 200.0, 3.0]);
    }
}

#[test]
fn every_offset_of_a_frame_header_is_found_behind_white_space() {
    for before in 4..200 {
        let body = wrapped(&data_url(&jpeg(33, 77, 1, before)));
        check_image(&body, [2541.0, 33.0, 77.0, 1.0]);
    }
}

#[test]
fn what_is_no_image_has_no_size() {
    let cut = data_url(&png(640, 480, 2));
    for body in [&b""[..], b"data:", b"data:image/png;base64,", b"hello, world", &cut[..40]] {
        check_image(body, [0.0; 4]);
    }
}

#[test]
fn a_jpeg_of_countless_tiny_segments_is_given_up() {
    let mut image = b"\xff\xd8".to_vec();
    while image.len() < 4_000_000 {
        image.extend([0xff, 0xe1, 0, 2]);
    }
    image.extend(&jpeg(5, 5, 3, 0)[2..]);
    check_image(&image, [0.0; 4]);
}

#[test]
fn an_image_knows_its_format_and_that_of_the_answer() {
    let jpeg = jpeg(640, 480, 3, 0);
    let formats = |body: &[u8], expected: [f64; 4]| {
        let [bytes, is_jpeg, to_jpeg, to_png] = expected;
        let expected = format!(
            "body.image.bytes = {bytes}\nbody.image.is_jpeg = {is_jpeg}\n\
             body.image.to_jpeg = {to_jpeg}\nbody.image.to_png = {to_png}"
        );
        check("", body, &expected);
    };
    let bytes = jpeg.len() as f64;
    formats(&jpeg, [bytes, 1.0, 1.0, 0.0]);
    let text = STANDARD.encode(&jpeg);
    let url = |name: &str| format!("data:image/{name};base64,{text}").into_bytes();
    let bytes = text.len() as f64 * 0.75;
    formats(&url("PNG"), [bytes, 1.0, 0.0, 1.0]);
    formats(&url("jpg"), [bytes, 1.0, 1.0, 0.0]);
    formats(&url("webp"), [bytes, 1.0, 1.0, 0.0]);
    formats(b"data:image/png;base64,bm8gaW1hZ2UgYXQgYWxs", [0.0; 4]);
}

#[test]
fn an_answer_is_in_the_format_that_is_accepted_first() {
    let set = FeatureSet::parse(&["body.image.to_png".to_owned()], extractors::ALL).unwrap();
    for (accept, expected) in [("image/png", 1.0), ("text/*, image/x-png;q=.5", 1.0), ("*/*", 0.0)]
    {
        let headers = [("accept", accept)];
        let body = jpeg(9, 9, 1, 0);
        let spec = RequestSpec { query: "", headers: &headers, body_bytes: None, body: &body };
        assert_eq!(set.extract(&spec).0[..], [expected], "{accept}");
    }
}

fn every_extractor() -> FeatureSet {
    let mut names = vec!["query.w * query.h", "header.x", "body.bytes", "body.json./a/0"];
    names.extend(IMAGE);
    names.extend(["body.json.length", "body.json./a.length"]);
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    FeatureSet::parse(&names, extractors::ALL).unwrap()
}

fn assert_finite(query: &str, header: &str, body: &[u8]) {
    let set = every_extractor();
    let headers = [("x", header)];
    let features = set.extract(&RequestSpec { query, headers: &headers, body_bytes: None, body });
    assert_eq!(features.0.len(), set.names().len());
    assert!(features.0.iter().all(|value| value.abs() <= FEATURE_MAX), "{features:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_give_finite_features(
        query in "(w|h|scols|[a-z&=]{0,3})=[-0-9a-f.]{0,9}(&[wh]=[0-9e]{0,5})?",
        header in ".{0,9}",
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        assert_finite(&query, &header, &body);
    }

    #[test]
    fn any_image_headers_give_finite_features(
        start in prop::sample::select(vec![
            &b"\xff\xd8\xff\xe1"[..], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
            b"II+\0\x08\0\0\0", b"RIFF\0\0\0\0WEBPVP8 ",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
        space in any::<bool>(),
    ) {
        let image = [start, &rest].concat();
        assert_finite("", "", &image);
        let url = data_url(&image);
        assert_finite("", "", if space { wrapped(&url) } else { url }.as_slice());
    }
}
