//! What operators change by the page, and what they ask it.

use crate::browser::Browser;
use crate::harness::until;
use crate::scene::Scene;

const TOKEN: &str = "0123456789abcdef-of-a-test";

/// A scene whose changes need a token, in front of `n` hosts.
fn guarded(n: usize) -> (Scene, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).expect("a file");
    let more = format!("admin_token_file = \"{}\"\n", file.display());
    (Scene::start(n, &more, ""), folder)
}

/// Waits until the page says so.
#[track_caller]
fn says(browser: &Browser, words: &str) {
    until(words, || browser.text("#said").contains(words));
}

#[test]
fn hosts_drain_and_come_back_for_whoever_has_the_token() {
    let (scene, _folder) = guarded(2);
    let browser = Browser::open(scene.balancer.admin);
    let change = "#host-0 button";
    assert_eq!(browser.text(change), "Drain");
    browser.click(change);
    says(&browser, "401: a change needs `Authorization: Bearer`");
    assert_eq!(browser.run("return document.activeElement.id"), "token");
    browser.type_into("#token", TOKEN);
    browser.click(change);
    says(&browser, "done");
    scene.balancer.has_active(1);
    until("it is seen", || browser.text("#host-0").contains("draining"));
    // The focus is still where it was, so that a keyboard can go on.
    assert_eq!(browser.run("return document.activeElement.textContent"), "Resume");
    browser.press(&["\u{e007}"]);
    scene.balancer.has_active(2);
    until("it is seen", || browser.text("#host-0").contains("active"));
    // The token is forgotten with the tab, and no sooner.
    browser.go(&format!("http://{}/", scene.balancer.admin));
    assert_eq!(browser.run("return document.getElementById('token').value"), TOKEN);
    // What the page is told of a refusal is no fault of its own.
    let faults = browser.complaints();
    assert!(faults.iter().all(|fault| fault.contains("401")), "{faults:?}");
}

#[test]
fn a_host_gets_another_weight_and_one_that_is_none_is_refused() {
    let scene = Scene::start(2, "", "");
    let browser = Browser::open(scene.balancer.admin);
    let weight = || scene.balancer.json("/fleet")["hosts"][0]["weight"].as_f64();
    let button = "#host-0 button[data-number]";
    browser.click(button);
    browser.answer("0.5");
    says(&browser, "done");
    assert_eq!(weight(), Some(0.5));
    until("it is seen", || {
        browser.run("return document.querySelector('#host-0 [data-of=weight]').value") == "0.5"
    });
    for (wrong, told) in [("a lot", "`a lot` is no number"), ("1000", "expected 0.01 to 100")] {
        browser.click(button);
        browser.answer(wrong);
        says(&browser, told);
    }
    assert_eq!(weight(), Some(0.5));
    // What the page is told of a refusal is no fault of its own.
    let faults = browser.complaints();
    assert!(
        faults.iter().all(|fault| fault.contains("400") || fault.contains("422")),
        "{faults:?}"
    );
}

#[test]
fn a_request_is_cancelled_once_that_is_confirmed() {
    let scene = Scene::start(1, "", "");
    let mut running = scene.send_all(&["/held?secs=60"]);
    let browser = Browser::open(scene.balancer.admin);
    let id = scene.ids("running").remove(0);
    until("it is seen", || browser.text("#requests").contains("/held"));
    browser.click(&format!("#request-{id} button"));
    browser.accept();
    says(&browser, "Cancel /held: done");
    assert_eq!(running[0].response("POST").status, 503);
    until("it is gone", || browser.text("#requests").contains("No request is here."));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_file_is_explained() {
    let scene = Scene::start(1, "", "");
    let browser = Browser::open(scene.balancer.admin);
    let file = scene.folder().join("body.bin");
    std::fs::write(&file, "x".repeat(1234)).expect("a file");
    browser.type_into("#file", &file.display().to_string());
    assert!(browser.text("#chosen").contains("body.bin, 1234 bytes"));
    browser.type_into("#target", "/held?secs=7");
    browser.press(&["\u{e007}"]);
    until("it is explained", || browser.text("#explained").contains("forward to 0"));
    browser.run("document.getElementById('target').value = '/nowhere'");
    browser.click("#explain button[type=submit]");
    until("it is refused", || browser.text("#explained").contains("no route with hosts serves"));
    assert!(scene.hosts[0].heard().is_empty(), "nothing is sent");
    let faults = browser.complaints();
    assert!(faults.iter().all(|fault| fault.contains("404")), "{faults:?}");
}

#[test]
fn where_changes_need_the_socket_nothing_is_offered() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = format!("admin_socket = \"{}\"\n", folder.path().join("admin.sock").display());
    let scene = Scene::start(1, &more, "");
    let browser = Browser::open(scene.balancer.admin);
    assert!(browser.text("header").contains("Changes need the Unix socket or a token"));
    let hidden = "return document.querySelector('#host-0 button').offsetParent === null";
    assert_eq!(browser.run(hidden), true);
}
