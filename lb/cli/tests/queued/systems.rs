//! The systems: their files, services that do their work, and clients that ask as the public ones
//! do.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::client::{Connection, Response, request};
use crate::harness::balancer::Place;
use crate::host::{Host, Then, answer};
use crate::service::Gate;

/// A system, with what its contract says of names.
pub(crate) struct System {
    /// Its file: `deploy/files/NAME.toml`.
    pub(crate) file: &'static str,
    /// The field of the form.
    pub(crate) field: &'static str,
    /// What its files are called, after a number.
    pub(crate) ending: &'static str,
    pub(crate) inputs: &'static str,
    pub(crate) outputs: &'static str,
    pub(crate) requests: &'static str,
    pub(crate) answers: &'static str,
}

pub(crate) const IMAGENET: System = System {
    file: "imagenet",
    field: "myfile",
    ending: "JPEG",
    inputs: "project1inputimages",
    outputs: "project1output",
    requests: "project1-requests",
    answers: "project1-answers",
};

pub(crate) const FACES: System = System {
    file: "faces",
    field: "inputFile",
    ending: "jpg",
    inputs: "1234567890-in-bucket",
    outputs: "1234567890-out-bucket",
    requests: "1234567890-req-queue",
    answers: "1234567890-resp-queue",
};

/// What tests want of every configuration.
const FOR_TESTS: &str = "admin_hosts = [\"weighbridge\"]\ntimeouts.report_interval = \"50ms\"\n\
                         jobs.poll = \"50ms\"\njobs.backoff_min = \"10ms\"\n\
                         hosts.eject_failures = 1000\nrepeats.entries_max = 0\n";

impl System {
    /// A folder with its configuration, before `hosts`. `more` stands behind it, `changes` are made
    /// in it.
    pub(crate) fn place(&self, hosts: &[&Host], changes: &[(&str, &str)], more: &str) -> Place {
        System::place_of(&self.text(), (hosts, changes), more)
    }

    /// The same for the file `text`.
    fn place_of(text: &str, (hosts, changes): (&[&Host], &[(&str, &str)]), more: &str) -> Place {
        let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
        let hosts = addresses
            .iter()
            .map(|host| format!("[[fleet.static.hosts]]\naddress = \"{host}\"\ncores = 4\n"));
        let hosts: String = hosts.collect();
        // The file has a table [jobs] of its own.
        let (ours, of_jobs): (Vec<&str>, Vec<&str>) =
            FOR_TESTS.lines().partition(|line| !line.starts_with("jobs."));
        let of_jobs = of_jobs.join("\n").replace("jobs.", "");
        let text = text.replace("[jobs]\n", &format!("[jobs]\n{of_jobs}\n"));
        let fleet = if hosts.is_empty() { "" } else { "[fleet]\nkind = \"static\"\n" };
        let mut text = format!("{}\n{text}\n{fleet}{hosts}{more}", ours.join("\n"));
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Place::new(&text)
    }

    /// Its file.
    pub(crate) fn text(&self) -> String {
        System::file(self.file)
    }

    /// The file of a system.
    fn file(name: &str) -> String {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/files/{name}.toml"));
        std::fs::read_to_string(file).expect("it is there")
    }

    /// What its `nth` file is called, without its ending.
    pub(crate) fn stem(nth: usize) -> String {
        format!("test_{nth:03}")
    }

    pub(crate) fn name(&self, nth: usize) -> String {
        format!("{}.{}", System::stem(nth), self.ending)
    }

    /// What a client is told of its `nth` file.
    pub(crate) fn expected(&self, nth: usize) -> String {
        let label = label(&picture(nth));
        match self.file {
            "imagenet" => format!("\"{label}\"\n"),
            _ => format!("{}:{label}", System::stem(nth)),
        }
    }

    /// What its `nth` object of output says.
    pub(crate) fn output(&self, nth: usize) -> String {
        let label = label(&picture(nth));
        match self.file {
            "imagenet" => format!("{{\"{}\": \"{label}\"}}", System::stem(nth)),
            _ => label,
        }
    }

    /// Sends its `nth` file as the generator of load does.
    pub(crate) fn ask(&self, listen: SocketAddr, nth: usize) -> Response {
        System::post(listen, "/", (self.field, Some(&self.name(nth))), &picture(nth))
    }

