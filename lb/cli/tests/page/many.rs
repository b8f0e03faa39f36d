//! A hundred hosts and ten thousand requests that wait: the page shows those that matter, and stays
//! small.

use std::process::{Child, Command, Stdio};

use crate::browser::Browser;
use crate::harness::until;
use crate::scene::Scene;

/// So many requests on connections of a hundred each, until it is dropped.
struct Flood(Child);

impl Flood {
    fn start(scene: &Scene, connections: usize) -> Flood {
        let url = format!("http://{}/held?secs=100", scene.balancer.listen);
        let (n, c) = ((connections * 100).to_string(), connections.to_string());
        let flood = Command::new("h2load")
            .args(["-n", &n, "-c", &c, "-m", "100", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Flood(flood.unwrap_or_else(|error| unreachable!("`.ci/install` installs h2load: {error}")))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_hundred_hosts_and_ten_thousand_waiting_requests_are_a_small_page() {
    let scene = Scene::start(100, "", "");
    let _flood = Flood::start(&scene, 101);
    scene.balancer.has_waiting(10_000);
    let browser = Browser::open(scene.balancer.admin);
    until("they are seen", || browser.text("#summary").contains("10\u{202f}000"));
    let rows = |part: &str| {
        browser.number(&format!("return document.querySelectorAll('#{part} tbody tr').length"))
    };
    // Fifty of each kind, and a line each that says how many there are beside them.
    assert_eq!((rows("hosts"), rows("requests")), (100.0, 102.0));
    assert!(
        browser.text("#more-running").contains("and 50 more"),
        "{}",
        browser.text("#more-running")
    );
    assert!(browser.text("#more-waiting").contains("and 9\u{202f}950 more"));
    let nodes = browser.number("return document.querySelectorAll('*').length");
    assert!(nodes < 6000.0, "{nodes} elements");
    // How long it was busy at a time, while it changed ten times: told, for a machine that is
    // shared proves nothing.
    browser.run(
        "window.longest = 0; let last = performance.now();
         const look = (now) => { window.longest = Math.max(window.longest, now - last); last = now;
           requestAnimationFrame(look); };
         requestAnimationFrame(look);",
    );
    let frames = || browser.number("return Number(document.body.dataset.frames)");
    let before = frames();
    until("it has changed ten times", || before + 10.0 <= frames());
    let longest = browser.number("return window.longest");
    let after = browser.number("return document.querySelectorAll('*').length");
    assert!(after < 6000.0, "{after} elements: they become more");
    eprintln!("{after} elements, at most {longest:.0} ms between two pictures");
    browser.picture("many");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
