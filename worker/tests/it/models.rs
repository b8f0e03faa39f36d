//! Photos are classified and people recognised, by real models and photos, which `.ci/models`
//! fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;
use weighbridge_worker::operations::models::{ClassifierKind, ModelsConfig};

use crate::client::{Connection, Response, get, post, request};
use crate::fixture::{Running, data_url, png};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The folder of what `.ci/models` has fetched, once for all tests.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let script = Path::new(ROOT).join(".ci/models");
        let output = Command::new(script).output().expect("the script starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`.ci/models` failed: {said}");
        Path::new(ROOT).join("target/tools")
    })
}

fn photo(name: &str) -> Vec<u8> {
    fs::read(tools().join("photos").join(name)).expect("`.ci/models` has fetched it")
}

/// A folder with the models, and people of its own.
fn models() -> TempDir {
    let folder = TempDir::new().expect("there is room");
    for entry in fs::read_dir(tools().join("models")).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_file() {
            let name = path.file_name().expect("it has one");
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(path.canonicalize().expect("it is there"), link)
                .expect("there is room");
        }
    }
    folder
}

fn worker_of(folder: &Path, adjust: impl FnOnce(&mut ModelsConfig)) -> Running {
    let mut models = ModelsConfig::new(folder);
    adjust(&mut models);
    Running::configured(|config| {
        config.cores = 2;
        config.models = Some(models);
    })
}

fn worker() -> (TempDir, Running) {
    let folder = models();
    let worker = worker_of(folder.path(), |_| {});
    (folder, worker)
}

fn show(worker: &Running, target: &str, photo: &[u8]) -> serde_json::Value {
    let answer = post(worker.address, target, photo);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn enrol(worker: &Running, who: &str, photo: &[u8]) -> Response {
    request(worker.address, "PUT", &format!("/people/{who}"), &["Content-Type: image/jpeg"], photo)
}

fn who(worker: &Running, name: &str) -> String {
    show(worker, "/recognise", &photo(name))["label"].as_str().expect("a label").to_owned()
}

#[test]
fn photos_are_classified_by_both_models() {
    let folder = models();
    for classifier in [ClassifierKind::Lite0, ClassifierKind::Lite2] {
        let worker = worker_of(folder.path(), |models| models.classifier = classifier);
        assert_eq!(show(&worker, "/classify", &photo("coffee.png"))["label"], "espresso");
        let cat = show(&worker, "/classify?top=3", &photo("chelsea.png"));
        let labels: Vec<_> = cat["top"].as_array().expect("a list").iter().collect();
        assert_eq!(labels.len(), 3);
        assert_eq!(labels[0]["label"], cat["label"]);
        for label in labels {
            let name = label["label"].as_str().expect("a label");
            assert!(["tabby", "tiger cat", "Egyptian cat"].contains(&name), "{classifier}: {cat}");
        }
    }
}

#[test]
fn all_thousand_classes_are_told_and_are_one_together() {
    let (_folder, worker) = worker();
    let answer = show(&worker, "/classify?top=1000", &photo("coffee.png"));
    let top = answer["top"].as_array().expect("a list");
    assert_eq!(top.len(), 1000);
    let parts: Vec<f64> =
        top.iter().map(|guess| guess["probability"].as_f64().expect("a number")).collect();
    assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-3);
    assert!(parts.is_sorted_by(|a, b| b <= a));
    let mut classes: Vec<u64> =
        top.iter().map(|guess| guess["class"].as_u64().expect("a number")).collect();
    classes.sort_unstable();
    assert!(classes.into_iter().eq(0..1000));
}

#[test]
fn an_image_may_come_as_a_data_url_and_the_wrong_way_up() {
    let (_folder, worker) = worker();
    let coffee = photo("coffee.png");
    assert_eq!(show(&worker, "/classify", &data_url("png", &coffee))["label"], "espresso");

    // Of a face it matters which way is up: the camera was turned, and its tag says so.
    let plain = photo("obama.jpg");
    assert_eq!(enrol(&worker, "Obama/1", &plain).status, 200);
    let image = image::load_from_memory(&plain).expect("a photo").rotate270();
    let mut turned = std::io::Cursor::new(Vec::new());
    image.write_to(&mut turned, image::ImageFormat::Jpeg).expect("it is written");
    let turned = turned.into_inner();
    let tag =
        b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let tagged = [&turned[..2], tag, &turned[2..]].concat();
    let far = |photo: &[u8]| show(&worker, "/recognise", photo)["distance"].as_f64();
    let tagged = far(&tagged).expect("a face");
    assert!(tagged < 0.2, "{tagged}");
    let untagged = far(&turned).unwrap_or(f64::MAX);
    assert!(tagged + 0.1 < untagged, "{tagged} {untagged}: nothing says that it is turned");
}

