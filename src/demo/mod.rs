//! The whole story against the simulators: told once by `stint demo`, left running by `stint sandbox`.

mod change;
mod stay;
mod story;
mod tell;
pub mod world;

pub use stay::stay;
pub use story::play;

use std::sync::Arc;

use anyhow::Context as _;

use crate::{
    domain::request::Status,
    outbound::{Answer, Body, Call, Credential, Limits, Wire},
    sandbox::{Postgres, PostgresOptions},
};

/// A private database server, stopped when this program is gone.
async fn private_postgres() -> anyhow::Result<(Arc<Postgres>, String)> {
    let guard = std::env::current_exe().ok();
    let options = PostgresOptions { guard, ..PostgresOptions::default() };
    let started = tokio::task::spawn_blocking(|| Postgres::start_with(options)).await?;
    let postgres = Arc::new(started.context("a private PostgreSQL is needed")?);
    postgres.create_database("stint").await?;
    let url = postgres.url("stint");
    Ok((postgres, url))
}

/// Reads one of stint's own routes as a caller would.
async fn read(url: &str, path: &str, token: &str) -> anyhow::Result<serde_json::Value> {
    let call =
        Call { method: http::Method::GET, path: path.to_owned(), query: vec![], headers: vec![], body: Body::Empty };
    let answer: Answer =
        Wire::new(Limits::default())?.send(&url.parse()?, &call, &Credential::Bearer(token.into())).await?;
    let status = answer.status;
    let body = answer.json()?;
    anyhow::ensure!(status.is_success(), "GET {path} answered {status}: {body}");
    Ok(body)
}

/// Whether a request document shows a state that nothing follows.
fn is_over(document: &serde_json::Value) -> bool {
    document["status"].as_str().and_then(Status::named).is_some_and(Status::is_terminal)
}
