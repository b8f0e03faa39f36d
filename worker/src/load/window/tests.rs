use super::*;

fn totals(start: Instant, at_millis: u64) -> Totals {
    Totals {
        at: start + Duration::from_millis(at_millis),
        cpu: Duration::from_millis(at_millis / 2),
        answered: at_millis / 100,
        failed: at_millis / 1000,
    }
}

/// Rates at `now_millis` after one push each 200 ms until `end_millis`, with half a core in use,
/// 10 answers and 1 failure per second.
fn rates(end_millis: u64, now_millis: u64) -> Rates {
    let start = Instant::now();
    let mut window = Window::new(totals(start, 0));
    for at in (200..=end_millis).step_by(200) {
        window.push(totals(start, at));
        assert!(window.later.len() <= 6, "the window is bounded");
    }
    window.rates(&totals(start, now_millis))
}

#[test]
fn steady_use_gives_the_same_rates_at_any_time() {
    for (end, now) in [(0, 400), (1000, 1000), (10_000, 10_000), (10_000, 10_150)] {
        let rates = rates(end, now);
        assert!((rates.cpu - 0.5).abs() < 0.01, "{rates:?}");
        assert!((rates.answered - 10.0).abs() < 1.0, "{rates:?}");
        assert!((rates.failed - 1.0).abs() <= 1.0, "{rates:?}");
    }
}

#[test]
fn what_was_used_longer_ago_than_the_window_does_not_count() {
    let start = Instant::now();
    let mut window = Window::new(totals(start, 0));
    let busy = totals(start, 1000);
    for at in (1000..=3000).step_by(200) {
        window.push(Totals { at: start + Duration::from_millis(at), ..busy });
    }
    let now = Totals { at: start + Duration::from_millis(3100), ..busy };
    assert_eq!(window.rates(&now), Rates { cpu: 0.0, answered: 0.0, failed: 0.0 });
}

#[test]
fn no_time_at_all_gives_finite_rates() {
    assert_eq!(rates(0, 0), Rates { cpu: 0.0, answered: 0.0, failed: 0.0 });
}
