use std::collections::BTreeSet;
use std::path::Path;

use super::proxies::{ProxySetting, Purpose};
use super::*;

fn spread(median: f64) -> Spread {
    Spread { median, least: median / 2.0, most: median * 2.0 }
}

fn check_spread(values: &[f64], median: f64, least: f64, most: f64) {
    assert_eq!(Spread::of(values.iter().copied()), Spread { median, least, most });
}

#[test]
fn a_spread_is_median_least_and_most() {
    check_spread(&[3.0, 1.0, 2.0], 2.0, 1.0, 3.0);
    check_spread(&[4.0, 1.0, 2.0, 3.0], 2.5, 1.0, 4.0);
    check_spread(&[5.0], 5.0, 5.0, 5.0);
    assert!(Spread::of(std::iter::empty()).median.is_nan());
}

#[test]
fn a_spread_of_one_value_is_shown_as_one_number() {
    let show = |value: f64| format!("{value:.0}");
    assert_eq!(spread(12.0).show(show), "12 (6–24)");
    assert_eq!(Spread::of([12.1, 12.2].into_iter()).show(show), "12");
}

#[test]
fn every_proxy_is_told_all_that_it_is_to_know() {
    let hosts = ["127.0.0.1:7001".parse().unwrap(), "127.0.0.1:7002".parse().unwrap()];
    for purpose in [Purpose::Scheduling, Purpose::Overhead, Purpose::Tls] {
        for proxy in Proxy::ALL {
            let folder = tempfile::tempdir().unwrap();
            let place = ProxySetting {
                purpose,
                listen: "127.0.0.1:7000".parse().unwrap(),
                hosts: &hosts,
                cores: 3,
                threads: 1,
                folder: folder.path(),
            };
            let command = proxy.command(Path::new("program"), place).unwrap();
            let told = told(&command, folder.path());
            assert!(!told.contains("{{"), "{}: {told}", proxy.name());
            for port in ["7000", "7001", "7002"] {
                assert!(told.contains(port), "{}: no {port} in {told}", proxy.name());
            }
        }
    }
}

/// Arguments and configuration.
fn told(command: &std::process::Command, folder: &Path) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    arguments.chain(files).collect::<Vec<_>>().join("\n")
}

#[test]
fn proxies_have_names_of_their_own_and_commands_that_install_them() {
    let names: BTreeSet<&str> = Proxy::ALL.iter().map(|proxy| proxy.name()).collect();
    assert_eq!(names.len(), Proxy::ALL.len());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/install.sh");
    let script = std::fs::read_to_string(script).unwrap();
    let mut count = 0;
    for proxy in Proxy::ALL {
        if let Some(name) = proxy.install().strip_prefix("bench/peers/install.sh ") {
            assert!(script.contains(name), "the script does not know {name}");
            count += 1;
        }
    }
    assert_eq!(count, 4, "nginx, HAProxy, Caddy and Envoy are installed by it");
}

#[test]
fn proxies_that_are_missing_have_a_line() {
    assert_eq!(
        missing_lines(&[Proxy::Envoy, Proxy::Caddy], 2),
        "| envoy | not there: `bench/peers/install.sh envoy` | – | – |\n\
         | caddy | not there: `bench/peers/install.sh caddy` | – | – |\n"
    );
}
