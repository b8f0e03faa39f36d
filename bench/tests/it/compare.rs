use serde_json::Value;
use weighbridge_bench::compare::Proxy;

use crate::program::bench_json;

fn row<'a>(rows: &'a [Value], proxy: &str) -> &'a Value {
    rows.iter().find(|row| row["proxy"] == proxy).expect("it was measured")
}

#[test]
fn proxies_carry_the_same_requests_to_the_same_workers() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "compare scheduling --proxies pingora,weighbridge --rounds 2 --seconds 1 --warm-up 1 --load 0.4 \
         --pool 12 --out {}",
        folder.path().display()
    );
    let rows = bench_json(&line);
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!((&row["failed"], &row["rounds"]), (&0.into(), &2.into()), "{row}");
        assert!(0.0 < row["proxy_cpu_micros"]["median"].as_f64().unwrap(), "{row}");
        assert!(0.0 < row["workers_cpu_micros"]["median"].as_f64().unwrap(), "{row}");
    }
    let (pingora, ours) = (row(&rows, "pingora"), row(&rows, "weighbridge"));
    assert_eq!(pingora["requests"], ours["requests"], "all have the same arrivals");
    assert!(ours["against_best_peer"]["mean_slowdown"].is_number(), "{ours}");
    for name in ["scheduling.md", "scheduling-slowdown.svg", "scheduling-p99-0.40.svg"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn the_cost_of_a_request_is_measured_in_every_proxy_that_is_there() {
    let rows = bench_json("compare overhead --rounds 1 --seconds 1 --connections 2 --bodies 10kB");
    let ours = row(&rows, "weighbridge");
    assert!(ours["cpu_over_pingora"]["median"].as_f64().unwrap().is_finite(), "{ours}");
    for row in rows.iter().filter(|row| row["install"].is_null()) {
        assert_eq!(row["failed"], 0, "{row}");
        assert!(0 < row["requests"].as_u64().unwrap(), "{row}");
        assert_eq!(row["proxy"] == "direct", row["cpu_micros"].is_null(), "{row}");
    }
    assert_eq!(rows.len(), 1 + Proxy::ALL.len(), "every proxy, there or not, and none");
}

#[test]
fn bodies_are_carried_in_requests_too() {
    let line = "compare overhead --proxies pingora,weighbridge --rounds 1 --seconds 1 --connections 3 \
                --bodies 1MB --direction request";
    let rows = bench_json(line);
    assert_eq!(rows.len(), 3, "two proxies, and none");
    for row in rows {
        assert_eq!((&row["failed"], &row["body_bytes"]), (&0.into(), &1_000_000.into()), "{row}");
    }
}
