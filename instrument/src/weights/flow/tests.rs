use super::*;

/// Weighs a function written as one line per block, `instructions counter successors`, where the
/// counter is `-` for a block that is not counted. The first block is the entry; a block without
/// successors leaves the function.
fn check(function: &str, expected: &[f64]) {
    let mut read = Function::default();
    for (nth, line) in function.trim().lines().enumerate() {
        let mut words = line.split_whitespace();
        let instructions = words.next().unwrap().parse().unwrap();
        let counter = words.next().unwrap().parse().ok();
        let begin = read.branches.len();
        read.branches.extend(words.map(|word| word.parse::<usize>().unwrap()));
        let branches = begin..read.branches.len();
        let is_left = branches.is_empty();
        let is_entered = nth == 0;
        read.blocks.push(FlowBlock { instructions, counter, branches, is_entered, is_left });
    }
    let mut worths = vec![0.0; expected.len()];
    weigh(&read, &mut worths);
    assert_eq!(worths, expected, "{function}");
}

#[test]
fn a_block_that_follows_is_worth_as_much_as_is_counted_before_it() {
    check("3 0 1\n4 - 2\n5 -", &[12.0]);
}

#[test]
fn an_uncounted_arm_is_what_the_counted_one_leaves_over() {
    // Entered c0 times, of which c1 by the arm of 10: 2*c0 + 10*c1 + 100*(c0-c1) + 1*c0.
    check("2 0 1 2\n10 1 3\n100 - 3\n1 -", &[103.0, -90.0]);
}

#[test]
fn a_loop_whose_back_branch_is_counted_is_told_from_it() {
    // The head is entered once from the entry and once per turn.
    check("1 0 1\n7 - 2 3\n0 1 1\n2 -", &[10.0, 7.0]);
}

#[test]
fn what_cannot_be_told_parts_evenly() {
    check("1 0 1 2\n10 - 3\n20 - 3\n1 -", &[17.0]);
}

#[test]
fn what_nothing_leads_to_is_worth_nothing() {
    check("1 0\n50 - 2\n50 -", &[1.0]);
}

#[test]
fn every_counted_block_keeps_its_own_worth_where_all_are_counted() {
    check("1 0 1 2\n2 1 3\n3 2 3\n4 3 0\n5 4", &[1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn copies_of_a_block_share_its_counter_and_are_told_apart_by_the_flow() {
    // Counter 1 is in both arms' copies: c1 = 10s + 20s; the arm of 10 is entered c2 times.
    check("1 0 1 2\n10 1 3\n20 1 4\n0 2 4\n0 -", &[1.0, 20.0, -10.0]);
}
