//! Films of what is in buckets, as customers ask for them: `/makevideo`, `/checkstatus`, the queue,
//! the table and the objects, on one machine.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::balancer::{Balancer, Place, run};
use crate::harness::{eventually_or, until};
use crate::host::{Host, Then, answer};
use crate::service::{Gate, ask, text};
use crate::systems::{animato, film_of, filmer};

/// The system, while it serves.
struct Served {
    place: Place,
    balancer: Balancer,
}

impl Served {
    fn start(host: &Host) -> Served {
        let place = animato(host, &[]);
        let balancer = place.serve();
        balancer.has_active(1);
        Served { place, balancer }
    }

    /// The same after the balancer was killed.
    fn killed_and_started(self) -> Served {
        let Served { place, balancer } = self;
        drop(balancer);
        let balancer = place.serve();
        balancer.has_active(1);
        Served { place, balancer }
    }

    fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.place.data().join("jobs/buckets").join(bucket).join(key)
    }

    fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        let object = self.object(bucket, key);
        std::fs::create_dir_all(object.parent().expect("a folder")).expect("it is writable");
        std::fs::write(object, content).expect("it is writable");
    }

    /// The heading of a page.
    #[track_caller]
    fn heading(&self, target: &str) -> String {
        let page = ask(self.balancer.listen, "GET", target, &[], b"");
        assert_eq!(page.status, 200, "{}", text(&page));
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let page = text(&page);
        let (_, heading) = page.split_once("<h3>").expect("a heading");
        heading.split_once("</h3>").expect("its end").0.to_owned()
    }

    fn asks(&self, customer: &str, jobs: &str) -> String {
        let encoded = |text: &str| text.replace(' ', "%20").replace('|', "%7C");
        let (customer, jobs) = (encoded(customer), encoded(jobs));
        self.heading(&format!("/makevideo?customerId={customer}&jobDesc={jobs}"))
    }

    fn status(&self, customer: &str) -> String {
        self.heading(&format!("/checkstatus?customerId={customer}"))
    }

    #[track_caller]
    fn becomes(&self, customer: &str, status: &str) {
        let why = || self.status(customer);
        eventually_or(status, || (self.status(customer) == status).then_some(()), why);
    }

    /// The one row of the table.
    fn row(&self) -> Value {
        let table = self.place.data().join("jobs/customers/JobScheduler");
        let rows = std::fs::read_dir(table).expect("there is a table");
        let mut rows = rows.map(|row| row.expect("it can be read").path());
        // Beside it may be one that is being written.
        let row = rows.find(|row| row.extension().is_some_and(|ending| ending == "json"));
        let row = std::fs::read(row.expect("there is a row")).expect("it can be read");
        serde_json::from_slice(&row).expect("JSON")
    }

    fn messages(&self) -> usize {
        let queue = self.place.data().join("jobs/queues/REQUESTQUEUE");
        std::fs::read_dir(queue).map_or(0, Iterator::count)
    }
}

#[test]
fn the_file_is_without_mistakes_here_and_at_aws() {
    let host = filmer(None);
    for changes in [&[][..], &[("kind = \"embedded\"", "kind = \"aws\"")]] {
        let place = animato(&host, changes);
        let checked = run(["check", place.config().to_str().expect("a path")]);
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{told}");
    }
}

#[test]
fn the_photos_of_a_bucket_become_a_film_in_it() {
    let host = filmer(None);
    let served = Served::start(&host);
    for name in ["b.jpg", "a.PNG", "c.jpeg"] {
        served.put("photos", name, name.as_bytes());
    }
    served.put("photos", "notes.txt", b"no photo");
    assert_eq!(served.status("ann"), "Job does not exists");
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    served.becomes("ann", "Job completed");
    let film = film_of(&["a.PNG", "b.jpg", "c.jpeg"]);
    for key in ["myvideo.mp4", "myvideo.mpeg"] {
        assert_eq!(std::fs::read(served.object("photos", key)).expect("it is there"), film);
    }
    let row = served.row();
    let expected = json!(["ann", "F", 1]);
    assert_eq!(json!([row["CustomerId"], row["job_stats"], row["try_count"]]), expected);
    until("the queue is empty", || served.messages() == 0);
    let form = String::from_utf8_lossy(&host.last().body).into_owned();
    assert!(form.contains("name=\"seconds\"\r\n\r\n0.5\r\n"), "{form}");
    // Whose job has ended may ask again; the film is no photo.
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    until("it was made again", || host.heard().len() == 2);
    served.becomes("ann", "Job completed");
    served.balancer.assert_idle();
}

