use clap::ValueEnum;
use fastrand::Rng;

use super::run::Line;
use super::score::{self, ServiceScore};
use super::*;

fn line(mean: f64, p90: f64, work: f64) -> Line {
    let route = Some("page".to_owned());
    Line { route, estimate_mean: Some(mean), estimate_p90: Some(p90), work: Some(work) }
}

#[test]
fn estimates_are_judged_beside_the_mean_of_all_requests_before() {
    let mut lines = vec![line(1.0, 2.0, 4.0), line(1.0, 2.0, 2.0)];
    lines.extend([line(1.1, 1.2, 1.0), line(1.8, 2.2, 2.0), line(5.0, 5.0, 10.0)]);
    lines.push(Line { route: None, ..line(9.0, 9.0, 9.0) });
    let told = score::told(&lines);
    assert_eq!(told.len(), 5, "what no route took is not judged");
    let score = ServiceScore::of(&told, 2);
    assert_eq!(score.held_out, 3);
    assert!((score.mdape - 0.1).abs() < 1e-9, "{score:?}");
    assert!((score.p90_coverage - 2.0 / 3.0).abs() < 1e-9, "{score:?}");
    // 3 for 1, 7/3 for 2, 9/4 for 10.
    assert!((score.running_mean_mdape - 0.775).abs() < 1e-9, "{score:?}");
}

#[test]
fn the_same_seed_gives_the_same_requests_for_every_service() {
    for service in Service::value_variants() {
        let calls = |seed| {
            let mut random = Rng::with_seed(seed);
            (0..5)
                .map(|_| service.call(&mut random))
                .map(|call| (call.target, call.body))
                .collect::<Vec<_>>()
        };
        assert_eq!(calls(1), calls(1));
        assert_ne!(calls(1), calls(2));
        let path = format!("/{}", service.name());
        assert!(calls(3).iter().all(|(target, _)| target.starts_with(&path)), "{service:?}");
    }
}
