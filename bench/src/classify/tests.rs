use serde_json::json;

use super::*;

fn photo(label: &str) -> Photo {
    Photo { file: PathBuf::from("a.jpg"), label: label.to_owned() }
}

fn answer(classes: &[(&str, u64)]) -> Value {
    let top = classes.iter().map(|(label, class)| json!({"label": label, "class": class}));
    json!({ "label": classes[0].0, "top": top.collect::<Vec<_>>() })
}

#[test]
fn labels_are_names_or_numbers_and_unknown_ones_are_all_told() {
    let all = answer(&[("Egyptian cat", 285), ("crane", 134), ("crane", 517)]);
    let photos = [photo("egyptian_CAT"), photo("285"), photo("Crane")];
    let expected = [BTreeSet::from([285]), BTreeSet::from([285]), BTreeSet::from([134, 517])];
    assert_eq!(classes_of(&photos, &all).expect("all are known"), expected);
    let error = classes_of(&[photo("dog"), photo("crane"), photo("286")], &all).expect_err("two");
    assert!(error.to_string().ends_with("286, dog"), "{error}");
}

#[test]
fn the_first_and_the_first_five_are_counted_apart() {
    let mut tally = Tally::default();
    let guesses = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)];
    for class in [1, 5, 6] {
        let asked = Asked { answer: answer(&guesses), run: Some(0.02), told: None };
        tally.add(&asked, &BTreeSet::from([class])).expect("it is understood");
    }
    assert_eq!((tally.photos, tally.first, tally.five), (3, 1, 2));
    let table = tally.markdown(&[photo("1"), photo("5"), photo("6")]);
    assert!(
        table.contains("| 3 | 3 | 33.3 % (6.1 to 79.2) | 66.7 % (20.8 to 93.9) | 20 ms"),
        "{table}"
    );
    assert!(
        tally.add(&Asked { answer: json!({}), run: None, told: None }, &BTreeSet::new()).is_err()
    );
}

#[test]
fn a_quantile_of_nothing_is_none() {
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
    assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.99), Some(3.0));
}
