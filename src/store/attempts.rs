//! Attempts as rows; written only inside a move.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{
    assignment::Holding,
    attempt::{Attempt, AttemptKind, AttemptOutcome},
    duration::Duration,
    id::{AttemptId, RequestId, TenantName},
};

/// An attempt as `to_jsonb` tells its row.
#[derive(Serialize, Deserialize)]
struct Row {
    id: AttemptId,
    kind: AttemptKind,
    recorded_at: Timestamp,
    send_not_after: Timestamp,
    duration_seconds: Option<u32>,
    ends_at: Option<Timestamp>,
    outcome: AttemptOutcome,
    code: Option<String>,
    http_status: Option<u16>,
    graph_request_id: Option<String>,
    schedule_request_id: Option<String>,
    schedule_id: Option<String>,
    closed_at: Option<Timestamp>,
    absent_reads: u32,
    last_absent_at: Option<Timestamp>,
}

/// Every attempt of a request, oldest first.
pub(super) async fn of_request(
    connection: &mut sqlx::PgConnection,
    request: RequestId,
) -> Result<Vec<Attempt>, StoreError> {
    let attempts = of_requests(connection, &[request.0]).await?;
    Ok(attempts.into_iter().map(|(_, attempt)| attempt).collect())
}

/// Every attempt of these requests, each with its request, oldest first.
pub(super) async fn of_requests(
    connection: &mut sqlx::PgConnection,
    requests: &[Uuid],
) -> Result<Vec<(Uuid, Attempt)>, StoreError> {
    let rows = sqlx::query!(
        "-- store::attempts::of_requests\n\
         select request_id, to_jsonb(a) as \"attempt!\" from attempts a \
         where request_id = any($1) order by request_id, number",
        requests
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    rows.map(|row| Ok((row.request_id, read(RequestId(row.request_id), row.attempt)?))).collect()
}

/// The attempt in a row that is told as a document.
pub(super) fn read(of: RequestId, row: Value) -> Result<Attempt, StoreError> {
    let row = Row::deserialize(row).map_err(|error| StoreError::bad("attempts", "any", of, error))?;
    Ok(Attempt {
        id: row.id,
        kind: row.kind,
        recorded_at: row.recorded_at,
        send_not_after: row.send_not_after,
        duration: row.duration_seconds.map(Duration::seconds),
        ends_at: row.ends_at,
        outcome: row.outcome,
        code: row.code,
        http_status: row.http_status,
        graph_request_id: row.graph_request_id,
        schedule_request_id: row.schedule_request_id,
        schedule_id: row.schedule_id,
        closed_at: row.closed_at,
        absent_reads: row.absent_reads,
        last_absent_at: row.last_absent_at,
    })
}

/// The row of an attempt at this holding, as `jsonb_populate_recordset` takes it.
pub(super) fn row(
    request: RequestId,
    tenant: &TenantName,
    holding: &Holding,
    attempt: &Attempt,
) -> Result<Value, StoreError> {
    let attempt = attempt.clone();
    let row = Row {
        id: attempt.id,
        kind: attempt.kind,
        recorded_at: attempt.recorded_at,
        send_not_after: attempt.send_not_after,
        duration_seconds: attempt.duration.map(Duration::as_secs),
        ends_at: attempt.ends_at,
        outcome: attempt.outcome,
        code: attempt.code,
        http_status: attempt.http_status,
        graph_request_id: attempt.graph_request_id,
        schedule_request_id: attempt.schedule_request_id,
        schedule_id: attempt.schedule_id,
        closed_at: attempt.closed_at,
        absent_reads: attempt.absent_reads,
        last_absent_at: attempt.last_absent_at,
    };
    let mut row = serde_json::to_value(row).map_err(|error| StoreError::bad("attempts", "any", request, error))?;
    row["request_id"] = json!(request);
    row["tenant"] = json!(tenant);
    row["principal_id"] = json!(holding.principal);
    row["target"] = json!(holding.target.to_string());
    Ok(row)
}

/// Writes an attempt at this holding whole.
pub(super) async fn put_at(
    connection: &mut sqlx::PgConnection,
    request: RequestId,
    tenant: &TenantName,
    holding: &Holding,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    sqlx::query!(
        "-- store::attempts::put_at\n\
         insert into attempts (id, request_id, tenant, principal_id, target, kind, recorded_at, send_not_after, \
         duration_seconds, ends_at, outcome, code, http_status, graph_request_id, schedule_request_id, schedule_id, \
         closed_at, absent_reads, last_absent_at) \
         select id, request_id, tenant, principal_id, target, kind, recorded_at, send_not_after, duration_seconds, ends_at, \
         outcome, code, http_status, graph_request_id, schedule_request_id, schedule_id, closed_at, absent_reads, \
         last_absent_at from jsonb_populate_record(null::attempts, $1) \
         on conflict (id) do update set outcome = excluded.outcome, code = excluded.code, \
         http_status = excluded.http_status, graph_request_id = excluded.graph_request_id, \
         schedule_request_id = excluded.schedule_request_id, schedule_id = excluded.schedule_id, \
         closed_at = excluded.closed_at, absent_reads = excluded.absent_reads, last_absent_at = excluded.last_absent_at",
        row(request, tenant, holding, attempt)?,
    )
    .execute(connection)
    .await
    .map_err(|error| StoreError::of_request(error, request))?;
    Ok(())
}
