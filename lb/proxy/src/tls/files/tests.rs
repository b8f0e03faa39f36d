use rcgen::{DnType, DnValue, date_time_ymd};

use super::*;
use crate::tls::testing::Pki;

/// What is wrong with `files`, without the folder's name.
fn wrong(pki: &Pki, files: &CertificateFiles) -> String {
    let error = certificate(files).map(|_| ()).expect_err("a mistake is found");
    let folder = format!("{}/", pki.path("").display().to_string().trim_end_matches('/'));
    error.in_full().replace(&folder, "")
}

#[test]
fn a_certificate_says_its_names_and_its_end() {
    let pki = Pki::new();
    let files = pki.sign("a", &["A.example", "*.b.example", "10.0.0.7", "::1"], |params| {
        params.not_after = date_time_ymd(2040, 1, 1);
    });
    let said = certificate(&files).unwrap().said;
    assert_eq!(said.names, ["a.example", "*.b.example", "10.0.0.7", "::1"]);
    assert_eq!(said.not_after_secs(), 2_208_988_800);
    assert!(!said.has_expired(said.not_after - Duration::from_secs(1)));
    assert!(said.has_expired(said.not_after));
}

#[test]
fn certificate_and_key_may_be_in_one_file() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.example"]);
    let both = [read(&files.key).unwrap(), read(&files.chain).unwrap()].concat();
    let one = pki.path("both.pem");
    std::fs::write(&one, both).unwrap();
    certificate(&CertificateFiles { chain: one.clone(), key: one }).unwrap();
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.example"]), pki.server("b", &["b.example"]));
    std::fs::write(pki.path("text.pem"), "nothing").unwrap();
    std::fs::write(pki.path("cut.pem"), "-----BEGIN CERTIFICATE-----\nMII=\n").unwrap();
    std::fs::write(
        pki.path("none.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    std::fs::write(pki.path("long.pem"), vec![b'a'; 2 << 20]).unwrap();
    let of = |chain: &Path, key: &Path| {
        let files = CertificateFiles { chain: chain.into(), key: key.into() };
        wrong(&pki, &files)
    };
    assert_eq!(
        of(&a.chain, &b.key),
        "the key in `b.key` is not that of the certificate in `a.pem`, or cannot be used: keys may \
         not be consistent: KeyMismatch"
    );
    assert_eq!(
        of(&a.chain, &a.chain),
        "`a.pem` has no private key: expected `-----BEGIN PRIVATE KEY-----`, not encrypted"
    );
    assert_eq!(
        of(&pki.path("text.pem"), &a.key),
        "`text.pem` has no certificate: expected `-----BEGIN CERTIFICATE-----`"
    );
    assert!(of(&pki.path("cut.pem"), &a.key).starts_with("`cut.pem` is not PEM: missing section"));
    let told = of(&pki.path("none.pem"), &a.key);
    assert!(told.starts_with("`none.pem` has a certificate that cannot be read: "), "{told}");
    assert_eq!(
        of(&pki.path("long.pem"), &a.key),
        "`long.pem` is longer than 1 MiB: expected a PEM file"
    );
    assert!(of(&pki.path("missing.pem"), &a.key).starts_with("cannot read `missing.pem`: No such"));
}

#[test]
fn a_file_has_the_authorities_that_are_believed() {
    let pki = Pki::new();
    assert_eq!(authorities(&pki.ca()).unwrap().len(), 1);
    assert!(authorities(&pki.path("none.pem")).is_err());
}

#[test]
fn a_subject_can_stand_in_a_header() {
    let pki = Pki::new();
    let files = pki.sign("alice", &[], |params| {
        params
            .distinguished_name
            .push(DnType::OrganizationName, DnValue::Utf8String("Éx\n".into()));
    });
    let chain = certificates(&files.chain).unwrap();
    assert_eq!(subject(&chain[0]).unwrap(), "CN=alice, O=\\C3\\89x\\0A");
}
