use std::thread;

use super::*;

fn face(number: f32) -> Descriptor {
    [number; LENGTH]
}

fn people() -> (tempfile::TempDir, People) {
    let folder = tempfile::tempdir().expect("a folder");
    let people = People::open(folder.path().join("people"));
    (folder, people)
}

fn nearest(people: &People, number: f32) -> Option<String> {
    let album = people.album().expect("it is read");
    album.nearest(&face(number)).map(|(label, _)| label.to_owned())
}

#[test]
fn nobody_is_enrolled_at_first_and_nothing_is_made() {
    let (folder, people) = people();
    assert_eq!(nearest(&people, 0.0), None);
    assert!(!folder.path().join("people").exists());
}

#[test]
fn the_nearest_is_found_and_how_far_it_is() {
    let (_folder, people) = people();
    people.enrol("Ann", "1", &face(0.0)).expect("it is new");
    people.enrol("Bob", "1", &face(0.5)).expect("it is new");
    let album = people.album().expect("it is read");
    let (label, far) = album.nearest(&face(0.4)).expect("there is somebody");
    assert_eq!(label, "Bob");
    assert!((far - 0.1 * (LENGTH as f32).sqrt()).abs() < 1e-4, "{far}");
}

#[test]
fn what_another_worker_changes_is_seen() {
    let (_folder, one) = people();
    let other = People::open(one.folder.clone());
    for round in 0..20 {
        let number = round as f32;
        one.enrol("Ann", "1", &face(number)).expect("it is written");
        let album = other.album().expect("it is read");
        assert_eq!(album.nearest(&face(number)).map(|(_, far)| far), Some(0.0), "{round}");
        assert_eq!(other.remove("Ann", None).expect("she is there"), 1);
        assert_eq!(nearest(&one, 0.0), None, "{round}");
    }
}

#[test]
fn many_enrol_at_once_and_nothing_is_lost() {
    let (_folder, one) = people();
    let other = People::open(one.folder.clone());
    thread::scope(|scope| {
        for i in 0..8 {
            let people = if i % 2 == 0 { &one } else { &other };
            scope.spawn(move || {
                for j in 0..10 {
                    people.enrol(&format!("P{i}"), &format!("{j}"), &face(0.0)).expect("enrolled");
                }
            });
        }
    });
    let album = one.album().expect("it is read");
    assert_eq!(album.photos.len(), 80);
    assert_eq!(album.names().len(), 8);
    let rest = fs::read_dir(&one.folder).expect("it is there").filter(|file| {
        file.as_ref().expect("it is read").file_name().to_string_lossy().starts_with(".part")
    });
    assert_eq!(rest.count(), 0, "no part is left");
}

#[test]
fn files_of_no_use_are_left_out() {
    let (_folder, people) = people();
    people.enrol("Ann", "1", &face(0.0)).expect("it is new");
    let write =
        |name: &str, text: &str| fs::write(people.folder.join(name), text).expect("written");
    write("Bob@1.json", "{");
    write("Bob@2.json", &format!("{{\"model\": \"{MODEL}\", \"descriptor\": [1]}}"));
    let numbers = vec!["0"; LENGTH].join(",");
    write("Bob@3.json", &format!("{{\"model\": \"other\", \"descriptor\": [{numbers}]}}"));
    write("Bob@4.json", &" ".repeat(1 + FILE_BYTES_MAX as usize));
    write("Bob.json", "{}");
    write(".part-1", "{}");
    fs::create_dir(people.folder.join("Bob@5.json")).expect("made");
    let album = people.album().expect("it is read");
    assert_eq!(album.names(), BTreeMap::from([("Ann", vec!["1"])]));
}

#[test]
fn a_file_that_was_replaced_is_read_again() {
    let (_folder, people) = people();
    people.enrol("Ann", "1", &face(0.0)).expect("it is new");
    people.enrol("Ann", "1", &face(1.0)).expect("it is replaced");
    let album = people.album().expect("it is read");
    assert_eq!(album.nearest(&face(1.0)).map(|(_, far)| far), Some(0.0));
    assert_eq!(album.photos.len(), 1);
}

#[test]
fn a_full_folder_takes_no_more_but_replaces() {
    let (_folder, people) = people();
    people.enrol("Ann", "0", &face(0.0)).expect("it is new");
    let text = fs::read(people.folder.join("Ann@0.json")).expect("it is there");
    for i in 1..PHOTOS_MAX {
        fs::write(people.folder.join(format!("Ann@{i}.json")), &text).expect("written");
    }
    let error = people.enrol("Ann", "more", &face(0.0)).expect_err("it is full");
    assert_eq!((error.status(), error.field()), (507, None), "{error}");
    people.enrol("Ann", "7", &face(1.0)).expect("it replaces");
    assert_eq!(people.remove("Ann", Some("7")).expect("it is there"), 1);
    people.enrol("Ann", "more", &face(0.0)).expect("there is room");
}

#[test]
fn names_are_letters_of_any_script_and_never_a_path() {
    for name in ["Paul", "José Müller", "O'Hara, P.", "李小龙", "a_b-c.jpg", "7"] {
        assert_eq!(check_name("label", name), Ok(()), "{name}");
    }
    let long = "a".repeat(NAME_BYTES_MAX + 1);
    for name in ["", ".", "..", ".a", " a", "a ", "a/b", "a\\b", "a@b", "a\0", "a\n", &long] {
        assert!(check_name("label", name).is_err(), "{name:?}");
    }
    assert!(check_name("label", UNKNOWN).is_err());
    assert_eq!(check_name("name", UNKNOWN), Ok(()));
    let (_folder, people) = people();
    for (label, name) in [("..", "a"), ("a", "../b"), ("unknown", "a")] {
        assert!(people.enrol(label, name, &face(0.0)).is_err());
        assert!(people.remove(label, Some(name)).is_err());
    }
}

#[test]
fn who_is_not_there_cannot_be_removed() {
    let (_folder, people) = people();
    people.enrol("Ann", "1", &face(0.0)).expect("it is new");
    let error = people.remove("Ann", Some("2")).expect_err("it is not there");
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (404, "nobody is enrolled as `Ann/2`")
    );
    assert_eq!(people.remove("Ann", None).expect("she is there"), 1);
}
