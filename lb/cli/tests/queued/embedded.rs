//! Everything on one machine: a SQLite file for jobs, and folders for buckets.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::balancer::{Balancer, Place, run};
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::text;
use crate::systems::{FACES, IMAGENET, System, label, picture, recogniser, recogniser_at};

/// As many as the generators of load start.
const CLIENTS: usize = 100;

/// A system that serves here.
struct Served<'s> {
    system: &'s System,
    place: Place,
    balancer: Balancer,
}

impl Served<'_> {
    fn start<'s>(system: &'s System, hosts: &[&Host]) -> Served<'s> {
        let place = system.place(hosts, &[], "");
        let balancer = place.serve();
        balancer.has_active(hosts.len());
        Served { system, place, balancer }
    }

    fn bucket(&self, bucket: &str) -> PathBuf {
        self.place.data().join("jobs/buckets").join(bucket)
    }

    /// The names of all objects in a bucket.
    fn objects(&self, bucket: &str) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.bucket(bucket)) else { return Vec::new() };
        let names = files.map(|file| file.expect("it can be read").file_name());
        let mut names: Vec<String> =
            names.map(|name| name.to_str().expect("UTF-8").to_owned()).collect();
        names.sort();
        names
    }

    fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        std::fs::read(self.bucket(bucket).join(key)).expect("it is there")
    }

    /// Waits until so many jobs have ended well, and no other is there.
    #[track_caller]
    fn has_ended(&self, jobs: usize) {
        let n = |label| self.balancer.metric("weighbridge_jobs", label) as usize;
        until("every job has ended", || (n("state=\"succeeded\""), n("")) == (jobs, jobs));
    }

    /// Sends the file `name` in the field of the contract.
    #[track_caller]
    fn told(&self, name: Option<&str>, body: &[u8]) -> (u16, String) {
        let part = (self.system.field, name);
        let told = System::post(self.balancer.listen, "/", part, body);
        (told.status, text(&told))
    }
}

/// A hundred clients at once are answered rightly, and leave what the contract says behind.
#[track_caller]
fn serves_a_hundred_clients(system: &System) {
    let (one, other) = (recogniser(), recogniser());
    let served = Served::start(system, &[&one, &other]);
    system.ask_all(served.balancer.listen, 0..CLIENTS);
    let (inputs, outputs) = (served.objects(system.inputs), served.objects(system.outputs));
    assert_eq!((inputs.len(), outputs.len()), (CLIENTS, CLIENTS));
    for nth in 0..CLIENTS {
        assert_eq!(served.object(system.inputs, &system.name(nth)), picture(nth));
        let output = served.object(system.outputs, &System::stem(nth));
        assert_eq!(String::from_utf8(output).expect("text"), system.output(nth));
    }
    served.has_ended(CLIENTS);
    served.balancer.assert_idle();
    let paths = [one.heard(), other.heard()].concat();
    assert_eq!(paths.len(), CLIENTS, "each was done once");
}

#[test]
fn each_file_is_without_mistakes_here_and_at_aws() {
    for system in [&IMAGENET, &FACES] {
        let here = system.text();
        let at_aws = here.replace("kind = \"embedded\"", "kind = \"aws\"");
        assert_ne!(here, at_aws);
        for text in [here, at_aws] {
            let place = Place::new(&text);
            let checked = run(["check", place.config().to_str().expect("a path")]);
            let told = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{}: {told}", system.file);
        }
    }
}

#[test]
fn imagenet_answers_a_hundred_clients_at_once() {
    serves_a_hundred_clients(&IMAGENET);
}

#[test]
fn faces_answers_a_hundred_clients_at_once() {
    serves_a_hundred_clients(&FACES);
}

