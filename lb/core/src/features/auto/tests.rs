use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Features that are found, and what reads them.
struct Found {
    set: FeatureSet,
    discovery: Discovery,
}

impl Found {
    fn new() -> Found {
        let set = FeatureSet::auto();
        let discovery = Discovery::new(&set);
        Found { set, discovery }
    }

    fn read(&mut self, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Features {
        let spec = RequestSpec { query, headers, body_bytes: None, body };
        let Read { features, unknown } = self.set.read(self.discovery.schema(), &spec);
        self.discovery.note(&unknown, |_| false);
        self.discovery.observe(&features.0);
        features
    }

    /// What is read of a request that comes for the fourth time, one fact that is not 0 a line.
    fn facts(query: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let mut found = Found::new();
        let features = (0..4).map(|_| found.read(query, headers, body)).last().unwrap();
        let names = found.discovery.schema().names().iter();
        let facts = names.zip(&features.0).filter(|(_, value)| **value != 0.0);
        let facts = facts.map(|(name, value)| format!("{name} = {value}"));
        facts.collect::<Vec<_>>().join("\n") + "\n"
    }
}

fn check(query: &str, headers: &[(&str, &str)], body: &[u8], expected: &str) {
    assert_eq!(Found::facts(query, headers, body).trim(), expected.trim());
}

#[test]
fn a_head_shows_numbers_words_and_lengths() {
    let headers = [
        (":method", "GET"),
        (":path", "/thumbs/640/of.jpg"),
        ("host", "example.test"),
        ("cookie", "a=1"),
        ("x-scale", "2.5"),
        ("accept", "image/webp, */*;q=0.1"),
        ("user-agent", "something"),
        ("x-api-key", "k"),
    ];
    let expected = "
auto = 1
path.1.length = 6
path.2 = 640
path.3.length = 6
header.x-scale = 2.5
query.w = 300
query.q.length = 43
query.format.length = 4
body.bytes = 1
method=GET = 1
path.1=thumbs = 1
path.3=of.jpg = 1
header.accept=image/webp = 1
query.format=webp = 1";
    let query = "w=300&q=the+quick+brown+fox+jumps+over+the+lazy+dog&format=webp&access_token=abc";
    check(query, &headers, b"x", expected);
}

#[test]
fn a_body_shows_what_is_in_it() {
    let json = br#"{"rows": [{"name": "ab", "n": 1}, {"name": "cde", "n": 2}], "deep": {"a": {"b": {"c": 1}}},
        "on": true, "none": null, "title": "a title", "big": [[1, 2], [3]]}"#;
    let expected = "
auto = 1
body.bytes = 167
body.json/rows/*/name.length = 5
body.json/rows/*/n = 3
body.json/rows/*.length = 4
body.json/rows.length = 2
body.json/deep/a/b.length = 1
body.json/deep/a.length = 1
body.json/deep.length = 1
body.json/on = 1
body.json/title.length = 7
body.json/big/*/* = 6
body.json/big/*.length = 3
body.json/big.length = 2
body.json.length = 6
body.json/rows/*/name=ab = 1
body.json/rows/*/name=cde = 1";
    check("", &[], json, expected);
}

#[test]
fn forms_and_images_are_looked_into() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let fields = "
auto = 1
body.bytes = 14
body.form.n = 12
body.form.mode.length = 4
body.form.mode=fast = 1";
    check("", &form, b"n=12&mode=fast", fields);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0 and so on";
    let image = "
auto = 1
body.bytes = 39
body.image.pixels = 307200
body.image.width = 640
body.image.height = 480
body.image.channels = 3
body.image.bytes = 39
body.image.bytes_per_pixel = 0.000126953125
body.image.format=png = 1";
    check("", &[], png, image);
    let url = [b"data:image/webp;base64,", STANDARD.encode(png).as_bytes()].concat();
    let got = Found::facts("", &form, &url);
    assert!(got.contains("body.image.pixels = 307200\n"), "{got}");
    assert!(got.contains("body.image.data_url=image/webp = 1\n"), "{got}");
    let head = b"--XX\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n7\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\r\n";
    let body = [&head[..], png, b"\r\n--XX--\r\n"].concat();
    let parts = "
auto = 1
body.bytes = 166
body.form.n = 7
body.form.f.bytes = 39
body.form.f.pixels = 307200
body.form.f.width = 640
body.form.f.height = 480
body.form.f.channels = 3
body.form.f.format=png = 1";
    let kind = [("content-type", "multipart/form-data; boundary=XX")];
    let got = Found::facts("", &kind, &body);
    for line in parts.trim().lines().filter(|line| !line.starts_with("body.bytes")) {
        assert!(got.contains(&format!("{line}\n")), "{line}: {got}");
    }
}

#[test]
fn what_is_neither_json_nor_form_nor_image_is_not_looked_into() {
    check("", &[], b"a=1&b=2 or <xml/>", "auto = 1\nbody.bytes = 17");
}

#[test]
fn a_text_of_many_words_is_no_enumeration() {
    let mut found = Found::new();
    for index in 0..2000 {
        found.read(&format!("mode={}&id=u{}", index % 3, index % 40), &[], b"");
        found.read(&format!("mode=m{}", index % 3), &[], b"");
    }
    let schema = found.discovery.schema();
    assert!(schema.reads("query.mode=m2") && schema.reads("query.id.length"), "{schema:?}");
    let words = schema.names().iter().filter(|name| name.starts_with("query.id="));
    assert!(words.clone().all(|name| !schema.reads(name)), "{schema:?}");
}

/// Every request has twenty names of its own. Those that all have are found nevertheless, and what
/// is kept stays bounded.
#[test]
fn endless_new_names_take_bounded_memory_and_hide_nothing() {
    let mut found = Found::new();
    for index in 0..5_000_u32 {
        let own = (0..20).map(|nth| format!("n{}={nth}&", index * 20 + nth));
        let query = own.collect::<Vec<_>>().concat();
        // Later than 24 unknown names, and found once those in front of it are known.
        found.read(&format!("width={index}&{query}format=png"), &[], b"");
        assert!(found.discovery.n_watched() <= 256);
    }
    let schema = found.discovery.schema();
    assert!(schema.names().len() <= COLUMNS_MAX && schema.n_live() <= LIVE_MAX, "{schema:?}");
    assert!(schema.reads("query.width") && schema.reads("query.format=png"), "{schema:?}");
    let bytes: usize = schema.names().iter().map(String::len).sum();
    assert!(bytes < COLUMNS_MAX * 128, "{bytes}");
}

#[test]
fn what_comes_no_more_makes_room_for_what_comes_often() {
    let mut found = Found::new();
    let flood = (0..200).map(|nth| format!("n{nth}=1&")).collect::<Vec<_>>().concat();
    for _ in 0..20 {
        found.read(&flood, &[], b"");
    }
    assert!(!found.discovery.schema().reads("query.width"));
    let before = found.discovery.schema().names().to_vec();
    for index in 0..4000 {
        found.read(&format!("width={index}"), &[], b"");
    }
    let schema = found.discovery.schema();
    assert!(schema.reads("query.width"), "{schema:?}");
    assert_eq!(schema.names()[..before.len()], before, "names only ever come behind others");
}

#[test]
fn a_request_of_an_older_schema_has_the_first_of_its_columns() {
    let mut found = Found::new();
    let first = found.read("a=1&b=2", &[], b"");
    let third = (0..3).map(|_| found.read("a=1&b=2", &[], b"")).last().unwrap();
    assert_eq!(first.0[..], [1.0]);
    assert_eq!(third.0[..], [1.0, 1.0, 2.0, 0.0], "{:?}", found.discovery.schema());
}

#[test]
fn names_of_an_earlier_life_are_taken_up_where_they_can_be_read() {
    let mut found = Found::new();
    let names = ["auto", "query.w", "made up", "body.image.format=png", "query.token"];
    let names = names.map(str::to_owned);
    found.discovery.adopt(&names);
    let known = ["auto", "query.w", "body.image.format=png"];
    assert_eq!(found.discovery.schema().names()[..], known);
}
