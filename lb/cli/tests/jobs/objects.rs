//! Objects that are missing, and objects that are nobody's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::harness::until;
use crate::service::{Gate, Service, ask, gated, json, text};

const SMALL: &str = "inline_bytes_max = \"1KiB\"\n";

/// The object of the request of the job at `location`.
fn request_of(objects: &Path, location: &str) -> PathBuf {
    let id = location.trim_start_matches("/jobs/");
    objects.join(&id[..2]).join(format!("{id}.request"))
}

#[test]
fn a_job_whose_kept_request_is_missing_fails_at_once_and_says_why() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", &format!("{SMALL}running_max = 1\n"));
    let objects = service.place.data().join("jobs/objects");
    let first = service.accept("/first", &[], b"body");
    until("it runs", || host.heard().len() == 1);
    let [gone, cut, whole] = [(); 3].map(|()| service.accept("/long", &[], &[b'x'; 5000]));
    fs::remove_file(request_of(&objects, &gone)).expect("it is there");
    let file = File::options().write(true).open(request_of(&objects, &cut)).expect("it is there");
    file.set_len(2000).expect("it is shortened");
    gate.open(2);
    assert_eq!(text(&service.result(&first)), "body");
    for location in [&gone, &cut] {
        let result = service.result(location);
        assert_eq!(result.status, 410, "{}", text(&result));
        assert_eq!(json(&result)["detail"], "the kept body of the request is missing");
        let told = service.operators(location);
        assert_eq!((told["state"].as_str(), told["attempt"].as_u64()), (Some("failed"), Some(1)));
    }
    assert_eq!(service.result(&whole).body.len(), 5000);
    assert_eq!(host.heard().len(), 2, "no host has seen those");
}

/// Sets back when `file` was changed, by an hour.
fn age(file: &Path) {
    let then = SystemTime::now() - Duration::from_hours(1);
    let file = File::options().write(true).open(file).expect("it is there");
    file.set_modified(then).expect("its time can be set");
}

#[test]
fn objects_that_are_nobodys_are_swept() {
    let gate = Gate::default();
    let host = gated(&gate);
    let mut service = Service::start(&[&host], "", SMALL);
    let objects = service.place.data().join("jobs/objects");
    let location = service.accept("/long", &[], &[b'x'; 5000]);
    until("a host has it", || host.heard().len() == 1);
    service.balancer.process.kill();
    let kept = request_of(&objects, &location);
    age(&kept);
    // A request that was never acknowledged, an answer whose claim was lost, and one that may be
    // of a job that is being written.
    let folder = objects.join("ab");
    fs::create_dir_all(&folder).expect("a folder");
    let [request, answer, young] = [("0", "request"), ("1", "7.answer"), ("2", "request")]
        .map(|(digit, what)| folder.join(format!("ab{}.{what}", digit.repeat(30))));
    for file in [&request, &answer, &young] {
        fs::write(file, "nobody's").expect("the folder is writable");
    }
    let lost = kept.with_file_name(format!("{}.99.answer", location.trim_start_matches("/jobs/")));
    fs::write(&lost, "of a claim that is over").expect("the folder is writable");
    for file in [&request, &answer, &lost] {
        age(file);
    }
    // The first look is as soon as jobs may be forgotten.
    let text_of = fs::read_to_string(service.place.config()).expect("it is there");
    let text_of = text_of.replace("[jobs]\n", "[jobs]\nretention = \"1s\"\n");
    fs::write(service.place.config(), text_of).expect("it is writable");
    let balancer = service.place.serve();
    until("they are swept", || [&request, &answer, &lost].iter().all(|file| !file.exists()));
    assert!(young.exists() && kept.exists(), "those may be needed");
    gate.open(2);
    let told = ask(balancer.listen, "GET", &location, &["Prefer: wait=30"], b"");
    assert!(matches!(told.status, 303 | 410), "{}", text(&told));
    until("it goes with its job", || !kept.exists());
}
