use super::*;

#[test]
fn the_default_file_is_the_empty_file() {
    let written = Config::parse(Config::default_text()).unwrap();
    let empty = Config::parse("").unwrap();
    assert_eq!(format!("{written:#?}"), format!("{empty:#?}"));
}

#[test]
fn everything_that_is_read_stands_in_the_default_file() {
    let reader = Reader::new("", Config::default_text());
    proxy::read(&reader);
    for key in reader.known() {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", &key));
        let written = Config::default_text().lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{name} ="))
                || line == format!("[{key}]")
                || line == format!("[[{key}]]")
        });
        assert!(written, "`{name}` of [{table}] is not in the default file");
    }
}
