use proptest::prelude::*;

use super::*;

const TYPE: &str = "multipart/form-data; boundary=\"=x=\"";

/// Name, file name and content of each part; or what is wrong.
fn check(content_type: &str, body: &str, expected: &[&str]) {
    let shown: Vec<String> = match parts(content_type, body.as_bytes()) {
        Err(mistake) => vec![mistake.to_string()],
        Ok(parts) => parts
            .map(|part| match part {
                Err(mistake) => mistake.to_string(),
                Ok(Part { name, file_name, content }) => {
                    format!("{name} {file_name:?} {}", String::from_utf8_lossy(content))
                }
            })
            .collect(),
    };
    assert_eq!(shown, expected);
}

#[test]
fn a_form_has_its_parts() {
    check(
        TYPE,
        "before\r\n--=x=\r\ncontent-disposition: form-data; name=a\r\n\r\none\r\n--=\r\n--=x= \t\r\n\
         Content-Type: image/png\r\nContent-Disposition: form-data; name=\"b\"; filename=\"c;\\\"d\\\\%22.png\"\r\n\
         \r\n\r\n--=x=--\r\nbehind",
        &["a None one\r\n--=", "b Some(\"c;\\\"d\\\\\\\".png\") "],
    );
    check("MULTIPART/form-data ; Charset=x; Boundary=y", "--y--", &[]);
}

#[test]
fn what_is_no_form_is_told_so() {
    check(
        "text/plain",
        "",
        &["the body is announced as `text/plain`, expected `multipart/form-data`"],
    );
    check("", "", &["the body is announced as ``, expected `multipart/form-data`"]);
    let no_boundary = "the content type has no `boundary` of 1 to 70 characters";
    check("multipart/form-data", "", &[no_boundary]);
    check("multipart/form-data; boundary=", "", &[no_boundary]);
    check(&format!("multipart/form-data; boundary={}", "x".repeat(71)), "", &[no_boundary]);
    check(TYPE, "--=y=\r\n", &["the boundary is nowhere in the body"]);
    check(TYPE, "--=x=!", &["the boundary before part 1 is not followed by a line's end"]);
    check(TYPE, "--=x=\r\nA: b", &["the head of part 1 has no end within 4096 bytes"]);
    check(TYPE, "--=x=\r\nA: b\r\n\r\n", &["the body ends within part 1"]);
    let no_name = "part 1 has no `Content-Disposition` with a `name`";
    check(TYPE, "--=x=\r\nA: b\r\n\r\n\r\n--=x=--", &[no_name]);
    check(TYPE, "--=x=\r\nContent-Disposition: form-data\r\n\r\n\r\n--=x=--", &[no_name]);
}

#[test]
fn parts_have_a_limit() {
    let body = "--=x=\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(PARTS_MAX + 9);
    let all: Vec<_> = parts(TYPE, body.as_bytes()).unwrap().collect();
    assert_eq!(all.len(), PARTS_MAX + 1);
    assert_eq!(all.last(), Some(&Err(FormMistake::TooMany)));
}

proptest! {
    #[test]
    fn anything_has_an_end(body: Vec<u8>, content_type in ".*") {
        for content_type in [TYPE, &content_type] {
            if let Ok(parts) = parts(content_type, &body) {
                prop_assert!(parts.count() <= PARTS_MAX + 1);
            }
        }
    }
}
