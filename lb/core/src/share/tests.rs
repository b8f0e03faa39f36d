use super::*;

#[test]
fn jains_index_is_one_where_all_have_as_much_and_a_part_where_one_has_all() {
    assert_eq!(jain([2.0, 2.0, 2.0].into_iter()), Some(1.0));
    assert_eq!(jain([3.0, 0.0, 0.0].into_iter()), Some(1.0 / 3.0));
    assert_eq!(jain([].into_iter()), None);
}

#[test]
fn every_rule_has_a_name_of_its_own_and_puts_less_before_more() {
    for rule in RULES {
        assert_eq!(RULES.iter().filter(|other| other.name() == rule.name()).count(), 1);
        assert!(rule.key(1.0, 1.0) < rule.key(4.0, 1.0), "{rule:?}");
        assert!(rule.key(1.0, 1.0) < rule.key(1.0, 2.0), "{rule:?}");
        assert!(rule.key(0.0, 0.0) <= rule.key(f64::MIN_POSITIVE, 0.0), "{rule:?}");
    }
}

#[test]
fn a_client_with_three_times_the_free_slots_gets_no_more() {
    assert!(slots_left_to(5, 2));
    assert!(!slots_left_to(6, 2));
    assert!(!slots_left_to(0, 0));
}
