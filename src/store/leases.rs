//! The right to make the next step of a request's life.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::id::RequestId;

/// The right to make one request's next step. Only [`Store::lease_due`] makes one; once it lapsed and somebody else took
/// it over, it changes no row.
#[derive(Debug)]
pub struct Lease {
    pub(super) request: RequestId,
    pub(super) token: Uuid,
}

impl Lease {
    /// Whose step it is.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }
}

impl Store {
    /// Takes up to `limit` requests whose step is due and that nobody works on, longest waiting first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_due(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Lease>, StoreError> {
        let rows = sqlx::query!(
            "-- store::leases::lease_due\n\
             update requests set lease_token = gen_random_uuid(), leased_until = $2, woken = false \
             where id in (select id from requests where due_at <= $1 and (leased_until is null or leased_until <= $1) \
             order by due_at limit $3 for update skip locked) returning id, lease_token as \"token!\"",
            now.to_sqlx(),
            until.to_sqlx(),
            i64::from(limit),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| Lease { request: RequestId(row.id), token: row.token }).collect())
    }

    /// When the next request or note falls due or its lapsed lease may be taken over; `None` when nothing is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = sqlx::query_scalar!(
            "-- store::leases::next_due\n\
             select min(at) from (\
             select min(greatest(due_at, leased_until)) as at from requests where due_at is not null \
             union all select min(greatest(due_at, leased_until)) from notes where due_at is not null) as due"
        );
        Ok(next.fetch_one(&self.pool).await?.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// Gives a lease back without a move; the step is due again at `due_at`, or at once if something arrived meanwhile.
    ///
    /// # Errors
    /// When the database fails. A lease no longer held is no error: whoever holds it now decides.
    pub async fn release(&self, lease: Lease, due_at: Timestamp) -> Result<(), StoreError> {
        sqlx::query!(
            "-- store::leases::release\n\
             update requests set lease_token = null, leased_until = null, looks = looks + 1, \
             due_at = case when woken then least(due_at, $3) else $3 end \
             where id = $1 and lease_token = $2 and due_at is not null",
            lease.request.0,
            lease.token,
            due_at.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
