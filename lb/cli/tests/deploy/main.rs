//! What is in `deploy`: the stack and the scripts against moto, everything else by its own checker;
//! and what the READMEs say against what there is.
//!
//! moto's records boot nothing, so VMs are stood in for by a real ssh server on this machine.

#[path = "../../../aws/tests/shared/emulators.rs"]
mod emulators;
mod shell;

mod boot;
mod checks;
mod comments;
mod deployment;
mod image;
mod metrics;
mod policy;
mod readme;
mod runbook;
mod scripts;
mod stack;
mod template;