#[test]
fn a_person_is_recognised_and_others_are_unknown() {
    let (_folder, worker) = worker();
    let nobody = show(&worker, "/recognise", &photo("obama.jpg"));
    assert_eq!(nobody, serde_json::json!({"label": "unknown", "faces": 1}));

    let answer = enrol(&worker, "Obama/1", &photo("obama.jpg"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), serde_json::json!({"label": "Obama", "name": "1", "faces": 1}));
    let same = show(&worker, "/recognise", &photo("obama.jpg"));
    assert_eq!(same["label"], "Obama");
    assert!(same["distance"].as_f64().expect("a number") < 1e-3, "{same}");
    assert_eq!(who(&worker, "obama2.jpg"), "Obama");
    assert_eq!(who(&worker, "biden.jpg"), "unknown");
    assert_eq!(who(&worker, "astronaut.png"), "unknown");

    assert_eq!(enrol(&worker, "Joe%20Biden/1.jpg", &photo("biden.jpg")).status, 200);
    assert_eq!(who(&worker, "biden.jpg"), "Joe Biden");
    assert_eq!(who(&worker, "obama3.jpg"), "Obama");
}

#[test]
fn a_photo_without_a_face_is_nobodys_and_enrols_nobody() {
    let (_folder, worker) = worker();
    let nobody = serde_json::json!({"label": "unknown", "faces": 0});
    for body in [photo("coffee.png"), png(1, 1), png(2000, 1), png(64, 64)] {
        assert_eq!(show(&worker, "/recognise", &body), nobody);
        enrol(&worker, "Cup/1", &body).assert_problem(422, Some("body"));
    }
    assert_eq!(get(worker.address, "/people").json(), serde_json::json!({"people": []}));
}

#[test]
fn people_are_listed_removed_and_there_after_a_restart() {
    let (folder, worker) = worker();
    for who in ["Obama/1", "Obama/2", "Biden/a.jpg"] {
        let name = if who.starts_with("Obama") { "obama.jpg" } else { "biden.jpg" };
        assert_eq!(enrol(&worker, who, &photo(name)).status, 200);
    }
    drop(worker);

    let worker = worker_of(folder.path(), |_| {});
    let people = serde_json::json!({"people": [
        {"label": "Biden", "photos": ["a.jpg"]},
        {"label": "Obama", "photos": ["1", "2"]},
    ]});
    assert_eq!(get(worker.address, "/people").json(), people);
    assert_eq!(who(&worker, "obama.jpg"), "Obama");

    let remove = |who: &str| request(worker.address, "DELETE", &format!("/people/{who}"), &[], b"");
    assert_eq!(remove("Obama/1").json(), serde_json::json!({"removed": 1}));
    assert_eq!(who(&worker, "obama.jpg"), "Obama", "there is another photo");
    assert_eq!(remove("Obama").json(), serde_json::json!({"removed": 1}));
    assert_eq!(who(&worker, "obama.jpg"), "unknown");
    remove("Obama").assert_problem(404, Some("path"));
    assert_eq!(who(&worker, "biden.jpg"), "Biden");
}

#[test]
fn two_workers_share_their_people_and_enrol_at_once() {
    let folder = models();
    let workers = [(); 2].map(|()| worker_of(folder.path(), |_| {}));
    let (obama, biden) = (photo("obama.jpg"), photo("biden.jpg"));
    thread::scope(|scope| {
        for (at, worker) in workers.iter().enumerate() {
            for i in 0..3 {
                let (obama, biden) = (&obama, &biden);
                scope.spawn(move || {
                    assert_eq!(enrol(worker, &format!("Obama/{at}-{i}"), obama).status, 200);
                    assert_eq!(enrol(worker, &format!("Biden/{at}-{i}"), biden).status, 200);
                });
            }
        }
    });
    for worker in &workers {
        let people = get(worker.address, "/people").json();
        for person in people["people"].as_array().expect("a list") {
            assert_eq!(person["photos"].as_array().map(Vec::len), Some(6), "{people}");
        }
        assert_eq!(who(worker, "obama2.jpg"), "Obama");
        assert_eq!(who(worker, "biden.jpg"), "Biden");
    }
}

#[test]
fn what_is_no_image_or_too_large_is_refused_by_name() {
    let folder = models();
    let mut config = ModelsConfig::new(folder.path());
    config.face_distance = 0.6;
    let worker = Running::configured(|worker| {
        worker.models = Some(config);
        worker.limits.image_pixels = 1 << 20;
        worker.limits.body_bytes = 2 << 20;
    });
    for (method, target) in [("POST", "/classify"), ("POST", "/recognise"), ("PUT", "/people/a/b")]
    {
        let ask = |body: &[u8]| request(worker.address, method, target, &[], body);
        ask(b"").assert_problem(400, Some("body"));
        ask(b"no image").assert_problem(400, Some("body"));
        ask(&png(20, 10)[..60]).assert_problem(400, Some("body"));
        ask(b"data:image/png;base64,!").assert_problem(400, Some("body"));
        ask(&png(2000, 1000)).assert_problem(413, Some("body"));
        ask(&vec![0; 3 << 20]).assert_problem(413, Some("body"));
    }
}

