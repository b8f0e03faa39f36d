//! The Debian package: what is in it, and that the stripped program counts as the other one does.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::balancer::spawn;
use crate::harness::client::Client;
use crate::harness::requests::ray_trace;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `program` says, where it succeeds.
#[track_caller]
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it is installed");
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{program}: {}", text.concat());
    text.concat()
}

/// What a worker of `program` says that a request has cost, but for times.
fn counted(program: &Path) -> Vec<(String, f64)> {
    let mut command = Command::new(program);
    command.args(["worker", "--listen", "127.0.0.1:0", "--cores", "1"]).env_remove("RUST_LOG");
    let mut process = spawn(command);
    let address = process.says("listening on ").parse().expect("an address");
    let request = ray_trace(40, 9).with("weighbridge-estimate: 1");
    let answer = Client::new(address).ask(&request).expect("it answers");
    let report = answer.header("endpoint-load-metrics").expect("a load report");
    let report = report.trim_start_matches("JSON ");
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    let cost = report["request_cost"].as_object().expect("a cost");
    let counts = cost.iter().filter(|(name, _)| *name != "cpu_seconds");
    counts.map(|(name, value)| (name.clone(), value.as_f64().expect("a number"))).collect()
}

#[test]
fn a_package_has_all_that_belongs_to_the_program_and_counting_survives_stripping() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("text");
    let built = Path::new(env!("CARGO_BIN_EXE_weighbridge"));
    let script = repository().join("deploy/build-deb.sh");
    let program = built.to_str().expect("text");
    let made = said(script.to_str().expect("text"), &["--program", program, "--out", out]);
    let packages: Vec<&str> = made.lines().collect();
    let [package, symbols] = packages[..] else { panic!("two packages: {made}") };
    lint(package);

    let listed = said("dpkg-deb", &["--contents", package]);
    for file in [
        "/usr/bin/weighbridge",
        "/etc/weighbridge/weighbridge.toml",
        "/etc/logrotate.d/weighbridge",
        "/lib/systemd/system/weighbridge.service",
        "/lib/systemd/system/weighbridge.socket",
        "/lib/systemd/system/weighbridge-worker.service",
        "/usr/share/man/man1/weighbridge.1.gz",
        "/usr/share/man/man1/weighbridge-upgrade.1.gz",
        "/usr/share/bash-completion/completions/weighbridge",
        "/usr/share/zsh/vendor-completions/_weighbridge",
        "/usr/share/fish/vendor_completions.d/weighbridge.fish",
        "/usr/share/doc/weighbridge/copyright",
        "/usr/share/doc/weighbridge/CHANGELOG.md.gz",
    ] {
        assert!(listed.contains(&format!(".{file}\n")), "no {file} in {listed}");
    }
    assert!(said("dpkg-deb", &["--contents", symbols]).contains(".debug\n"));

    let root = folder.path().join("root");
    said("dpkg-deb", &["--extract", package, root.to_str().expect("text")]);
    let unit = std::fs::read_to_string(root.join("lib/systemd/system/weighbridge.service"));
    let unit = unit.expect("it is there");
    assert!(!unit.contains("/usr/local/"), "the program is in /usr/bin: {unit}");
    let stripped = root.join("usr/bin/weighbridge");
    let sections = said("readelf", &["--sections", "--wide", stripped.to_str().expect("text")]);
    assert!(sections.contains(".text") && !sections.contains(".debug_line"), "it is stripped");
    let counts = counted(&stripped);
    assert!(counts.iter().any(|(name, count)| name == "instructions" && 0.0 < *count));
    assert_eq!(counts, counted(built));
}

/// Where the linter of packages is installed, it has nothing to say.
fn lint(package: &str) {
    if Command::new("lintian").arg("--version").output().is_err() {
        println!("lintian is not installed");
        return;
    }
    // Nobody has an address to write to.
    let suppressed = "bogus-mail-host,bogus-mail-host-in-debian-changelog";
    let arguments = ["--fail-on", "error,warning", "--suppress-tags", suppressed, package];
    let found = said("lintian", &arguments);
    assert!(!found.contains("E: ") && !found.contains("W: "), "{found}");
}
