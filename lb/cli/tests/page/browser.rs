//! Chromium, driven by its driver as the W3C's `WebDriver` has it.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::client::{Connection, DEADLINE};
use crate::harness::until;

/// A browser with one page. Dropping it ends it.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Open to its end: the driver writes to it.
    _said: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

/// How the driver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    pub(crate) fn start() -> Browser {
        let folder = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new("chromedriver")
            .args(["--port=0"])
            .env("HOME", folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| unreachable!("`.ci/install` installs chromedriver: {error}"));
        let mut said = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = said.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("successfully on port ")?.1;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("it says its port")));
        let session = String::new();
        let mut browser = Browser { driver, address, session, _said: said, _folder: folder };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1440,1000",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "binary": "/usr/bin/chromium" },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        } } });
        let made = browser.call("POST", "/session", &wanted);
        made["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser
    }

    /// Opens the page of the balancer whose admin address it is, and waits until it is live.
    pub(crate) fn open(admin: SocketAddr) -> Browser {
        let browser = Browser::start();
        browser.go(&format!("http://{admin}/"));
        until("the page is live", || browser.text("#link") == "live");
        browser
    }

    pub(crate) fn go(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// What `script`, the body of a function, returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same, for a number.
    pub(crate) fn number(&self, script: &str) -> f64 {
        self.run(script).as_f64().expect("a number")
    }

    /// The text of the first element that `selector` finds, as it is seen.
    pub(crate) fn text(&self, selector: &str) -> String {
        let path = format!("element/{}/text", self.find(selector));
        self.get(&path).as_str().expect("text").to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        let path = format!("element/{}/click", self.find(selector));
        self.post(&path, &json!({}));
    }

    /// Types `text` there.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let path = format!("element/{}/value", self.find(selector));
        self.post(&path, &json!({ "text": text }));
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let each = keys.iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let keys = json!({ "type": "key", "id": "keys", "actions": each.collect::<Vec<_>>() });
        self.post("actions", &json!({ "actions": [keys] }));
    }

    /// Drags the middle of the first element that `from` finds to the left part of that of `to`,
    /// with a mouse.
    #[allow(dead_code, reason = "the page of operators has nothing to drag")]
    pub(crate) fn drag(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|selector| json!({ ELEMENT: self.find(selector) }));
        let kind = "pointerMove";
        let go = |origin: &Value, x: i32| json!({ "type": kind, "origin": origin, "x": x, "y": 0 });
        let steps = json!([
            go(&from, 0),
            { "type": "pointerDown", "button": 0 },
            go(&from, 5),
            go(&to, -20),
            { "type": "pointerUp", "button": 0 },
        ]);
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": steps });
        self.post("actions", &json!({ "actions": [mouse] }));
    }

    /// Says yes to what the page asks.
    pub(crate) fn accept(&self) {
        self.post("alert/accept", &json!({}));
    }

    /// Answers what the page asks.
    pub(crate) fn answer(&self, text: &str) {
        self.post("alert/text", &json!({ "text": text }));
        self.accept();
    }

    /// A command of the browser's own protocol.
    pub(crate) fn browser(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Puts what is seen into a file of this name, where there is a folder for that.
    pub(crate) fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("WEIGHBRIDGE_PICTURES") else { return };
        let picture = self.get("screenshot");
        let picture = STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        std::fs::write(format!("{folder}/{name}.png"), picture).expect("the folder is there");
    }

    /// What the page has complained about so far: errors, and what its policy has kept it from.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        let log = log.as_array().expect("a list").iter();
        log.filter(|line| line["level"] != "DEBUG" && line["level"] != "INFO")
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn find(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("/session/{}/{path}", self.session), &json!({}))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut connection = Connection::open(self.address);
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let (address, length) = (self.address, body.len());
        connection.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        // It says the length of most answers, and then keeps the connection a while.
        let answer = connection.head();
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let said = match length {
            Some(length) => connection.exactly(length),
            None => connection.rest(),
        };
        let mut said: Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(answer.status, 200, "{method} {path} {body}: {said:#}");
        said["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let (address, session) = (self.address, &self.session);
        let end = format!(
            "DELETE /session/{session} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        // Fails only where it has ended already, as what follows. Its browser goes along.
        let _ = TcpStream::connect(address).and_then(|mut driver| {
            driver.set_read_timeout(Some(DEADLINE))?;
            driver.write_all(end.as_bytes())?;
            // It answers when the browser has ended.
            driver.read(&mut [0; 1024])
        });
        if let Some(group) = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.driver.wait();
    }
}
