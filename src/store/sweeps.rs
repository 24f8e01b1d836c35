//! The comparison of each tenant with Graph: when it is due, who makes it, how the last one came out.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::id::TenantName;

/// The right to make one tenant's comparison.
#[derive(Debug)]
pub struct Sweep {
    /// Drawn with it: under any other token no row changes.
    pub token: Uuid,
    /// Whose.
    pub tenant: TenantName,
    /// Comparisons in a row that could not read every list.
    pub failures: u32,
}

/// How a comparison came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepResult {
    /// Every list was read; it began then.
    Whole(Timestamp),
    /// Some list could not be read, and why.
    Failed(String),
}

impl Store {
    /// Takes up to `limit` comparisons of these tenants that are due and that nobody makes. A tenant never seen before is
    /// due at the time given with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_sweeps(
        &self,
        tenants: &[(TenantName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Sweep>, StoreError> {
        let names: Vec<_> = tenants.iter().map(|(name, _)| name.to_string()).collect();
        let first_due: Vec<_> = tenants.iter().map(|(_, due)| due.to_sqlx()).collect();
        sqlx::query!(
            "-- store::sweeps::lease_sweeps\n\
             insert into sweeps (tenant, due_at) \
             select name, due from unnest($1::text[], $2::timestamptz[]) as given (name, due) order by name \
             on conflict (tenant) do nothing",
            &names,
            &first_due as &[jiff_sqlx::Timestamp],
        )
        .execute(&self.pool)
        .await?;
        let rows = sqlx::query!(
            "-- store::sweeps::lease_sweeps\n\
             update sweeps set lease_token = gen_random_uuid(), leased_until = $3 where tenant in \
             (select tenant from sweeps where tenant = any($1) and due_at <= $2 \
             and (leased_until is null or leased_until <= $2) order by due_at limit $4 for update skip locked) \
             returning tenant, failures, lease_token as \"token!\"",
            &names,
            now.to_sqlx(),
            until.to_sqlx(),
            i64::from(limit),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        let sweeps = rows.map(|row| Sweep {
            token: row.token,
            tenant: TenantName::new(row.tenant),
            failures: u32::try_from(row.failures).unwrap_or(0),
        });
        Ok(sweeps.collect())
    }

    /// When the next comparison of one of these tenants falls due; `None` when none was ever planned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_sweep(&self, tenants: &[TenantName]) -> Result<Option<Timestamp>, StoreError> {
        let names: Vec<_> = tenants.iter().map(ToString::to_string).collect();
        let next = sqlx::query_scalar!(
            "-- store::sweeps::next_sweep\n\
             select min(greatest(due_at, leased_until)) from sweeps where tenant = any($1)",
            &names,
        );
        Ok(next.fetch_one(&self.pool).await?.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// Records how a comparison came out and when the next one is due; a lapsed lease changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conclude_sweep(
        &self,
        sweep: &Sweep,
        result: &SweepResult,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (whole_at, error) = match result {
            SweepResult::Whole(began) => (Some(began.to_sqlx()), None),
            SweepResult::Failed(why) => (None, Some(why.as_str())),
        };
        sqlx::query!(
            "-- store::sweeps::conclude_sweep\n\
             update sweeps set whole_at = coalesce($3, whole_at), last_error = $4, due_at = $5, \
             failures = case when $4::text is null then 0 else failures + 1 end, \
             lease_token = null, leased_until = null where tenant = $1 and lease_token = $2",
            sweep.tenant.as_str(),
            sweep.token,
            whole_at as Option<jiff_sqlx::Timestamp>,
            error,
            due_at.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whether the right to make this comparison is still held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError> {
        let may = sqlx::query_scalar!(
            "-- store::sweeps::may_sweep\n\
             select exists (select from sweeps where tenant = $1 and lease_token = $2) as \"may!\"",
            sweep.tenant.as_str(),
            sweep.token,
        );
        Ok(may.fetch_one(&self.pool).await?)
    }
}
