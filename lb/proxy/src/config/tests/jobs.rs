//! What may be written of jobs.

use super::*;

/// A file with one route, with further keys of it and of `[jobs]`.
fn with(route: &str, jobs: &str) -> String {
    format!("[[routes]]\nname = \"a\"\npath = \"/\"\n{route}\n[jobs]\n{jobs}\n")
}

fn jobs_of(text: &str) -> (RouteJobs, bool) {
    let config = parse(text).unwrap();
    let route = &config.routes[0];
    (route.jobs, route.async_above.is_some())
}

#[test]
fn routes_have_jobs_where_jobs_are_enabled() {
    let on = "enabled = true";
    assert_eq!(jobs_of(&with("", "")), (RouteJobs::Never, false));
    assert_eq!(jobs_of(&with("", on)), (RouteJobs::Prefer, false));
    assert_eq!(jobs_of(&with("jobs = \"never\"", on)), (RouteJobs::Never, false));
    assert_eq!(jobs_of(&with("jobs = \"always\"", on)), (RouteJobs::Always, false));
    assert_eq!(jobs_of(&with("async_above = \"5s\"", on)), (RouteJobs::Prefer, true));
    let h2c = "[fleets.g]\nprotocol = \"h2c\"\nhosts = [{ address = \"10.0.0.1:1\" }]\n";
    let h2c = with("fleet = \"g\"\nbody = \"stream\"", on) + h2c;
    assert_eq!(jobs_of(&h2c), (RouteJobs::Never, false));
}

#[test]
fn jobs_that_cannot_be_are_told_with_their_lines() {
    check(
        &with("jobs = \"always\"\nasync_above = \"1s\"\nbody = \"stream\"", ""),
        r#"
line 4: routes[0].jobs is "always", but jobs.enabled is false: expected true
line 5: routes[0].async_above is set, but jobs.enabled is false: expected true
line 5: routes[0].async_above is set, but the body streams: expected body = "buffer"
line 5: routes[0].async_above is set, but the route's jobs are not "prefer": expected that
"#,
    );
}

#[test]
fn every_mistake_in_jobs_is_told_at_once() {
    check(
        r#"[jobs]
enabled = 1
path = "jobs/"
waiting_max = 0
backoff_min = "2s"
backoff_max = "1s"
lease_min = "1m"
lease_max = "30s"
weight = 0.5
[jobs.callbacks]
hosts = ["a b", "example.org"]
networks = ["10.0.0.0/99"]
"#,
        r#"
line 2: jobs.enabled is `1`: expected true or false
line 3: jobs.path is `"jobs/"`: expected a path without a `/` at its end, such as "/jobs"
line 4: jobs.waiting_max is `0`: expected a whole number from 1 to 100000000
line 5: jobs.backoff_min is more than jobs.backoff_max: expected at most as much
line 7: jobs.lease_min is more than jobs.lease_max: expected at most as much
line 9: jobs.weight is `0.5`: expected a number from 1 to 1000
line 11: jobs.callbacks.hosts allows callbacks, but jobs.callbacks.secret_file is empty: expected a file
line 11: jobs.callbacks.hosts has `a b`: expected a list of names, such as ["example.org", "*.example.org"]
line 12: jobs.callbacks.networks has `10.0.0.0/99`: expected a list of addresses or networks, such as ["10.0.0.0/8"]
"#,
    );
}

#[test]
fn every_mistake_about_aws_is_told_at_once() {
    check(
        r#"[jobs]
enabled = true
kind = "aws"
folder = "jobs"
input_bytes_max = "1TiB"
inline_bytes_max = "512KiB"
[jobs.aws]
table = "a b"
prefix = "/x"
queue = "a-name-of-forty-letters-for-some-queues-"
window = 0
link_for = "8d"
[fleets.a-name-of-fifty-letters-for-a-fleet-beside-the-main]
hosts = [{ address = "127.0.0.1:1" }]
"#,
        r#"
line 3: jobs.kind is "aws", but jobs.aws.bucket is empty: expected the name of a bucket
line 4: jobs.folder is set, but jobs.kind is "aws", which has none: expected ""
line 5: jobs.input_bytes_max is 1099511627776 bytes, but jobs.kind is "aws": expected 83886080000 at most
line 6: jobs.inline_bytes_max is 524288 bytes, but jobs.kind is "aws": expected 262144 at most
line 8: jobs.aws.table is `"a b"`: expected 3 to 240 letters, digits, `_`, `-` or `.`
line 9: jobs.aws.prefix is `"/x"`: expected up to 512 letters, digits, `_`, `-`, `.` or `/`
line 11: jobs.aws.window is `0`: expected a whole number from 1 to 1000
line 12: jobs.aws.link_for is `"8d"`: expected a duration from "0s" to "7d", such as "250ms"
line 13: fleets.a-name-of-fifty-letters-for-a-fleet-beside-the-main: the name is too long for queues of jobs.aws.queue `a-name-of-forty-letters-for-some-queues-`: expected at most 34 characters
line 13: no route uses fleets.a-name-of-fifty-letters-for-a-fleet-beside-the-main: expected one with `fleet = "a-name-of-fifty-letters-for-a-fleet-beside-the-main"`
"#,
    );
}

#[test]
fn what_is_particular_to_aws_is_asked_for_there_alone() {
    let config = parse("[jobs]\nenabled = true\n").unwrap();
    assert_eq!((config.jobs.kind, config.jobs.aws.bucket.as_str()), (JobsKind::Embedded, ""));
    let aws = "[jobs]\nenabled = true\nkind = \"aws\"\naws.bucket = \"jobs\"\n";
    let config = parse(aws).unwrap();
    assert_eq!((config.jobs.kind, config.jobs.aws.window), (JobsKind::Aws, 16));
}
