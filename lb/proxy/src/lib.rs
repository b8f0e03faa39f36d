//! Carries: configuration, the embedded store, the cache of repeats and the access log.

pub mod config;
pub mod store;
pub mod repeats;
pub mod access_log;
