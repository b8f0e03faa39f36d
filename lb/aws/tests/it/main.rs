//! The AWS services against servers that speak their protocols.

#[path = "../shared/emulators.rs"]
mod emulators;
#[path = "../shared/functions.rs"]
mod functions;
#[path = "../shared/wire.rs"]
mod wire;

mod dynamodb;
mod lambda;
mod start;
