//! Photos become a film that plays.

use std::net::SocketAddr;

use crate::browser::Browser;
use crate::harness::until;
use crate::scene::{
    Files, Scene, brightness, by_one_command, choose, choose_a_short_film, is_at, open, page, shown,
};
use crate::service;

/// Waits until the film can be played, and returns how long it is, in seconds.
#[track_caller]
fn plays(browser: &Browser) -> f64 {
    is_at(browser, "done");
    until("the film can be played", || {
        let state = browser.number("return document.getElementById('player').readyState");
        1.0 <= state
    });
    browser.run("document.getElementById('player').muted = true");
    browser.run("document.getElementById('player').play()");
    until("it plays", || {
        0.2 < browser.number("return document.getElementById('player').currentTime")
    });
    browser.run("document.getElementById('player').pause()");
    browser.number("return document.getElementById('player').duration")
}

/// How bright the middle of the film is after so many seconds, from 0 to 255.
fn seen(browser: &Browser, secs: f64) -> f64 {
    browser.run(&format!("document.getElementById('player').currentTime = {secs}"));
    until("it is there", || {
        browser.run(
            "const player = document.getElementById('player');
             return !player.seeking && 2 <= player.readyState",
        ) == true
    });
    browser.number(
        "const player = document.getElementById('player');
         const canvas = document.createElement('canvas');
         [canvas.width, canvas.height] = [player.videoWidth, player.videoHeight];
         const context = canvas.getContext('2d');
         context.drawImage(player, 0, 0);
         const [x, y] = [canvas.width / 2, canvas.height / 2];
         const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
         return (red + green + blue) / 3",
    )
}