    /// Sends a form with one part.
    pub(crate) fn post(
        listen: SocketAddr,
        target: &str,
        (field, file): (&str, Option<&str>),
        body: &[u8],
    ) -> Response {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        let head = format!(
            "--BOUND\r\nContent-Disposition: form-data; name=\"{field}\"{file}\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        );
        let form = [head.as_bytes(), body, b"\r\n--BOUND--\r\n"].concat();
        let mut connection = Connection::open(listen);
        let headers = ["Content-Type: multipart/form-data; boundary=BOUND"];
        connection.send(request("POST", target, &headers, &form));
        connection.response("POST")
    }

    /// Sends the files of these numbers, each on a connection of its own, all at once. Fails where
    /// one is answered otherwise than it should be.
    #[track_caller]
    pub(crate) fn ask_all(&self, listen: SocketAddr, numbers: std::ops::Range<usize>) {
        let wrong: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                numbers.map(|nth| scope.spawn(move || (nth, self.ask(listen, nth)))).collect();
            let answers = threads.into_iter().map(|thread| thread.join().expect("it ends"));
            let is_wrong = |(nth, told): &(usize, Response)| {
                let text = String::from_utf8_lossy(&told.body).into_owned();
                let is_right = told.status == 200 && text == self.expected(*nth);
                (!is_right).then(|| format!("{nth}: {} {text}", told.status))
            };
            answers.filter_map(|one| is_wrong(&one)).collect()
        });
        assert_eq!(wrong, Vec::<String>::new());
    }
}

/// A picture; each is another one. Long enough not to fit into every message.
pub(crate) fn picture(nth: usize) -> Vec<u8> {
    let mut picture = format!("\u{fffd}picture {nth} ").into_bytes();
    picture.resize(2000 + 37 * nth, b'.');
    picture
}

/// What is on a picture.
pub(crate) fn label(picture: &[u8]) -> String {
    let sum = picture.iter().fold(7_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
    format!("thing {sum:08x}")
}

/// A service that knows what is on pictures, once it is let through `gate`.
pub(crate) fn recogniser_at(gate: &Gate) -> Host {
    let gate = gate.clone();
    Host::start(move |heard, client| {
        gate.pass();
        let told = json!({ "label": label(&heard.body) }).to_string();
        answer(client, "200 OK", &["Content-Type: application/json"], told.as_bytes());
        Then::Keep
    })
}

/// A service that knows what is on pictures, as the worker answers: `/classify` and `/recognise`.
pub(crate) fn recogniser() -> Host {
    Host::start(|heard, client| {
        let label = label(&heard.body);
        let path = heard.line.split(' ').nth(1).unwrap_or_default();
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let found = match path {
            "/classify" => json!({ "label": label, "top": [{ "label": label, "p": 0.5 }] }),
            "/recognise" => json!({ "label": label, "distance": 0.3, "faces": 1 }),
            _ => serde_json::Value::Null,
        };
        if heard.body.starts_with(b"no picture") {
            let problem = json!({ "title": "Bad Request", "detail": "this is \"no\" picture" });
            let kind = ["Content-Type: application/problem+json"];
            answer(client, "400 Bad Request", &kind, problem.to_string().as_bytes());
        } else if found.is_null() {
            answer(client, "404 Not Found", &[], b"");
        } else {
            let kind = ["Content-Type: application/json"];
            answer(client, "200 OK", &kind, found.to_string().as_bytes());
        }
        Then::Keep
    })
}

/// A folder with the configuration of animato, before `host`.
pub(crate) fn animato(host: &Host, changes: &[(&str, &str)]) -> Place {
    System::place_of(&System::file("animato"), (&[host], changes), "")
}

/// The film of photos of these names, each with its name as what is in it.
pub(crate) fn film_of(names: &[&str]) -> Vec<u8> {
    format!("film of {}", names.join(", ")).into_bytes()
}

/// A service that makes films, as the worker answers at `/video`; when `gate` lets it.
pub(crate) fn filmer(gate: Option<Gate>) -> Host {
    Host::start(move |heard, client| {
        if let Some(gate) = &gate {
            gate.pass();
        }
        let form = String::from_utf8_lossy(&heard.body).into_owned();
        let files = form.split("filename=\"").skip(1);
        let names: Vec<&str> = files.filter_map(|file| Some(file.split_once('"')?.0)).collect();
        let kind = heard.headers("content-type").concat();
        if !heard.is_for("/video") || !kind.starts_with("multipart/form-data; boundary=") {
            answer(client, "404 Not Found", &[], b"");
        } else if form.contains("no photo") {
            let problem =
                json!({ "title": "Bad Request", "detail": "`photos`: photo 1: it is none" });
            let kind = ["Content-Type: application/problem+json"];
            answer(client, "400 Bad Request", &kind, problem.to_string().as_bytes());
        } else {
            answer(client, "200 OK", &["Content-Type: video/mp4"], &film_of(&names));
        }
        Then::Keep
    })
}
