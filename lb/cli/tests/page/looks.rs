//! How the page looks and is used: light and dark, on a phone, by keyboard, without script, and
//! when its balancer is gone.

use serde_json::json;

use crate::browser::Browser;
use crate::harness::until;
use crate::scene::Scene;

/// How bright the ground of the page is, from 0 to 1.
fn brightness(browser: &Browser) -> f64 {
    browser.number(
        "const rgb = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
         return (rgb[0] + rgb[1] + rgb[2]) / 765;",
    )
}

/// A scene with something of everything, and who waits in it.
fn busy() -> (Scene, Vec<crate::client::Connection>) {
    let scene = Scene::start(3, "", "");
    let run = ["/held/thumbnail?secs=5", "/held/render/with/a/long/path?secs=60", "/held?secs=20"];
    let mut connections = scene.send_all(&run);
    connections.extend((0..9).map(|n| scene.send(&format!("/held/{n}?secs={n}"))));
    scene.balancer.has_waiting(9);
    (scene, connections)
}

#[test]
fn it_is_light_or_dark_as_is_preferred() {
    let (scene, _waiting) = busy();
    let browser = Browser::open(scene.balancer.admin);
    let prefer = |scheme: &str| {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.browser("Emulation.setEmulatedMedia", &json!({ "features": features }));
    };
    prefer("light");
    assert!(0.9 < brightness(&browser), "{}", brightness(&browser));
    browser.picture("light");
    prefer("dark");
    assert!(brightness(&browser) < 0.1, "{}", brightness(&browser));
    browser.picture("dark");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn it_fits_a_phone() {
    let (scene, _waiting) = busy();
    let browser = Browser::open(scene.balancer.admin);
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser.browser("Emulation.setDeviceMetricsOverride", &phone);
    let overflow = browser.number("return document.documentElement.scrollWidth - innerWidth");
    assert!(overflow <= 0.0, "{overflow} pixels are beside the screen");
    browser.picture("phone");
    browser.run("document.getElementById('at-requests').scrollIntoView()");
    browser.picture("phone-requests");
}

#[test]
fn it_is_used_by_keyboard() {
    let (scene, _waiting) = busy();
    let browser = Browser::open(scene.balancer.admin);
    let focused = || browser.run("return document.activeElement.id");
    // The first stop leads past the head.
    browser.press(&["\u{e004}"]);
    assert_eq!(browser.run("return document.activeElement.getAttribute('href')"), "#at-hosts");
    for (key, id) in
        [("1", "at-timeline"), ("2", "at-hosts"), ("4", "at-routes"), ("5", "at-explain")]
    {
        browser.press(&[key]);
        assert_eq!(focused(), id);
    }
    browser.press(&["/"]);
    assert_eq!(focused(), "target");
    // In a field, keys are text.
    browser.press(&["p", "2"]);
    assert_eq!(browser.run("return document.getElementById('target').value"), "p2");
    browser.press(&["\u{e00c}", "p"]);
    until("it pauses", || browser.text("#link") == "paused");
    browser.press(&["p"]);
    until("it goes on", || browser.text("#link") == "live");
    // Every control has a name, and shows when it has the focus.
    let nameless = browser.number(
        "return [...document.querySelectorAll('button, input, select')].filter((one) =>
           !one.getAttribute('aria-label') && !one.textContent && !one.labels?.length).length",
    );
    assert!(nameless < 0.5, "{nameless} have no name");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn without_script_there_are_tables() {
    let (scene, _waiting) = busy();
    let browser = Browser::start();
    browser.browser("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.go(&format!("http://{}/", scene.balancer.admin));
    for host in scene.balancer.hosts() {
        assert!(browser.text("#hosts").contains(host.address()));
    }
    assert!(browser.text("#requests").contains("/held/render/with/a/long/path"));
    assert!(browser.text("#routes").contains("stream"));
    // What needs a script is not there, and what says so is.
    let seen = |selector: &str| {
        let script = "return document.querySelector('SELECTOR').getClientRects().length";
        0.0 < browser.number(&script.replace("SELECTOR", selector))
    };
    assert!(seen("#link noscript") && seen("#at-explain noscript"));
    assert!(!seen("#pause") && !seen("#explain") && !seen("#host-0 button"));
    browser.picture("no-script");
}

#[test]
fn it_says_when_its_balancer_is_gone() {
    let (mut scene, _waiting) = busy();
    let browser = Browser::open(scene.balancer.admin);
    scene.balancer.process.kill();
    until("it is said", || browser.text("#link").contains("no connection for"));
    // What was true last is still to be read.
    assert!(browser.text("#requests").contains("/held/render/with/a/long/path"));
}
