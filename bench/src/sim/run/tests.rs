use clap::Args;

use super::*;
use crate::sim::Sim;

#[test]
fn the_help_lists_every_policy_and_autoscaler() {
    let mut command = Sim::augment_args(clap::Command::new("sim"));
    let help = command.render_long_help().to_string();
    for name in names().into_iter().chain(rules()) {
        assert!(help.contains(&format!("  {name} ")), "`{name}` is not in the help:\n{help}");
    }
    assert!(help.contains(&disciplines().join(", ")), "{help}");
}

#[test]
fn a_policy_is_a_name_a_discipline_and_an_autoscaler() {
    for text in ["weighbridge", "random@fcfs", "c3+fixed", "weighbridge@ps+oracle_70"] {
        assert_eq!(PolicySpec::parse(text).unwrap().text, text);
    }
    let mistakes = ["nobody", "random@lifo", "random+nothing"];
    let mistakes = mistakes.map(|text| PolicySpec::parse(text).unwrap_err().to_string());
    assert!(mistakes[0].starts_with("no policy is called `nobody`, expected one of `weighbridge`"));
    let disciplines = "no discipline is called `lifo`, expected one of `srpt`, `ps`, `fcfs`";
    assert_eq!(mistakes[1], disciplines);
    assert!(mistakes[2].starts_with("no autoscaler is called `nothing`, expected one of `fixed`"));
}

#[test]
fn a_policy_may_have_other_hosts_and_no_functions() {
    let text = "weighbridge@ps+fixed:hosts=12:lambda=off";
    let spec = PolicySpec::parse(text).unwrap();
    assert_eq!(spec.text, text);
    assert_eq!(spec.otherwise.hosts, Some(12));
    assert!(spec.otherwise.without_lambda);
    for mistake in ["hosts=0", "hosts=many", "lambda=on", ""] {
        let error = PolicySpec::parse(&format!("random:{mistake}")).unwrap_err().to_string();
        let expected = "expected `hosts=N`, N from 1 to 10000, `lambda=off`, `clients=off`, \
                        `deadlines=off`, `without=CLIENT`, `rule=NAME`, `half_life=DURATION` or \
                        `slack=X`";
        assert_eq!(error, format!("`{mistake}` cannot be otherwise, {expected}"));
    }
}
