//! `GET /v1/health`: when each connection, each tenant and the audit log last did what they should.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Api, answer,
    caller::{Admitted, Sees},
    error::Problem,
    params::{Nothing, Params},
    refusals::BadRequest,
};
use crate::store::{ConnectionStanding, SealState, TenantStanding};

/// How stint and its neighbours stand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// The moment of which this is told.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The connections, by name.
    connections: Vec<ConnectionHealth>,
    /// The tenants, by name.
    tenants: Vec<TenantHealth>,
    /// The audit log, which is one for all tenants.
    audit_log: LogHealth,
}

/// When a connection last did what it should.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionHealth {
    /// Its name.
    name: String,
    /// The tenants it may ask for.
    tenants: Vec<String>,
    /// When its newest genuine webhook was taken in; null before the first.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    last_delivery_at: Option<Timestamp>,
    /// What came of it: `accepted`, `ignored` (not for stint) or `rejected` (no ticket number of that system).
    #[schema(required)]
    last_delivery_outcome: Option<String>,
    /// Tickets that changed up to this moment were looked at by the search for approvals whose webhook never came; null
    /// before the first whole search.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    searched_until: Option<Timestamp>,
    /// When the next search is due; null where none was ever planned.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    next_search_at: Option<Timestamp>,
    /// Searches that failed in a row.
    search_failures: u32,
    /// Why the last search failed; null when it did not.
    #[schema(required)]
    search_error: Option<String>,
}

/// When a tenant was last compared with Graph.
#[derive(Debug, Serialize, ToSchema)]
struct TenantHealth {
    /// Its name.
    name: String,
    /// When the last comparison began that read every list; null before the first.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    compared_at: Option<Timestamp>,
    /// When the next one is due; null where none was ever planned.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    next_comparison_at: Option<Timestamp>,
    /// Comparisons in a row that could not read every list.
    comparison_failures: u32,
    /// Why the last one could not; null when it could.
    #[schema(required)]
    comparison_error: Option<String>,
}

/// How far the audit log is sealed.
#[derive(Debug, Serialize, ToSchema)]
struct LogHealth {
    /// How many events it has, sealed or not.
    events: u64,
    /// How many of them wait to be sealed.
    waiting: u64,
    /// The oldest of those, by its own time; null when none waits.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    waiting_since: Option<Timestamp>,
    /// The newest head; null before the first.
    #[schema(required)]
    checkpoint: Option<LastCheckpoint>,
}

/// The newest head of the audit log.
#[derive(Debug, Serialize, ToSchema)]
struct LastCheckpoint {
    /// How many events it covers.
    tree_size: u64,
    /// When they were sealed.
    #[schema(value_type = String, format = DateTime)]
    sealed_at: Timestamp,
    /// Whether it is signed: a key is named, and the log goes on from what was signed before.
    signed: bool,
}

/// How stint and its neighbours stand
///
/// When each connection last brought a webhook and was last searched, when each tenant was last compared with Graph, with the
/// error where that failed, and how far the audit log is sealed. A connection is told of to those who see every tenant that
/// it serves. Held and failed requests are lists of `/v1/requests`, by status.
#[utoipa::path(
    get,
    path = "/v1/health",
    responses((status = 200, description = "How they stand.", body = Health, example = example), BadRequest)
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(_nothing, _): Params<Nothing>,
) -> Result<Response, Problem> {
    let connections = api.connections_within(&by.sees);
    let connections = api.store.connection_standings(&connections).await.map_err(Problem::from_store)?;
    let tenants = api.store.tenant_standings(&api.tenants_within(&by.sees)).await.map_err(Problem::from_store)?;
    let log = api.store.seal_state().await.map_err(Problem::from_store)?;
    let health = Health {
        at: api.clock.now(),
        connections: connections.into_iter().map(|standing| api.connection_health(standing)).collect(),
        tenants: tenants.into_iter().map(tenant).collect(),
        audit_log: audit_log(&log),
    };
    Ok(answer(&health))
}

impl Api {
    /// Configured tenants that are seen.
    fn tenants_within(&self, sees: &Sees) -> Vec<String> {
        let visible = sees.tenants();
        let is_seen = |name: &&String| visible.as_ref().is_none_or(|visible| visible.contains(name));
        self.tenant_ids.keys().filter(is_seen).cloned().collect()
    }

    fn connection_health(&self, standing: ConnectionStanding) -> ConnectionHealth {
        let configured = self.connections.values().map(|connection| connection.settings());
        let settings = configured.into_iter().find(|settings| settings.name.as_str() == standing.name);
        let tenants = settings.into_iter().flat_map(|settings| &settings.tenants).map(ToString::to_string);
        let (last_delivery_at, last_delivery_outcome) = standing.last_delivery.unzip();
        ConnectionHealth {
            tenants: tenants.collect(),
            name: standing.name,
            last_delivery_at,
            last_delivery_outcome,
            searched_until: standing.searched_until,
            next_search_at: standing.next_search_at,
            search_failures: standing.search_failures,
            search_error: standing.search_error,
        }
    }
}

fn tenant(standing: TenantStanding) -> TenantHealth {
    TenantHealth {
        name: standing.name,
        compared_at: standing.compared_at,
        next_comparison_at: standing.next_comparison_at,
        comparison_failures: standing.comparison_failures,
        comparison_error: standing.comparison_error,
    }
}

fn audit_log(state: &SealState) -> LogHealth {
    let checkpoint = state.sealed_at.map(|sealed_at| LastCheckpoint {
        tree_size: state.size,
        sealed_at,
        signed: state.signed_size == state.size,
    });
    let (waiting, waiting_since) = (state.pending, state.pending_since);
    LogHealth { events: state.size + waiting, waiting, waiting_since, checkpoint }
}

fn example() -> Value {
    json!({
        "at": "2026-11-03T09:00:00Z",
        "connections": [{
            "name": "jira-cloud",
            "tenants": ["contoso"],
            "last_delivery_at": "2026-11-03T08:31:09Z",
            "last_delivery_outcome": "accepted",
            "searched_until": "2026-11-03T08:56:40Z",
            "next_search_at": "2026-11-03T09:01:40Z",
            "search_failures": 0,
            "search_error": null
        }],
        "tenants": [{
            "name": "contoso",
            "compared_at": "2026-11-03T08:45:00Z",
            "next_comparison_at": "2026-11-03T09:00:02Z",
            "comparison_failures": 0,
            "comparison_error": null
        }],
        "audit_log": {
            "events": 1043,
            "waiting": 1,
            "waiting_since": "2026-11-03T08:59:59Z",
            "checkpoint": { "tree_size": 1042, "sealed_at": "2026-11-03T08:59:58Z", "signed": true }
        }
    })
}
