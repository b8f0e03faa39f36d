use super::*;

#[track_caller]
fn check(before: &[(&'static str, &'static str)], left: &[&str]) {
    let headers = before
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let mut headers: HeaderMap = headers.collect();
    strip(&mut headers);
    let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, left);
}

#[test]
fn the_headers_of_a_connection_stay_with_it() {
    check(&[("accept", "*/*"), ("transfer-encoding", "chunked"), ("te", "trailers")], &["accept"]);
    check(&[("keep-alive", "5"), ("upgrade", "h2c"), ("x-a", "1")], &["x-a"]);
}

#[test]
fn so_do_those_that_connection_names() {
    check(&[("connection", "close, X-One,x-two"), ("x-one", "1"), ("x-two", "2")], &[]);
    check(&[("connection", "not a name, x-one"), ("x-one", "1"), ("x-two", "2")], &["x-two"]);
}
