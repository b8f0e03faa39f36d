//! The READMEs and ARCHITECTURE.md against what there is: links, files, commands and keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{WEIGHBRIDGE, read, repository, run};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "bench/README.md",
    "deploy/README.md",
    "instrument/README.md",
    "lb/README.md",
    "worker/README.md",
];

/// The most lines of what a new reader reads first.
const LINES_MAX: [(&str, usize); 2] = [("README.md", 150), ("ARCHITECTURE.md", 130)];

/// The lines of `document` within fences, each fence with its language.
fn code(document: &str) -> Vec<(String, String)> {
    let (mut found, mut language) = (Vec::new(), None::<String>);
    for line in read(document).lines() {
        match (line.trim().strip_prefix("```"), &language) {
            (Some(_), Some(_)) => language = None,
            (Some(opened), None) => language = Some(opened.to_owned()),
            (None, Some(language)) => found.push((language.clone(), line.to_owned())),
            (None, None) => {}
        }
    }
    found
}

/// The text of `document` without what is within fences.
fn prose(document: &str) -> String {
    let mut is_code = false;
    let text = read(document);
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `document` links to: `[text](target)`.
fn links(document: &str) -> Vec<String> {
    let text = prose(document);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(document: &Path) -> Vec<String> {
    let text = prose(document.to_str().expect("a path of the repository"));
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// `path`, seen from the folder of `document`, without its `..`.
fn beside(document: &str, path: &str) -> PathBuf {
    let mut whole = Path::new(document).parent().expect("it is in a folder").to_owned();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::ParentDir => assert!(whole.pop(), "{document}: {path}"),
            part => whole.push(part),
        }
    }
    whole
}

#[test]
fn what_is_read_first_is_short() {
    for (document, most) in LINES_MAX {
        let lines = read(document).lines().count();
        assert!(lines <= most, "{document} has {lines} lines, the most is {most}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for document in DOCUMENTS {
        for link in links(document) {
            if link.starts_with("http") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { document.into() } else { beside(document, path) };
            assert!(repository(&target.to_string_lossy()).exists(), "{document}: {link}");
            let is_there = anchor.is_empty() || anchors(&target).iter().any(|have| have == anchor);
            assert!(is_there, "{document}: {link} has no such heading");
            followed += 1;
        }
    }
    assert!(50 < followed, "{followed} links were followed");
}

#[test]
fn every_document_is_found_from_the_first_one() {
    let linked = links("README.md");
    for document in DOCUMENTS.into_iter().skip(1) {
        assert!(linked.iter().any(|link| link == document), "README.md has no link to {document}");
    }
}

/// The words of `command`, of which those in single quotation marks may have spaces.
fn words(command: &str) -> impl Iterator<Item = &str> + Clone {
    let parts = command.split('\'').enumerate();
    parts.flat_map(|(nth, part)| {
        let is_quoted = nth % 2 == 1;
        let whole = is_quoted.then_some(part).into_iter();
        whole.chain(part.split_whitespace().filter(move |_| !is_quoted))
    })
}

/// The program's own commands are asked for their help, which they give only where what stands
/// before it is right.
#[test]
fn the_commands_exist() {
    let mut checked = 0;
    for document in DOCUMENTS {
        for (_, line) in code(document).into_iter().filter(|(language, _)| language == "sh") {
            let command = line.split(" #").next().unwrap_or_default();
            let command = command.split(['>', '|', '&']).next().unwrap_or_default();
            let mut words = words(command);
            let Some(first) = words.next() else { continue };
            if first == "weighbridge" && !words.clone().any(|word| word == "--help") {
                run(Command::new(WEIGHBRIDGE).args(words).arg("--help")).ok();
                checked += 1;
            } else if let ("cargo", Some((_, own))) = (first, command.split_once(" -- "))
                && command.starts_with("cargo run --release -- ")
            {
                run(Command::new(WEIGHBRIDGE).args(own.split_whitespace()).arg("--help")).ok();
                checked += 1;
            } else if [".ci/", "bench/", "deploy/", "instrument/"]
                .iter()
                .any(|p| first.starts_with(p))
            {
                assert!(repository(first).is_file(), "{document}: {first}");
                checked += 1;
            }
        }
    }
    assert!(20 < checked, "{checked} commands were tried");
}

#[test]
fn the_files_of_the_architecture_exist() {
    let text = read("ARCHITECTURE.md");
    let (_, way) = text.split_once("## The way of a request").expect("a section");
    let (way, _) = way.split_once("## Invariants").expect("its end");
    let mut found = 0;
    for name in way.split('`').skip(1).step_by(2).filter(|name| has_extension(name, "rs")) {
        let is_there = ["lb/proxy/src", "lb/core/src"]
            .iter()
            .any(|folder| repository(&format!("{folder}/{name}")).is_file());
        assert!(is_there, "ARCHITECTURE.md: {name}");
        found += 1;
    }
    assert!(20 < found, "{found} files were looked for");
}

#[test]
fn every_key_that_a_document_names_is_in_the_default_file() {
    let config = read("deploy/files/weighbridge.toml");
    let table: toml::Table = config.parse().expect("it is TOML");
    let tables = ["fleet", "hosts", "lambda", "learn", "limits", "queue", "retry", "scale"];
    let tables =
        [&tables[..], &["schedule", "store", "timeouts", "access_log", "repeats", "traces"]]
            .concat();
    let mut checked = 0;
    for document in DOCUMENTS {
        for name in prose(document).split('`').skip(1).step_by(2) {
            let key = name.split([' ', '=']).next().unwrap_or_default();
            let mut parts = key.split('.');
            if !parts.clone().next().is_some_and(|first| tables.contains(&first))
                || has_extension(key, "rs")
                || has_extension(key, "toml")
                || parts.clone().count() < 2
            {
                continue;
            }
            let first = parts.next().and_then(|part| table.get(part));
            let value = parts.fold(first, |value, part| value.and_then(|value| value.get(part)));
            // The simulator's scenarios have a table `hosts` of their own.
            let is_scenario = document == "bench/README.md" && key.starts_with("hosts.");
            assert!(is_scenario || value.is_some(), "{document}: there is no key {key}");
            checked += 1;
        }
    }
    assert!(40 < checked, "{checked} keys were looked for");
}

fn has_extension(name: &str, extension: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|its| its == extension)
}

#[test]
fn what_we_have_beside_other_proxies_is_linked_to_its_test() {
    let text = prose("lb/README.md");
    let (_, table) = text.split_once("## Beside other proxies").expect("a section");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let rows: Vec<&str> = rows.take_while(|line| !line.starts_with("##")).collect();
    let ours = |row: &&&str| {
        let cell = row.split('|').nth(2).expect("a cell").trim();
        let is_linked = cell.starts_with("[Y](cli/tests/") && cell.ends_with(".rs)");
        assert!(is_linked || cell == "–", "{row}");
        is_linked
    };
    let linked = rows.iter().take_while(|row| row.split('|').count() == 9).filter(ours).count();
    assert!(25 < linked, "{linked} features are linked");
}
