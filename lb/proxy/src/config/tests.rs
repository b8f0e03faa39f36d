use weighbridge_core::policy::RoutePolicy;
use weighbridge_core::scale::rules;
use weighbridge_core::schedule::filters;
use weighbridge_scene_extract::extractors;

use super::*;

mod access_log;
mod clients;
mod default_file;
mod jobs;
mod traces;

fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
    Config::parse(text, &extractors())
}

#[test]
fn the_default_file_is_the_empty_file() {
    let written = parse(Config::default_text()).unwrap();
    let empty = parse("").unwrap();
    assert_eq!(format!("{written:#?}"), format!("{empty:#?}"));
}

#[test]
fn a_load_report_counts_for_five_intervals_and_at_least_a_second() {
    for (interval, age) in [("1s", 5.0), ("30s", 150.0), ("20ms", 1.0)] {
        let config = parse(&format!("[timeouts]\nreport_interval = \"{interval}\"\n"));
        assert_eq!(config.unwrap().policy.hosts.report_age_max, Duration::from_secs_f64(age));
    }
}

/// The mistakes in `text`, one a line.
fn mistakes(text: &str) -> String {
    let errors = parse(text).expect_err("a mistake is found");
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

fn check(text: &str, expected: &str) {
    assert_eq!(mistakes(text), expected.trim_start(), "of {text}");
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    check(
        r#"listen = "nowhere"
thread = 3
[limits]
body_bytes = "32MB"
[timeouts]
connect = 5
response = "99d"
[scale]
hosts_max = 0
[store]
queue_max = true
"#,
        r#"
line 1: listen is `"nowhere"`: expected an IP address and a port, such as "127.0.0.1:8000"
line 2: `thread` is not a key; did you mean `threads`?
line 4: limits.body_bytes is `"32MB"`: expected a size from "0B" to "16GiB", such as "64MiB"
line 6: timeouts.connect is `5`: expected a duration from "1ms" to "1m", such as "250ms"
line 7: timeouts.response is `"99d"`: expected a duration from "1ms" to "1d", such as "250ms"
line 9: scale.hosts_max is `0`: expected "auto" or a whole number from 1 to 10000
line 11: store.queue_max is `true`: expected a whole number from 1000 to 10000000
"#,
    );
}

#[test]
fn what_is_chosen_by_name_comes_from_the_lists_of_the_core() {
    let filters: Vec<&str> = filters::ALL.iter().map(|filter| filter.name()).collect();
    let rules: Vec<String> = rules::ALL.iter().map(|rule| format!("\"{}\"", rule.name())).collect();
    check(
        "[schedule]\nfilters = [\"active\", \"memori\"]\n[scale]\nrule = \"cpus\"\n",
        &format!(
            "line 2: schedule.filters names `memori`: expected {}; did you mean `memory`?\n\
             line 4: scale.rule is `\"cpus\"`: expected {}\n",
            filters.join(", "),
            rules.join(" or ")
        ),
    );
}

#[test]
fn the_default_file_says_what_each_filter_and_scale_rule_is() {
    let filters = filters::ALL.iter().map(|filter| filter.name());
    for name in filters.chain(rules::ALL.iter().map(|rule| rule.name())) {
        let says = |line: &str| line.starts_with('#') && line.contains(&format!("\"{name}\""));
        assert!(Config::default_text().lines().any(says), "no comment says what `{name}` is");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line_beside_other_mistakes() {
    let told = mistakes("listen = \n[scale]\nhosts_min = 0\n");
    assert!(told.starts_with("line 1: not TOML: "), "{told}");
    assert!(told.contains("line 3: scale.hosts_min is `0`"), "{told}");
}

#[test]
fn values_that_do_not_go_together_are_told_at_the_line_that_was_written() {
    check(
        r#"
admin = "127.0.0.1:8000"
[scale]
hosts_max = 2
hosts_min = 3
cpu_low = 0.9
[hosts]
eject_max = "1s"
[limits]
buffer_bytes_total = "1MiB"
"#,
        "
line 2: admin and listen are both `127.0.0.1:8000`: expected two addresses
line 5: scale.hosts_min is above scale.hosts_max: expected at most that
line 6: scale.cpu_low is above scale.cpu_target: expected at most that
line 8: hosts.eject_base is above hosts.eject_max: expected at most that
line 10: limits.buffer_bytes_total is less than limits.body_bytes: expected room for one body
",
    );
}

#[test]
fn an_unknown_key_is_told_in_every_table() {
    let tables: Vec<&str> = Config::default_text()
        .lines()
        .filter(|line| line.starts_with('[') && !line.starts_with("[["))
        .collect();
    assert!(12 < tables.len());
    for table in tables {
        let told = mistakes(&format!("{table}\nfrobnicate = 1\n"));
        let name = table.trim_matches(['[', ']']);
        if ["fleets", "classes"].contains(&name) {
            assert_eq!(told, format!("line 2: {name} is `1`: expected a table of tables\n"));
            continue;
        }
        assert_eq!(told, format!("line 2: `{name}.frobnicate` is not a key\n"));
    }
}

#[test]
fn mistakes_in_routes_are_told() {
    check(
        r#"
[route_defaults]
prior = "1h"
[[routes]]
name = "a"
path = "/a"
prior = "1s"
[[routes]]
name = "a"
path = "/a"
[[routes]]
name = "B c"
path = "b"
prior = "1s"
extra = 1
[[routes]]
"#,
        r#"
line 3: route_defaults.prior: expected "10us" <= prior <= work_max
line 9: routes[1].name is `a`, as that of another route
line 10: routes[1].path is `/a`, as that of another route
line 12: routes[2].name is `"B c"`: expected 1 to 64 of a-z, 0-9, `_` and `-`
line 13: routes[2].path is `"b"`: expected the beginning of paths, such as "/images/"; `*`, `{name}`, `:name` and other patterns mean nothing
line 15: `routes[2].extra` is not a key
line 16: routes[3].name is missing: expected 1 to 64 of a-z, 0-9, `_` and `-`
line 16: routes[3].path is missing: expected the beginning of paths, such as "/images/"; `*`, `{name}`, `:name` and other patterns mean nothing
"#,
    );
}

#[test]
fn a_path_that_other_proxies_take_for_a_pattern_is_a_mistake() {
    let is_path = |path: &str| {
        parse(&format!("[[routes]]\nname = \"a\"\npath = '{path}'\n")).map(|_| ()).map_err(
            |errors| {
                assert_eq!(errors.len(), 1, "{errors:?}");
                assert_eq!(errors[0].line, Some(3));
            },
        )
    };
    for good in ["/", "/x/", "/x.y", "/a:b", "/caf%C3%A9", "/~me/@x;v=1,2"] {
        assert_eq!(is_path(good), Ok(()), "{good}");
    }
    for bad in ["/x/*", "*", "/x/**", "/{id}", "/x/:id", "^/x$", "/x|/y", "/x\\d", "/x?y", "/x y"] {
        assert_eq!(is_path(bad), Err(()), "{bad}");
    }
}

#[test]
fn a_contradiction_is_told_beside_other_mistakes_of_its_table() {
    check(
        r#"
[scale]
hosts_min = 30
hosts_max = 3
stable_window = "soon"
cpu_low = 2
[fleet.ec2]
spot = true
warm = 1
subnet = "a"
subnets = ["a", "a"]
name = ""
"#,
        r#"
line 3: scale.hosts_min is above scale.hosts_max: expected at most that
line 5: scale.stable_window is `"soon"`: expected a duration from "0s" to "1d", such as "250ms"
line 6: scale.cpu_low is `2`: expected a number from 0 to 1
line 9: fleet.ec2.warm is above 0 with spot instances, which cannot be stopped: expected 0
line 10: `fleet.ec2.subnet` is not a key; did you mean `fleet.ec2.subnets`?
line 11: fleet.ec2.subnets names `a` twice
line 12: fleet.ec2.name is `""`: expected 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`
"#,
    );
}

#[test]
fn what_is_wrong_by_itself_contradicts_nothing() {
    check(
        r#"
[fleet]
kind = "k8s"
static.hosts = [{ address = "10.0.0.7:80" }]
[scale]
cpu_source = "cloudwatch"
[lambda]
enabled = true
[[routes]]
name = "a"
path = "/"
lambda = "not a name"
"#,
        r#"
line 3: fleet.kind is `"k8s"`: expected "local" or "static" or "ec2" or "asg"
line 12: routes[0].lambda is `"not a name"`: expected the name of a function, with `:ALIAS` or not, its ARN, or "" for none
"#,
    );
}

#[test]
fn hosts_of_a_fleet_that_is_not_chosen_are_a_mistake() {
    check(
        r#"
[[fleet.static.hosts]]
address = "10.0.0.7:80"
[fleet.ec2]
launch_template = "workers"
[fleet.asg]
group = "workers"
"#,
        r#"
line 2: fleet.static has hosts, but fleet.kind is "local": expected "static"
line 5: fleet.ec2 says what to launch, but fleet.kind is "local": expected "ec2"
line 7: fleet.asg names a group, but fleet.kind is "local": expected "asg"
"#,
    );
    // What names no host may stand there for another day.
    parse("[fleet.ec2]\nspot = true\nsubnets = [\"a\"]\n[fleet.static]\ncores = 8\n").unwrap();
}

#[test]
fn the_balancers_own_address_is_no_host() {
    check(
        r#"
listen = "0.0.0.0:8000"
[fleet]
kind = "static"
[[fleet.static.hosts]]
address = "127.0.0.1:8000"
[[fleet.static.hosts]]
address = "127.0.0.1:9090"
[[fleet.static.hosts]]
address = "127.0.0.1:8001"
"#,
        "
line 6: fleet.static.hosts[0].address is `127.0.0.1:8000`, where the balancer itself is (`listen`): expected a host
line 8: fleet.static.hosts[1].address is `127.0.0.1:9090`, where the balancer itself is (`admin`): expected a host
",
    );
    let config =
        "fleet.kind = \"static\"\nfleet.static.hosts = [{ address = \"127.0.0.1:8001\" }]\n";
    let listen = Some("127.0.0.1:8001".parse().unwrap());
    let moved = parse(config).unwrap().with(&Overrides { listen, ..Overrides::default() });
    let expected = OverrideError::OwnAddress("127.0.0.1:8001".parse().unwrap());
    assert_eq!(moved.map(|_| ()), Err(expected));
}

#[test]
fn features_are_checked() {
    let told = mistakes(
        "[[routes]]\nname = \"a\"\npath = \"/\"\nfeatures = [\"queri.a\", \"body.bytes * \"]\n",
    );
    assert!(told.contains("line 4: routes[0].features: feature `queri.a`"), "{told}");
    assert!(told.contains("line 4: routes[0].features: feature `body.bytes * `"), "{told}");
    check(
        r#"
[[routes]]
name = "a"
path = "/"
features = ["body.image.pixels"]
body = "stream"
"#,
        r#"
line 6: routes[0].body is "stream", but a feature looks into the body: expected "buffer"
"#,
    );
}

#[test]
fn a_route_that_says_nothing_finds_its_features_by_itself() {
    let config = parse("[[routes]]\nname = \"a\"\npath = \"/\"\n").unwrap();
    assert!(config.policy.routes[0].features.is_auto());
    let config = parse("[[routes]]\nname = \"a\"\npath = \"/\"\nbody = \"stream\"\n").unwrap();
    assert!(config.policy.routes[0].features.is_auto(), "of a stream the head is looked at");
    let config = parse("[[routes]]\nname = \"a\"\npath = \"/\"\nfeatures = []\n").unwrap();
    assert!(!config.policy.routes[0].features.is_auto());
    let told = mistakes("[[routes]]\nname = \"a\"\npath = \"/\"\nfeatures = \"all\"\n");
    assert!(told.contains("expected \"auto\" or a list of features"), "{told}");
}

#[test]
fn a_prior_is_a_duration_or_an_expression() {
    let prior = |prior: &str| {
        let route = format!("[[routes]]\nname = \"a\"\npath = \"/\"\nprior = \"{prior}\"\n");
        parse(&format!("{route}work_max = \"50ms\"\n"))
    };
    assert_eq!(prior("20ms").unwrap().policy.routes[0].features.prior(), None);
    let features = prior("1ms + 15ns * query.width * query.height").unwrap();
    let features = &features.policy.routes[0].features;
    assert_eq!(features.names(), ["1e-3 + 1.5e-8 * query.width * query.height"]);
    assert!(features.prior() == Some(0) && features.is_auto());
    for wrong in ["query.width", "2ms * 3ms", "15ns * query.width + 2", "fast", ""] {
        assert!(prior(wrong).is_err(), "{wrong}");
    }
    let told = mistakes("[[routes]]\nname = \"a\"\npath = \"/\"\nprior = \"1ms * queri.a\"\n");
    assert!(told.contains("routes[0].prior: feature `1e-3 * queri.a` has the factor"), "{told}");
}

#[test]
fn filters_and_weighers_are_checked() {
    check(
        "
[schedule]
filters = [\"memory\", \"memory\"]
[schedule.weighers]
added_delays = 1
price = -1
",
        "
line 3: schedule.filters lacks `active`: expected it, or requests go to hosts that are gone
line 3: schedule.filters names `memory` twice
line 5: `schedule.weighers.added_delays` is not a key; did you mean `schedule.weighers.added_delay`?
line 6: schedule.weighers.price is `-1`: expected a number from 0 to 1000
",
    );
}

#[test]
fn hold_is_a_ratio_or_off() {
    let hold = |text: &str| parse(text).unwrap().policy.schedule.hold;
    assert_eq!(hold(""), Some(4.0));
    assert_eq!(hold("[schedule]\nhold = 8\n"), Some(8.0));
    assert_eq!(hold("[schedule]\nhold = \"off\"\n"), None);
    check(
        "[schedule]\nhold = 0.5\n",
        "line 2: schedule.hold is `0.5`: expected \"off\" or a number from 1 to 1000\n",
    );
    check(
        "[schedule]\nhold = \"on\"\n",
        "line 2: schedule.hold is `\"on\"`: expected \"off\" or a number from 1 to 1000\n",
    );
}

#[test]
fn a_weigher_with_multiplier_zero_is_left_out() {
    let config = parse("[schedule.weighers]\nprice = 0\nfailures = 2\n").unwrap();
    let weighers = &config.policy.schedule.weighers;
    let multiplier = |name| weighers.iter().find(|(one, _)| one.name() == name).map(|(_, by)| *by);
    assert_eq!((multiplier("failures"), multiplier("price")), (Some(2.0), None));
}

#[test]
fn a_table_where_a_value_belongs_is_told() {
    check(
        "listen = []\nlimits = 3\nroutes = 1\n",
        "
line 1: listen is `a list`: expected an IP address and a port, such as \"127.0.0.1:8000\"
line 2: limits is `3`: expected a table
line 3: routes is `1`: expected a list of tables
",
    );
}

#[test]
fn routes_of_a_file_replace_the_default_ones_and_fall_back_on_its_defaults() {
    let config = parse(
        r#"
[route_defaults]
patience = "7s"
[[routes]]
name = "all"
path = "/"
prior = "20ms"
"#,
    );
    let config = config.unwrap();
    assert_eq!(config.routes.len(), 1);
    let route = &config.policy.routes[0];
    assert_eq!((route.name.as_str(), route.patience), ("all", Duration::from_secs(7)));
    assert_eq!(route.prior, weighbridge_core::units::Work::from_cpu_secs(0.02).unwrap());
    assert_eq!(route.idempotent, None, "by its method");
}

#[test]
fn the_longest_path_takes_the_request() {
    let config = parse("").unwrap();
    let taken = |path| {
        let shown = Shown { host: None, path, method: &http::Method::POST };
        config.route_table.take(shown)
    };
    let name = |path| match taken(path) {
        Taken::Route(route) => config.route(route).name.as_str(),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(name("/blurimage"), "blur");
    assert_eq!(name("/blurimage/again"), "blur");
    assert_eq!(name("/raytracer"), "raytrace");
    let status = |path| match taken(path) {
        Taken::Fixed(index) => config.fixed[index].status.as_u16(),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!((status("/"), status("/test"), status("/elsewhere")), (200, 200, 404));
    assert_eq!(taken("*"), Taken::Nowhere);
}

#[test]
fn the_default_routes_are_the_three_workloads() {
    let config = parse("").unwrap();
    let names = |names: Vec<&str>| names.join(" ");
    let routes = config.routes.iter().map(|route| route.name.as_str()).collect();
    let policies = config.policy.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names(routes), "blur enhance raytrace");
    assert_eq!(names(policies), "blur enhance raytrace");
    let finds = |route: &RoutePolicy| route.features.names().is_empty();
    let found: Vec<bool> = config.policy.routes.iter().map(finds).collect();
    assert_eq!(found, [true, false, false], "whose features the balancer finds itself");
    assert!(config.routes.iter().all(|route| route.body == BodyMode::Buffer));
}

#[test]
fn routes_that_name_one_function_share_it() {
    let routes = r#"
[[routes]]
name = "a"
path = "/a"
lambda = "one"
[[routes]]
name = "b"
path = "/b"
lambda = "other:live"
[[routes]]
name = "c"
path = "/c"
lambda = "one"
[[routes]]
name = "d"
path = "/d"
"#;
    let on = parse(&format!("[lambda]\nenabled = true\nmemory_gb = 2\n{routes}")).unwrap();
    let lambda = on.policy.lambda.unwrap();
    let names = lambda.functions.iter().map(|f| (f.name.as_str(), f.memory_gb));
    assert_eq!(names.collect::<Vec<_>>(), [("one", 2.0), ("other:live", 2.0)]);
    assert_eq!(lambda.functions[0].speed, Speed::ONE, "a request runs on one core");
    let functions = on.policy.routes.iter().map(|route| route.function.map(|id| id.0));
    assert_eq!(functions.collect::<Vec<_>>(), [Some(0), Some(1), Some(0), None]);

    let small = format!("[lambda]\nenabled = true\nmemory_gb = 0.8845\n{routes}");
    let small = parse(&small).unwrap().policy.lambda.unwrap();
    assert_eq!(small.functions[0].speed, Speed::from_reference_cores(0.5).unwrap());

    let off = parse(routes).unwrap();
    assert!(off.policy.lambda.is_none(), "it is off by default");
    assert!(off.policy.routes.iter().all(|route| route.function.is_none()));
}

#[test]
fn mistakes_about_lambda_are_told() {
    check(
        r#"
[lambda]
enabled = true
payload_bytes_max = "7MiB"
"#,
        r#"
line 3: lambda.enabled is true, but no route names a function: expected `lambda = "FUNCTION"` in one of them
line 4: lambda.payload_bytes_max is `"7MiB"`: expected a size from "0B" to "6MiB", such as "64MiB"
"#,
    );
    check(
        "[lambda]\nenabled = true\n",
        r#"
line 2: lambda.enabled is true, but no route names a function: expected `lambda = "FUNCTION"` in one of them
"#,
    );
    check(
        r#"
[[routes]]
name = "a"
path = "/"
body = "stream"
lambda = "one"
[[routes]]
name = "b"
path = "/b"
lambda = "not a name"
"#,
        r#"
line 6: routes[0].lambda names a function, but bodies are streamed: expected body = "buffer"
line 10: routes[1].lambda is `"not a name"`: expected the name of a function, with `:ALIAS` or not, its ARN, or "" for none
"#,
    );
}

#[test]
fn a_static_fleet_has_its_hosts_and_their_defaults() {
    let config = parse(
        r#"
[fleet]
kind = "static"
[fleet.static]
cores = 4
[[fleet.static.hosts]]
address = "10.0.0.7:80"
[[fleet.static.hosts]]
address = "[::1]:80"
cores = 2
speed = 1.5
discipline = "srpt"
"#,
    );
    let config = config.unwrap();
    let FleetConfig::Static(hosts) = &config.fleet else { panic!("the fleet is static") };
    assert_eq!((hosts[0].cores, hosts[0].discipline), (4, None));
    assert_eq!((hosts[1].cores, hosts[1].discipline), (2, Some(Discipline::Srpt)));
    assert_eq!(hosts[1].speed, Speed::from_reference_cores(1.5).unwrap());
    assert_eq!(config.policy.scale.hosts_max, 2);
}

#[test]
fn a_static_fleet_without_hosts_or_with_one_twice_is_a_mistake() {
    check(
        "[fleet]\nkind = \"static\"\n",
        "
line 1: fleet.static.hosts is empty: expected at least one host in a static fleet, or a file
",
    );
    let expected = super::discovery::ADDRESS;
    for bad in ["10.0.0.7", "10.0.0.7:0", "host:0", "srv:a b"] {
        let hosts = format!("hosts = [{{ address = \"{bad}\" }}]");
        check(
            &format!("[fleet]\nkind = \"static\"\n[fleet.static]\n{hosts}\n"),
            &format!("line 4: fleet.static.hosts[0].address is `\"{bad}\"`: expected {expected}\n"),
        );
    }
    check(
        r#"
[fleet.static]
hosts = [{ address = "10.0.0.7:80" }, { address = "10.0.0.7:80" }, { cores = 1 }, 4]
"#,
        &format!(
            r"
line 3: fleet.static.hosts is `4`: expected a list of tables
line 3: fleet.static.hosts[2].address is missing: expected {expected}
line 3: fleet.static.hosts[1].address is `10.0.0.7:80` a second time
"
        ),
    );
}

#[test]
fn no_tls_is_spoken_at_a_unix_socket_and_keda_has_an_address_of_its_own() {
    check(
        r#"
[fleet]
kind = "static"
[fleet.static]
hosts = [{ address = "unix:/run/a.sock", protocol = "https" }, { address = "unix:/run/b.sock" }]
[kubernetes]
keda = "127.0.0.1:9090"
"#,
        r#"
line 5: fleet.static.hosts[0].address is `unix:/run/a.sock`, where no TLS is spoken: expected protocol = "http1" or "h2c"
line 7: kubernetes.keda and admin are both `127.0.0.1:9090`: expected two addresses
"#,
    );
}

#[test]
fn rented_machines_are_read_with_their_own_times_and_bounds() {
    let config = parse(
        r#"
[fleet]
kind = "ec2"
[fleet.ec2]
launch_template = "lt-1"
subnets = ["a", "b"]
warm = 2
[fleet.machines]
cores = 4
usd_per_hour = 0.17
[scale]
cpu_source = "cloudwatch"
"#,
    );
    let config = config.unwrap();
    let FleetConfig::Ec2(ec2) = &config.fleet else { panic!("the fleet is on EC2") };
    assert_eq!(ec2.launch_template.as_deref(), Some("lt-1"));
    assert_eq!((ec2.image.as_deref(), ec2.subnets.len(), ec2.warm), (None, 2, 2));
    assert!(ec2.instance_types.is_empty(), "the template's");
    assert!((ec2.machine.price - 1.0).abs() < 1e-9, "{}", ec2.machine.price);
    let scale = &config.policy.scale;
    assert_eq!((scale.hosts_max, scale.boot_timeout), (20, Duration::from_mins(10)));
    assert_eq!(config.cpu_source, CpuSource::CloudWatch { interval: Duration::from_mins(1) });
    let local = parse("").unwrap();
    assert_eq!(local.policy.scale.boot_timeout, Duration::from_secs(30));
}

#[test]
fn mistakes_in_rented_machines_are_told_at_once() {
    check(
        r#"
[fleet]
kind = "ec2"
[fleet.ec2]
image = "ami-1"
subnets = ["a", "a"]
spot = true
warm = 1
[fleet.machines]
port = 0
"#,
        "
line 5: fleet.ec2 says not what to launch: expected a launch_template, or image and instance_type
line 6: fleet.ec2.subnets names `a` twice
line 8: fleet.ec2.warm is above 0 with spot instances, which cannot be stopped: expected 0
line 10: fleet.machines.port is `0`: expected a whole number from 1 to 65535
",
    );
    check(
        r#"
[fleet]
kind = "ec2"
[fleet.ec2]
image = "ami-1"
instance_type = "c6i.large"
instance_types = ["c5.large", "c5.large", ""]
"#,
        "
line 7: fleet.ec2 has instance_type and instance_types: expected one of them
line 7: fleet.ec2.instance_types has an empty text: expected instance types
line 7: fleet.ec2.instance_types names `c5.large` twice
",
    );
    check(
        "[fleet]\nkind = \"asg\"\n[fleet.asg]\n",
        "
line 3: fleet.asg.group is empty: expected the name of an Auto Scaling group
",
    );
    check(
        "[scale]\ncpu_source = \"cloudwatch\"\n",
        "
line 2: scale.cpu_source is `cloudwatch`, which knows only hosts of fleet.kind `ec2` or `asg`
",
    );
}

#[test]
fn instance_types_are_tried_in_their_order() {
    let types = |line: &str| {
        let text = format!("[fleet]\nkind = \"ec2\"\n[fleet.ec2]\nimage = \"ami-1\"\n{line}\n");
        match parse(&text).unwrap().fleet {
            FleetConfig::Ec2(ec2) => ec2.instance_types.join(" "),
            other => panic!("the fleet is {}", other.kind()),
        }
    };
    assert_eq!(types("instance_type = \"c6i.large\""), "c6i.large");
    assert_eq!(types("instance_types = [\"m6i.large\", \"c5.large\"]"), "m6i.large c5.large");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        data_dir: Some(PathBuf::from("/elsewhere")),
        workers: Some("2..5".parse().unwrap()),
        ..Overrides::default()
    };
    let config = parse("").unwrap().with(&overrides).unwrap();
    assert_eq!(config.listen.port(), 0);
    assert_eq!(config.admin.port(), 9090);
    assert_eq!(config.store.data_dir, PathBuf::from("/elsewhere"));
    let scale = &config.policy.scale;
    assert_eq!((scale.hosts_min, scale.hosts_max), (2, 5));
}

#[test]
fn worker_ranges_that_are_none_are_refused() {
    assert_eq!("3".parse::<WorkerRange>(), Ok(WorkerRange { min: 3, max: 3 }));
    for bad in ["", "0..1", "3..2", "1...2", "-1", "1..99999", "a..b"] {
        assert_eq!(bad.parse::<WorkerRange>(), Err(OverrideError::Workers(bad.to_owned())));
    }
}

#[test]
fn durations_and_sizes_are_read_as_people_write_them() {
    let nanos = |text| values::duration(text).map(|span| span.as_nanos());
    assert_eq!(nanos("250ms"), Some(250_000_000));
    assert_eq!(nanos("1.5s"), Some(1_500_000_000));
    assert_eq!(nanos("30d"), Some(30 * 86_400 * 1_000_000_000));
    assert_eq!(nanos("0s"), Some(0));
    assert_eq!(values::size("64MiB"), Some(64 << 20));
    assert_eq!(values::size("1.5KiB"), Some(1536));
    let bad = ["", "5", "s", "1.s", ".5s", "1..5s", "-1s", "1 s", "1S", "1e3s", "99999999999d"];
    for bad in bad {
        assert_eq!(values::duration(bad), None, "{bad}");
    }
    for bad in ["64MB", "64", "99999999TiB"] {
        assert_eq!(values::size(bad), None, "{bad}");
    }
    assert_eq!(values::show_duration(Duration::from_mins(90)), "90m");
    assert_eq!(values::show_size(0), "0B");
}

#[test]
fn a_host_of_one_core_is_told_of() {
    let hosts = "[{ address = \"10.0.0.1:80\" }, { address = \"10.0.0.2:80\", cores = 4 }]";
    let text = format!("fleet.kind = \"static\"\nfleet.static.hosts = {hosts}\n");
    let notes = parse(&text).unwrap().notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("`10.0.0.1:80` has cores = 1, and gets 64 requests"), "{notes:?}");
    assert!(parse("").unwrap().notes().is_empty());
}

#[test]
fn names_of_the_admin_api_are_names() {
    check(
        "admin_hosts = [\"balancer\", \"balancer:9090\", \"\"]\n",
        r#"
line 1: admin_hosts has ``: expected a name without a port, such as "balancer"
line 1: admin_hosts has `balancer:9090`: expected a name without a port, such as "balancer"
"#,
    );
    let config = parse("admin_hosts = [\"Balancer\"]\n").unwrap();
    assert_eq!(config.admin_hosts, ["balancer"]);
}

#[test]
fn a_local_fleet_runs_a_server_where_a_command_is_given() {
    let run_of = |text: &str| match parse(text).unwrap().fleet {
        FleetConfig::Local(local) => local.run,
        FleetConfig::Static(_) | FleetConfig::Ec2(_) | FleetConfig::Asg(_) => None,
    };
    assert_eq!(run_of(""), None);
    assert_eq!(run_of("fleet.local.run = \" \""), None);
    let run = "gunicorn app:app -b {address}";
    assert_eq!(run_of(&format!("fleet.local.run = \"{run}\"")).as_deref(), Some(run));
    check(
        "fleet.local.run = 3",
        "line 1: fleet.local.run is `3`: expected a command, or \"\" for none\n",
    );
}
