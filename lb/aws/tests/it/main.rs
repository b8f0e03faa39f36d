//! The AWS services against servers that speak their protocols.

#[path = "../shared/emulators.rs"]
mod emulators;
#[path = "../shared/functions.rs"]
mod functions;

mod lambda;
mod start;
