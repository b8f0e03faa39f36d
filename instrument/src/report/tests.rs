use proptest::prelude::*;

use super::*;

/// From the specification's example: unpadded base64.
const GOLDEN: &str = "CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA";

fn golden() -> LoadReport {
    LoadReport {
        cpu_utilization: 0.5,
        rps_fractional: 100.0,
        eps: 2.0,
        named_metrics: [("rif".to_owned(), 4.0)].into(),
        ..LoadReport::default()
    }
}

fn full() -> LoadReport {
    LoadReport {
        mem_utilization: 0.25,
        application_utilization: 1.5,
        request_cost: [("instructions".to_owned(), 12_345_678.0)].into(),
        utilization: [("disk".to_owned(), 0.0)].into(),
        ..golden()
    }
}

/// What is wrong with a header; the empty text where nothing is.
fn check(header: &str, expected: &str) {
    let error = LoadReport::decode_header(header).err().map(|error| error.to_string());
    assert_eq!(error.unwrap_or_default(), expected, "{header}");
}

#[test]
fn the_golden_vector_is_read_padded_and_unpadded() {
    assert_eq!(LoadReport::decode_bin(GOLDEN), Ok(golden()));
    assert_eq!(LoadReport::decode_bin(&format!("{GOLDEN}==")), Ok(golden()));
    assert_eq!(LoadReport::decode_header(&format!("BIN {GOLDEN}")), Ok(golden()));
}

#[test]
fn the_golden_vector_is_written() {
    assert_eq!(golden().encode_bin().trim_end_matches('='), GOLDEN);
}

#[test]
fn text_is_written_without_what_it_cannot_carry() {
    assert_eq!(
        full().encode_text(),
        "TEXT cpu_utilization=0.5, mem_utilization=0.25, application_utilization=1.5, \
         rps_fractional=100.0, eps=2.0, named_metrics.rif=4.0"
    );
    assert_eq!(LoadReport::default().encode_text(), "TEXT cpu_utilization=0.0");
}

#[test]
fn json_is_written_with_everything() {
    assert_eq!(
        full().encode_json(),
        r#"JSON {"cpu_utilization":0.5,"mem_utilization":0.25,"application_utilization":1.5,"rps_fractional":100.0,"eps":2.0,"request_cost":{"instructions":12345678.0},"utilization":{"disk":0.0},"named_metrics":{"rif":4.0}}"#
    );
}

#[test]
fn json_is_read_in_camel_case_too() {
    let report = LoadReport::decode_json(
        r#"{"cpuUtilization": 0.5, "rpsFractional": 100, "eps": 2, "namedMetrics": {"rif": 4}, "new": []}"#,
    );
    assert_eq!(report, Ok(golden()));
}

#[test]
fn text_is_read_with_either_separator_and_any_blanks() {
    check("TEXT cpu_utilization=0.5,mem_utilization:0.25 ,  named_metrics.a.b = 1e3", "");
}

#[test]
fn a_text_report_with_one_bad_part_is_rejected_whole() {
    const EXPECTED: &str = "expected a finite number of zero or above";
    let bad = |key: &str, value: &str| format!("`{value}` is no value for `{key}`, {EXPECTED}");
    check("TEXT eps=1, rps=3", "the report has an unknown key `rps`");
    check("TEXT request_cost.cpu=3", "the report has an unknown key `request_cost.cpu`");
    check("TEXT utilization.disk=3", "the report has an unknown key `utilization.disk`");
    check("TEXT eps=1, eps=1", "the report has `eps` twice");
    check("TEXT named_metrics.a=1, named_metrics.a=2", "the report has `a` twice");
    check("TEXT named_metrics.=1", "`` is no name for a metric");
    check("TEXT eps=NaN", &bad("eps", "NaN"));
    check("TEXT eps=inf", &bad("eps", "inf"));
    check("TEXT eps=-infinity", &bad("eps", "-inf"));
    check("TEXT eps=1e999", &bad("eps", "inf"));
    check("TEXT named_metrics.a=-1", &bad("named_metrics.a", "-1"));
    check("TEXT eps=", &bad("eps", ""));
    check("TEXT eps", &bad("eps", ""));
    check("TEXT eps=1,", &bad("", ""));
    check("TEXT eps=0x10", &bad("eps", "0x10"));
}

