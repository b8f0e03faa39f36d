use super::*;

const SECONDS_PER: [f64; COUNTS] = [2e-10, 1e-9, 0.0, 3e-9];

/// A request of that size on a core of that speed; `noise` is a factor of its CPU time.
fn cost(instructions: f64, bytes: f64, speed: f64, noise: f64) -> (RequestCost, Speed) {
    let blocks = instructions / 7.0;
    let cpu_secs =
        1e-4 + instructions * SECONDS_PER[0] + blocks * SECONDS_PER[1] + bytes * SECONDS_PER[3];
    let cost = RequestCost {
        instructions: Some(instructions),
        basic_blocks: Some(blocks),
        methods: Some(100.0),
        cpu_seconds: Some(cpu_secs * noise / speed),
        bytes_allocated: Some(bytes),
    };
    (cost, Speed::from_reference_cores(speed).unwrap())
}

fn costs(n_costs: u32, noise: impl Fn(u32) -> f64) -> Vec<(RequestCost, Speed)> {
    let spread = |i: u32, step: f64| (f64::from(i) * step).fract();
    let one = |i| {
        let instructions = 10_f64.powf(5.0 + 4.0 * spread(i, 0.618_034));
        let bytes = 10_f64.powf(3.0 + 4.0 * spread(i, 0.754_878));
        cost(instructions, bytes, 0.5 + spread(i, 0.569_84), noise(i))
    };
    (0..n_costs).map(one).collect()
}

/// Checks the price of requests of several sizes against what they truly take.
fn check(costs: &[(RequestCost, Speed)], tolerance: f64) {
    let pricing = Pricing::fit(1, costs).unwrap();
    assert!(pricing.is_sound(), "{pricing:?}");
    for (instructions, bytes) in [(1e6, 1e4), (1e8, 1e7), (1e9, 1e3), (1e10, 1e6)] {
        let (cost, _) = cost(instructions, bytes, 1.0, 1.0);
        let ratio = pricing.work(&cost).unwrap().as_cpu_secs() / cost.cpu_seconds.unwrap();
        assert!((ratio - 1.0).abs() < tolerance, "{instructions} {bytes}: {ratio}");
    }
}

#[test]
fn collinear_counts_are_priced_by_what_they_take_together() {
    check(&costs(40, |_| 1.0), 1e-6);
}

#[test]
fn noise_and_outliers_hardly_move_the_prices() {
    let noise = |i: u32| 0.85 + 0.3 * (f64::from(i) * 0.414_214).fract();
    check(&costs(200, noise), 0.05);
    check(&costs(200, |i| if i % 20 == 3 { 30.0 } else { noise(i) }), 0.08);
}

#[test]
fn few_or_uncounted_requests_have_no_prices() {
    assert_eq!(Pricing::fit(1, &costs(29, |_| 1.0)), None);
    let mut uncounted = costs(50, |_| 1.0);
    for (cost, _) in &mut uncounted {
        *cost = RequestCost { cpu_seconds: cost.cpu_seconds, ..RequestCost::default() };
    }
    assert_eq!(Pricing::fit(1, &uncounted), None);
}

#[test]
fn counts_that_do_not_explain_the_time_are_not_used() {
    let noise = |i: u32| 10_f64.powf(4.0 * (f64::from(i) * 0.414_214).fract() - 2.0);
    assert_eq!(Pricing::fit(1, &costs(200, noise)), None);
}

#[test]
fn counts_that_no_build_gives_are_left_out() {
    let mut costs = costs(50, |_| 1.0);
    for (cost, _) in &mut costs {
        cost.methods = None;
        cost.instructions = Some(f64::NAN);
    }
    let pricing = Pricing::fit(1, &costs).unwrap();
    let (cost, _) = cost(1e8, 1e6, 1.0, 1.0);
    let ratio = pricing.work(&cost).unwrap().as_cpu_secs() / cost.cpu_seconds.unwrap();
    assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    assert_eq!(pricing.work(&RequestCost { basic_blocks: None, ..cost }), None);
}

#[test]
fn cpu_time_on_a_fast_core_is_more_work() {
    let cost = RequestCost { cpu_seconds: Some(0.5), ..RequestCost::default() };
    let speed = Speed::from_reference_cores(3.0).unwrap();
    assert_eq!(by_cpu_time(&cost, speed), Work::from_cpu_secs(1.5));
    assert_eq!(by_cpu_time(&RequestCost::default(), speed), None);
    let broken = RequestCost { cpu_seconds: Some(f64::NAN), ..cost };
    assert_eq!(by_cpu_time(&broken, speed), None);
}
