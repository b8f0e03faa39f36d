use super::*;

/// Status, headers and body.
fn check(result: &str, expected: &str) {
    let said = match read(&Bytes::copy_from_slice(result.as_bytes())) {
        Ok(Whole { header, body }) => {
            let mut lines: Vec<String> = header
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            lines.sort();
            let body = String::from_utf8_lossy(&body).into_owned();
            format!("{} {} {body}", header.status.as_u16(), lines.join(", "))
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expected);
}

#[test]
fn an_object_with_a_status_says_all() {
    check(
        r#"{"statusCode": 201, "headers": {"Content-Type": "text/plain", "x-n": 7}, "body": "a\"b",
           "cookies": ["a=1", "b=2"]}"#,
        "201 content-type: text/plain, set-cookie: a=1, set-cookie: b=2, x-n: 7 a\"b",
    );
    check(r#"{"statusCode": 200, "body": "YWI=", "isBase64Encoded": true}"#, "200  ab");
    check(r#"{"statusCode": 204, "body": null}"#, "204  ");
}

#[test]
fn other_json_is_the_body_of_a_200() {
    check(r#"{"message": "hello"}"#, r#"200 content-type: application/json {"message": "hello"}"#);
    check(r#""hello""#, r#"200 content-type: application/json "hello""#);
    check("[1]", "200 content-type: application/json [1]");
}

#[test]
fn an_answer_that_is_none_is_the_functions_fault() {
    check(r#"{"statusCode": 42}"#, "the function failed: it returned the status `42`");
    check(r#"{"statusCode": 101}"#, "the function failed: it returned the status `101`");
    check(
        r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
        "the function failed: it returned the header `a b`",
    );
    check(
        r#"{"statusCode": 200, "headers": {"a": "c\nd"}}"#,
        "the function failed: it returned the header `a`",
    );
    let result = r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#;
    let read = read(&Bytes::from_static(result.as_bytes()));
    assert!(matches!(read, Err(InvokeError::Function(why)) if why.contains("not base64")));
}
