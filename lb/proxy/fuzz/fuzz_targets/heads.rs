//! Any bytes, as the head of a request or an answer in a damaged ledger. A head that is read is
//! kept as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/jobs/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod wire;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(head) = wire::request(bytes) {
        let again = wire::request(&wire::keep_request(&head)).expect("what was read can be kept");
        assert_eq!((&again.method, again.raw_path()), (&head.method, head.raw_path()));
        assert_eq!(again.headers, head.headers);
    }
    if let Ok(head) = wire::answer(bytes) {
        let again = wire::answer(&wire::keep_answer(&head)).expect("what was read can be kept");
        assert_eq!((again.status, &again.headers), (head.status, &head.headers));
    }
});
