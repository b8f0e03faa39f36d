//! How the page looks and is used: light and dark, on a phone, by keyboard.

use serde_json::json;

use crate::browser::Browser;
use crate::scene::{Files, Scene, choose, shown};

/// How bright the ground of the page is, from 0 to 1.
fn brightness(browser: &Browser) -> f64 {
    browser.number(
        "const rgb = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
         return (rgb[0] + rgb[1] + rgb[2]) / 765;",
    )
}

#[test]
fn it_is_light_or_dark_as_is_preferred() {
    let scene = Scene::start();
    let (browser, files) = (scene.browser(), Files::new());
    choose(&browser, &files.photos(5));
    let prefer = |scheme: &str| {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.browser("Emulation.setEmulatedMedia", &json!({ "features": features }));
    };
    prefer("light");
    assert!(0.9 < brightness(&browser), "{}", brightness(&browser));
    browser.picture("films-light");
    prefer("dark");
    assert!(brightness(&browser) < 0.1, "{}", brightness(&browser));
    browser.picture("films-dark");
    browser.go(&format!("http://{}/makevideo", scene.balancer.listen));
    browser.picture("films-makevideo-dark");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn it_fits_a_phone() {
    let scene = Scene::start();
    let (browser, files) = (scene.browser(), Files::new());
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser.browser("Emulation.setDeviceMetricsOverride", &phone);
    choose(&browser, &files.photos(5));
    for path in ["upload", "makevideo?customerId=a&jobDesc=x%20y%20z", "checkstatus", ""] {
        if path != "upload" {
            browser.go(&format!("http://{}/{path}", scene.balancer.listen));
        }
        let overflow = browser.number("return document.documentElement.scrollWidth - innerWidth");
        assert!(overflow <= 0.0, "{overflow} pixels of {path} are beside the screen");
        browser.picture(&format!("films-phone-{}", path.split('?').next().unwrap_or_default()));
    }
}

#[test]
fn it_is_used_by_keyboard() {
    let scene = Scene::start();
    let (browser, files) = (scene.browser(), Files::new());
    choose(&browser, &files.photos(3));
    let focused = || browser.run("return document.activeElement.getAttribute('aria-label')");
    browser.run("document.querySelector('#photos li .keys button:nth-of-type(2)').focus()");
    assert_eq!(focused(), "Move IMG_00.jpg later");
    // Twice: the button keeps the focus as its photo moves.
    browser.press(&["\u{e007}", "\u{e007}"]);
    assert_eq!(shown(&browser), ["01", "02", "00"]);
    assert_eq!(focused(), "Move IMG_00.jpg later");
    assert_eq!(browser.text("#photos li:nth-child(3) b"), "3");
    let said = browser.run("return document.getElementById('said').textContent");
    assert_eq!(said, "IMG_00.jpg is number 3 of 3");
    browser.press(&["\u{e004}", "\u{e007}"]);
    assert_eq!(shown(&browser), ["01", "02"], "it is removed");
    assert_eq!(focused(), "Remove IMG_02.jpg");
    // Every control has a name.
    let nameless = browser.number(
        "return [...document.querySelectorAll('button, input, select')].filter((one) =>
           !one.hidden && !one.getAttribute('aria-label') && !one.textContent &&
           !one.labels?.length).length",
    );
    assert!(nameless < 0.5, "{nameless} have no name");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
