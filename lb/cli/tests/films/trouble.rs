//! What does not go as it should.

use serde_json::Value;

use crate::harness::until;
use crate::scene::{Files, Scene, choose, choose_a_short_film, is_at, shown};
use crate::service;

#[test]
fn a_photo_that_cannot_be_used_is_named_and_the_rest_goes_on() {
    let scene = Scene::start();
    scene.gate.open(2);
    let (browser, files) = (scene.browser(), Files::new());
    let good = files.photos(2);
    let bad = files.file("broken.jpg", b"\xff\xd8\xff\xe0 this is no photo");
    choose(&browser, &format!("{bad}\n{good}"));
    browser.click("#photos li:nth-child(1) .keys button:nth-of-type(2)");
    assert_eq!(shown(&browser), ["00", "broken", "01"]);
    choose_a_short_film(&browser);
    browser.click("#make");
    until("it is told", || browser.text("body").contains("There is no film"));
    let told = browser.text("#wrong-words");
    assert!(told.starts_with("broken.jpg cannot be used: "), "{told}");
    let marked = browser.number("return document.querySelectorAll('#photos li.failing').length");
    assert!((marked - 1.0).abs() < 0.5, "{marked}");
    assert_eq!(browser.text("#photos li.failing .name"), "broken.jpg");
    assert!(!browser.text("#photos li.failing .why").is_empty());
    assert_eq!(browser.run("return document.activeElement.id"), "wrong");
    browser.picture("films-failing-photo");
    assert_eq!(browser.text("#without"), "Remove it and go on");
    browser.click("#without");
    is_at(&browser, "done");
    assert_eq!(scene.host.heard().len(), 2);
    browser.click("#another");
    is_at(&browser, "choosing");
    assert_eq!(shown(&browser), ["00", "01"]);
}

#[test]
fn what_is_given_up_is_made_no_more() {
    let scene = Scene::start();
    let (browser, files) = (scene.browser(), Files::new());
    choose(&browser, &files.photos(1));
    browser.click("#make");
    is_at(&browser, "working");
    let id = browser.run("return location.hash.slice(1)");
    browser.click("#stop");
    is_at(&browser, "choosing");
    let location = format!("/jobs/{}", id.as_str().expect("an id"));
    let state = || -> Value {
        let told = service::ask(scene.balancer.listen, "GET", &location, &[], b"");
        service::json(&told)["state"].clone()
    };
    until("it is cancelled", || state() == "cancelled");
    assert_eq!(shown(&browser), ["00"], "what was chosen is still there");
}

#[test]
fn a_film_that_is_forgotten_is_told_of() {
    let scene = Scene::start();
    let browser = scene.browser();
    let address = format!("{}#{}", crate::scene::page(&scene.balancer), "0".repeat(32));
    browser.go("about:blank");
    browser.go(&address);
    until("it is told", || browser.text("body").contains("This film is not there any more."));
    is_at(&browser, "choosing");
}

#[test]
fn each_page_has_its_methods_and_its_policy() {
    let scene = Scene::start();
    let ask =
        |method: &str, path: &str| service::ask(scene.balancer.listen, method, path, &[], b"");
    for path in ["/", "/upload", "/makevideo", "/checkstatus", "/upload/upload.js"] {
        let page = ask("GET", path);
        assert_eq!(page.status, 200, "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        let head = ask("HEAD", path);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    assert_eq!(ask("GET", "/other").status, 404);
    let other = ask("PUT", "/upload");
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, POST")));
}
