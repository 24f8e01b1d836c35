//! Attempts as rows; written only inside a move.

use jiff_sqlx::{Timestamp as Column, ToSqlx};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{
    assignment::Holding,
    attempt::{Attempt, AttemptKind, AttemptOutcome},
    duration::Duration,
    id::{AttemptId, RequestId, TenantName},
    request::Decision,
};

/// An attempt as its row holds it.
struct Row {
    id: Uuid,
    request_id: Uuid,
    kind: String,
    recorded_at: Column,
    send_not_after: Column,
    duration_seconds: Option<i32>,
    ends_at: Option<Column>,
    outcome: String,
    code: Option<String>,
    http_status: Option<i32>,
    graph_request_id: Option<String>,
    schedule_request_id: Option<String>,
    schedule_id: Option<String>,
    closed_at: Option<Column>,
    absent_reads: i32,
    last_absent_at: Option<Column>,
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
    let rows = sqlx::query_as!(
        Row,
        "-- store::attempts::of_requests\n\
         select id, request_id, kind, recorded_at as \"recorded_at: Column\", \
         send_not_after as \"send_not_after: Column\", duration_seconds, ends_at as \"ends_at: Column\", outcome, code, \
         http_status, graph_request_id, schedule_request_id, schedule_id, closed_at as \"closed_at: Column\", \
         absent_reads, last_absent_at as \"last_absent_at: Column\" \
         from attempts where request_id = any($1) order by request_id, number",
        requests
    );
    rows.fetch_all(connection).await?.into_iter().map(Row::attempt).collect()
}

impl Row {
    fn attempt(self) -> Result<(Uuid, Attempt), StoreError> {
        let unknown = |column, text: &str| StoreError::bad("attempts", column, self.id, format!("unknown {text:?}"));
        let attempt = Attempt {
            id: AttemptId(self.id),
            kind: kind(&self.kind).ok_or_else(|| unknown("kind", &self.kind))?,
            recorded_at: self.recorded_at.to_jiff(),
            send_not_after: self.send_not_after.to_jiff(),
            duration: self.duration_seconds.and_then(|s| u32::try_from(s).ok()).map(Duration::seconds),
            ends_at: self.ends_at.map(Column::to_jiff),
            outcome: outcome(&self.outcome).ok_or_else(|| unknown("outcome", &self.outcome))?,
            code: self.code,
            http_status: self.http_status.and_then(|s| u16::try_from(s).ok()),
            graph_request_id: self.graph_request_id,
            schedule_request_id: self.schedule_request_id,
            schedule_id: self.schedule_id,
            closed_at: self.closed_at.map(Column::to_jiff),
            absent_reads: u32::try_from(self.absent_reads).unwrap_or(0),
            last_absent_at: self.last_absent_at.map(Column::to_jiff),
        };
        Ok((self.request_id, attempt))
    }
}

/// Writes an attempt whole.
pub(super) async fn put(
    connection: &mut sqlx::PgConnection,
    request: RequestId,
    decision: &Decision,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    put_at(connection, request, &decision.tenant, &decision.holding(), attempt).await
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
        "-- store::attempts::put\n\
         insert into attempts (id, request_id, tenant, principal_id, target, kind, recorded_at, send_not_after, \
         duration_seconds, ends_at, outcome, code, http_status, graph_request_id, schedule_request_id, schedule_id, \
         closed_at, absent_reads, last_absent_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         on conflict (id) do update set outcome = excluded.outcome, code = excluded.code, \
         http_status = excluded.http_status, graph_request_id = excluded.graph_request_id, \
         schedule_request_id = excluded.schedule_request_id, schedule_id = excluded.schedule_id, \
         closed_at = excluded.closed_at, absent_reads = excluded.absent_reads, last_absent_at = excluded.last_absent_at",
        attempt.id.0,
        request.0,
        tenant.as_str(),
        holding.principal.0,
        holding.target.to_string(),
        attempt.kind.as_str(),
        attempt.recorded_at.to_sqlx(),
        attempt.send_not_after.to_sqlx(),
        attempt.duration.and_then(|d| i32::try_from(d.as_secs()).ok()),
        attempt.ends_at.map(ToSqlx::to_sqlx) as Option<Column>,
        attempt.outcome.as_str(),
        attempt.code,
        attempt.http_status.map(i32::from),
        attempt.graph_request_id,
        attempt.schedule_request_id,
        attempt.schedule_id,
        attempt.closed_at.map(ToSqlx::to_sqlx) as Option<Column>,
        i32::try_from(attempt.absent_reads).unwrap_or(i32::MAX),
        attempt.last_absent_at.map(ToSqlx::to_sqlx) as Option<Column>,
    )
    .execute(connection)
    .await
    .map_err(|error| StoreError::of_request(error, request))?;
    Ok(())
}

fn kind(name: &str) -> Option<AttemptKind> {
    AttemptKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn outcome(name: &str) -> Option<AttemptOutcome> {
    use AttemptOutcome::{Absent, Accepted, NotSent, Open, Refused};
    [Open, Accepted, Refused, NotSent, Absent].into_iter().find(|outcome| outcome.as_str() == name)
}
