//! When each connection and each tenant last did what it should, as those see it who watch over stint.

use jiff::Timestamp;

use super::{Store, StoreError};

/// When a connection last did what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStanding {
    /// Its name.
    pub name: String,
    /// When its newest genuine webhook was taken in, and what came of it; `None` before the first.
    pub last_delivery: Option<(Timestamp, String)>,
    /// Changes up to this moment were looked at by a search; `None` before the first whole one.
    pub searched_until: Option<Timestamp>,
    /// When the next search is due; `None` where none was ever planned.
    pub next_search_at: Option<Timestamp>,
    /// Searches that failed in a row.
    pub search_failures: u32,
    /// Why the last search failed; `None` when it did not.
    pub search_error: Option<String>,
}

/// When a tenant was last compared with Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantStanding {
    /// Its name.
    pub name: String,
    /// When the last comparison began that read every list; `None` before the first.
    pub compared_at: Option<Timestamp>,
    /// When the next one is due; `None` where none was ever planned.
    pub next_comparison_at: Option<Timestamp>,
    /// Comparisons in a row that could not read every list.
    pub comparison_failures: u32,
    /// Why the last one could not; `None` when it could.
    pub comparison_error: Option<String>,
}

impl Store {
    /// How these connections stand, in the order of their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connection_standings(&self, names: &[String]) -> Result<Vec<ConnectionStanding>, StoreError> {
        // Before the first whole search, `covered_until` only says since when the connection is known.
        let rows = sqlx::query!(
            "-- store::neighbours::connection_standings\n\
             select given.name as \"name!\", d.received_at as \"delivered_at?\", d.outcome as \"outcome?\", \
             case when p.covered_until > p.known_since then p.covered_until end as searched_until, \
             p.due_at as \"due_at?\", coalesce(p.failures, 0) as \"failures!\", p.last_error \
             from unnest($1::text[]) as given (name) left join polls p on p.connection = given.name \
             left join lateral (select received_at, outcome from deliveries where connection = given.name \
             order by id desc limit 1) as d on true order by given.name collate \"C\"",
            names,
        );
        let rows = rows.fetch_all(&self.readers).await?.into_iter();
        let standings = rows.map(|row| ConnectionStanding {
            name: row.name,
            last_delivery: row.delivered_at.map(jiff_sqlx::Timestamp::to_jiff).zip(row.outcome),
            searched_until: row.searched_until.map(jiff_sqlx::Timestamp::to_jiff),
            next_search_at: row.due_at.map(jiff_sqlx::Timestamp::to_jiff),
            search_failures: u32::try_from(row.failures).unwrap_or(0),
            search_error: row.last_error,
        });
        Ok(standings.collect())
    }

    /// How these tenants stand, in the order of their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_standings(&self, names: &[String]) -> Result<Vec<TenantStanding>, StoreError> {
        let rows = sqlx::query!(
            "-- store::neighbours::tenant_standings\n\
             select given.name as \"name!\", s.whole_at, s.due_at as \"due_at?\", \
             coalesce(s.failures, 0) as \"failures!\", s.last_error \
             from unnest($1::text[]) as given (name) left join sweeps s on s.tenant = given.name \
             order by given.name collate \"C\"",
            names,
        );
        let rows = rows.fetch_all(&self.readers).await?.into_iter();
        let standings = rows.map(|row| TenantStanding {
            name: row.name,
            compared_at: row.whole_at.map(jiff_sqlx::Timestamp::to_jiff),
            next_comparison_at: row.due_at.map(jiff_sqlx::Timestamp::to_jiff),
            comparison_failures: u32::try_from(row.failures).unwrap_or(0),
            comparison_error: row.last_error,
        });
        Ok(standings.collect())
    }
}
