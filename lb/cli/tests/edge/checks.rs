//! `weighbridge check` reads the files, and says every mistake.

use std::path::Path;
use std::process::Command;

use rcgen::date_time_ymd;

use crate::balancer::config;
use crate::pki::Pki;
use crate::tools::text;

/// Whether `weighbridge check` is content with `more` in a configuration, and what it says.
pub(crate) fn check(more: &str) -> (bool, String) {
    check_text(&config("127.0.0.1:9".parse().expect("an address"), more))
}

/// The same of a whole configuration.
pub(crate) fn check_text(config: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weighbridge.toml");
    std::fs::write(&file, config).expect("a file");
    let checked = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .args(["check".as_ref(), file.as_os_str()])
        .output()
        .expect("the program runs");
    (checked.status.success(), text(&checked.stdout) + &text(&checked.stderr))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_mistake_in_the_files_is_told_with_its_line() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.example"]), pki.server("b", &["b.example"]));
    let missing = show(&pki.path("missing.pem"));
    std::fs::write(pki.path("none.pem"), "no certificate").expect("a file");
    let more = format!(
        "listeners = [\n\
         {{ address = \"127.0.0.1:1\", certificates = [{{ chain = \"{a}\", key = \"{b}\" }}] }},\n\
         {{ address = \"127.0.0.1:2\", certificates = [{{ chain = \"{missing}\" }}] }},\n\
         {{ address = \"127.0.0.1:3\", client_certificates = \"required\" }},\n\
         {{ address = \"127.0.0.1:4\", client_ca = \"{none}\" }},\n\
         {{ address = \"127.0.0.1:4\", hsts = \"for ever\", tls_min = \"1.1\" }},\n\
         ]\n",
        a = show(&a.chain),
        b = show(&b.key),
        none = show(&pki.path("none.pem")),
    );
    let (is_good, said) = check(&more);
    assert!(!is_good, "{said}");
    for mistake in [
        "line 8: listeners[0].certificates[0].key: the key in `",
        "line 9: listeners[1].certificates[0].chain: cannot read `",
        "line 10: listeners[2].client_ca is empty: expected the file of who signs",
        "line 11: listeners[3].client_ca: `",
        "line 12: listeners[4].address is `127.0.0.1:4`, which is taken: expected another",
        "line 12: listeners[4].hsts is `\"for ever\"`: expected \"max-age=SECONDS\", or",
        "line 12: listeners[4].tls_min is `\"1.1\"`: expected \"1.2\" or \"1.3\"",
    ] {
        assert!(said.contains(mistake), "no `{mistake}` in {said}");
    }
    assert_eq!(said.matches("line ").count(), 7, "{said}");
}

#[test]
fn certificates_that_have_expired_or_fit_no_route_are_told() {
    let pki = Pki::new();
    let old = pki.sign("old", &["a.example"], |params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let (chain, key) = (show(&old.chain), show(&old.key));
    let more = format!(
        "listener_defaults.certificates = [{{ chain = \"{chain}\", key = \"{key}\" }}]\n\
         [[routes]]\nname = \"b\"\npath = \"/b\"\nhosts = [\"a.example\", \"b.example\"]\n"
    );
    let (is_good, said) = check(&more);
    assert!(!is_good, "{said}");
    assert!(said.contains("has expired on 2001-01-01"), "{said}");
    assert!(said.contains("routes names `b.example`, and no certificate is for it"), "{said}");
    assert!(!said.contains("names `a.example`"), "{said}");
}
