use pingora::http::RequestHeader;
use serde_json::{Value, json};

use super::*;

fn request(target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build("POST", target.as_bytes(), None).unwrap();
    for (name, value) in headers {
        request.append_header(*name, *value).unwrap();
    }
    request
}

/// The event, whose length must be what was said of it.
fn event(request: &RequestHeader, body: &[u8]) -> Value {
    let foretold = Event::new(request, body).bytes();
    let text = Event::new(request, body).text();
    assert_eq!(text.len() as u64, foretold, "{}", String::from_utf8_lossy(&text));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_request_is_carried_as_by_a_function_url() {
    let headers = [
        ("host", "example.test"),
        ("accept", "image/png"),
        ("accept", "*/*"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
        ("weighbridge-estimate", "0.5"),
    ];
    let request = request("/blurimage/x?a=1&b=%41+c&a=2&d", &headers);
    let event = event(&request, b"data:\"\\\n\x01\xc3\xa9");
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/blurimage/x");
    assert_eq!(event["rawQueryString"], "a=1&b=%41+c&a=2&d");
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "A c", "d": ""}));
    assert_eq!(event["cookies"], json!(["a=1; b=2"]));
    let expected = json!({
        "host": "example.test", "accept": "image/png,*/*", "x-forwarded-for": "10.0.0.1, 10.0.0.2",
    });
    assert_eq!(event["headers"], expected);
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "10.0.0.2");
    assert_eq!(event["body"], "data:\"\\\n\u{1}é");
    assert_eq!(event["isBase64Encoded"], false);
}

#[test]
fn a_body_that_is_no_text_is_carried_in_base64() {
    for length in 0..5_u8 {
        let body: Vec<u8> = (0..length).map(|n| 0xff - n).collect();
        let event = event(&request("/", &[]), &body);
        assert_eq!(event["isBase64Encoded"], length != 0);
        let carried = event["body"].as_str().unwrap();
        assert_eq!(STANDARD.decode(carried).unwrap(), body);
    }
}

#[test]
fn the_length_is_known_beforehand_whatever_the_text() {
    let every: String = (0..=0x2ff).filter_map(char::from_u32).collect();
    assert_eq!(event(&request("/?q=%zz%4", &[]), every.as_bytes())["body"], every);
}
