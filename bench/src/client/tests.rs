use http::HeaderValue;

use super::*;

fn read(values: &[&'static str]) -> Option<Told> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("server-timing", HeaderValue::from_static(value));
    }
    told(&headers)
}

#[test]
fn estimate_and_work_are_read_from_all_headers() {
    let told = read(&[
        "db;dur=53, wait;dur=0.1",
        "estimate;dur=12.5;desc=\"model\", estimate-p90;dur=20, work; dur=10, host;desc=\"3\"",
    ]);
    let expected = Told { mean: 0.0125, p90: 0.02, source: "model".to_owned(), work: 0.01 };
    assert_eq!(told, Some(expected));
}

#[test]
fn what_is_missing_or_malformed_is_nothing_told() {
    assert_eq!(read(&[]), None);
    assert_eq!(read(&["estimate;dur=1, estimate-p90;dur=2"]), None);
    assert_eq!(read(&["estimate;dur=x, estimate-p90;dur=2, work;dur=1"]), None);
    assert_eq!(read(&["estimate;dur=1, estimate-p90;dur=2, work;dur=0"]), None);
}
