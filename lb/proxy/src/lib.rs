//! Carries requests from clients to hosts as the core decides: pingora, the admin API, the local
//! fleet and the embedded store. No arithmetic about hosts.
//!
//! The modules stand in the order in which a request meets them: [`config`] first, then listen, the
//! front, the exchange, dispatch, forward, the ledger; beside them the fleet, the loops and what
//! tells of it all. Three rooms hold what requests share: the front what clients meet, dispatch
//! where requests can go, the ledger what is kept of them.

pub mod config;
pub mod server;
pub mod signals;
mod supervisor;
mod listen;
pub mod tls;
mod acme;
mod stage;
mod clients;
mod front;
mod places;
mod order;
mod budget;
mod gathered;
mod pace;
mod headers;
mod ask;
pub mod repeats;
mod caller;
mod exchange;
pub mod jobs;
mod payload;
mod dispatch;
mod decide;
mod register;
mod forward;
mod forwarded;
mod networks;
pub mod lambda;
mod answer;
mod observe;
mod marks;
mod record;
mod traces;
mod ledger;
mod text;
mod learn;
pub mod store;
pub mod lease;
pub mod background;
pub mod backoff;
pub mod fleet;
mod fleets;
mod roster;
mod discover;
mod autoscale;
mod loops;
pub mod access_log;
mod private;
mod whose;
mod metrics;
mod gauges;
mod timeline;
mod traffic;
pub mod words;
mod admin;
mod keda;
mod pods;
mod descriptors;