#[test]
fn a_customer_has_one_job_at_once() {
    let gate = Gate::default();
    let host = filmer(Some(gate.clone()));
    let served = Served::start(&host);
    served.put("photos", "a.jpg", b"a");
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    served.becomes("ann", "Job in progress");
    assert_eq!(served.asks("ann", "sleep 1"), "Job submission failed");
    assert_eq!(served.asks("bob", "sleep 0.01"), "Job submitted successfully");
    served.becomes("bob", "Job completed");
    assert_eq!(served.status("ann"), "Job in progress");
    gate.open(1);
    served.becomes("ann", "Job completed");
    assert_eq!(served.asks("ann", "sleep 0"), "Job submitted successfully");
    served.becomes("ann", "Job completed");
}

#[test]
fn jobs_are_done_one_after_the_other_and_what_cannot_be_done_is_an_error() {
    let host = filmer(None);
    let served = Served::start(&host);
    served.put("photos", "a.jpg", b"a");
    served.put("broken", "a.jpg", b"no photo");
    served.put("empty", "a.txt", b"a");
    let asked = [
        ("several", "sleep 0.01|photos|word 0", "Job completed"),
        ("many", "one two three", "Error occured"),
        ("words", "sleep soundly", "Error occured"),
        ("nothing", "photos|", "Error occured"),
        ("missing", "no-such-bucket", "Error occured"),
        ("outside", "..", "Error occured"),
        ("empty", "empty", "Error occured"),
        ("broken", "broken", "Error occured"),
    ];
    for (customer, jobs, _) in asked {
        assert_eq!(served.asks(customer, jobs), "Job submitted successfully", "{customer}");
    }
    for (customer, _, status) in asked {
        served.becomes(customer, status);
    }
    assert!(served.object("photos", "myvideo.mpeg").exists());
    assert!(!served.object("broken", "myvideo.mpeg").exists());
    until("the queue is empty", || served.messages() == 0);
}

#[test]
fn what_a_customer_says_is_text_in_pages() {
    let host = filmer(None);
    let served = Served::start(&host);
    let bad = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in ["makevideo?jobDesc=x&", "checkstatus?"] {
        let target = format!("/{path}customerId={bad}");
        let page = text(&ask(served.balancer.listen, "GET", &target, &[], b""));
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
    }
    for form in ["makevideo", "checkstatus", "makevideo?customerId=a"] {
        let page = text(&ask(served.balancer.listen, "GET", &format!("/{form}"), &[], b""));
        assert!(page.contains("<form") && !page.contains("<h3>"), "{form}");
    }
    for customer in ["", "a|b", "a%0Ab"] {
        assert_eq!(served.asks(customer, "sleep 0"), "Job submission failed", "{customer}");
    }
    let head = "/makevideo?customerId=head&jobDesc=photos";
    assert_eq!(ask(served.balancer.listen, "HEAD", head, &[], b"").status, 200);
    assert_eq!(served.status("head"), "Job does not exists");
    let home = text(&ask(served.balancer.listen, "GET", "/", &[], b""));
    for link in ["upload", "makevideo", "checkstatus"] {
        assert!(home.contains(&format!("href=\"{link}\"")), "{link}");
    }
}

#[test]
fn who_dies_leaves_nothing_in_progress_for_ever() {
    let gate = Gate::default();
    let host = filmer(Some(gate.clone()));
    let mut served = Served::start(&host);
    served.put("photos", "a.jpg", b"a");
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    served.becomes("ann", "Job in progress");
    until("the host has it", || !host.heard().is_empty());
    served = served.killed_and_started();
    until("it is tried again", || served.row()["try_count"] == 2);
    gate.open(10);
    served.becomes("ann", "Job completed");
    assert!(served.object("photos", "myvideo.mpeg").exists());
}

#[test]
fn who_dies_again_and_again_is_an_error_in_the_end() {
    let gate = Gate::default();
    let host = filmer(Some(gate));
    let mut served = Served::start(&host);
    served.put("photos", "a.jpg", b"a");
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    for nth in 1..=3 {
        until("it is tried", || served.row()["try_count"] == nth);
        served = served.killed_and_started();
    }
    served.becomes("ann", "Error occured");
    assert_eq!(served.row()["try_count"], 3);
    assert_eq!(served.asks("ann", "sleep 0"), "Job submitted successfully");
    served.becomes("ann", "Job completed");
}

#[test]
fn a_host_that_dies_is_the_matter_of_the_job_alone() {
    let n = std::sync::atomic::AtomicUsize::new(0);
    let host = Host::start(move |heard, client| {
        if n.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Then::Close;
        }
        answer(client, "200 OK", &["Content-Type: video/mp4"], &heard.body);
        Then::Keep
    });
    let served = Served::start(&host);
    served.put("photos", "a.jpg", b"a");
    assert_eq!(served.asks("ann", "photos"), "Job submitted successfully");
    served.becomes("ann", "Job completed");
    assert_eq!((host.heard().len(), &served.row()["try_count"]), (2, &json!(1)));
}
