//! Any form in parts (RFC 7578), as a client may send it: the first line is what its content type
//! says beside, the rest is the body. What is read is finite, the same each time, and bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;

use weighbridge_core::features::FeatureSet;
use weighbridge_core::features::auto::{COLUMNS_MAX, Discovery, LIVE_MAX};
use weighbridge_core::request::RequestSpec;

/// Requests after which what comes in each of them is known.
const REQUESTS: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (parameters, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let content_type = format!("multipart/form-data; {}", String::from_utf8_lossy(parameters));
    check(&content_type, body);
});

fn check(content_type: &str, body: &[u8]) {
    let set = FeatureSet::auto();
    let headers = [("content-type", content_type)];
    let body_bytes = Some(body.len() as u64);
    let spec = RequestSpec { query: "", headers: &headers, body_bytes, body };
    let mut discovery = Discovery::new(&set);
    for _ in 0..REQUESTS {
        let read = set.read(discovery.schema(), &spec);
        assert_eq!(read.features.0.len(), discovery.schema().names().len());
        assert!(read.features.0.iter().all(|one| one.is_finite()), "{:?}", read.features);
        let again = set.read(discovery.schema(), &spec);
        assert_eq!((again.features, again.unknown), (read.features, read.unknown.clone()));
        discovery.note(&read.unknown, |_| false);
    }
    assert!(discovery.schema().n_live() <= LIVE_MAX);
    assert!(discovery.schema().names().len() <= COLUMNS_MAX + 1);
}
