//! Routes by host, path and method, each with its fleet, limits and answers.

use crate::balancer::Balancer;
use crate::client::{Connection, Response, ask, head};
use crate::host::{self, Host, Then};

/// A host that says its name.
fn named(name: &'static str) -> Host {
    Host::start(move |_, client| {
        host::answer(client, "200 OK", &[], name.as_bytes());
        Then::Keep
    })
}

fn ask_admin(balancer: &Balancer, target: &str) -> Response {
    let mut connection = Connection::open(balancer.admin);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    connection.response("GET")
}

#[test]
fn a_request_goes_to_the_fleet_of_its_host_path_and_method() {
    let (web, api, gpu) = (named("web"), named("api"), named("gpu"));
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         fleets.api.hosts = [{{ address = \"{}\" }}]\n\
         fleets.gpu.hosts = [{{ address = \"{}\", cores = 4 }}]\n\
         [[routes]]\nname = \"web\"\npath = \"/\"\n\
         [[routes]]\nname = \"api\"\npath = \"/\"\nhosts = [\"api.example.org\"]\nfleet = \"api\"\n\
         [[routes]]\nname = \"render\"\npath = \"/render\"\nmethods = [\"POST\"]\nfleet = \"gpu\"\n\
         [[routes]]\nname = \"only\"\npath = \"/only\"\npath_match = \"exact\"\n\
         hosts = [\"*.example.net\"]\nmethods = [\"GET\", \"PUT\"]\nfleet = \"gpu\"\n\
         [[routes]]\nname = \"gone\"\npath = \"/old\"\nrespond = 410\n",
        web.address, api.address, gpu.address
    ));
    let mut connection = Connection::open(balancer.address);
    let mut ask = |method: &str, host: &str, target: &str| {
        connection.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
        ));
        let answer = connection.response(method);
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    for (method, host, target, name) in [
        ("GET", "a", "/", "web"),
        ("GET", "API.example.org:8000", "/x", "api"),
        ("POST", "a", "/render/1", "gpu"),
        ("GET", "a", "/render/1", "web"),
        ("POST", "api.example.org", "/render/1", "api"),
        ("PUT", "x.example.net", "/only", "gpu"),
        ("PUT", "x.example.net", "/only/more", "web"),
    ] {
        assert_eq!(ask(method, host, target), (200, name.to_owned()), "{method} {host} {target}");
    }
    assert_eq!(ask("GET", "a", "/old/page").0, 410);
    let fleets: serde_json::Value =
        serde_json::from_slice(&ask_admin(&balancer, "/fleet").body).expect("JSON");
    let hosts = fleets["hosts"].as_array().expect("hosts");
    let names: Vec<_> = hosts.iter().map(|host| host["fleet"].as_str().unwrap_or("?")).collect();
    assert_eq!(names, ["main", "api", "gpu"]);
}

#[test]
fn a_method_that_no_route_serves_is_told_which_are() {
    let host = named("host");
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         [[routes]]\nname = \"a\"\npath = \"/a\"\nmethods = [\"GET\", \"PUT\"]\n\
         [[routes]]\nname = \"b\"\npath = \"/a/b\"\nmethods = [\"DELETE\"]\n",
        host.address
    ));
    let answer = ask(balancer.address, "POST", "/a/b", b"");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("DELETE, GET, PUT")));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(ask(balancer.address, "HEAD", "/a", b"").status, 200);
    assert_eq!(ask(balancer.address, "GET", "/", b"").status, 404);
    assert_eq!(ask(balancer.address, "OPTIONS", "/a", b"").status, 405);
    assert_eq!(ask(balancer.address, "OPTIONS", "*", b"").status, 200);
}

#[test]
fn a_route_has_limits_of_its_own() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let slow = Host::start(move |heard, client| {
        if heard.line.contains("slow") {
            let _ended = gone.lock().expect("no test panics here").recv();
        }
        host::answer(client, "200 OK", &[], b"answered");
        Then::Keep
    });
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         [[routes]]\nname = \"small\"\npath = \"/small\"\nbody_bytes = \"4B\"\n\
         [[routes]]\nname = \"slow\"\npath = \"/slow\"\nresponse_timeout = \"50ms\"\n\
         [[routes]]\nname = \"small-streamed\"\npath = \"/streamed\"\nbody = \"stream\"\n\
         body_bytes = \"4B\"\n[[routes]]\nname = \"rest\"\npath = \"/\"\n",
        slow.address
    ));
    for target in ["/small", "/streamed"] {
        assert_eq!(ask(balancer.address, "POST", target, b"four").status, 200, "{target}");
        assert_eq!(ask(balancer.address, "POST", target, b"fives").status, 413, "{target}");
    }
    assert_eq!(ask(balancer.address, "POST", "/rest", b"fives").status, 200);
    assert_eq!(ask(balancer.address, "POST", "/slow", b"").status, 504);
    drop(go);
}

