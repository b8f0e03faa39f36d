//! Any bytes, as a client may send them. Start with requests of several kinds in the corpus.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod reference;
#[path = "../../src/listen/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod wire;

pub(crate) use wire::{Fault, HeadLimits, Wire};

fuzz_target!(|bytes: &[u8]| reference::check(bytes));
