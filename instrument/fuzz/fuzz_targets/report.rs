//! Whatever is decoded without an error survives being encoded and decoded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighbridge_instrument::LoadReport;

fuzz_target!(|header: &str| {
    let _ = LoadReport::decode_json(header);
    for read in [LoadReport::decode_header(header), LoadReport::decode_bin(header)] {
        let Ok(report) = read else { continue };
        assert_eq!(LoadReport::decode_header(&report.encode_json()).as_ref(), Ok(&report));
        assert_eq!(LoadReport::decode_bin(&report.encode_bin()).as_ref(), Ok(&report));
        assert!(LoadReport::decode_header(&report.encode_text()).is_ok());
    }
});
