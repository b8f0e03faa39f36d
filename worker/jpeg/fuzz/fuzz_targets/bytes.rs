//! Any bytes. Start with files of several kinds in the corpus.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod libjpeg;

fuzz_target!(|file: &[u8]| {
    let _ = libjpeg::compare(file);
});
