//! Carries: configuration, the embedded store, the cache of repeats and the access log.

pub mod config;
pub mod store;
