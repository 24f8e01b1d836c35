//! The history as the API shows it.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{Postgres, QueryBuilder, pool::PoolConnection};
use uuid::Uuid;

use super::{HistoryRead, Store, StoreError, audit, begin};
use crate::domain::{attempt::Attempt, audit::TimelineEntry, id::RequestId, request::Status};

/// JSON as the database keeps it: checked, and not taken apart.
pub type Json = sqlx::types::Json<Box<RawValue>>;

/// A request as its row holds it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described in the schema")]
pub struct Record {
    pub id: Uuid,
    pub connection: String,
    pub tenant: Option<String>,
    pub ticket_id: String,
    pub ticket_number: String,
    pub ticket_url: Option<String>,
    pub state: String,
    pub hold: Option<Json>,
    pub decision: Option<Json>,
    pub assignment: Option<Json>,
    pub end_order: Option<Json>,
    pub reasons: Option<Json>,
    pub failure: Option<Json>,
    pub snapshot: Option<Json>,
    pub snapshot_digest: Option<String>,
    pub received_at: Column,
    pub updated_at: Column,
    pub due_at: Option<Column>,
}

/// A connection on which one answer is read and put down. Two would be two servers' processes to wake for each page.
pub struct Reading(PoolConnection<Postgres>);

/// A record with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The request.
    pub record: Record,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Its notes, oldest first.
    pub notes: Vec<NoteRecord>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Other requests that held the same assignment for some of its time, oldest first.
    pub holders: Vec<HolderRecord>,
}

/// Another request that held the same assignment.
#[derive(Clone, Debug)]
pub struct HolderRecord {
    /// Its id.
    pub request: Uuid,
    /// Its ticket's number.
    pub ticket_number: String,
    /// Where it stands.
    pub state: String,
    /// From when it held it.
    pub starts_at: Timestamp,
    /// Until when its own approval lets it.
    pub ends_at: Timestamp,
}

/// A note as its row holds it.
#[derive(Clone, Debug)]
pub struct NoteRecord {
    /// Which step it tells.
    pub step: String,
    /// What it says.
    pub text: String,
    /// When the move was made.
    pub created_at: Timestamp,
    /// When the ticket took it.
    pub written_at: Option<Timestamp>,
    /// Tries begun.
    pub tries: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// Which records are asked for; what is `None` or empty does not filter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Tenants the caller may see; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible_tenants: Option<Vec<String>>,
    /// Only this principal's, as a requester sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Uuid>,
    /// One tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// One state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Object id, or part of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Catalog key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<String>,
    /// Ticket number or immutable id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// One connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Part of ticket number, principal's name, entitlement or tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

const COLUMNS: &str = "id, connection, tenant, ticket_id, ticket_number, ticket_url, state, hold, decision, assignment, \
                       end_order, reasons, failure, received_at, updated_at, due_at";

/// What a summary tells of a snapshot, which is large: only what no decision tells.
const UNDECIDED: &str = "case when decision is null and snapshot is not null then \
                         jsonb_build_object('basis', snapshot->'basis', 'duration', snapshot->'duration') end";

impl Store {
    /// A connection of the readers', for an answer that is read and put down on it.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn reading(&self) -> Result<Reading, StoreError> {
        Ok(Reading(self.readers.acquire().await?))
    }

    /// One request with all that belongs to it, if the filter's visibility allows; `None` otherwise.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn dossier(&self, id: RequestId, filter: &Filter) -> Result<Option<Dossier>, StoreError> {
        let mut transaction = begin(&self.readers).await?;
        // One snapshot for all reads, so that record, attempts and timeline tell the same moment.
        sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *transaction).await?;
        let mut query = QueryBuilder::<Postgres>::new("-- store::history::dossier\nselect ");
        query.push(COLUMNS).push(", snapshot, snapshot_digest from requests where id = ").push_bind(id.0);
        narrow(&mut query, filter);
        let Some(record) = query.build_query_as().fetch_optional(&mut *transaction).await? else {
            return Ok(None);
        };
        let attempts = super::attempts::of_request(&mut transaction, id).await?;
        let notes = notes(&mut transaction, id).await?;
        let timeline = timeline(&mut transaction, id).await?;
        let holders = holders(&mut transaction, id).await?;
        Ok(Some(Dossier { record, attempts, notes, timeline, holders }))
    }
}

impl Reading {
    /// One page of records, newest first, after the given (`received_at`, id).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &mut self,
        filter: &Filter,
        after: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut query = QueryBuilder::<Postgres>::new("-- store::history::list\nselect ");
        query.push(COLUMNS).push(", ").push(UNDECIDED).push(" as snapshot, snapshot_digest from requests where true");
        narrow(&mut query, filter);
        if let Some((received_at, id)) = after {
            query.push(" and (received_at, id) < (").push_bind(received_at.to_sqlx());
            query.push(", ").push_bind(id).push(")");
        }
        query.push(" order by received_at desc, id desc limit ").push_bind(i64::from(limit));
        Ok(query.build_query_as().fetch_all(&mut *self.0).await?)
    }

    /// Records that somebody read history. What was read may be given out once this returns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&mut self, read: &HistoryRead<'_>) -> Result<(), StoreError> {
        audit::note(&mut self.0, read).await
    }
}

