//! Every script tells how it is used, and what is wrong with what it is given, before it does
//! anything.

use std::path::Path;
use std::process::Command;

use crate::emulators::CREDENTIALS;
use crate::shell::{Said, WEIGHBRIDGE, python, repository, run};

/// All that have `--help`.
pub(crate) const SCRIPTS: [&str; 9] = [
    "build-lambda.sh",
    "config.sh",
    "create-image.sh",
    "install-vm.sh",
    "launch-deployment.sh",
    "launch-vm.sh",
    "models.sh",
    "terminate-deployment.sh",
    "test-vm.sh",
];

/// Runs a script where nothing of AWS can be reached.
fn script(name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Said {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(repository("deploy").join(name));
    command
        .args(arguments)
        .env("HOME", folder.path())
        .env("WEIGHBRIDGE_STATE", folder.path().join("state"))
        .envs(CREDENTIALS)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .envs(settings.iter().copied());
    run(&mut command)
}

#[test]
fn every_script_helps() {
    for name in SCRIPTS {
        for flag in ["--help", "-h"] {
            let said = script(name, &[flag], &[]).ok();
            assert!(said.starts_with(&format!("usage: {name}")), "{said}");
        }
    }
}

/// Also those on a VM, which change the system they run on.
#[test]
fn scripts_for_a_vm_help_and_refuse_before_they_change_anything() {
    for (name, own) in [("vm/install.sh", "install.sh"), ("vm/boot.sh", "boot")] {
        for flag in ["--help", "-h"] {
            let folder = tempfile::tempdir().expect("a folder");
            let root = folder.path().display().to_string();
            let said = script(name, &[flag], &[("WEIGHBRIDGE_ROOT", &root)]).ok();
            assert!(said.starts_with(&format!("usage: {own}")), "{said}");
            let made = std::fs::read_dir(folder.path()).expect("it is there").count();
            assert_eq!(made, 0, "{name} {flag} made something");
        }
    }
    let said = script("vm/install.sh", &["--frobnicate"], &[]).failed(2);
    assert!(said.contains("--help"), "{said}");
}

/// All other scripts that people run.
#[test]
fn every_other_script_helps_and_does_nothing_else() {
    for name in [
        ".ci/bare-machine",
        ".ci/emulators",
        ".ci/install",
        ".ci/models",
        ".ci/run",
        ".ci/test",
        "bench/build-cost.sh",
        "bench/peers/install.sh",
        "bench/profile-overhead.sh",
        "bench/requests/blur.sh",
        "bench/requests/enhance.sh",
        "bench/requests/raytrace.sh",
        "bench/requests/video.sh",
        "instrument/callgrind.sh",
        "instrument/overhead.sh",
    ] {
        for flag in ["--help", "-h"] {
            let said = run(Command::new(repository(name)).arg(flag)).ok();
            assert!(60 < said.len() && said.len() < 4000, "{name} {flag}: {said}");
        }
    }
}

#[test]
fn every_script_refuses_an_option_that_it_does_not_have() {
    for name in SCRIPTS {
        let said = script(name, &["--frobnicate"], &[]).failed(2);
        assert!(said.starts_with(&format!("{name}: ")), "{said}");
        assert!(said.contains("--help"), "{said}");
    }
}

#[test]
fn an_option_without_its_value_is_told() {
    for (name, option) in [
        ("create-image.sh", "--program"),
        ("install-vm.sh", "--program"),
        ("launch-deployment.sh", "--image"),
        ("launch-vm.sh", "--type"),
        ("test-vm.sh", "--url"),
    ] {
        let said = script(name, &[option], &[]).failed(2);
        assert!(said.contains(&format!("{option} needs a value")), "{said}");
    }
}

#[test]
fn values_that_make_no_sense_are_told() {
    let refused = |name: &str, arguments: &[&str], code, expected: &str| {
        let said = script(name, arguments, &[]).failed(code);
        assert!(said.contains(expected), "{said}");
    };
    refused("test-vm.sh", &["-n", "many"], 2, "-n many is not a count");
    refused("test-vm.sh", &["--url", "there"], 2, "--url there is not a URL");
    refused("test-vm.sh", &["a", "b"], 2, "only one address");
    refused("launch-deployment.sh", &["workers"], 2, "neither an option nor PARAMETER=VALUE");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let refused = |name: &str, setting: (&str, &str), expected: &str| {
        let said = script(name, &[], &[setting]).failed(1);
        assert!(said.contains(expected), "{said}");
    };
    refused("terminate-deployment.sh", ("WEIGHBRIDGE_NAME", "No_Name"), "WEIGHBRIDGE_NAME is");
    refused("launch-vm.sh", ("WEIGHBRIDGE_WAIT_MAX", "soon"), "WEIGHBRIDGE_WAIT_MAX is");
    refused("install-vm.sh", ("WEIGHBRIDGE_PROGRAM", "/nowhere"), "there is no program /nowhere");
}

#[test]
fn the_settings_are_printed_as_they_are_in_force() {
    let said = script("config.sh", &[], &[("WEIGHBRIDGE_NAME", "other")]).ok();
    assert!(said.contains("WEIGHBRIDGE_NAME=other\n"), "{said}");
    assert!(said.contains("AWS_DEFAULT_REGION=us-east-1\n"), "{said}");
    // Under the name that earlier scripts had for it.
    let old = ("AWS_EC2_SSH_KEYPAR_PATH", "/keys/old.pem");
    let said = script("config.sh", &[], &[old]).ok();
    assert!(said.contains("AWS_EC2_SSH_KEYPAIR_PATH=/keys/old.pem\n"), "{said}");
}

#[test]
fn a_function_is_made_of_a_program_that_lambda_can_run_and_of_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("new/function.zip").display().to_string();
    let make = |program: &str, more: &[&str]| {
        let arguments = [&["--program", program, "--output", &zip], more].concat();
        script("build-lambda.sh", &arguments, &[])
    };
    let (own, other) = match std::env::consts::ARCH {
        "x86_64" => ("x86_64", "arm64"),
        _ => ("arm64", "x86_64"),
    };
    let said = make(WEIGHBRIDGE, &[other]).failed(1);
    assert!(said.contains("is no program for"), "{said}");
    let said = make("/dev/null", &[]).failed(1);
    assert!(said.contains("is no program for"), "{said}");
    let said = make("/nowhere/program", &[]).failed(1);
    assert!(said.contains("cannot be read"), "{said}");
    let said = make(WEIGHBRIDGE, &["--glibc-max", "2.4"]).failed(1);
    assert!(said.contains("Lambda has 2.4"), "{said}");
    let said = make(WEIGHBRIDGE, &["mips"]).failed(2);
    assert!(said.contains("x86_64 or arm64"), "{said}");
    assert!(!folder.path().join("new").exists(), "nothing is left of what failed");

    let said = make(WEIGHBRIDGE, &["--glibc-max", "99", own]).ok();
    assert_eq!(said.trim(), zip);
    let first = std::fs::read(&zip).expect("it was made");
    make(WEIGHBRIDGE, &["--glibc-max", "99"]).ok();
    assert!(first == std::fs::read(&zip).expect("it was made"), "the same program, the same zip");
    let listed = python(
        "import sys, zipfile\n\
         for entry in zipfile.ZipFile(sys.argv[1]).infolist():\n\
         \x20   print(entry.filename, oct(entry.external_attr >> 16))",
        &[Path::new(&zip)],
    );
    assert_eq!(listed.trim(), "bootstrap 0o755");
}
