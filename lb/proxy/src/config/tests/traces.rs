use super::*;

#[test]
fn traces_are_off_until_a_collector_is_named() {
    assert_eq!(parse("").unwrap().traces.endpoint, None);
    let text = "[traces]\nendpoint = \"http://10.0.0.9:4318\"\nheaders = [\"X-Key: a: b\"]\n";
    let traces = parse(text).unwrap().traces;
    assert_eq!(traces.endpoint.unwrap().path, "/v1/traces");
    assert_eq!(traces.headers[0].1, "a: b");
}

#[test]
fn every_mistake_in_traces_is_told_with_its_line() {
    check(
        r#"
[traces]
endpoint = ""
sample_ratio = 2
service_name = ""
headers = ["Host: a", "Authorization Bearer secret"]
query = "some"
queue_max = 0
intervall = "1s"
"#,
        r#"
line 4: traces.sample_ratio is `2`: expected a number from 0 to 1
line 5: traces.service_name is `""`: expected a name of 1 to 255 visible characters
line 6: traces.headers has `Host`: expected "NAME: VALUE", and no name that is set here
line 6: traces.headers has the entry 2: expected "NAME: VALUE", and no name that is set here
line 7: traces.query is `"some"`: expected "whole" or "names" or "nothing"
line 8: traces.queue_max is `0`: expected a whole number from 1 to 100000
line 9: `traces.intervall` is not a key; did you mean `traces.interval`?
"#,
    );
}

#[test]
fn a_collector_is_named_by_a_url() {
    let told = mistakes("[traces]\nendpoint = \"10.0.0.9:4318\"\n");
    assert!(told.starts_with("line 2: traces.endpoint is `\"10.0.0.9:4318\"`"), "{told}");
}
