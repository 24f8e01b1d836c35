//! Where signed heads are published: when that is due, who does it, and whether it works.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError, tree::index};

/// The right to publish to one destination.
#[derive(Clone, Debug)]
pub struct Publication {
    token: Uuid,
    /// Where.
    pub destination: String,
    /// The newest head it took; `None` before the first.
    pub size: Option<u64>,
    /// When it last had the newest head, or was first served.
    pub since: Timestamp,
    /// Tries that failed since it last took one.
    pub failures: u32,
}

/// How publishing came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It has the head of this size.
    Taken(u64),
    /// There is no head yet.
    Nothing,
    /// It failed, and why.
    Failed(String),
}

impl Store {
    /// Takes what is due of these destinations and nobody works on. One never served before is due at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_publications(
        &self,
        destinations: &[String],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Publication>, StoreError> {
        sqlx::query!(
            "-- store::publications::lease_publications\n\
             insert into audit_publications (destination, known_since, due_at) \
             select name, $2, $2 from unnest($1::text[]) as given (name) order by name \
             on conflict (destination) do nothing",
            destinations,
            now.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        let rows = sqlx::query!(
            "-- store::publications::lease_publications\n\
             update audit_publications set lease_token = gen_random_uuid(), leased_until = $3 where destination in \
             (select destination from audit_publications where destination = any($1) and due_at <= $2 \
             and (leased_until is null or leased_until <= $2) for update skip locked) \
             returning destination, tree_size, coalesce(published_at, known_since) as \"since!\", failures, \
             lease_token as \"token!\"",
            destinations,
            now.to_sqlx(),
            until.to_sqlx(),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        let publications = rows.map(|row| Publication {
            token: row.token,
            destination: row.destination,
            size: row.tree_size.and_then(|size| u64::try_from(size).ok()),
            since: row.since.to_jiff(),
            failures: u32::try_from(row.failures).unwrap_or(0),
        });
        Ok(publications.collect())
    }

    /// Why the last try to publish there failed; `None` when it did not, or there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_error(&self, destination: &str) -> Result<Option<String>, StoreError> {
        let error = sqlx::query_scalar!(
            "-- store::publications::publication_error\n\
             select last_error from audit_publications where destination = $1",
            destination,
        );
        Ok(error.fetch_optional(&self.pool).await?.flatten())
    }

    /// Records how publishing came out and when it is due next; a lapsed lease changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conclude_publication(
        &self,
        publication: &Publication,
        outcome: &Published,
        now: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (size, error) = match outcome {
            Published::Taken(size) => (Some(index(*size)), None),
            Published::Nothing => (None, None),
            Published::Failed(why) => (None, Some(why.as_str())),
        };
        sqlx::query!(
            "-- store::publications::conclude_publication\n\
             update audit_publications set tree_size = coalesce($3, tree_size), \
             published_at = case when $3::bigint is null then published_at else $5 end, last_error = $4, \
             failures = case when $4::text is null then 0 else failures + 1 end, due_at = $6, \
             lease_token = null, leased_until = null where destination = $1 and lease_token = $2",
            publication.destination,
            publication.token,
            size,
            error,
            now.to_sqlx(),
            due_at.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
