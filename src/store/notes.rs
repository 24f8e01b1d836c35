//! Notes for tickets: queued with the move they tell, written once.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::id::{ConnectionName, RequestId, TicketId};

/// A note whose turn it is, with the right to write it.
#[derive(Debug)]
pub struct DueNote {
    /// Drawn with it: under any other token no row changes.
    pub token: Uuid,
    /// The request it tells about.
    pub request: RequestId,
    /// Which step of its life.
    pub step: String,
    /// Which connection's ticket.
    pub connection: ConnectionName,
    /// The ticket.
    pub ticket: TicketId,
    /// What it says.
    pub text: String,
    /// Tries begun, this one included; above one, the ticket may have it already.
    pub tries: u32,
    /// When the move was made.
    pub created_at: Timestamp,
}

/// How a try came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteResult {
    /// The ticket has it.
    Written,
    /// Another try is due then.
    Later(Timestamp, String),
    /// No further try.
    GivenUp(String),
}

impl Store {
    /// Takes up to `limit` notes that are due, no more than `per_connection` in work for one connection at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_notes(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
        per_connection: u32,
    ) -> Result<Vec<DueNote>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            "-- store::notes::lease_notes\n\
             with busy as (select r.connection, count(*) as leased from notes n join requests r on r.id = n.request_id \
             where n.leased_until > $1 group by r.connection), \
             capped as (select n.request_id, n.step, n.due_at, row_number() over (partition by r.connection order by n.due_at) \
             + coalesce(leased, 0) as of_connection from notes n join requests r on r.id = n.request_id \
             left join busy using (connection) where n.due_at <= $1 and (n.leased_until is null or n.leased_until <= $1)), \
             due as (select request_id, step from notes where (request_id, step) in \
             (select request_id, step from capped where of_connection <= $4 order by due_at limit $3) and due_at <= $1 \
             and (leased_until is null or leased_until <= $1) for update skip locked), \
             leased as (update notes n set lease_token = gen_random_uuid(), leased_until = $2, tries = tries + 1 \
             from due where n.request_id = due.request_id and n.step = due.step returning n.*) \
             select l.request_id, l.step, l.text, l.tries, l.created_at, l.lease_token as \"token!\", r.connection, r.ticket_id \
             from leased l join requests r on r.id = l.request_id",
            now.to_sqlx(),
            until.to_sqlx(),
            i64::from(limit),
            i64::from(per_connection),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let note = |row: Row| DueNote {
            token: row.token,
            request: RequestId(row.request_id),
            step: row.step,
            connection: ConnectionName::new(row.connection),
            ticket: TicketId::new(row.ticket_id),
            text: row.text,
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            created_at: row.created_at.to_jiff(),
        };
        Ok(rows.into_iter().map(note).collect())
    }

    /// Records how a try came out; a lapsed lease changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn conclude_note(&self, note: &DueNote, result: &NoteResult, now: Timestamp) -> Result<(), StoreError> {
        let (written, due, error) = match result {
            NoteResult::Written => (Some(now), None, None),
            NoteResult::Later(due, why) => (None, Some(*due), Some(why.as_str())),
            NoteResult::GivenUp(why) => (None, None, Some(why.as_str())),
        };
        sqlx::query!(
            "-- store::notes::conclude_note\n\
             update notes set written_at = $4, due_at = $5, last_error = $6, lease_token = null, leased_until = null \
             where request_id = $1 and step = $2 and lease_token = $3",
            note.request.0,
            note.step,
            note.token,
            written.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
            due.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

struct Row {
    request_id: Uuid,
    step: String,
    text: String,
    tries: i32,
    created_at: jiff_sqlx::Timestamp,
    token: Uuid,
    connection: String,
    ticket_id: String,
}
