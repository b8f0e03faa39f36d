use super::*;

#[test]
fn a_budget_is_shared_by_all_and_given_back() {
    let budget = Budget::new(10 << 10);
    let (mut one, mut other) = (None, None);
    budget.extend(&mut one, 4 << 10).expect("it is free");
    budget.extend(&mut one, (4 << 10) + 1).expect("it is free");
    budget.extend(&mut other, 5 << 10).expect("it is free");
    let refused = budget.clone().extend(&mut other, 6 << 10).expect_err("none is free");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(one);
    budget.extend(&mut other, 10 << 10).expect("it is free again");
}

#[test]
fn a_body_with_a_known_length_is_allocated_twice_at_most() {
    let length = 5 << 20;
    let mut received = Received { bytes: Vec::with_capacity(1 << 20), permit: None };
    let mut capacities = vec![received.bytes.capacity()];
    while received.bytes.len() < length {
        received.append(&[7; 1 << 14], Some(length as u64));
        if capacities.last() != Some(&received.bytes.capacity()) {
            capacities.push(received.bytes.capacity());
        }
    }
    assert_eq!(capacities, [1 << 20, length]);
}
