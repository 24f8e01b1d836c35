//! Other requests that share an assignment with one, or wait for it.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError, requests};
use crate::domain::{
    assignment::Holding,
    id::{RequestId, TenantName},
    request::{Decision, Request},
};

/// Attempts for assignments that ended longer ago no longer matter: whatever they made is gone, or is a finding.
const MATTERS_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// The other requests whose attempts had to do with this holding lately, oldest first.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn kin(
        &self,
        of: RequestId,
        tenant: &TenantName,
        holding: &Holding,
        now: Timestamp,
    ) -> Result<Vec<Request>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let ids = sqlx::query_scalar!(
            "-- store::kin::kin\n\
             select distinct request_id from attempts \
             where tenant = $1 and principal_id = $2 and target = $3 and request_id <> $4 and ends_at > $5 \
             order by request_id",
            tenant.as_str(),
            holding.principal.0,
            holding.target.to_string(),
            of.0,
            (now - MATTERS_FOR).to_sqlx(),
        );
        let ids: Vec<Uuid> = ids.fetch_all(&mut *connection).await?;
        if ids.is_empty() { Ok(vec![]) } else { requests::load(&mut connection, &ids).await }
    }

    /// Makes due at once what waits for the assignment, or shares it: something about it has just changed.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn wake_kin(&self, of: RequestId, decision: &Decision, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query!(
            "-- store::kin::wake_kin\n\
             update requests set due_at = least(due_at, $5), woken = true where id in (\
             select id from requests where tenant = $1 and principal_id = $2 and id <> $3 and due_at is not null \
             and coalesce(held_state, state) in ('approved', 'assigning', 'ending') \
             and decision->'entitlement'->'target' = $4 \
             and (decision->>'not_before' is null or (decision->>'not_before')::timestamptz <= $5) \
             order by id for update)",
            decision.tenant.as_str(),
            decision.principal.id.0,
            of.0,
            requests::json(&decision.entitlement.target)?,
            now.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