#[test]
fn a_header_that_is_no_report_is_rejected() {
    check("", "the report is empty");
    check("   ", "the report is empty");
    check("TEXT ", "the report is in none of the forms `TEXT`, `JSON` and `BIN`");
    check("text eps=1", "the report is in none of the forms `TEXT`, `JSON` and `BIN`");
    check("BIN ???", "the report is not base64");
    check("BIN CQ==", "the report is not the protobuf message of a load report");
}

#[test]
fn a_json_report_with_one_bad_part_is_rejected_whole() {
    for json in [
        r#"{"eps": 1, "eps": 1}"#,
        r#"{"rps_fractional": 1, "rpsFractional": 1}"#,
        r#"{"named_metrics": {"a": 1, "a": 1}}"#,
        r#"{"named_metrics": {"": 1}}"#,
        r#"{"named_metrics": {"a": -1}}"#,
        r#"{"named_metrics": {"a": null}}"#,
        r#"{"eps": ""}"#,
        r#"{"eps": "NaN"}"#,
        r#"{"eps": NaN}"#,
        r#"{"eps": 1e999}"#,
        r#"{"eps": -1}"#,
        r#"{"eps": null}"#,
        r"[1]",
        r"{} {}",
    ] {
        assert!(LoadReport::decode_json(json).is_err(), "{json}");
    }
}

#[test]
fn a_binary_report_with_one_bad_part_is_rejected_whole() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let nan = [&[0x39][..], &f64::NAN.to_le_bytes()].concat();
    let negative = [&[0x39][..], &(-1.0_f64).to_le_bytes()].concat();
    let one = [&[0x39][..], &1.0_f64.to_le_bytes()].concat();
    let entry = [&[0x42, 12, 0x0a, 1, b'a', 0x11][..], &4.0_f64.to_le_bytes()].concat();
    let nameless = [&[0x42, 9, 0x11][..], &4.0_f64.to_le_bytes()].concat();
    let decode = |message: &[u8]| LoadReport::decode_bin(&BASE64_STANDARD.encode(message));
    assert!(decode(&one).is_ok());
    assert!(decode(&entry).is_ok());
    for message in [nan, negative, one.repeat(2), entry.repeat(2), nameless] {
        assert!(decode(&message).is_err(), "{message:02x?}");
    }
}

#[test]
fn requests_per_second_of_old_senders_are_understood() {
    let report = LoadReport::decode_bin("GGQ").unwrap();
    assert_eq!(report.rps_fractional.to_bits(), 100_f64.to_bits());
}

#[test]
fn size_and_number_of_entries_are_bounded() {
    let long = format!("TEXT named_metrics.{}=1", "a".repeat(REPORT_BYTES_MAX));
    assert!(matches!(LoadReport::decode_header(&long), Err(ReportError::TooLong(_))));
    let name = format!("TEXT named_metrics.{}=1", "a".repeat(NAME_BYTES_MAX + 1));
    assert!(matches!(LoadReport::decode_header(&name), Err(ReportError::BadName(_))));
    let pairs = |n: usize| (0..n).map(|n| format!("named_metrics.{n}=1")).collect::<Vec<_>>();
    check(&format!("TEXT {}", pairs(ENTRIES_MAX).join(",")), "");
    check(
        &format!("TEXT {}", pairs(ENTRIES_MAX + 1).join(",")),
        &format!("`named_metrics` has more than {ENTRIES_MAX} entries"),
    );
}

