//! What one client's flood does to others, by the shipped scenarios.

use weighbridge_bench::sim::report::clients::ClientRow;

use crate::scenarios::{run, scenario};

/// The row of that client, by `policy`, in the scenario of that name.
fn row(scenario_name: &str, policy: &str, client: &str) -> ClientRow {
    let scenario = scenario(scenario_name, 6000);
    let rows = ClientRow::all(&run(&scenario, policy));
    rows.into_iter().find(|row| row.client == client).expect("there is such a client")
}

/// How many times slower the others are with the flood than without it.
fn suffering(policy: &str) -> f64 {
    let without = row("flood", &format!("{policy}:without=flood"), "all others");
    row("flood", policy, "all others").mean_slowdown / without.mean_slowdown
}

#[test]
fn others_hardly_notice_a_flood_on_hosts_that_order_by_size() {
    let factor = suffering("weighbridge");
    assert!(factor < 1.15, "{factor}");
}

#[test]
fn a_flood_takes_no_throughput_from_the_fleet() {
    let done = |policy| {
        let scenario = scenario("flood", 6000);
        let rows = ClientRow::all(&run(&scenario, policy));
        let named = rows.iter().filter(|row| row.client != "all others");
        named.map(|row| row.cpu_seconds).sum::<f64>()
    };
    let (fair, blind) = (done("weighbridge"), done("weighbridge:clients=off"));
    assert!(0.95 * blind < fair, "{fair} of {blind}");
}

#[test]
fn an_urgent_class_is_served_before_those_that_may_wait() {
    let of = |client| row("classes", "weighbridge", client).mean_slowdown;
    assert!(of("urgent") < of("ordinary") && of("ordinary") < of("batch"));
}

#[test]
fn more_answers_are_in_time_where_deadlines_are_told() {
    // The fleet falls behind slowly.
    let scenario = scenario("deadlines", 40_000);
    let in_time = |policy: &str| {
        let rows = ClientRow::all(&run(&scenario, policy));
        rows.into_iter().find(|row| row.client == "all").expect("there is one").in_time
    };
    for hosts in ["weighbridge@ps", "weighbridge@fcfs"] {
        let told = in_time(hosts);
        let untold = in_time(&format!("{hosts}:deadlines=off"));
        assert!(untold < told, "{hosts}: {told} and {untold}");
    }
}
