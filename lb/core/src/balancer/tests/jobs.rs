//! What a job gets: a host, Lambda, or the word to come later.

use super::*;

/// Where hosts that share their time hold requests.
fn holding() -> Policy {
    let mut policy = policy();
    policy.schedule.hold = Some(8.0);
    policy
}

#[test]
fn a_job_comes_later_where_a_request_would_wait() {
    check(
        "
0 job 1 1.0
0 join a 1 1.0 srpt
0 job 1 1.0
0 job 2 1.0
0 arrive 3 1.0
0 hosts
",
        "
0 job 1 1.0: later
0 job 1 1.0: to 0
0 job 2 1.0: later
0 arrive 3 1.0: waits until 30
0 hosts: 0 Active 1 in flight, 1.000 s left
",
    );
}

#[test]
fn a_job_that_came_too_early_has_left_nothing_behind() {
    check(
        "
0 join a 1 1.0 srpt
0 job 1 1.0
0 job 2 1.0
0 abandon 2
0 complete 2 1.0
1 complete 1 1.0
1 job 2 1.0
1 hosts
",
        "
0 job 1 1.0: to 0
0 job 2 1.0: later
0 complete 2 1.0: nothing
1 complete 1 1.0: learned
1 job 2 1.0: to 0
1 hosts: 0 Active 1 in flight, 1.000 s left
",
    );
}

#[test]
fn a_short_job_goes_beside_a_giant_on_a_host_that_orders_by_size() {
    check(
        "
0 join a 1 1.0 srpt
0 job 1 600
0 job 2 600
0 job 3 0.5
",
        "
0 job 1 600: to 0
0 job 2 600: later
0 job 3 0.5: to 0
",
    );
}

/// The weight makes it as large as a request of ten times its size.
#[test]
fn a_light_job_yields_to_requests_that_wait() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 5.0
0 arrive 2 3.0
0 abandon 1
0 job 3 1.0 0.1
0 job 4 1.0 1.0
",
        "
0 arrive 1 5.0: to 0
0 arrive 2 3.0: waits until 30
0 job 3 1.0 0.1: later
0 job 4 1.0 1.0: to 0
",
    );
}

#[test]
fn a_light_job_is_let_in_as_a_larger_request_would_be() {
    check_with(
        holding(),
        "
0 join a 1 1.0 ps
0 arrive 1 50.0
0 job 2 1.0 0.1
0 job 3 1.0 1.0
",
        "
0 arrive 1 50.0: to 0
0 job 2 1.0 0.1: later
0 job 3 1.0 1.0: to 0
",
    );
}

#[test]
fn a_job_that_is_to_be_alone_gets_an_idle_host_that_gets_nothing_else() {
    check(
        "
0 join a 2 1.0 srpt
0 arrive 1 1.0
0 alone 2 1.0
0 complete 1 1.0
0 alone 2 1.0
0 arrive 3 0.1
0 job 4 0.1
0 complete 2 1.0
0 dispatch
0 job 4 0.1
",
        "
0 arrive 1 1.0: to 0
0 alone 2 1.0: later
0 complete 1 1.0: learned
0 alone 2 1.0: to 0
0 arrive 3 0.1: waits until 30
0 job 4 0.1: later
0 complete 2 1.0: learned
0 dispatch: 3 to 0
0 job 4 0.1: to 0
",
    );
}

#[test]
fn a_host_that_was_reserved_and_left_is_missed_by_nobody() {
    check(
        "
0 join a 1 1.0 srpt
0 join b 1 1.0 srpt
0 alone 1 1.0
0 leave 0
0 break 1
0 alone 1 1.0
",
        "
0 alone 1 1.0: to 0
0 break 1: shed, not_retriable
0 alone 1 1.0: to 1
",
    );
}

/// What a host has seen it may have died of.
#[test]
fn a_job_is_sent_to_another_host_only_where_the_first_has_seen_nothing() {
    check(
        "
0 join a 1 1.0 srpt
0 join b 1 1.0 srpt
0 job 1 1.0
0 refuse 1
0 break 1
0 job 2 1.0
0 join c 1 1.0 srpt
0 refuse 2
0 refuse 2
",
        "
0 job 1 1.0: to 0
0 refuse 1: to 1
0 break 1: shed, not_retriable
0 job 2 1.0: to 0
0 refuse 2: to 2
0 refuse 2: to 1
",
    );
}

#[test]
fn a_job_whose_hosts_have_all_refused_it_comes_later() {
    check(
        "
0 join a 1 1.0 srpt
0 job 1 1.0
0 refuse 1
0 abandon 1
0 hosts
",
        "
0 job 1 1.0: to 0
0 refuse 1: later
0 hosts: 0 Active 0 in flight, 0.000 s left
",
    );
}

#[test]
fn a_job_goes_to_lambda_where_that_is_sooner() {
    check_with(
        with_lambda(),
        "
0 join a 1 1.0 srpt
0 job 1 5.0
0 job 2 5.0
",
        "
0 job 1 5.0: to 0
0 job 2 5.0: lambda
",
    );
}

#[test]
fn a_job_that_asks_often_counts_once() {
    let mut balancer = Balancer::new(policy(), 1);
    let mut said = String::new();
    for line in ["0 job 1 1.0", "1 job 1 1.0", "2 join a 1 1.0 srpt", "2 job 1 1.0"] {
        play(&mut balancer, &mut said, line);
    }
    let counters = balancer.counters();
    assert_eq!((counters.arrivals, counters.laters, counters.forwards), (1, 2, 1));
}
