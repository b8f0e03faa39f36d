use super::*;

#[test]
fn a_cost_survives_the_entries_of_a_report() {
    let cost = RequestCost {
        instructions: Some(7),
        basic_blocks: Some(5),
        methods: None,
        cpu_seconds: Some(0.25),
        bytes_allocated: Some(0),
    };
    assert_eq!(RequestCost::from_entries(&cost.to_entries()), cost);
}

#[test]
fn cpu_time_is_measured_whether_or_not_anything_is_counted() {
    let cost = Meter::start().stop();
    assert!(cost.cpu_seconds.is_some_and(|secs| (0.0..1.0).contains(&secs)), "{cost:?}");
}

#[test]
fn why_nothing_is_counted_is_told_exactly_when_nothing_is() {
    assert_eq!(off_reason().is_some(), counting() == Counting::Off);
    assert_eq!(build_id() == 0, counting() == Counting::Off);
}
