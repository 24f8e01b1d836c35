//! For whoever runs stint: is it alive, can it work, what has it counted.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderName, header};
use tracing::warn;

use super::{Api, error::Problem};
use crate::store::SchemaState;

/// Alive as long as it answers.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// Ready when the database answers and has the program's schema.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, Problem> {
    match api.store.schema_state().await {
        Ok(SchemaState::Current) => Ok("ready\n"),
        Ok(SchemaState::Older(_)) => Err(Problem::unavailable("the schema is too old: run `stint migrate`", 30)),
        Ok(SchemaState::Newer(_)) => Err(Problem::unavailable("the schema is newer than this stint", 30)),
        Err(problem) => {
            warn!(%problem, "not ready");
            Err(Problem::unavailable("the database does not answer", 5))
        }
    }
}

/// Everything counted, in Prometheus' text format.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> ([(HeaderName, &'static str); 1], String) {
    match api.store.backlog().await {
        Ok((open, oldest)) => api.metrics.backlog(&open, oldest, api.clock.now()),
        Err(problem) => warn!(%problem, "the backlog cannot be counted"),
    }
    match api.store.findings_open().await {
        Ok(open) => api.metrics.findings(open),
        Err(problem) => warn!(%problem, "the findings cannot be counted"),
    }
    match api.store.seal_state().await {
        Ok(state) => api.metrics.sealing(state.pending, state.size, state.sealed_at),
        Err(problem) => warn!(%problem, "the sealing cannot be counted"),
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], api.metrics.text())
}
