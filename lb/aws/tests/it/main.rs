//! The AWS services against servers that speak their protocols.

#[path = "../shared/emulators.rs"]
mod emulators;

mod start;
