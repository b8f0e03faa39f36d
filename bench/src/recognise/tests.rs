use std::fs;

use super::*;

fn trial(truth: Option<&str>, label: &str, distance: Option<f32>) -> Trial {
    Trial { truth: truth.map(str::to_owned), label: label.to_owned(), distance, run: None }
}

#[test]
fn a_stranger_is_accepted_and_somebody_rejected_or_mistaken() {
    let trials = [
        trial(None, "a", Some(0.4)),
        trial(None, "a", Some(0.7)),
        trial(Some("a"), "a", Some(0.3)),
        trial(Some("a"), "b", Some(0.3)),
        trial(Some("a"), "a", Some(0.6)),
        trial(Some("a"), "unknown", None),
    ];
    let score = Score::of(&trials, 0.5);
    let expected =
        Score { strangers: 2, accepted: 1, known: 4, rejected: 2, mistaken: 1, faceless: 1 };
    assert_eq!(score, expected);
    assert!(score.row("x").starts_with("| x | 50.0 % ("), "{}", score.row("x"));
}

#[test]
fn the_threshold_lies_in_the_middle_of_what_tells_people_apart() {
    let known = [0.2, 0.3, 0.35].map(|far| trial(Some("a"), "a", Some(far)));
    let strangers = [0.55, 0.6, 0.9].map(|far| trial(None, "a", Some(far)));
    let trials = [&known[..], &strangers[..]].concat();
    assert!((best(&trials) - 0.45).abs() < 1e-6);
    assert!((best(&[]) - 0.5).abs() < 1e-6, "nothing tells otherwise");
}

#[test]
fn people_are_halved_alike_for_the_same_seed_and_never_shared() {
    let folder = tempfile::tempdir().expect("a folder");
    for person in 0..9 {
        let inner = folder.path().join(format!("s{person}"));
        fs::create_dir(&inner).expect("made");
        for photo in 0..if person == 8 { 2 } else { 4 } {
            fs::write(inner.join(format!("{photo}.png")), "").expect("written");
        }
    }
    let recognise = |enrolled, seed| Recognise {
        folder: folder.path().to_owned(),
        enrolled,
        threshold: None,
        seed,
        models: Models { models: PathBuf::new() },
    };
    let (one, other) = recognise(3, 1).halves().expect("there are eight");
    assert_eq!((one.len(), other.len()), (4, 4), "one has too few photos");
    assert!(one.iter().all(|person| !other.contains(person)));
    assert_eq!(recognise(3, 1).halves().expect("the same"), (one.clone(), other));
    assert_ne!(recognise(3, 2).halves().expect("others").0, one);
    assert!(recognise(4, 1).halves().is_err(), "nobody has five");
}
