use super::*;

use weighbridge_proxy::config::reader::{Reader, reference};

/// The mistakes in `text`, one a line.
fn mistakes(text: &str) -> String {
    mistakes_with(text, &Overrides::default())
}

fn mistakes_with(text: &str, overrides: &Overrides) -> String {
    let told = read::scenario(text, Path::new("s.toml"), overrides).err().unwrap_or_default();
    let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

fn check(text: &str, expected: &str) {
    assert_eq!(mistakes(text), expected.trim_start(), "of {text}");
}

#[test]
fn the_default_document_is_a_reference_of_everything_that_is_read() {
    let reader = Reader::new("", Scenario::default_text());
    read::read(reader.root(), Path::new("s.toml"));
    let mut known = reader.known();
    // Those have a reference of their own.
    known.retain(|key, _| !key.starts_with("weighbridge."));
    assert!(60 < known.len(), "{} keys are read", known.len());
    let told = reference::disagreements(Scenario::default_text(), &known, &[]);
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn the_default_document_is_the_empty_file_but_for_its_fleet_that_is_sized() {
    let shown = |text| {
        let mut scenario = Scenario::parse(text, Path::new("s.toml")).unwrap();
        scenario.scale = None;
        scenario.weighbridge.policy.scale.hosts_min = 8;
        scenario.weighbridge.policy.scale.hosts_max = 8;
        format!("{scenario:#?}")
    };
    assert_eq!(shown(Scenario::default_text()), shown(""));
}

#[test]
fn an_empty_file_is_a_scenario() {
    let scenario = Scenario::parse("", Path::new("a/empty.toml")).unwrap();
    assert_eq!(scenario.name, "empty");
    assert!((scenario.hosts.capacity() - 16.0).abs() < 1e-9);
}

#[test]
fn every_mistake_is_told_of_at_once_with_its_line() {
    check(
        "
load = \"high\"
hots = 3
[hosts]
cores = 0
speeds = []
[arrivals]
process = \"tidal\"
length = \"ten\"
[faults]
crash_every = \"0s\"
[weighbridge.scale]
boot_timeout = \"5\"
boot_tim = \"5s\"
",
        "
line 2: load is `\"high\"`: expected a number from 0.000001 to 100
line 3: `hots` is not a key; did you mean `hosts`?
line 5: hosts.cores is `0`: expected a whole number from 1 to 1024
line 6: hosts.speeds is `a list`: expected a list of at least one number, each from 0.000001 to 1000000
line 8: arrivals.process is `\"tidal\"`: expected \"poisson\" or \"bursty\" or \"diurnal\" or \"trace\"
line 9: arrivals.length is `\"ten\"`: expected a duration from \"1ns\" to \"1d\", such as \"250ms\"
line 11: faults.crash_every is `\"0s\"`: expected \"never\" or a duration from \"1ms\" to \"365d\"
line 13: weighbridge.scale.boot_timeout is `\"5\"`: expected \"auto\" or a duration from \"1s\" to \"1h\"
line 14: `weighbridge.scale.boot_tim` is not a key; did you mean `weighbridge.scale.boot_time`?
",
    );
}

#[test]
fn options_of_the_command_line_are_checked_as_the_file_is() {
    let overrides = Overrides {
        load: Some(f64::NAN),
        sigma: Some(-1.0),
        seed: None,
        trace: Some(PathBuf::from("/nowhere.csv")),
    };
    let told = mistakes_with("load = 0.5\nrequests = 0\n", &overrides);
    let expected = [
        "load is `nan`: expected a number from 0.000001 to 100",
        "predictions.sigma is `-1.0`: expected a number from 0 to 10",
        "sizes.trace: ",
        "line 2: requests is `0`: expected a whole number from 1 to 100000000",
    ];
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for (line, expected) in told.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn options_of_the_command_line_win_over_the_file() {
    let text = "load = 0.5\nseed = 3\n[predictions]\nsigma = 0.5\nerror = \"constant\"\n";
    let overrides = Overrides { load: Some(0.7), sigma: Some(0.1), seed: Some(4), trace: None };
    let scenario = read::scenario(text, Path::new("s.toml"), &overrides).unwrap();
    assert_eq!((scenario.load, scenario.sigma, scenario.seed), (0.7, 0.1, 4));
    assert_eq!(scenario.errors, ErrorKind::Constant);
}

#[test]
fn values_that_do_not_go_together_are_told_of() {
    check(
        "
[arrivals]
process = \"trace\"
[sizes]
classes = [{ law = \"pareto\", min = \"5s\", max = \"1s\" }, { min = \"200s\" }]
[hosts]
count = 1
boot = \"5m\"
[scale]
hosts_min = 2
[weighbridge]
routes = []
",
        "
line 3: arrivals.process is \"trace\", but no trace says when requests came
line 5: sizes.classes[0].law: expected min < max, and an alpha other than 1
line 8: hosts.boot is not shorter than weighbridge.scale.boot_timeout: expected less
line 10: hosts.count is 1: expected one within scale.hosts_min and scale.hosts_max
line 12: routes: expected from 1 to 256 of them
line 12: weighbridge.routes are those of `sizes`: expected none here
",
    );
}

#[test]
fn a_function_is_for_one_route_that_there_is() {
    let function = |route: &str| format!("[[functions]]\nroute = \"{route}\"\n");
    let scenario = Scenario::parse(&function("all"), Path::new("s.toml")).unwrap();
    assert!(scenario.weighbridge.policy.lambda.is_some());
    assert!(scenario.weighbridge.policy.routes[0].function.is_some());
    check(
        &(function("all") + &function("none") + &function("all")),
        "
line 4: functions[1].route is `none`: expected a route of `sizes`: `all`
line 6: functions[2].route is `all`, as that of another function
",
    );
    assert!(Scenario::parse("", Path::new("s.toml")).unwrap().weighbridge.policy.lambda.is_none());
}

#[test]
fn the_patience_of_a_route_is_the_shipped_one_unless_the_scenario_says_another() {
    let patience = |text: &str| {
        let scenario = Scenario::parse(text, Path::new("s.toml")).unwrap();
        scenario.weighbridge.policy.routes[0].patience
    };
    let shipped = patience("[sizes.class_defaults]\nroute = \"blur\"\n");
    assert_ne!(shipped.as_millis(), 77);
    let other = "[weighbridge.route_defaults]\npatience = \"77ms\"\n";
    assert_eq!(patience(other).as_millis(), 77);
}
