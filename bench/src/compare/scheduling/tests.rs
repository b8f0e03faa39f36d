use super::*;
use crate::compare::Spread;

fn spread(median: f64) -> Spread {
    Spread { median, least: median / 2.0, most: median * 2.0 }
}

/// A class with a slowdown and a response time.
fn class(name: &str, slowdown: f64, seconds: f64) -> ClassSpread {
    ClassSpread {
        class: name.to_owned(),
        alone_max: seconds / slowdown,
        mean_response: spread(seconds),
        p99_response: spread(seconds * 10.0),
        mean_slowdown: spread(slowdown),
        p99_slowdown: spread(slowdown * 10.0),
    }
}

fn row(proxy: &'static str, slowdown: f64, [small, large]: [f64; 2]) -> SchedulingRow {
    SchedulingRow {
        experiment: "scheduling",
        proxy,
        load: 0.8,
        rate: 40.0,
        rounds: 3,
        requests: 900,
        failed: 1,
        throughput: spread(39.0),
        proxy_cpu_micros: spread(200.0),
        workers_cpu_micros: spread(20_000.0),
        all: class("all", slowdown, 0.02),
        smaller_half: class("smaller half", slowdown, small),
        classes: vec![class("1 of 2", slowdown, small), class("2 of 2", slowdown, large)],
        against_best_peer: None,
    }
}

/// One peer is better in slowdown, the other for small requests.
fn rows() -> Vec<SchedulingRow> {
    vec![
        row("nginx", 3.0, [0.002, 0.1]),
        row("haproxy", 2.0, [0.004, 0.08]),
        row("weighbridge", 1.25, [0.001, 0.1]),
    ]
}

#[test]
fn the_best_peer_is_another_in_each_respect() {
    let mut rows = rows();
    goals::judge(&mut rows, &GOALS);
    assert_eq!(rows[0].against_best_peer, None);
    let against = rows[2].against_best_peer.clone().unwrap();
    assert!((against.mean_slowdown - 1.6).abs() < 1e-9);
    assert!((against.smaller_half_p99 - 2.0).abs() < 1e-9);
    assert!((against.worst_class_response - 1.25).abs() < 1e-9);
    assert_eq!(against.mean_slowdown_peer, "haproxy");
    assert_eq!(against.smaller_half_p99_peer, "nginx");
    assert_eq!(against.worst_class, "2 of 2");
}

#[test]
fn without_peers_nothing_is_judged() {
    let mut rows = vec![row("weighbridge", 1.0, [0.001, 0.1])];
    goals::judge(&mut rows, &GOALS);
    assert_eq!(rows[0].against_best_peer, None);
}

#[test]
fn the_tables_tell_of_everybody_and_of_the_goals() {
    let mut rows = rows();
    goals::judge(&mut rows, &GOALS);
    let measured =
        Measured { setting: "How.".to_owned(), rows, missing: vec![Proxy::Envoy], goals: &GOALS };
    assert_eq!(
        table::markdown(&measured),
        "How.

### Load 0.80: 40.0 requests per second

| proxy | mean slowdown | p99 slowdown | mean response | p99 response | p99 response, smaller half | answers per second | proxy CPU per request | failed |
|---|---|---|---|---|---|---|---|---|
| nginx | 3.00 (1.50–6.00) | 30.0 (15.0–60.0) | 20 ms (10 ms–40 ms) | 200 ms (100 ms–400 ms) | 20 ms (10 ms–40 ms) | 39.0 (19.5–78.0) | 200 µs (100 µs–400 µs) | 1 of 900 |
| haproxy | 2.00 (1.00–4.00) | 20.0 (10.0–40.0) | 20 ms (10 ms–40 ms) | 200 ms (100 ms–400 ms) | 40 ms (20 ms–80 ms) | 39.0 (19.5–78.0) | 200 µs (100 µs–400 µs) | 1 of 900 |
| weighbridge | 1.25 (0.62–2.50) | 12.5 (6.25–25.0) | 20 ms (10 ms–40 ms) | 200 ms (100 ms–400 ms) | 10 ms (5.0 ms–20 ms) | 39.0 (19.5–78.0) | 200 µs (100 µs–400 µs) | 1 of 900 |
| envoy | not there: `bench/peers/install.sh envoy` | – | – | – | – | – | – | – |

| mean response, mean slowdown | 1 of 2 (to 667 µs) | 2 of 2 (to 33 ms) |
|---|---|---|
| nginx | 2.0 ms, 3.00 | 100 ms, 3.00 |
| haproxy | 4.0 ms, 2.00 | 80 ms, 2.00 |
| weighbridge | 1.0 ms, 1.25 | 100 ms, 1.25 |

weighbridge against the best peer: mean slowdown 1.60 times better than haproxy (goal 1.5), p99 response of the smaller half 2.00 times better than nginx (goal 3), worst size class 2 of 2 with 1.25 times its best peer's mean response (goal 1.1 at most).
"
    );
}

#[test]
fn plots_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    plot::scheduling(folder.path(), &rows()).unwrap();
    for name in ["scheduling-slowdown.svg", "scheduling-p99-0.80.svg"] {
        let picture = std::fs::read_to_string(folder.path().join(name)).unwrap();
        for proxy in ["nginx", "haproxy", "weighbridge"] {
            assert!(picture.contains(proxy), "{name} has no {proxy}");
        }
    }
}
