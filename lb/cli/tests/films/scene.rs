//! A balancer by the file of the system, and photos and music to make films of.

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{ImageFormat, Rgb, RgbImage};

use crate::browser::Browser;
use crate::harness::balancer::{Balancer, Place, worker};
use crate::harness::process::Process;
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{self, Gate};

/// The root of the repository.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The file of the system, with `more` at its end.
fn text(more: &str) -> String {
    let file = Path::new(REPOSITORY).join("deploy/files/animato.toml");
    let text = std::fs::read_to_string(file).expect("it is there");
    format!("timeouts.report_interval = \"50ms\"\n{text}\n{more}")
}

/// The system as one command starts it, with workers of its own.
pub(crate) fn by_one_command() -> (Place, Balancer) {
    let place = Place::new(&text(""));
    let balancer = place.up("2..2");
    balancer.has_active(2);
    (place, balancer)
}

/// The system before a worker to which requests come one by one, as they are let through.
pub(crate) struct Scene {
    pub(crate) balancer: Balancer,
    pub(crate) gate: Gate,
    pub(crate) host: Host,
    _worker: Process,
    _place: Place,
}

impl Scene {
    pub(crate) fn start() -> Scene {
        let (process, worker) = worker(SocketAddr::from(([127, 0, 0, 1], 0)));
        let gate = Gate::default();
        let at_gate = gate.clone();
        let host = Host::start(move |heard, client| {
            at_gate.pass();
            let path = heard.line.split(' ').nth(1).expect("a path");
            let kind = format!("Content-Type: {}", heard.headers("content-type")[0]);
            let film = service::ask(worker, "POST", path, &[&kind], &heard.body);
            let kind = film.header("content-type").unwrap_or_default();
            let kind = format!("Content-Type: {kind}");
            answer(client, &format!("{} X", film.status), &[&kind], &film.body);
            Then::Keep
        });
        let fleet = format!(
            "[fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{}\"\ncores = 4\n",
            host.address
        );
        let place = Place::new(&text(&fleet));
        let balancer = place.serve();
        balancer.has_active(1);
        Scene { balancer, gate, host, _worker: process, _place: place }
    }

    /// A browser that looks at the page.
    pub(crate) fn browser(&self) -> Browser {
        open(&self.balancer)
    }
}

/// A browser that looks at the page of `balancer`, whose script has begun.
pub(crate) fn open(balancer: &Balancer) -> Browser {
    let browser = Browser::start();
    browser.go(&page(balancer));
    until("the script has begun", || {
        browser.run("return document.body.dataset.stage ?? ''") == "choosing"
    });
    browser
}

/// The address of the page.
pub(crate) fn page(balancer: &Balancer) -> String {
    format!("http://{}/upload", balancer.listen)
}

/// Files in a folder, to be chosen.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> Files {
        Files { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let file: PathBuf = self.folder.path().join(name);
        std::fs::write(&file, content).expect("there is room");
        file.to_str().expect("UTF-8").to_owned()
    }

    /// So many photos, as they are chosen in a dialog: one a line.
    pub(crate) fn photos(&self, n: u8) -> String {
        let photos = (0..n).map(|nth| self.file(&format!("IMG_{nth:02}.jpg"), &photo(nth)));
        photos.collect::<Vec<String>>().join("\n")
    }

    /// Music, as an MP3 file.
    pub(crate) fn music(&self) -> String {
        let path = self.file("song.mp3", b"");
        let program = Path::new(REPOSITORY).join("worker/tests/it/film/look.py");
        let tools = Command::new(Path::new(REPOSITORY).join(".ci/emulators")).output();
        let tools = String::from_utf8(tools.expect("it runs").stdout).expect("a path");
        let mut made = Command::new(Path::new(tools.trim()).join("python"));
        made.arg(program).args(["tone", &path, "libmp3lame", "44100", "3"]);
        assert!(made.status().expect("it starts").success());
        path
    }
}

/// How bright the middle of the photo of that number is, from 0 to 255.
pub(crate) fn brightness(nth: u8) -> f64 {
    f64::from(20 + 18 * nth)
}

/// A photo with a disc in its middle, by whose brightness it is known.
pub(crate) fn photo(nth: u8) -> Vec<u8> {
    let hue = |x: u32, shift: u32| ((x + shift * u32::from(nth)) % 256) as u8;
    let photo = RgbImage::from_fn(640, 480, |x, y| {
        let (dx, dy) = (x.abs_diff(320), y.abs_diff(240));
        if dx * dx + dy * dy < 90 * 90 {
            return Rgb([brightness(nth) as u8; 3]);
        }
        Rgb([hue(x * 2 / 5, 20), hue(y / 2, 50), hue((x + y) / 5, 90)])
    });
    let mut file = Cursor::new(Vec::new());
    photo.write_to(&mut file, ImageFormat::Jpeg).expect("it is encoded");
    file.into_inner()
}

/// The numbers of the photos, as they are shown.
pub(crate) fn shown(browser: &Browser) -> Vec<String> {
    let names = browser.run(
        "return [...document.querySelectorAll('#photos .name')].map((one) => one.textContent)",
    );
    let names = names.as_array().expect("a list").iter();
    names.map(|name| name.as_str().expect("text").replace("IMG_", "").replace(".jpg", "")).collect()
}

/// Waits until that is what is seen: `choosing`, `sending`, `working` or `done`.
#[track_caller]
pub(crate) fn is_at(browser: &Browser, stage: &str) {
    crate::harness::eventually_or(
        stage,
        || (browser.run("return document.body.dataset.stage") == stage).then_some(()),
        || browser.text("body"),
    );
}

/// Makes the film short and small.
pub(crate) fn choose_a_short_film(browser: &Browser) {
    browser.run(
        "const form = document.getElementById('form');
         document.getElementById('size').value = '854x480';
         document.getElementById('size').dispatchEvent(new Event('change', { bubbles: true }));
         form.seconds.value = '0.4';
         form.fade.value = '0.2';
         form.seconds.dispatchEvent(new Event('input', { bubbles: true }));",
    );
}

/// Chooses photos, and waits until they are seen.
#[track_caller]
pub(crate) fn choose(browser: &Browser, photos: &str) {
    let n = shown(browser).len() + photos.lines().count();
    browser.type_into("#pick", photos);
    until("the photos are seen", || {
        browser.number("return document.querySelectorAll('#photos li.ready').length") as usize == n
    });
}
