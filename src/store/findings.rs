//! What an auditor or operator must look at.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{NewFinding, Store, StoreError};
use crate::domain::id::RequestId;

impl Store {
    /// How many findings nobody has acknowledged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn findings_open(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar!(
            "-- store::findings::findings_open\nselect count(*) as \"count!\" from findings where acknowledged_at is null"
        );
        Ok(count.fetch_one(&self.pool).await?)
    }
}

/// Raises a finding about a request; the same kind about the same request is raised once.
pub(super) async fn raise(
    connection: &mut sqlx::PgConnection,
    request: RequestId,
    tenant: Option<&str>,
    finding: &NewFinding,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "-- store::findings::raise\n\
         insert into findings (id, kind, tenant, request_id, detail, raised_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict (request_id, kind) where request_id is not null do nothing",
        Uuid::now_v7(),
        finding.kind,
        tenant,
        request.0,
        finding.detail,
        now.to_sqlx(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
