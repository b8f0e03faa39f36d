//! The program's own log: to standard error, by `RUST_LOG` or at `info`.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

/// What is logged without `RUST_LOG`. Pingora logs every broken connection, and every pooled one
/// that closes when it is taken; neither does harm.
const DEFAULT: &str =
    "info,pingora=error,pingora_core=error,pingora_core::connectors=off,pingora_proxy=error";

/// Starts logging.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let colours = stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(stderr)
        // It would say on the same output that nothing can be said there, and panic as that fails:
        // on a full disk, and where a terminal has gone.
        .log_internal_errors(false)
        .init();
}