/// The file in `deploy/files`, the one command, and all that a person does.
#[test]
fn twelve_photos_and_music_become_a_film_that_plays() {
    let (_place, balancer) = by_one_command();
    let (browser, files) = (open(&balancer), Files::new());
    choose(&browser, &files.photos(12));
    browser.type_into("#music", &files.music());
    assert_eq!(browser.text("#music-name"), "song.mp3");
    choose_a_short_film(&browser);
    assert!(browser.text("#sum").starts_with("12 photos, "), "{}", browser.text("#sum"));
    assert!(browser.text("#sum").ends_with("7.0 seconds."), "{}", browser.text("#sum"));
    browser.picture("films-chosen");
    // By its buttons, and by the pointer.
    browser.click("#photos li:nth-child(1) .keys button:nth-of-type(2)");
    browser.run("document.getElementById('photos').scrollIntoView()");
    browser.drag("#photos li:nth-child(12) .picture", "#photos li:nth-child(1) .picture");
    let order = [11, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    let names: Vec<String> = order.iter().map(|nth| format!("{nth:02}")).collect();
    assert_eq!(shown(&browser), names);
    browser.click("#make");
    let secs = plays(&browser);
    assert!((6.9..7.2).contains(&secs), "{secs}");
    // Each photo stands for 0.4 s, and fades for 0.2 s.
    for (nth, photo) in order.into_iter().enumerate() {
        let found = seen(&browser, 0.6 * nth as f64 + 0.2);
        let expected = brightness(photo);
        assert!((found - expected).abs() < 8.0, "photo {nth}: {found}, expected {expected}");
    }
    let has_sound = "return document.getElementById('player').webkitAudioDecodedByteCount";
    assert!(0.0 < browser.number(has_sound), "the music is heard");
    browser.picture("films-done");
    let link = browser.run("return document.getElementById('download').pathname");
    let link = link.as_str().expect("a link");
    let film = service::ask(balancer.listen, "GET", link, &[], b"");
    assert_eq!(film.header("content-type"), Some("video/mp4"));
    assert_eq!(&film.body[4..8], b"ftyp");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_page_that_is_loaded_again_goes_on() {
    let scene = Scene::start();
    let (browser, files) = (scene.browser(), Files::new());
    choose(&browser, &files.photos(2));
    choose_a_short_film(&browser);
    browser.click("#make");
    is_at(&browser, "working");
    until("the host has it", || scene.host.heard().len() == 1);
    until("it says when it will be ready", || browser.text("#words").contains("Ready in about"));
    browser.picture("films-working");
    let address = browser.run("return location.href");
    browser.go("about:blank");
    browser.go(address.as_str().expect("an address"));
    is_at(&browser, "working");
    scene.gate.open(1);
    let secs = plays(&browser);
    assert!((0.9..1.2).contains(&secs), "{secs}");
    assert_eq!(scene.host.heard().len(), 1, "it was made once");
    // And after that, too.
    browser.go("about:blank");
    browser.go(address.as_str().expect("an address"));
    is_at(&browser, "done");
    browser.click("#another");
    is_at(&browser, "choosing");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn two_people_do_not_see_each_others_films() {
    let scene = Scene::start();
    let files = Files::new();
    let people = [(scene.browser(), 1_u8), (scene.browser(), 9_u8)];
    for (browser, nth) in &people {
        let photo = files.file(&format!("IMG_{nth:02}.jpg"), &crate::scene::photo(*nth));
        choose(browser, &photo);
        choose_a_short_film(browser);
        browser.click("#make");
        is_at(browser, "working");
    }
    let addresses = people.each_ref().map(|(browser, _)| browser.run("return location.href"));
    assert_ne!(addresses[0], addresses[1]);
    scene.gate.open(2);
    for (browser, nth) in &people {
        is_at(browser, "done");
        let found = seen(browser, 0.2);
        assert!((found - brightness(*nth)).abs() < 8.0, "{found} of {nth}");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn without_script_a_form_leads_to_a_film() {
    let scene = Scene::start();
    let (browser, files) = (Browser::start(), Files::new());
    let off = serde_json::json!({ "value": true });
    browser.browser("Emulation.setScriptExecutionDisabled", &off);
    browser.go(&page(&scene.balancer));
    let seen = |selector: &str| {
        let script = "return document.querySelector('SELECTOR').getClientRects().length";
        0.0 < browser.number(&script.replace("SELECTOR", selector))
    };
    assert!(!seen("#photos") && !seen("#size") && !seen("#work") && !seen("#film"));
    assert!(seen("input[name=width]") && seen("#make"));
    browser.type_into("#pick", &files.photos(2));
    browser.picture("films-no-script");
    browser.click("#make");
    until("it is told how it is", || browser.text("body").contains("predicted to end"));
    browser.picture("films-no-script-working");
    scene.gate.open(1);
    until("it leads to the film", || {
        let address = browser.run("return location.pathname");
        address.as_str().is_some_and(|path| path.ends_with("/result"))
            && browser.run("return document.querySelector('video') !== null") == true
    });
    let film = browser.run("return document.querySelector('video').videoWidth");
    assert!(film.is_number());
}

/// The part of a film that a player looks for.
#[test]
fn a_player_gets_the_part_that_it_asks_for() {
    let scene = Scene::start();
    scene.gate.open(1);
    let listen: SocketAddr = scene.balancer.listen;
    let form = form(&[("a.jpg", &crate::scene::photo(1))]);
    let kind = "Content-Type: multipart/form-data; boundary=BOUND";
    let accepted = service::ask(listen, "POST", "/upload", &[kind], &form);
    assert_eq!(accepted.status, 202, "{}", service::text(&accepted));
    let location = accepted.header("location").expect("a place").to_owned();
    let whole = service::result(listen, &location);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let ask =
        |range: &str| service::ask(listen, "GET", &format!("{location}/result"), &[range], b"");
    let part = ask("Range: bytes=4-11");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[4..12]));
    let range = format!("bytes 4-11/{}", whole.body.len());
    assert_eq!(part.header("content-range"), Some(&*range));
    let end = ask("Range: bytes=-7");
    assert_eq!((end.status, &end.body[..]), (206, &whole.body[whole.body.len() - 7..]));
    let none = ask("Range: bytes=99999999-");
    assert_eq!((none.status, none.body.len()), (416, 0));
}

/// A form with these photos.
pub(crate) fn form(photos: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, photo) in photos {
        let head = format!(
            "--BOUND\r\nContent-Disposition: form-data; name=\"photos[]\"; filename=\"{name}\"\r\n\
             \r\n"
        );
        form.extend([head.as_bytes(), photo, b"\r\n"].concat());
    }
    form.extend_from_slice(b"--BOUND--\r\n");
    form
}
