use std::fs;

use super::*;

#[test]
fn an_interval_is_wilsons() {
    // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
    for (of, all, least, most) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ] {
        let (low, high) = Share { of, all }.interval();
        assert!(
            (low - least).abs() < 1e-4 && (high - most).abs() < 1e-4,
            "{of}/{all}: {low} {high}"
        );
    }
    assert_eq!(Share { of: 0, all: 0 }.interval(), (0.0, 1.0));
    assert_eq!(Share { of: 81, all: 263 }.to_string(), "30.8 % (25.5 to 36.6)");
}

#[test]
fn the_folder_of_a_photo_is_its_label() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["b/2.PNG", "a/1.jpg", "a/notes.txt", "b/1.jpeg", "c/.keep"] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, "").expect("written");
    }
    fs::write(folder.path().join("0.jpg"), "").expect("written");
    let photos = labelled(folder.path()).expect("there are some");
    let found: Vec<_> = photos
        .iter()
        .map(|photo| (photo.label.as_str(), photo.file.file_name().and_then(|name| name.to_str())))
        .collect();
    assert_eq!(found, [("a", Some("1.jpg")), ("b", Some("1.jpeg")), ("b", Some("2.PNG"))]);
    assert!(labelled(&folder.path().join("c")).is_err());
    assert!(labelled(&folder.path().join("none")).is_err());
}

#[test]
fn a_list_names_files_and_labels_and_a_wrong_row_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("list.csv");
    fs::write(&list, "./a.jpg, 472\nb.jpg,\"hen, hot\"\n").expect("written");
    let photos = listed(folder.path(), &list).expect("two rows");
    assert_eq!(photos[0], Photo { file: folder.path().join("./a.jpg"), label: "472".to_owned() });
    assert_eq!(photos[1].label, "hen, hot");
    fs::write(&list, "a.jpg,1\nb.jpg,1,2\n").expect("written");
    let error = listed(folder.path(), &list).expect_err("three fields");
    assert!(matches!(error, PhotoError::Row(_, 2, _)), "{error}");
    fs::write(&list, "").expect("written");
    assert!(listed(folder.path(), &list).is_err());
}
