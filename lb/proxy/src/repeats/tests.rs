use std::time::Duration;

use super::*;

const REQUEST: Repeatable<'static> = Repeatable {
    route: "raytrace",
    method: "POST",
    path: "/raytracer",
    query: "wcols=40&wrows=30",
    content_type: "application/json",
    body: b"{\"scene\": \"0 0 5\"}",
};

fn repeats(entries_max: u64, ttl: Duration) -> Repeats {
    Repeats::new(&RepeatConfig { entries_max, ttl }, &Registry::new()).unwrap()
}

fn work(cpu_secs: f64) -> Work {
    Work::from_cpu_secs(cpu_secs).unwrap()
}

#[test]
fn the_same_request_has_the_same_fingerprint() {
    let body = REQUEST.body.to_vec();
    assert_eq!(Fingerprint::of(&REQUEST), Fingerprint::of(&Repeatable { body: &body, ..REQUEST }));
}

#[test]
fn any_other_field_makes_another_fingerprint() {
    let others = [
        Repeatable { route: "other", ..REQUEST },
        Repeatable { method: "PUT", ..REQUEST },
        Repeatable { path: "/raytracer/", ..REQUEST },
        Repeatable { query: "wcols=40&wrows=31", ..REQUEST },
        Repeatable { content_type: "", ..REQUEST },
        Repeatable { body: b"{\"scene\": \"0 0 6\"}", ..REQUEST },
        // The same bytes, in other fields.
        Repeatable { path: "/raytracerw", query: "cols=40&wrows=30", ..REQUEST },
    ];
    for other in others {
        assert_ne!(Fingerprint::of(&REQUEST), Fingerprint::of(&other), "{other:?}");
    }
}

#[test]
fn the_last_measured_work_is_remembered() {
    let repeats = repeats(10, Duration::from_mins(1));
    let fingerprint = Fingerprint::of(&REQUEST);
    assert_eq!(repeats.known(fingerprint), None);
    repeats.remember(fingerprint, work(1.0));
    repeats.remember(fingerprint, work(2.0));
    assert_eq!(repeats.known(fingerprint), Some(work(2.0)));
    assert_eq!((repeats.hits.get(), repeats.misses.get()), (1, 1));
}

#[test]
fn no_more_are_remembered_than_allowed() {
    let repeats = repeats(10, Duration::from_mins(1));
    for n in 0..1000_u32 {
        let fingerprint = Fingerprint::of(&Repeatable { body: &n.to_le_bytes(), ..REQUEST });
        repeats.remember(fingerprint, work(1.0));
    }
    let works = repeats.works.as_ref().unwrap();
    works.run_pending_tasks();
    assert_eq!(works.entry_count(), 10);
}

#[test]
fn what_is_too_old_is_forgotten() {
    let repeats = repeats(10, Duration::from_nanos(1));
    let fingerprint = Fingerprint::of(&REQUEST);
    repeats.remember(fingerprint, work(1.0));
    assert_eq!(repeats.known(fingerprint), None);
}

#[test]
fn no_entries_switch_the_cache_off() {
    let repeats = repeats(0, Duration::from_mins(1));
    assert!(!repeats.is_on());
    repeats.remember(Fingerprint::of(&REQUEST), work(1.0));
    assert_eq!(repeats.known(Fingerprint::of(&REQUEST)), None);
    assert_eq!(repeats.misses.get(), 0);
}