#[test]
fn a_wrong_number_or_name_is_refused_by_name() {
    let (folder, worker) = worker();
    for top in ["0", "1001", "x", ""] {
        let answer = post(worker.address, &format!("/classify?top={top}"), &photo("coffee.png"));
        answer.assert_problem(400, Some("query.top"));
    }
    let long = "a".repeat(97);
    for who in ["..%2Fa/b", "a/..", "unknown/a", "a%00/b", "a/%FF", "a/b/c", &format!("{long}/b")] {
        enrol(&worker, who, &photo("obama.jpg")).assert_problem(400, Some("path"));
    }
    let answer = post(worker.address, "/people", b"");
    answer.assert_problem(405, None);
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    assert!(!folder.path().join("people").exists(), "nothing was written");
}

#[test]
fn without_models_one_sentence_says_so_and_the_rest_is_served() {
    let empty = TempDir::new().expect("there is room");
    let workers = [Running::start(1), worker_of(empty.path(), |_| {})];
    for (worker, said) in workers.iter().zip(["--models FOLDER", "classify-lite0.onnx"]) {
        let detail = post(worker.address, "/classify", &png(9, 9)).assert_problem(503, None);
        assert!(detail.contains(said) && detail.contains("deploy/models.sh"), "{detail}");
        let detail = post(worker.address, "/recognise", &png(9, 9)).assert_problem(503, None);
        assert!(detail.contains("deploy/models.sh"), "{detail}");
        get(worker.address, "/people").assert_problem(503, None);
        enrol(worker, "a/b", &png(9, 9)).assert_problem(503, None);
        assert_eq!(post(worker.address, "/blurimage", &data_url("png", &png(9, 9))).status, 200);
    }
}

#[test]
fn a_damaged_model_stops_its_operation_only() {
    let folder = models();
    for name in ["detect.onnx", "landmarks.bin", "describe.onnx"] {
        let whole = fs::read(folder.path().join(name)).expect("it is there");
        fs::remove_file(folder.path().join(name)).expect("it is there");
        fs::write(folder.path().join(name), &whole[..whole.len() / 2]).expect("there is room");
        let worker = worker_of(folder.path(), |_| {});
        let answer = post(worker.address, "/recognise", &photo("obama.jpg"));
        let detail = answer.assert_problem(503, None);
        assert!(detail.contains(name), "{detail}");
        assert_eq!(show(&worker, "/classify", &photo("coffee.png"))["label"], "espresso");
        fs::write(folder.path().join(name), whole).expect("there is room");
    }
}

#[test]
fn a_photo_costs_what_its_models_do_and_nothing_of_its_neighbours() {
    let (_folder, worker) = worker();
    let cost = |target: &str, photo: &[u8]| {
        let answer = post(worker.address, target, photo);
        let report = answer.header("endpoint-load-metrics").expect("a report");
        let report = report.strip_prefix("JSON ").expect("JSON");
        let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
        let of = |name: &str| report["request_cost"][name].as_f64().unwrap_or(0.0);
        (of("instructions"), of("cpu_seconds"))
    };
    let coffee = photo("coffee.png");
    let alone = cost("/classify", &coffee);
    // The model alone has 400 million multiplications.
    assert!(10e6 < alone.0, "{} instructions", alone.0);
    assert!(0.001 < alone.1, "{} CPU seconds", alone.1);
    thread::scope(|scope| {
        let neighbour = scope.spawn(|| cost("/recognise", &photo("obama.jpg")));
        for _ in 0..3 {
            let again = cost("/classify", &coffee).0;
            assert!((again - alone.0).abs() < 0.01 * alone.0, "{again} {}", alone.0);
        }
        assert!(alone.0 < neighbour.join().expect("it is answered").0);
    });
}

#[test]
fn a_client_that_hangs_up_ends_its_request() {
    let folder = models();
    let worker = Running::configured(|config| {
        config.cores = 1;
        config.models = Some(ModelsConfig::new(folder.path()));
    });
    for _ in 0..8 {
        let mut connection = Connection::open(worker.address);
        connection.request("POST", "/recognise", &[], &photo("obama.jpg"));
        drop(connection);
    }
    worker.wait_for("weighbridge_worker_started_requests", 0.0);
    worker.wait_for("weighbridge_worker_waiting_requests", 0.0);
    assert_eq!(show(&worker, "/classify", &photo("coffee.png"))["label"], "espresso");
    assert!(
        0.0 < worker.metric("weighbridge_worker_abandoned_requests_total{operation=\"recognise\"}")
    );
}
