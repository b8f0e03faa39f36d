//! `weighbridge top`: once, as JSON, and in a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::balancer::run;
use crate::scene::Scene;

/// What `weighbridge top ARGUMENTS` prints.
fn top(scene: &Scene, arguments: &[&str]) -> String {
    let admin = scene.balancer.admin.to_string();
    let output = run(["top", "--admin", &admin].into_iter().chain(arguments.iter().copied()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn it_prints_hosts_requests_and_routes_once() {
    let scene = Scene::start(2, "", "");
    let _running = scene.send_all(&["/held/first?secs=50", "/held/second?secs=40"]);
    let _waiting = scene.send("/held/third?secs=30");
    scene.balancer.has_waiting(1);
    let text = top(&scene, &["--once"]);
    assert!(text.starts_with("weighbridge ready   2 hosts, 2 active, 100 % busy"), "{text}");
    assert!(text.contains("2 run with") && text.contains("1 wait with 30.0 s"), "{text}");
    for host in scene.balancer.hosts() {
        assert!(text.contains(host.address()), "{text}");
    }
    let at = |path: &str| text.find(path).unwrap_or_else(|| unreachable!("no {path} in {text}"));
    assert!(at("POST /held/first") < at("POST /held/second"), "{text}");
    assert!(at("POST /held/second") < at("POST /held/third"), "{text}");
    assert!(!text.contains('\x1b'), "what is no terminal gets no orders for one: {text}");
    let few = top(&scene, &["--once", "--most", "1"]);
    assert!(few.contains("and 1 more") && !few.contains("/held/second"), "{few}");
    let told: Value = serde_json::from_str(&top(&scene, &["--json"])).expect("JSON");
    assert_eq!(told["requests"]["running"]["count"], 2);
    scene.gate.open(3);
    scene.balancer.assert_idle();
}

/// `script` gives it a terminal.
#[test]
fn in_a_terminal_it_goes_on_until_it_is_told_to_end() {
    let scene = Scene::start(1, "", "");
    let program = env!("CARGO_BIN_EXE_weighbridge");
    let command = format!("stty rows 30 cols 100; {program} top --admin {}", scene.balancer.admin);
    let mut script = Command::new("script")
        .args(["-qefc", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian has it");
    // The space holds the picture, and `q` ends it; both wait in the terminal until they are read.
    script.stdin.take().expect("it is piped").write_all(b" q").expect("it reads");
    let output = script.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\x1b[?1049h") && said.contains("\x1b[1mweighbridge ready"), "{said}");
    assert!(said.trim_end().ends_with("\x1b[?25h\x1b[?1049l"), "it gives the screen back: {said}");
}

#[test]
fn it_says_who_cannot_be_asked() {
    let output = run(["top", "--admin", "127.0.0.1:1", "--once"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("127.0.0.1:1"), "{said}");
}