#[test]
fn what_must_not_be_sent_is_left_out() {
    let report = LoadReport {
        eps: f64::NAN,
        rps_fractional: -1.0,
        named_metrics: [
            (String::new(), 1.0),
            ("line\nbreak".to_owned(), 1.0),
            ("infinite".to_owned(), f64::INFINITY),
            ("good".to_owned(), 1.0),
        ]
        .into(),
        ..LoadReport::default()
    };
    let good = [("good".to_owned(), 1.0)].into();
    let expected = LoadReport { named_metrics: good, ..LoadReport::default() };
    assert_eq!(LoadReport::decode_header(&report.encode_text()).as_ref(), Ok(&expected));
    assert_eq!(LoadReport::decode_header(&report.encode_json()).as_ref(), Ok(&expected));
    assert_eq!(LoadReport::decode_bin(&report.encode_bin()).as_ref(), Ok(&expected));
}

#[test]
fn names_beyond_ascii_survive_a_header_in_json() {
    let named_metrics: BTreeMap<_, _> = [("wärme·🔥".to_owned(), 1.0)].into();
    let report = LoadReport { named_metrics, ..LoadReport::default() };
    let header = report.encode_json();
    assert!(header.is_ascii(), "{header}");
    assert_eq!(LoadReport::decode_header(&header), Ok(report.clone()));
    assert_eq!(report.encode_text(), "TEXT cpu_utilization=0.0");
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..2.0, 0.0..f64::MAX, Just(f64::MIN_POSITIVE), Just(5e-324)]
}

fn entries(names: &'static str) -> impl Strategy<Value = BTreeMap<String, f64>> {
    prop::collection::btree_map(names, values(), 0..8)
}

prop_compose! {
    fn reports(names: &'static str)(
        scalars in [values(), values(), values(), values(), values()],
        request_cost in entries(names),
        utilization in entries(names),
        named_metrics in entries(names),
    ) -> LoadReport {
        let [cpu_utilization, mem_utilization, application_utilization, rps_fractional, eps] =
            scalars;
        LoadReport {
            cpu_utilization,
            mem_utilization,
            application_utilization,
            rps_fractional,
            eps,
            request_cost,
            utilization,
            named_metrics,
        }
    }
}

proptest! {
    #[test]
    fn json_and_bin_carry_everything_there_and_back(report in reports("\\PC{1,12}")) {
        prop_assert_eq!(LoadReport::decode_header(&report.encode_json()), Ok(report.clone()));
        prop_assert_eq!(LoadReport::decode_json(&report.to_json()), Ok(report.clone()));
        prop_assert_eq!(LoadReport::decode_bin(&report.encode_bin()), Ok(report));
    }

    #[test]
    fn text_carries_all_but_costs_there_and_back(report in reports("[!-+./-9;<>-~]{1,12}")) {
        let sent = LoadReport {
            request_cost: BTreeMap::new(),
            utilization: BTreeMap::new(),
            ..report.clone()
        };
        prop_assert_eq!(LoadReport::decode_header(&report.encode_text()), Ok(sent));
    }

    #[test]
    fn whatever_is_read_is_fit_to_send(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        use base64::prelude::{BASE64_STANDARD, Engine};
        if let Ok(report) = LoadReport::decode_bin(&BASE64_STANDARD.encode(bytes)) {
            prop_assert_eq!(LoadReport::decode_bin(&report.encode_bin()), Ok(report));
        }
    }

    #[test]
    fn no_header_makes_the_decoder_panic(
        form in prop_oneof![Just("TEXT "), Just("JSON "), Just("BIN "), Just("")],
        value in prop_oneof![".*", "[a-z_.]{0,9}[=:][0-9.eE+-]{0,9},?", "[{}\":,0-9a-z_]*"],
    ) {
        let header = format!("{form}{value}");
        let _ = LoadReport::decode_header(&header);
        let _ = LoadReport::decode_bin(&header);
        let _ = LoadReport::decode_json(&value);
    }
}
