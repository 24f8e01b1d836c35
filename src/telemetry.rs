//! What stint says of itself: log lines and counters. Never a secret, a token, a body or a query.

mod log;
mod metrics;

pub use log::{clean, init, misleads, quiet};
pub use metrics::Metrics;
