//! Each kind of file by the program that knows it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::emulators::program;
use crate::shell::{WEIGHBRIDGE, files_below, python, read, repository, run};

/// Files below `deploy` whose name ends with `end`.
#[track_caller]
fn files(end: &str) -> Vec<PathBuf> {
    let mut found = files_below(repository("deploy"), |_| false);
    found.retain(|path| path.to_string_lossy().ends_with(end));
    assert!(!found.is_empty(), "there is no {end}");
    found
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let own = [
        ".cargo/cmake",
        ".ci/bare-machine",
        ".ci/debian-package",
        ".ci/emulators",
        ".ci/install",
        ".ci/models",
        ".ci/run",
        ".ci/test",
    ];
    let scripts = files(".sh").into_iter().chain(own.map(repository));
    run(Command::new("shellcheck").arg("--external-sources").args(scripts)).ok();
}

#[test]
fn cfn_lint_finds_nothing_in_the_templates() {
    for template in ["weighbridge.yaml", "jobs.yaml", "contract.yaml"] {
        run(program("cfn-lint").args(["--include-checks", "I", "--"]).args(files(template))).ok();
    }
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfiles() {
    let found = files(".Dockerfile");
    assert_eq!(found.len(), 3);
    run(program("hadolint").args(found)).ok();
}

/// By the scheme of the Compose specification, and that what it names is there.
#[test]
fn the_compose_file_is_one() {
    let source = "
import json, os, sys, yaml
from compose_spec import PyCompose
path = sys.argv[1]
folder = os.path.dirname(path)
data = yaml.safe_load(open(path))
PyCompose.from_json(json.dumps(data)).validate()
services = data['services']
for name, service in services.items():
    for other in service.get('depends_on', []):
        assert other in services, (name, other)
    for volume in service.get('volumes', []):
        source = volume.split(':')[0]
        if source.startswith('.'):
            assert os.path.isfile(os.path.join(folder, source)), (name, source)
        else:
            assert source in data['volumes'], (name, source)
    build = service.get('build')
    if build:
        context = os.path.join(folder, build['context'])
        assert os.path.isfile(os.path.join(context, build['dockerfile'])), (name, build)
    else:
        assert ':' in service['image'] and not service['image'].endswith(':latest'), name
";
    python(source, &[&repository("deploy/docker-compose.yaml")]);
}

#[test]
fn the_compose_files_workers_are_those_of_its_balancer() {
    let compose = read("deploy/docker-compose.yaml");
    let config = read("deploy/docker/weighbridge.toml");
    let hosts: Vec<&str> =
        config.lines().filter_map(|line| line.strip_prefix("address = \"")).collect();
    assert_eq!(hosts.len(), 2);
    for host in hosts {
        let address = host.strip_suffix(":8080\"").expect("the worker's port");
        assert!(compose.contains(&format!("ipv4_address: {address} }}")), "{address}");
    }
    let file = repository("deploy/docker/weighbridge.toml");
    run(Command::new(WEIGHBRIDGE).arg("check").arg(file)).ok();
}

#[test]
fn promtool_finds_nothing_in_configurations_and_alerts() {
    for file in ["prometheus.yaml", "prometheus-aws.yaml"] {
        let file = repository("deploy/prometheus").join(file);
        run(Command::new("promtool").args(["check", "config"]).arg(file)).ok();
    }
    let tests = repository("deploy/prometheus/alerts-test.yaml");
    run(Command::new("promtool").args(["test", "rules"]).arg(tests)).ok();
}

#[test]
fn each_alert_has_a_test() {
    let tests = read("deploy/prometheus/alerts-test.yaml");
    let alerts = read("deploy/prometheus/alerts.yaml");
    let alerts = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n")), "{alert}");
        count += 1;
    }
    assert!(8 < count, "there are alerts");
}

/// The unit at `file` as it would be installed, but for where the program is.
#[track_caller]
fn unit(folder: &Path, file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).expect("it can be read");
    let text = text.replace("/usr/local/bin/weighbridge", WEIGHBRIDGE);
    let copy = folder.join(file.file_name().expect("it has a name"));
    std::fs::write(&copy, text).expect("it can be written");
    copy
}

#[test]
fn systemd_verifies_the_units_and_finds_them_well_shut_in() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files(".service") {
        let copy = unit(folder.path(), &file);
        let said = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy));
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", file.display());
        // In tenths, from 0 to 100: 20 is what systemd calls OK, and few services reach.
        let security = ["security", "--offline=true", "--threshold=20"];
        run(Command::new("systemd-analyze").args(security).arg(&copy)).ok();
    }
}

/// The balancer says that it is well three times within this; a drain is no hang.
#[test]
fn a_balancer_that_hangs_is_restarted_by_systemd() {
    let unit = read("deploy/systemd/weighbridge.service");
    for line in ["Type=notify", "WatchdogSec=30s", "Restart=always", "NotifyAccess=main"] {
        assert!(unit.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn a_log_that_the_balancer_opens_is_moved_away_and_opened_again() {
    let rules = read("deploy/vm/logrotate");
    let (access, balancer) = rules.split_once("\n}\n").expect("two rules");
    for part in ["hourly", "maxsize 100M", "nocreate", "nodateext", "--signal=USR1"] {
        assert!(access.contains(part), "{part}: {access}");
    }
    assert!(!access.contains("copytruncate"), "{access}");
    assert!(balancer.contains("copytruncate"), "{balancer}");
    // More often than a log of 100 MB can fill the disk.
    assert!(read("deploy/vm/logrotate.timer.conf").contains("OnCalendar=\nOnCalendar=*:0/5\n"));
}
