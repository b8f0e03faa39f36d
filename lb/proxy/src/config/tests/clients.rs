//! What may be written of clients and classes.

use weighbridge_core::share::{ClassId, SharePolicy};

use super::*;

const ROUTE: &str = "[[routes]]\nname = \"a\"\npath = \"/\"\n";

fn share(text: &str) -> Option<SharePolicy> {
    parse(text).unwrap().policy.share
}

#[test]
fn nothing_is_shared_until_a_route_tells_clients_apart_or_there_is_a_class() {
    assert!(share(ROUTE).is_none());
    assert!(share(&format!("{ROUTE}client = \"address\"\n")).is_some());
    assert!(share(&format!("{ROUTE}[classes.gold]\npriority = 1\n")).is_some());
    assert!(share(&format!("{ROUTE}[class_defaults]\ncpu = \"30s per 1m\"\n")).is_some());
    assert!(share(&format!("{ROUTE}[class_defaults]\npriority = 7\n")).is_none());
}

#[test]
fn classes_fall_back_on_their_defaults_and_routes_name_them() {
    let text = format!(
        "{ROUTE}client = \"header.X-Api-Key\"\nclass = \"gold\"\n\
         [class_defaults]\nclient_cores = 3\n\
         [classes.gold]\npriority = 0\nclients = [\"secret\"]\nclient_cpu = \"1.5s per 2m\"\n"
    );
    let config = parse(&text).unwrap();
    let classes = config.policy.share.unwrap().classes;
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["default", "gold"]);
    assert_eq!(config.routes[0].class, ClassId(1));
    assert_eq!(config.routes[0].client, Whose::Header(HeaderName::from_static("x-api-key")));
    let gold = &classes[1];
    assert_eq!((gold.priority, gold.client_quota.cores), (0, Some(3)));
    assert_eq!(gold.clients, ["secret", "2bb80d537b1da3e3"], "as it calls itself, and is called");
    let cpu = gold.client_quota.cpu.unwrap();
    assert_eq!((cpu.work.as_cpu_secs(), cpu.window), (1.5, Duration::from_mins(2)));
}

#[test]
fn every_mistake_in_clients_is_told_at_once() {
    check(
        r#"[[routes]]
name = "a"
path = "/"
client = "header.weighbridge-estimate"
class = "silver"
[clients]
order = "lifo"
half_life = "0s"
deadline_header = "host"
[class_defaults]
cpu = "30s"
[classes.gold]
weight = 0
clients = ["a"]
[classes.late]
clients = ["a"]
client_cores = 0
"#,
        r#"
line 4: routes[0].client is `"header.weighbridge-estimate"`: expected "none", "address", "certificate", "header.NAME" or "jwt.CLAIM"
line 5: routes[0].class is `"silver"`: expected "default" or the NAME of a [classes.NAME]
line 7: clients.order is `"lifo"`: expected "finish" or "attained" or "steps"
line 8: clients.half_life is `"0s"`: expected a duration from "100ms" to "1d", such as "250ms"
line 9: clients.deadline_header is `"host"`: expected the name of a header, such as "request-timeout-ms", or "" for none
line 11: class_defaults.cpu is `"30s"`: expected "off", or work and a window, such as "30s per 1m"
line 13: classes.gold.weight is `0`: expected a number from 0.001 to 1000
line 16: classes.late.clients has `a`, as another class
line 17: classes.late.client_cores is `0`: expected "off" or a whole number from 1 to 1000000
"#,
    );
}
