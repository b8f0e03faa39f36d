//! What a VM does when it first boots.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::shell::{Said, WEIGHBRIDGE, read, repository, run};

/// A VM that is a folder: what would be started is only noted.
pub(crate) struct Vm {
    root: TempDir,
}

// === impl Vm ===

impl Vm {
    pub(crate) fn new() -> Vm {
        let vm = Vm { root: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(vm.path("usr/local/bin")).expect("it can be made");
        symlink(WEIGHBRIDGE, vm.path("usr/local/bin/weighbridge")).expect("it can be linked");
        vm.program("bin/systemctl", "echo \"systemctl $*\" >>\"$WEIGHBRIDGE_ROOT/done\"");
        vm
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A stand-in for a program.
    fn program(&self, path: &str, does: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, format!("#!/bin/bash\n{does}\n")).expect("it can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
    }

    pub(crate) fn boot(&self, arguments: &[&str], config: &str) -> Said {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = Command::new(repository("deploy/vm/boot.sh"))
            .args(arguments)
            .env("WEIGHBRIDGE_ROOT", self.root.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = child.stdin.take().expect("it is piped");
        // One that refuses its arguments reads nothing.
        let _ = input.write_all(config.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }
}

#[test]
fn a_worker_is_started_with_its_arguments() {
    let vm = Vm::new();
    vm.boot(&["worker", "--body", "64MiB"], "").ok();
    assert_eq!(vm.read("etc/weighbridge/worker.env"), "WORKER_ARGUMENTS=--body 64MiB\n");
    assert_eq!(vm.read("done"), "systemctl enable --now weighbridge-worker.service\n");
}

#[test]
fn a_balancer_is_started_by_its_configuration() {
    let vm = Vm::new();
    vm.boot(&["balancer", "--region", "eu-west-1"], "listen = \"0.0.0.0:8000\"\n").ok();
    assert_eq!(vm.read("etc/weighbridge/weighbridge.toml"), "listen = \"0.0.0.0:8000\"\n");
    assert_eq!(vm.read("etc/weighbridge/balancer.env"), "AWS_REGION=eu-west-1\n");
    assert_eq!(vm.read("done"), "systemctl enable --now --no-block weighbridge.service\n");
}

#[test]
fn a_balancer_with_functions_has_the_default_routes_each_with_its_function() {
    let vm = Vm::new();
    vm.boot(&["balancer", "--functions", "wb"], "[lambda]\nenabled = true\n").ok();
    let file = vm.path("etc/weighbridge/weighbridge.toml");
    let said = run(Command::new(WEIGHBRIDGE).arg("check").arg(&file)).ok();
    assert!(said.contains("3 routes"), "{said}");
    let config = vm.read("etc/weighbridge/weighbridge.toml");
    for operation in ["blur", "enhance", "raytrace"] {
        assert!(
            config.contains(&format!("name = \"{operation}\"\nlambda = \"wb-{operation}\"\n")),
            "{config}"
        );
    }
}

#[test]
fn a_configuration_with_a_mistake_starts_nothing() {
    let vm = Vm::new();
    let said = vm.boot(&["balancer"], "liste = \"0.0.0.0:8000\"\n").failed(1);
    assert!(said.contains("liste"), "{said}");
    assert_eq!(vm.read("done"), "");
}

#[test]
fn logs_go_to_files_where_there_is_an_agent_that_sends_them() {
    let vm = Vm::new();
    let without = vm.boot(&["balancer", "--logs", "wb"], "");
    assert_eq!(without.code, Some(0), "{}", without.err);
    assert!(without.err.contains("no CloudWatch agent"), "{}", without.err);
    assert_eq!(vm.read("etc/systemd/system/weighbridge.service.d/logs.conf"), "");

    let agent = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl";
    vm.program(agent, "echo \"agent $*\" >>\"$WEIGHBRIDGE_ROOT/done\"");
    vm.boot(&["balancer", "--logs", "wb"], "").ok();
    let config = vm.read("etc/weighbridge/weighbridge.toml");
    assert!(config.contains("[access_log]\nto = \"file\"\npath = "), "{config}");
    let agent: serde_json::Value =
        serde_json::from_str(&vm.read("opt/aws/amazon-cloudwatch-agent/etc/weighbridge.json"))
            .expect("it is JSON");
    let files = &agent["logs"]["logs_collected"]["files"]["collect_list"];
    let template = read("deploy/cloudformation/weighbridge.yaml");
    let unit = vm.read("etc/systemd/system/weighbridge.service.d/logs.conf");
    for (index, group) in ["balancer", "access"].iter().enumerate() {
        assert_eq!(files[index]["log_group_name"], format!("/weighbridge/wb/{group}"));
        assert!(
            template.contains(&format!("LogGroupName: !Sub \"/weighbridge/${{Name}}/{group}\""))
        );
        let path = files[index]["file_path"].as_str().expect("a path");
        // The one is opened by systemd, the other by the balancer, so that it can be opened again.
        let (by, opened) = match *group {
            "balancer" => (&unit, format!("StandardError=append:{path}\n")),
            _ => (&config, format!("path = \"{path}\"\n")),
        };
        assert!(by.contains(&opened), "{opened} in {by}");
        assert!(read("deploy/vm/logrotate").contains(&format!("{path} {{\n")), "{path} is rotated");
    }
    let metrics = &agent["metrics"];
    assert_eq!(metrics["namespace"], "Weighbridge/wb");
    assert_eq!(metrics["metrics_collected"]["disk"]["measurement"][0], "used_percent");
    // The alarm looks at the disk of any balancer.
    assert_eq!(metrics["aggregation_dimensions"], serde_json::json!([["path"]]));
    assert!(template.contains("Dimensions: [{ Name: path, Value: / }]"));
    assert!(vm.read("done").contains("agent -a fetch-config"), "{}", vm.read("done"));
}

#[test]
fn a_part_or_option_that_there_is_not_is_told() {
    let vm = Vm::new();
    assert!(vm.boot(&["balancing"], "").failed(1).contains("there is no part balancing"));
    assert!(vm.boot(&["balancer", "--x", "1"], "").failed(1).contains("there is no option --x"));
    assert!(vm.boot(&["balancer", "--logs"], "").failed(1).contains("--logs needs a value"));
    let said = vm.boot(&["balancer", "--stack", "s"], "").failed(1);
    assert!(said.contains("belong together"), "{said}");
    assert!(vm.boot(&["--help"], "").ok().contains("usage: boot"));
    assert_eq!(vm.read("done"), "");
}

#[test]
fn a_configuration_that_says_where_the_access_log_goes_is_followed() {
    let vm = Vm::new();
    let agent = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl";
    vm.program(agent, "true");
    vm.boot(&["balancer", "--logs", "wb"], "[access_log]\nto = \"off\"\n").ok();
    assert_eq!(vm.read("etc/weighbridge/weighbridge.toml"), "[access_log]\nto = \"off\"\n");
}

#[test]
fn a_worker_on_a_spot_instance_looks_for_its_notice() {
    let vm = Vm::new();
    vm.boot(&["worker", "--spot-notices"], "").ok();
    assert_eq!(vm.read("etc/weighbridge/worker.env"), "WORKER_ARGUMENTS=--spot-notices\n");
    let arguments = ["worker", "--listen", "0.0.0.0:8080", "--spot-notices", "--help"];
    run(Command::new(WEIGHBRIDGE).args(arguments)).ok();
}
