use crate::program::{Worker, bench, bench_json};

#[test]
fn a_worker_under_load_answers_rightly_and_is_told_of_by_class() {
    let worker = Worker::start();
    let line = format!("load --url {} --rate 30 --seconds 2 --pool 12", worker.url);
    let results = bench_json(&line);
    assert_eq!(results.len(), 1);
    let result = &results[0];
    assert_eq!(result["errors"]["wrong"], 0);
    assert_eq!(result["all"]["answered"], result["requests"], "{result}");
    assert!(20 < result["requests"].as_u64().unwrap(), "{result}");
    let classes = result["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 4);
    let answered: u64 = classes.iter().map(|class| class["answered"].as_u64().unwrap()).sum();
    assert_eq!(answered, result["all"]["answered"].as_u64().unwrap());
}

#[test]
fn a_server_that_is_gone_is_told_apart_from_a_slow_one() {
    let worker = Worker::start();
    let alone = worker.url.clone();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let line = format!("load --url {gone} --alone {alone} --rate 50 --seconds 1 --pool 10");
    let result = &bench_json(&line)[0];
    assert_eq!(result["errors"]["connect"], result["requests"], "{result}");
    assert_eq!(result["all"]["answered"], 0);
}

#[test]
fn a_balancer_of_its_own_is_started_loaded_and_stopped() {
    let table = bench("load --rate 20 --seconds 1 --pool 10 --profile burst --classes deciles");
    assert!(table.contains("\n| 10 of 10 |"), "{table}");
    assert!(!table.contains("failed"), "{table}");
}