/// Adds what the filter asks for to a query that ends in a condition.
pub(super) fn narrow(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    match filter.visible_tenants.as_deref() {
        None => {}
        // Written like this, the walk of an index is seen to be in the list's order.
        Some([tenant]) => {
            query.push(" and tenant = ").push_bind(tenant.clone());
        }
        Some(tenants) => {
            query.push(" and tenant = any(").push_bind(tenants.to_vec()).push(")");
        }
    }
    if let Some(own) = filter.own {
        query.push(" and principal_id = ").push_bind(own);
    }
    let exact = [
        (" and tenant = ", &filter.tenant),
        (" and entitlement_key = ", &filter.entitlement),
        (" and connection = ", &filter.connection),
    ];
    for (clause, value) in exact {
        if let Some(value) = value {
            query.push(clause).push_bind(value.clone());
        }
    }
    narrow_by_state(query, filter.status.as_deref());
    if let Some(ticket) = &filter.ticket {
        query.push(" and (ticket_number = ").push_bind(ticket.clone());
        query.push(" or ticket_id = ").push_bind(ticket.clone()).push(")");
    }
    narrow_by_person(query, filter.principal.as_deref());
    narrow_by_time(query, filter);
    if let Some(q) = &filter.q {
        let part = format!("%{}%", escape_like(q));
        query.push(" and (ticket_number ilike ").push_bind(part.clone());
        for column in ["principal_name", "entitlement_key", "tenant"] {
            query.push(" or ").push(column).push(" ilike ").push_bind(part.clone());
        }
        query.push(")");
    }
}

/// As a literal, which stands for no more than one of stint's own names: the index of rare states is only found by one.
fn narrow_by_state(query: &mut QueryBuilder<Postgres>, name: Option<&str>) {
    match name.map(Status::named) {
        None => {}
        Some(Some(status)) => {
            query.push(" and state = '").push(status.as_str()).push("'");
        }
        Some(None) => {
            query.push(" and false");
        }
    }
}

/// Narrows down to an object id, or to part of a name.
pub(super) fn narrow_by_person(query: &mut QueryBuilder<Postgres>, principal: Option<&str>) {
    match principal.map(|text| (text, text.parse::<Uuid>())) {
        Some((_, Ok(id))) => {
            query.push(" and principal_id = ").push_bind(id);
        }
        Some((name, Err(_))) => {
            query.push(" and principal_name ilike ").push_bind(format!("%{}%", escape_like(name)));
        }
        None => {}
    }
}

fn narrow_by_time(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if let Some(from) = filter.from {
        query.push(" and received_at >= ").push_bind(from.to_sqlx());
    }
    if let Some(to) = filter.to {
        query.push(" and received_at < ").push_bind(to.to_sqlx());
    }
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

async fn notes(connection: &mut sqlx::PgConnection, id: RequestId) -> Result<Vec<NoteRecord>, StoreError> {
    let rows = sqlx::query!(
        "-- store::history::notes\n\
         select step, text, created_at, written_at, tries, last_error from notes where request_id = $1 \
         order by created_at, step",
        id.0
    );
    let rows = rows.fetch_all(connection).await?;
    let note = rows.into_iter().map(|row| NoteRecord {
        step: row.step,
        text: row.text,
        created_at: row.created_at.to_jiff(),
        written_at: row.written_at.map(Column::to_jiff),
        tries: u32::try_from(row.tries).unwrap_or(0),
        last_error: row.last_error,
    });
    Ok(note.collect())
}

/// Who held the same thing at the same time: until its end was proved, or would come by its own approval.
async fn holders(connection: &mut sqlx::PgConnection, id: RequestId) -> Result<Vec<HolderRecord>, StoreError> {
    let rows = sqlx::query!(
        "-- store::history::holders\n\
         select other.id, other.ticket_number, other.state, \
         (other.assignment->>'starts_at')::timestamptz as \"starts_at!\", \
         (other.assignment->>'ends_at')::timestamptz as \"ends_at!\" \
         from requests one join requests other on other.tenant = one.tenant and other.principal_id = one.principal_id \
         and other.id <> one.id and other.assignment is not null \
         and other.decision->'entitlement'->'target' = one.decision->'entitlement'->'target' \
         and (other.assignment->>'starts_at')::timestamptz < least((one.assignment->>'ends_at')::timestamptz, \
         (one.end_order->>'confirmed_at')::timestamptz) \
         and least((other.assignment->>'ends_at')::timestamptz, (other.end_order->>'confirmed_at')::timestamptz) \
         > (one.assignment->>'starts_at')::timestamptz \
         where one.id = $1 and one.assignment is not null \
         order by other.assignment->>'starts_at', other.id",
        id.0
    );
    let rows = rows.fetch_all(connection).await?;
    let holder = rows.into_iter().map(|row| HolderRecord {
        request: row.id,
        ticket_number: row.ticket_number,
        state: row.state,
        starts_at: row.starts_at.to_jiff(),
        ends_at: row.ends_at.to_jiff(),
    });
    Ok(holder.collect())
}

async fn timeline(connection: &mut sqlx::PgConnection, id: RequestId) -> Result<Vec<TimelineEntry>, StoreError> {
    let rows = sqlx::query!(
        "-- store::history::timeline\n\
         select at, event, actor, detail as \"detail?\" from audit_events left join audit_details on event_id = id \
         where request_id = $1 and event <> 'history-read' order by id",
        id.0
    );
    let rows = rows.fetch_all(connection).await?;
    let entry = rows.into_iter().map(|row| TimelineEntry {
        at: row.at.to_jiff(),
        event: row.event,
        actor: row.actor,
        detail: row.detail.unwrap_or_default(),
    });
    Ok(entry.collect())
}
