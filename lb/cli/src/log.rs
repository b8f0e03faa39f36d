//! The program's own log: to standard error, by `RUST_LOG` or at `info`.

use tracing_subscriber::EnvFilter;

/// What is logged where `RUST_LOG` says nothing: pingora speaks of every broken connection.
const DEFAULT: &str = "info,pingora=error,pingora_core=error,pingora_proxy=error";

/// Starts logging.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