#[test]
fn a_route_for_pages_of_any_origin_answers_preflights() {
    let host = Host::start(|heard, client| {
        let own = ["Access-Control-Allow-Origin: https://a.example"];
        let says = heard.line.contains("says");
        host::answer(client, "200 OK", if says { &own } else { &[] }, b"");
        Then::Keep
    });
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         [[routes]]\nname = \"open\"\npath = \"/open\"\ncors = true\n\
         [[routes]]\nname = \"closed\"\npath = \"/closed\"\n",
        host.address
    ));
    let mut connection = Connection::open(balancer.address);
    let asked = [
        "Access-Control-Request-Method: DELETE",
        "Access-Control-Request-Headers: content-type, x-own",
    ];
    connection.send(head("OPTIONS", "/open/x", &asked));
    let preflight = connection.response("OPTIONS");
    assert_eq!(preflight.status, 204);
    let methods = preflight.header("access-control-allow-methods");
    assert_eq!(methods, Some("GET, POST, OPTIONS, DELETE"));
    let headers = preflight.header("access-control-allow-headers");
    assert_eq!(headers, Some("Content-Type,Authorization,x-own"));
    assert!(host.heard().is_empty(), "no host is asked");
    for (target, origin) in
        [("/open", Some("*")), ("/open/says", Some("https://a.example")), ("/closed", None)]
    {
        let answer = connection.ask("GET", target, b"");
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{target}");
    }
    connection.send(head("OPTIONS", "/closed", &asked));
    assert_eq!(connection.response("OPTIONS").status, 200, "it is the host's to answer");
}

#[test]
fn a_trusted_proxy_says_who_its_client_is() {
    let host = named("host");
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         forwarded.headers = \"both\"\nforwarded.trusted_proxies = [\"127.0.0.0/8\"]\n\
         [[routes]]\nname = \"held\"\npath = \"/held\"\n\
         [[routes]]\nname = \"stream\"\npath = \"/stream\"\nbody = \"stream\"\n",
        host.address
    ));
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        let said = [
            "X-Forwarded-For: 192.0.2.1",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: shop.example",
            "Forwarded: for=192.0.2.1;proto=https",
        ];
        connection.send(head("GET", target, &said));
        assert_eq!(connection.response("GET").status, 200);
        let heard = host.last();
        assert_eq!(heard.headers("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
        assert_eq!(heard.headers("x-forwarded-proto"), ["https"]);
        assert_eq!(heard.headers("x-forwarded-host"), ["shop.example"]);
        let chain = "for=192.0.2.1;proto=https, for=127.0.0.1;host=\"weighbridge\";proto=http";
        assert_eq!(heard.headers("forwarded"), [chain], "{target}");
    }
}

#[test]
fn pages_of_other_origins_read_what_a_route_lets_them() {
    let host = Host::start(|heard, client| {
        let own =
            ["Timing-Allow-Origin: https://theirs.example", "Access-Control-Expose-Headers: x"];
        let headers = if heard.line.contains("own") { &own[..] } else { &[] };
        host::answer(client, "200 OK", headers, b"");
        Then::Keep
    });
    let shown = "timing_allow_origin = [\"https://a.example\", \"https://b.example\"]\n\
                 expose_headers = [\"Server-Timing\", \"x-own\"]\n";
    let balancer = Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}]\n\
         timeouts.report_interval = \"20ms\"\n\
         [[routes]]\nname = \"plain\"\npath = \"/\"\n\
         [[routes]]\nname = \"open\"\npath = \"/open\"\n{shown}\
         [[routes]]\nname = \"streamed\"\npath = \"/streamed\"\nbody = \"stream\"\n{shown}",
        host.address
    ));
    let said = |target: &str| {
        let answer = ask(balancer.address, "GET", target, b"");
        assert_eq!(answer.status, 200, "{target}");
        let all = |name| answer.headers(name).collect::<Vec<_>>().join("; ");
        (all("timing-allow-origin"), all("access-control-expose-headers"))
    };
    let ours =
        ("https://a.example, https://b.example".to_owned(), "server-timing, x-own".to_owned());
    let theirs = ("https://theirs.example".to_owned(), "x".to_owned());
    assert_eq!(said("/"), (String::new(), String::new()), "nothing is said unasked");
    assert_eq!(said("/own"), theirs);
    for way in ["/open", "/streamed"] {
        assert_eq!(said(way), ours, "{way}");
        assert_eq!(said(&format!("{way}/own")), theirs, "{way}: the host goes first");
    }
}
