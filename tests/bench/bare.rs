//! The handler that stint is compared with: axum, sqlx and serde, the same statements, and nothing else. No token, no
//! filters, no cursors, no problem documents.

use std::{process::Command, process::ExitCode, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use jiff_sqlx::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

use crate::{
    pages::{FROM, Kind, TO},
    process::Process,
};

/// The argument by which this program runs as the bare handler.
pub const WORD: &str = "__bare";

/// The page's statement as stint has it, up to what is asked for.
pub const PAGE: &str = "select id, connection, tenant, ticket_id, ticket_number, ticket_url, state, hold, decision, assignment, \
     end_order, reasons, failure, received_at, updated_at, due_at, null::jsonb as snapshot, snapshot_digest from requests where true";

/// How it ends; one more than asked for tells of a further page.
pub const ORDER: &str = " order by received_at desc, id desc limit 51";

/// The statement of an audit event as stint has it.
pub const NOTE: &str = "with event as (insert into audit_events (at, request_id, connection, tenant, event, actor, state_from, \
     state_to, detail_sha256) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id), \
     detail as (insert into audit_details (event_id, detail) select id, $10 from event) \
     insert into audit_pending (event_id) select id from event";

#[derive(Serialize, sqlx::FromRow)]
struct Row {
    id: Uuid,
    connection: String,
    tenant: Option<String>,
    ticket_id: String,
    ticket_number: String,
    ticket_url: Option<String>,
    state: String,
    hold: Option<Value>,
    decision: Option<Value>,
    assignment: Option<Value>,
    end_order: Option<Value>,
    reasons: Option<Value>,
    failure: Option<Value>,
    received_at: Timestamp,
    updated_at: Timestamp,
    due_at: Option<Timestamp>,
    snapshot: Option<Value>,
    snapshot_digest: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    kind: String,
    value: String,
    #[serde(default)]
    note: bool,
}

/// Starts it on a database.
pub fn start(database: &str) -> Process {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args([WORD, database]);
    Process::telling(command)
}

/// Runs as the handler until killed; the first line says where it listens.
pub fn main(database: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let pool = PgPoolOptions::new().max_connections(24).connect(database).await.expect("a database");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/page", get(page)).with_state(Arc::new(pool));
        axum::serve(listener, routes).await.expect("served");
    });
    ExitCode::SUCCESS
}

async fn page(State(pool): State<Arc<PgPool>>, Query(asked): Query<Asked>) -> Json<Vec<Row>> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == asked.kind).expect("a kind");
    let text = format!("{PAGE}{}{ORDER}", kind.clause("$1", "$2", "$3"));
    let query = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(text));
    let query = match kind {
        Kind::Newest => query,
        Kind::Principal => query.bind(asked.value.parse::<Uuid>().expect("an id")),
        Kind::Ticket => query.bind(&asked.value),
        Kind::Entitlement => query.bind(&asked.value).bind(moment(FROM)).bind(moment(TO)),
    };
    let mut rows = query.fetch_all(&*pool).await.expect("rows");
    rows.truncate(50);
    if asked.note {
        note(&pool, &asked.value, rows.len()).await;
    }
    Json(rows)
}

fn moment(text: &str) -> Timestamp {
    jiff_sqlx::ToSqlx::to_sqlx(text.parse::<jiff::Timestamp>().expect("a moment"))
}

async fn note(pool: &PgPool, value: &str, count: usize) {
    let detail = serde_json::json!({ "what": "requests", "filter": { "value": value }, "count": count });
    let query = sqlx::query(NOTE).bind(moment(FROM)).bind(None::<Uuid>).bind(None::<&str>).bind(None::<&str>);
    let query = query.bind("history-read").bind("caller:bare").bind(None::<&str>).bind(None::<&str>);
    query.bind(&[0_u8; 32][..]).bind(detail).execute(pool).await.expect("noted");
}
