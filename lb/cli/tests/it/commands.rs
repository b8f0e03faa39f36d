//! The commands that answer and end.

use std::process::Output;

use crate::harness::balancer::{Place, run};
use crate::harness::requests::{ray_trace, scene};

const TARGET: &str = "/raytracer?scols=90&srows=90&wcols=90&wrows=90&coff=0&roff=0";

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_printed_configuration_is_one_without_mistakes() {
    let printed = run(["config"]);
    assert!(printed.status.success());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("printed.toml");
    std::fs::write(&file, &printed.stdout).expect("it is writable");
    let checked = run(["check", file.to_str().expect("text")]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("3 routes, no mistakes"), "{}", stdout(&checked));
}

#[test]
fn every_mistake_of_a_configuration_is_told_with_its_line_and_nothing_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    let wrong = "listen = \"nowhere\"\n[scale]\nhosts_min = 0\n[timeouts]\nconect = \"1s\"\n";
    std::fs::write(&file, wrong).expect("it is writable");
    let file = file.to_str().expect("text");
    for command in [run(["check", file]), run(["serve", "-c", file]), run(["up", "-c", file])] {
        assert!(!command.status.success());
        let told = stderr(&command);
        for mistake in ["line 1: listen", "line 3: scale.hosts_min", "line 5: `timeouts.conect`"] {
            assert!(told.contains(mistake), "no `{mistake}` in {told}");
        }
        assert_eq!(stdout(&command), "");
    }
}

/// The examples in the help of a command are asked for their help, which they give only where what
/// stands before it is right.
#[test]
fn every_command_is_shown_by_an_example_that_works() {
    for command in [
        "",
        "up",
        "serve",
        "worker",
        "check",
        "config",
        "explain",
        "fleet",
        "reload",
        "upgrade",
        "completions",
        "man",
    ] {
        let words = command.split_whitespace().chain(["--help"]);
        let help = stdout(&run(words));
        let examples = help.lines().filter_map(|line| line.strip_prefix("  weighbridge "));
        let mut count = 0;
        for example in examples.filter(|example| command.is_empty() || example.starts_with(command))
        {
            let example = example.split(['>', '|']).next().unwrap_or_default();
            let example = example.split(" && ").next().unwrap_or_default();
            // What follows two blanks explains it.
            let example = example.split("  ").next().unwrap_or_default();
            let shown = run(words_of(example).into_iter().chain(["--help"]));
            assert!(shown.status.success(), "{example}: {}", stderr(&shown));
            count += 1;
        }
        assert!(0 < count, "`weighbridge {command} --help` has no example: {help}");
    }
}

#[test]
fn shells_and_readers_are_told_of_every_command() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef weighbridge"), ("fish", "-c")]
    {
        let text = stdout(&run(["completions", shell]));
        assert!(text.contains(mark), "{shell}: {text}");
        assert!(text.contains("upgrade"), "{shell}: {text}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("man1");
    let written = run(["man", "--out", out.to_str().expect("text")]);
    assert!(written.status.success(), "{}", stderr(&written));
    for name in ["weighbridge", "weighbridge-serve", "weighbridge-fleet-join"] {
        let page = std::fs::read_to_string(out.join(format!("{name}.1"))).expect("it is there");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"), "{page}");
    }
    assert!(!out.join("weighbridge-guard.1").exists(), "what is hidden has no page");
}

/// The words of a command, of which some stand in single quotes.
fn words_of(command: &str) -> Vec<&str> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(nth, part)| match nth % 2 {
        0 => part.split_whitespace().collect(),
        _ => vec![part],
    });
    words.collect()
}

#[test]
fn what_cannot_be_started_says_why() {
    let missing = run(["serve", "-c", "/no/such/file"]);
    assert!(!missing.status.success());
    assert!(stderr(&missing).contains("/no/such/file"), "{}", stderr(&missing));

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("it listens").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let refused = run(["up", "--listen", &taken, "--admin", "127.0.0.1:0", "--data-dir", data]);
    assert!(!refused.status.success());
    assert!(stderr(&refused).contains(&taken), "{}", stderr(&refused));
}

#[test]
fn explain_tells_what_would_happen_to_a_request() {
    let place = Place::new("");
    let balancer = place.serve();
    balancer.has_active(1);
    assert_eq!(balancer.ask(&ray_trace(90, 9)).status, 200);
    let body = place.as_ref().join("scene.json");
    std::fs::write(&body, scene(9)).expect("it is writable");
    let (admin, body) = (balancer.admin.to_string(), body.to_str().expect("text"));

    let host = &balancer.hosts()[0].0;
    let name = host["name"].as_str().expect("a name");
    let verdict = format!("forward to {} ({name})", host["id"]);
    let text = run(["explain", TARGET, "--body", body, "--admin", &admin]);
    assert!(text.status.success(), "{}", stderr(&text));
    assert!(stdout(&text).contains(&verdict), "no `{verdict}` in {}", stdout(&text));
    let value = run(["explain", TARGET, "--body", body, "--admin", &admin, "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&value.stdout).expect("JSON");
    assert_eq!(value["route"], "raytrace", "{value}");
    assert_eq!(value["estimate"]["source"], "repeat", "{value}");
    assert_eq!(value["verdict"], verdict, "{value}");

    drop(balancer);
    let nobody = run(["explain", TARGET, "--admin", &admin]);
    assert!(!nobody.status.success());
    assert!(stderr(&nobody).contains(&admin), "{}", stderr(&nobody));
}
