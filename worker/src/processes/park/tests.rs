use super::*;

#[test]
fn every_way_has_a_name_of_its_own_and_keeps_it() {
    for (name, _, prepare) in ALL {
        assert_eq!(ALL.iter().filter(|(other, ..)| other == name).count(), 1);
        if let Ok(way) = prepare() {
            assert_eq!(way.name(), *name);
        }
    }
}

#[test]
fn a_process_can_always_be_stopped() {
    let way = choose(ParkChoice::Only("stop")).expect("any process may stop its children");
    assert_eq!(way.name(), "stop");
}

#[test]
fn there_is_always_a_way() {
    choose(ParkChoice::Auto).expect("stop is one");
}

#[test]
fn a_way_that_has_no_effect_is_not_taken() {
    #[derive(Debug)]
    struct Nothing;

    impl Way for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn place(&self, _: &str) -> io::Result<Option<Group>> {
            Ok(None)
        }

        fn park(&self, _: &Tree, _: Option<&Group>) -> io::Result<()> {
            Ok(())
        }

        fn resume(&self, _: &Tree, _: Option<&Group>) -> io::Result<()> {
            Ok(())
        }

        fn is_parked(&self, _: Pid, _: Option<&Group>) -> bool {
            false
        }

        fn longest(&self) -> Option<Duration> {
            None
        }
    }

    let tried = try_out(&Nothing);
    assert_eq!(tried, Err("cannot park a process: it has no effect".to_owned()));
}
