use super::*;

fn mistakes(text: &str) -> Vec<String> {
    match Scenario::parse(text, Path::new("s.toml")) {
        Err(ScenarioError::Mistakes { mistakes, .. }) => mistakes,
        Ok(_) | Err(ScenarioError::Read { .. }) => Vec::new(),
    }
}

#[test]
fn an_empty_file_is_a_scenario() {
    let scenario = Scenario::parse("", Path::new("a/empty.toml")).unwrap();
    assert_eq!(scenario.name, "empty");
    assert!((scenario.hosts.capacity() - 16.0).abs() < 1e-9);
}

#[test]
fn every_mistake_is_told_of_at_once() {
    let text = "
load = \"high\"
hots = 3
[hosts]
cores = 0
[arrivals]
process = \"tidal\"
length = \"ten\"
";
    let mistakes = mistakes(text);
    let begins = ["`arrivals.process`", "`arrivals.length`", "`hosts.cores`", "`load`", "`hots`"];
    assert_eq!(mistakes.len(), begins.len(), "{mistakes:#?}");
    for begin in begins {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(begin)), "{begin}");
    }
}

#[test]
fn arrivals_of_a_trace_need_one() {
    let mistakes = mistakes("[arrivals]\nprocess = \"trace\"\n");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let expected = "arrivals.process is \"trace\", but no trace says when requests came";
    assert_eq!(mistakes[0], expected);
}

#[test]
fn a_function_is_for_one_route_that_there_is() {
    let function = |route: &str| format!("[[functions]]\nroute = \"{route}\"\n");
    let scenario = Scenario::parse(&function("all"), Path::new("s.toml")).unwrap();
    assert!(scenario.weighbridge.policy.lambda.is_some());
    assert!(scenario.weighbridge.policy.routes[0].function.is_some());
    assert_eq!(mistakes(&function("none")).len(), 1);
    assert_eq!(mistakes(&(function("all") + &function("all"))).len(), 1);
    assert!(Scenario::parse("", Path::new("s.toml")).unwrap().weighbridge.policy.lambda.is_none());
}
