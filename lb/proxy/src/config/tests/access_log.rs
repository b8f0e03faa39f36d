use super::*;

#[test]
fn a_form_of_lines_that_is_none_is_told_with_its_line() {
    let format = |form: &str| parse(&format!("[access_log]\nformat = \"{form}\"\n"));
    assert_eq!(format("json").unwrap().access_log.format, LogFormat::Json);
    assert_eq!(format("combined").unwrap().access_log.format, LogFormat::Combined);
    let own = format("{time} {status}").unwrap().access_log.format;
    assert!(matches!(own, LogFormat::Own(parts) if parts.len() == 3));
    check(
        "[access_log]\nformat = \"common\"\n",
        "line 2: access_log.format is `\"common\"`: expected \"json\", \"combined\" or a line with \
         fields, such as \"{time} {path} {status}\"\n",
    );
    let told = mistakes("[access_log]\n\nformat = \"{tme} {path}\"\n");
    let expected =
        "line 3: access_log.format: there is no field `tme`: expected one of time, client,";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn origins_and_names_of_headers_are_looked_at() {
    check(
        r#"
[route_defaults]
timing_allow_origin = ["https://b.example"]
expose_headers = ["*", "x y"]
"#,
        r#"
line 4: route_defaults.expose_headers has `*`: expected the name of a header, or "*" alone
line 4: route_defaults.expose_headers has `x y`: expected the name of a header, or "*" alone
"#,
    );
}