#[test]
fn imagenet_tells_each_mistake_as_its_contract_says() {
    let host = recogniser();
    let served = Served::start(&IMAGENET, &[&host]);
    let listen = served.balancer.listen;
    let missing = System::post(listen, "/", ("other", Some("a.jpg")), b"x");
    assert_eq!((missing.status, text(&missing)), (400, r#"{"Error": "myfile missing"}"#.into()));
    assert_eq!(missing.header("content-type"), Some("application/json"));
    assert_eq!(served.told(Some(""), b"x"), (400, r#"{"Error": "file name missing"}"#.into()));
    assert_eq!(served.told(Some("a.gif"), b"x"), (400, r#"{"Error": "Invalid file type"}"#.into()));
    assert_eq!(served.told(None, b"x"), (400, r#"{"Error": "myfile missing"}"#.into()));
    let failed = served.told(Some("a.png"), b"no picture");
    assert_eq!(failed, (500, r#"{"Error": "this is \"no\" picture"}"#.into()));
    let (status, body) = served.told(Some("a.b.PNG"), b"picture");
    assert_eq!((status, body), (200, format!("\"{}\"\n", label(b"picture"))));
    assert_eq!(served.objects(IMAGENET.outputs), ["a"], "nothing is kept of what failed");
    let welcome = crate::service::ask(listen, "GET", "/", &[], b"");
    assert_eq!((welcome.status, text(&welcome).is_empty()), (200, false));
    assert_eq!(welcome.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn faces_tells_each_mistake_as_its_contract_says() {
    let host = recogniser();
    let served = Served::start(&FACES, &[&host]);
    let missing = System::post(served.balancer.listen, "/", ("myfile", Some("a.jpg")), b"x");
    assert_eq!(missing.status, 422, "{}", text(&missing));
    let (status, body) = served.told(Some("a.jpg"), b"no picture");
    let detail: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &detail["detail"]), (500, &"this is \"no\" picture".into()));
    let told = System::post(served.balancer.listen, "/", (FACES.field, Some("a.b.jpg")), b"face");
    assert_eq!((told.status, text(&told)), (200, format!("a.b:{}", label(b"face"))));
    assert_eq!(told.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_client_that_wants_more_than_the_label_gets_what_the_host_says() {
    let host = recogniser();
    let served = Served::start(&IMAGENET, &[&host]);
    let part = (IMAGENET.field, Some("a.jpg"));
    let told = System::post(served.balancer.listen, "/?top=5", part, b"picture");
    let read: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!((told.status, &read["top"][0]["label"]), (200, &label(b"picture").into()));
    assert!(host.last().line.starts_with("POST /classify?top=5 "), "{}", host.last().line);
    assert_eq!(host.last().headers("weighbridge-name"), ["a.jpg"]);
}

#[test]
fn a_name_never_leads_out_of_its_bucket() {
    let host = recogniser();
    let served = Served::start(&FACES, &[&host]);
    for name in ["../../../escaped.jpg", "..\\..\\escaped.jpg", "/escaped.jpg", "a/escaped.jpg"] {
        assert_eq!(served.told(Some(name), b"face").0, 200, "{name}");
    }
    assert_eq!(served.objects(FACES.inputs), ["escaped.jpg"]);
    for name in ["..", ".", "/", ".hidden.jpg"] {
        assert_eq!(served.told(Some(name), b"face").0, 422, "{name}");
    }
    assert_eq!(served.objects(FACES.outputs), ["escaped"]);
}

#[test]
fn an_answer_that_is_not_as_expected_is_a_failure() {
    let host = Host::start(|_, client| {
        answer(client, "200 OK", &["Content-Type: application/json"], b"{\"labels\": []}");
        Then::Keep
    });
    let served = Served::start(&IMAGENET, &[&host]);
    let (status, body) = served.told(Some("a.jpg"), b"picture");
    assert_eq!(status, 500);
    assert!(body.contains("there is no `result.label`"), "{body}");
    assert_eq!(served.objects(IMAGENET.outputs), Vec::<String>::new());
}

#[test]
fn what_a_client_has_asked_is_delivered_after_it_has_left_and_the_balancer_was_killed() {
    let gate = crate::service::Gate::default();
    let host = recogniser_at(&gate);
    let served = Served::start(&IMAGENET, &[&host]);
    let listen = served.balancer.listen;
    let client = std::thread::spawn(move || {
        // It has no answer: the balancer dies.
        let asked = std::panic::catch_unwind(|| IMAGENET.ask(listen, 1));
        assert!(asked.is_err());
    });
    until("the host has it", || host.heard().len() == 1);
    let Served { place, balancer, system } = served;
    drop(balancer);
    client.join().expect("it has left");
    gate.open(100);
    let served = Served { balancer: place.serve(), place, system };
    until("it is delivered", || served.objects(IMAGENET.outputs) == [System::stem(1)]);
    let output = served.object(IMAGENET.outputs, &System::stem(1));
    assert_eq!(String::from_utf8(output).expect("text"), IMAGENET.output(1));
    served.has_ended(1);
}

#[test]
fn a_result_that_cannot_be_kept_now_is_delivered_later() {
    let host = recogniser();
    let served = Served::start(&IMAGENET, &[&host]);
    let bucket = served.bucket(IMAGENET.outputs);
    std::fs::create_dir_all(bucket.parent().expect("a folder")).expect("it is writable");
    std::fs::write(&bucket, "a file where the bucket should be").expect("it is writable");
    let listen = served.balancer.listen;
    let client = std::thread::spawn(move || IMAGENET.ask(listen, 3));
    until("it has failed", || {
        0.0 < served.balancer.metric("weighbridge_loop_failures_total", "jobs_deliver")
    });
    std::fs::remove_file(&bucket).expect("it is there");
    let told = client.join().expect("it is answered");
    assert_eq!((told.status, text(&told)), (200, IMAGENET.expected(3)));
    assert_eq!(served.objects(IMAGENET.outputs), [System::stem(3)]);
}

/// By the worker's own operation, with the models that `.ci/models` fetches.
#[test]
#[cfg(feature = "models")]
fn one_command_recognises_what_is_on_a_photo() {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let models = tools.join("models").display().to_string();
    let place = IMAGENET.place(&[], &[], "").with(&[("WEIGHBRIDGE_MODELS", &models)]);
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let photo = std::fs::read(tools.join("photos/coffee.png"));
    let photo = photo.expect("`.ci/models` has fetched it");
    let told = System::post(balancer.listen, "/", (IMAGENET.field, Some("coffee.png")), &photo);
    assert_eq!(told.status, 200, "{}", text(&told));
    assert_eq!(text(&told), "\"espresso\"\n");
}
