//! What `[routes.jobs]` may say, and what it is told.

use super::*;
use crate::config::Config;
use crate::config::reader::{Reader, reference};

fn extractors() -> Vec<&'static dyn weighbridge_core::features::extractors::Extractor> {
    weighbridge_scene_extract::extractors()
}

/// A configuration with one route whose contract says so.
fn text(contract: &str) -> String {
    format!("jobs.enabled = true\n[[routes]]\nname = \"x\"\npath = \"/\"\n{contract}\n")
}

fn read(contract: &str) -> Contract {
    let config = Config::parse(&text(contract), &extractors()).expect("no mistakes");
    config.routes[0].contract.as_deref().expect("a contract").clone()
}

#[track_caller]
fn told(contract: &str) -> Vec<String> {
    let mistakes = Config::parse(&text(contract), &extractors()).expect_err("mistakes");
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_stands_in_the_file_of_defaults_with_its_range() {
    // A route has the one or the other.
    let both = ["[routes.jobs.intake]\nfield = \"f\"", "[routes.jobs.films]"].map(text);
    let readers = both.each_ref().map(|text| Reader::new(text, Config::default_text()));
    let known = readers.iter().flat_map(|reader| {
        Config::read(reader.root(), &extractors());
        reader.known()
    });
    let of_contract = known.filter_map(|(key, expected)| {
        let key = key.strip_prefix("routes[].jobs.")?;
        // These stand in a table on one line.
        let within = ["object.", "missing.", "unnamed.", "other_type.", "failed.", "late."];
        let is_within = within.iter().any(|table| key.contains(table));
        (!is_within).then(|| (key.to_owned(), expected))
    });
    let known = of_contract.collect();
    let told = reference::disagreements(DEFAULTS, &known, &[]);
    assert_eq!(told, Vec::<String>::new());
    assert!(15 < known.len(), "{known:?}");
}

#[test]
fn a_contract_needs_little() {
    let contract = read("[routes.jobs.intake]\nfield = \"inputFile\"\nsend = \"/recognise\"");
    assert_eq!(contract.intake.from, InputFrom::Form("inputFile".to_owned()));
    assert_eq!(contract.exchange, None, "there are no queues");
    assert_eq!((&contract.delivery.object, &contract.delivery.answer), (&None, &None));
}

#[test]
fn queues_are_used_at_aws_alone() {
    let exchange = "[routes.jobs]\nintake = { field = \"f\", object.bucket = \"in-bucket\" }\n\
                    exchange = { requests = \"a\", answers = \"b\" }\n";
    assert_eq!(read(exchange).exchange, None);
    let aws = "jobs.kind = \"aws\"\njobs.aws.ledger = \"folder\"\n";
    let config = Config::parse(&format!("{aws}{}", text(exchange)), &extractors());
    let contract = config.expect("no mistakes").routes[0].contract.clone();
    let exchange = contract.and_then(|one| one.exchange.clone()).expect("an exchange");
    assert_eq!((&*exchange.requests, exchange.part), ("a", Part::Both));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let wrong = "[routes.jobs.intake]\nfield = \"\"\nsend = \"classify\"\ntypes = [\".jpg\"]\n\
                 missing = { status = 200, body = \"{nam}\" }\n\
                 [routes.jobs.exchange]\nresponse = \"{result}\"\nrequest = \"{name}{stem}\"\n\
                 answers = \"b\"\n[routes.jobs.delivery]\nanswer = '{\"x\": {result}}'\nwat = 1";
    let expected = [
        "line 6: routes[0].jobs.intake.field is empty: expected the name of the input",
        "line 7: routes[0].jobs.intake.send is `\"classify\"`: expected a path, such as \
         \"/classify\"",
        "line 8: routes[0].jobs.intake.types: expected a list of endings, such as [\"jpg\", \
         \"png\"], at most 64",
        "line 9: routes[0].jobs.intake.missing.status is `200`: expected a whole number from 400 \
         to 599",
        "line 9: routes[0].jobs.intake.missing.body: `{nam}` is no value here: expected `{error}`",
        "line 11: routes[0].jobs.exchange.response: it has no `{stem}`",
        "line 12: routes[0].jobs.exchange.request: `{name}` and the value behind it have nothing \
         between them",
        "line 13: one of routes[0].jobs.exchange.requests and routes[0].jobs.exchange.answers is \
         empty: expected both, or none",
        "line 15: routes[0].jobs.delivery.answer: it makes no JSON: values stand within quotation \
         marks",
        "line 16: unknown key",
    ];
    let told = told(wrong);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        let is_so = told == expected || expected.ends_with("key") && told.starts_with("line 16");
        assert!(is_so, "{told}\n{expected}");
    }
}

#[test]
fn films_have_a_queue_or_none() {
    let films = |more: &str| {
        let text = text(&format!("[routes.jobs.films]\n{more}"));
        let config = Config::parse(&text, &extractors()).expect("no mistakes");
        config.routes[0].films.as_deref().expect("films").clone()
    };
    assert_eq!((films("").desk, &*films("").send), (None, "/video"));
    let desk = films("queue = \"REQUESTQUEUE\"").desk.expect("a queue");
    assert_eq!((&*desk.table, desk.tries_max, desk.keys.len()), ("JobScheduler", 3, 2));
}

#[test]
fn every_mistake_of_films_is_told() {
    let wrong = "[routes.jobs.films]\nkeys = []\nform = [\"fade\"]\nphotos = [\".jpg\"]\n\
                 window = 0\n[routes.jobs.intake]\nfield = \"f\"";
    let told = told(wrong);
    let of = ["window", "photos", "form", "keys is empty", "jobs.intake"];
    assert_eq!(told.len(), of.len(), "{told:#?}");
    for word in of {
        assert!(told.iter().any(|one| one.contains(word)), "{word}: {told:#?}");
    }
}

#[test]
fn a_table_stands_in_a_route_and_needs_jobs() {
    let of_all = "[route_defaults.jobs]\n";
    let expected = [
        "line 5: route_defaults.jobs is `a table`: expected \"never\" or \"prefer\" or \"always\"",
        "line 5: route_defaults.jobs is a table: expected it in one of [[routes]]",
    ];
    assert_eq!(told(of_all), expected);
    let off = text("[routes.jobs.intake]\nfield = \"f\"").replace("true", "false");
    let mistakes = Config::parse(&off, &extractors()).expect_err("mistakes");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let expected = "line 5: routes[0].jobs is a table, but jobs.enabled is false: expected true";
    assert_eq!(told, [expected]);
}
