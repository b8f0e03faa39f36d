use super::*;

fn machine(id: &str) -> Machine {
    Machine { id: id.to_owned(), ..Machine::default() }
}

fn launched_by(token: &str, id: &str) -> Machine {
    Machine { token: Some(token.to_owned()), ..machine(id) }
}

fn draining(id: &str) -> Machine {
    Machine { draining: true, ..machine(id) }
}

fn at(id: &str, address: &str) -> Machine {
    Machine { address: Some(address.parse().unwrap()), ..machine(id) }
}

/// A ledger with the host 0 on the machine `a`, which has been seen.
fn with_a() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(HostId(0), &machine("a"));
    assert_eq!(ledger.look(&[machine("a")]), []);
    ledger
}

#[test]
fn a_machine_that_nobody_here_launched_is_adopted_once() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.look(&[machine("a")]), [Step::Adopt(machine("a"))]);
    ledger.adopt(HostId(0), &machine("a"));
    assert_eq!(ledger.look(&[machine("a")]), []);
    assert_eq!(ledger.machines(), [(HostId(0), "a".to_owned())]);
}

#[test]
fn a_machine_that_is_seen_before_its_launch_has_answered_is_known_by_its_token() {
    let mut ledger = Ledger::default();
    ledger.launch(HostId(0), "t".to_owned());
    let seen = launched_by("t", "a");
    assert_eq!(ledger.look(std::slice::from_ref(&seen)), [Step::Named(HostId(0), "a".to_owned())]);
    assert_eq!(ledger.launched(HostId(0), Some(&seen)), Launched::Noted);
    assert_eq!(ledger.look(&[seen]), []);
}

#[test]
fn a_launch_that_does_not_say_which_machine_takes_the_next_unknown_one() {
    let mut ledger = Ledger::default();
    ledger.launch(HostId(0), "t".to_owned());
    ledger.launch(HostId(1), "u".to_owned());
    assert_eq!(ledger.look(&[machine("a")]), [Step::Adopt(machine("a"))], "none has answered");
    ledger.adopt(HostId(2), &machine("a"));
    assert_eq!(ledger.launched(HostId(0), None), Launched::Noted);
    assert_eq!(ledger.launched(HostId(1), None), Launched::Noted);
    let seen = [machine("a"), machine("b"), machine("c")];
    let named = |host, id: &str| Step::Named(HostId(host), id.to_owned());
    assert_eq!(ledger.look(&seen), [named(0, "b"), named(1, "c")]);
}

#[test]
fn a_machine_that_was_seen_and_is_not_any_more_is_gone_at_once() {
    let mut ledger = with_a();
    let gone = Step::Gone { host: HostId(0), id: "a".to_owned(), expected: false };
    assert_eq!(ledger.look(&[]), [gone]);
    assert!(!ledger.has(HostId(0)));
}

#[test]
fn a_machine_that_was_never_seen_is_gone_only_after_several_looks() {
    let mut ledger = Ledger::default();
    ledger.launch(HostId(0), "t".to_owned());
    assert_eq!(ledger.launched(HostId(0), Some(&machine("a"))), Launched::Noted);
    for _ in 0..LOOKS_UNSEEN_MAX {
        assert_eq!(ledger.look(&[]), []);
    }
    let gone = Step::Gone { host: HostId(0), id: "a".to_owned(), expected: false };
    assert_eq!(ledger.look(&[]), [gone]);
}

#[test]
fn an_ended_machine_is_not_adopted_again_while_it_is_still_seen() {
    let mut ledger = with_a();
    assert!(ledger.drain(HostId(0)));
    assert_eq!(ledger.begin_end(HostId(0)), Some("a".to_owned()));
    assert_eq!(ledger.begin_end(HostId(0)), None, "one ends it");
    ledger.ended(HostId(0));
    assert_eq!(ledger.look(&[machine("a")]), []);
    assert_eq!(ledger.look(&[]), []);
    assert_eq!(ledger.look(&[machine("a")]), [Step::Adopt(machine("a"))], "somebody started it");
}

#[test]
fn a_kept_machine_that_is_launched_again_is_the_new_host() {
    let mut ledger = with_a();
    ledger.ended(HostId(0));
    ledger.launch(HostId(1), "t".to_owned());
    assert_eq!(ledger.launched(HostId(1), Some(&machine("a"))), Launched::Noted);
    assert_eq!(ledger.look(&[machine("a")]), []);
    assert_eq!(ledger.machines(), [(HostId(1), "a".to_owned())]);
}

#[test]
fn a_machine_that_was_adopted_before_its_launch_answered_is_one_host() {
    let mut ledger = Ledger::default();
    ledger.launch(HostId(0), "t".to_owned());
    ledger.adopt(HostId(1), &machine("a"));
    assert_eq!(ledger.launched(HostId(0), Some(&machine("a"))), Launched::Adopted);
    assert!(!ledger.has(HostId(0)));
}

#[test]
fn a_launch_that_nobody_wants_any_more_is_told_so() {
    let mut ledger = Ledger::default();
    ledger.launch(HostId(0), "t".to_owned());
    assert!(!ledger.drain(HostId(0)), "there is no machine to end");
    assert_eq!(ledger.launched(HostId(0), Some(&machine("a"))), Launched::Unwanted);
}

#[test]
fn a_drain_that_another_balancer_has_begun_is_followed_and_taken_over() {
    let mut ledger = with_a();
    let seen = [draining("a")];
    assert_eq!(ledger.look(&seen), [Step::Drain(HostId(0)), Step::End(HostId(0))]);
    assert_eq!(ledger.look(&seen), [Step::End(HostId(0))], "until somebody ends it");
    assert_eq!(ledger.begin_end(HostId(0)), Some("a".to_owned()));
    assert_eq!(ledger.look(&seen), []);
    ledger.leave_end(HostId(0));
    assert_eq!(ledger.look(&seen), [Step::End(HostId(0))]);
    let gone = Step::Gone { host: HostId(0), id: "a".to_owned(), expected: true };
    assert_eq!(ledger.look(&[]), [gone]);
}

#[test]
fn a_machine_that_moves_is_followed() {
    let mut ledger = with_a();
    let address: SocketAddr = "10.0.0.7:80".parse().unwrap();
    assert_eq!(ledger.whereabouts(HostId(0)), None);
    assert_eq!(ledger.look(&[at("a", "10.0.0.7:80")]), [Step::Moved(HostId(0), address)]);
    assert_eq!(ledger.whereabouts(HostId(0)), Some(("a".to_owned(), address)));
    assert_eq!(ledger.look(&[at("a", "10.0.0.7:80")]), []);
}
