//! The search of each connection for approvals whose webhook never came: when it is due, who makes it, how far it got.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::{
    Store, StoreError, begin,
    deliveries::{NewRequest, answered_before, insert_request, wake_open},
};
use crate::domain::{
    audit::Actor,
    id::{ConnectionName, RequestId, TenantName, TicketId},
    ticket::Hint,
};

/// The right to make one connection's search.
#[derive(Debug)]
pub struct Poll {
    /// Drawn with it: under any other token no row changes.
    pub token: Uuid,
    /// Whose.
    pub connection: ConnectionName,
    /// When the connection was first served.
    pub known_since: Timestamp,
    /// Changes up to this moment have been looked at.
    pub covered_until: Timestamp,
    /// When the search that is not whole yet began, and up to which ticket it has looked.
    pub broken_off: Option<(Timestamp, TicketId)>,
    /// Searches that failed in a row.
    pub failures: u32,
}

/// How a search came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// Every change up to this moment was looked at.
    Whole(Timestamp),
    /// The search that began then has looked up to this ticket; the rest comes next time.
    Partly(Timestamp, TicketId),
    /// It failed, and why; and when it began and up to which ticket it had looked, where it had got anywhere.
    Failed(String, Option<(Timestamp, TicketId)>),
}

/// What came of a ticket that a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Its webhook never came: here is the request it should have made.
    Made(RequestId),
    /// Some request has it already.
    Known,
}

impl Store {
    /// Takes up to `limit` searches of these connections that are due and that nobody makes. A connection never searched before is
    /// due after its own interval, since nothing can have been missed yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_polls(
        &self,
        connections: &[(ConnectionName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Poll>, StoreError> {
        let names: Vec<_> = connections.iter().map(|(name, _)| name.to_string()).collect();
        let first_due: Vec<_> = connections.iter().map(|(_, due)| due.to_sqlx()).collect();
        sqlx::query!(
            "-- store::polls::lease_polls\n\
             insert into polls (connection, known_since, covered_until, due_at) \
             select name, $3, $3, due from unnest($1::text[], $2::timestamptz[]) as given (name, due) order by name \
             on conflict (connection) do nothing",
            &names,
            &first_due as &[jiff_sqlx::Timestamp],
            now.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        let rows = sqlx::query!(
            "-- store::polls::lease_polls\n\
             update polls set lease_token = gen_random_uuid(), leased_until = $3 where connection in \
             (select connection from polls where connection = any($1) and due_at <= $2 \
             and (leased_until is null or leased_until <= $2) order by due_at limit $4 for update skip locked) \
             returning connection, known_since, covered_until, began_at, reached, failures, lease_token as \"token!\"",
            &names,
            now.to_sqlx(),
            until.to_sqlx(),
            i64::from(limit),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        let polls = rows.map(|row| Poll {
            token: row.token,
            connection: ConnectionName::new(row.connection),
            known_since: row.known_since.to_jiff(),
            covered_until: row.covered_until.to_jiff(),
            broken_off: row.began_at.map(jiff_sqlx::Timestamp::to_jiff).zip(row.reached.map(TicketId::new)),
            failures: u32::try_from(row.failures).unwrap_or(0),
        });
        Ok(polls.collect())
    }

    /// When the next search of one of these connections falls due; `None` when none was ever planned. Rows of connections
    /// that are no longer served wait for nobody.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_poll(&self, connections: &[ConnectionName]) -> Result<Option<Timestamp>, StoreError> {
        let names: Vec<_> = connections.iter().map(ToString::to_string).collect();
        let next = sqlx::query_scalar!(
            "-- store::polls::next_poll\n\
             select min(greatest(due_at, leased_until)) from polls where connection = any($1)",
            &names,
        );
        Ok(next.fetch_one(&self.pool).await?.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// Records how a search came out and when the next one is due; a lapsed lease changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conclude_poll(&self, poll: &Poll, result: &PollResult, due_at: Timestamp) -> Result<(), StoreError> {
        let (covered, broken_off, error) = match result {
            PollResult::Whole(until) => (Some(*until), None, None),
            PollResult::Partly(began_at, reached) => (None, Some((*began_at, reached.clone())), None),
            PollResult::Failed(why, reached) => (None, reached.clone(), Some(why.as_str())),
        };
        let (began_at, reached) = broken_off.unzip();
        sqlx::query!(
            "-- store::polls::conclude_poll\n\
             update polls set covered_until = greatest(covered_until, coalesce($3, covered_until)), reached = $4, \
             last_error = $5, failures = case when $5::text is null then 0 else failures + 1 end, due_at = $6, began_at = $7, \
             lease_token = null, leased_until = null where connection = $1 and lease_token = $2",
            poll.connection.as_str(),
            poll.token,
            covered.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
            reached.as_ref().map(TicketId::as_str),
            error,
            due_at.to_sqlx(),
            began_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Which of these tickets are read by an open request of theirs anyway. One that only waits for its outcome or its end
    /// reads no ticket any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_by_requests(
        &self,
        connection: &ConnectionName,
        tickets: &[TicketId],
    ) -> Result<Vec<TicketId>, StoreError> {
        let ids: Vec<_> = tickets.iter().map(ToString::to_string).collect();
        let open = sqlx::query_scalar!(
            "-- store::polls::read_by_requests\n\
             select ticket_id from requests where connection = $1 and ticket_id = any($2) \
             and coalesce(held_state, state) in ('received', 'verifying', 'approved', 'active')",
            connection.as_str(),
            &ids,
        );
        Ok(open.fetch_all(&self.pool).await?.into_iter().map(TicketId::new).collect())
    }

    /// Takes in an approval that a search found, exactly as its webhook would have been taken in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notice(
        &self,
        connection: &ConnectionName,
        hint: &Hint,
        tenant: Option<&TenantName>,
        now: Timestamp,
    ) -> Result<Noticed, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        if answered_before(&mut transaction, connection, hint).await?.is_some()
            || wake_open(&mut transaction, connection, hint, now).await?.is_some()
        {
            transaction.commit().await?;
            return Ok(Noticed::Known);
        }
        let new = NewRequest {
            connection,
            tenant: tenant.map(TenantName::as_str),
            ticket: hint.ticket.as_str(),
            number: hint.number.as_str(),
            at: now,
            actor: Actor::stint(),
            because: json!({ "search": { "approval": hint.approval } }),
        };
        let made = insert_request(&mut transaction, &new).await?;
        transaction.commit().await?;
        Ok(made.map_or(Noticed::Known, Noticed::Made))
    }
}
