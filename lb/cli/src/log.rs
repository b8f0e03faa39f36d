//! The program's own log: to standard error, by `RUST_LOG` or as the configuration says.

use std::io::{IsTerminal as _, stderr};
use std::sync::OnceLock;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use weighbridge_proxy::config::LogLevel;

/// What is told of others besides. Pingora logs every broken connection, and every pooled one that
/// closes when it is taken; neither does harm.
const OTHERS: &str =
    "pingora=error,pingora_core=error,pingora_core::connectors=off,pingora_proxy=error";

/// Changes what is told, where `RUST_LOG` does not say it.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging.
pub(crate) fn start() {
    let told = EnvFilter::try_from_default_env();
    let is_told = told.is_ok();
    let (filter, handle) = reload::Layer::new(told.unwrap_or_else(|_| filter(LogLevel::Info)));
    let lines = fmt::layer()
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        // It would say on the same output that nothing can be said there, and panic as that fails:
        // on a full disk, and where a terminal has gone.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if !is_told {
        // Set once: a program starts logging once.
        let _ = FILTER.set(handle);
    }
}

/// Tells what is of `level` or worse from now on, unless `RUST_LOG` says what is told.
pub(crate) fn set(level: LogLevel) {
    if let Some(handle) = FILTER.get()
        && let Err(error) = handle.reload(filter(level))
    {
        tracing::warn!(%error, "the log goes on at the level that it had");
    }
}

fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(format!("{},{OTHERS}", level.name()))
}
