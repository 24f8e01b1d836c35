//! Reading the audit log: in the order in which it was sealed, or all that concerns one request.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Store, StoreError, tree::index};
use crate::domain::{
    id::RequestId,
    proof::{EventRecord, ShownEvent},
};

/// A page looks at so many places of the log, at most, for events that fit its filter.
const LOOKED_THROUGH: i64 = 20_000;

/// Clocks of several stints may differ by so much at most, where a filter by time begins.
const CLOCKS_DIFFER: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// An event's record as its row holds it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct RecordRow {
    pub id: i64,
    pub at: Column,
    pub request_id: Option<Uuid>,
    pub connection: Option<String>,
    pub tenant: Option<String>,
    pub event: String,
    pub actor: String,
    pub state_from: Option<String>,
    pub state_to: Option<String>,
    pub detail_sha256: Vec<u8>,
}

impl RecordRow {
    /// As it is sealed.
    pub fn record(&self) -> EventRecord {
        EventRecord {
            actor: self.actor.clone(),
            at: self.at.to_jiff(),
            connection: self.connection.clone(),
            detail_sha256: hex::encode(&self.detail_sha256),
            event: self.event.clone(),
            id: self.id,
            request_id: self.request_id.map(RequestId),
            state_from: self.state_from.clone(),
            state_to: self.state_to.clone(),
            tenant: self.tenant.clone(),
        }
    }
}

#[derive(Debug, sqlx::FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    record: RecordRow,
    leaf_index: Option<i64>,
    detail: Option<Value>,
}

impl From<ShownRow> for ShownEvent {
    fn from(row: ShownRow) -> Self {
        let leaf_index = row.leaf_index.and_then(|leaf| u64::try_from(leaf).ok());
        Self { record: row.record.record(), leaf_index, detail: row.detail }
    }
}

/// Which events are asked for; what is `None` does not filter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventFilter {
    /// Tenants the caller may see; `None`: all, and what concerns no tenant.
    #[serde(skip)]
    pub visible_tenants: Option<Vec<String>>,
    /// One request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// One kind of event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// One tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Happened at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Happened before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Part of the log.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, in the order of the log.
    pub events: Vec<ShownEvent>,
    /// The last place that was looked at, behind which to look on; `None` at the end of the log.
    pub next: Option<u64>,
}

const SHOWN: &str = "select e.id, e.at, e.request_id, e.connection, e.tenant, e.event, e.actor, e.state_from, e.state_to, \
                     e.detail_sha256, l.leaf_index, d.detail";

/// Details are large, and only those of events that are shown are read.
const FITTING: &str = "select e.id, e.at, e.request_id, e.connection, e.tenant, e.event, e.actor, e.state_from, \
                       e.state_to, e.detail_sha256, l.leaf_index from looked_at l join audit_events e on e.id = l.event_id";

impl EventFilter {
    /// Whether every event fits.
    fn is_plain(&self) -> bool {
        let Self { visible_tenants, request, event, actor, tenant, from, to } = self;
        let one = [event, actor, tenant].into_iter().any(Option::is_some);
        !one && visible_tenants.is_none() && request.is_none() && from.is_none() && to.is_none()
    }
}

impl Store {
    /// The sealed events at these places, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_between(&self, from: u64, to: u64) -> Result<Vec<ShownEvent>, StoreError> {
        let mut query = QueryBuilder::<Postgres>::new("-- store::log::log_between\n");
        query.push(SHOWN).push(
            " from audit_leaves l join audit_events e on e.id = l.event_id \
             left join audit_details d on d.event_id = e.id where l.leaf_index >= ",
        );
        query.push_bind(index(from)).push(" and l.leaf_index < ").push_bind(index(to));
        query.push(" order by l.leaf_index");
        let rows: Vec<ShownRow> = query.build_query_as().fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(ShownEvent::from).collect())
    }

    /// All events of a request, oldest first, sealed or not, but for readings of history: who polls may not make it endless.
    /// Where facts of it may be gone, the newest event that says so is there as well.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_of_request(&self, request: RequestId) -> Result<Vec<ShownEvent>, StoreError> {
        let mut query = QueryBuilder::<Postgres>::new("-- store::log::log_of_request\n");
        query.push(SHOWN).push(
            " from audit_events e left join audit_leaves l on l.event_id = e.id \
             left join audit_details d on d.event_id = e.id where e.event <> 'history-read' and (e.request_id = ",
        );
        query.push_bind(request.0).push(
            " or e.id = (select s.event_id from audit_drops s where exists (select from audit_events o \
             where o.at < s.dropped_before and o.request_id = ",
        );
        query.push_bind(request.0).push(") order by s.dropped_before desc limit 1)) order by e.id");
        let rows: Vec<ShownRow> = query.build_query_as().fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(ShownEvent::from).collect())
    }

    /// A page of sealed events that fit, from the given place on. It may hold fewer than `limit`, even none, and not be the
    /// last: no page looks through more than a bounded part of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_page(&self, filter: &EventFilter, from: u64, limit: u32) -> Result<EventPage, StoreError> {
        let from = index(from).max(self.first_since(filter.from).await?);
        let mut query = QueryBuilder::<Postgres>::new("-- store::log::log_page\nwith looked_at as materialized (");
        match filter.request {
            // Those of one request are few, and found by its index.
            Some(request) => {
                query.push(
                    "select l.leaf_index, l.event_id from audit_events e join audit_leaves l on l.event_id = e.id \
                     where e.request_id = ",
                );
                query.push_bind(request.0).push(" and l.leaf_index >= ").push_bind(from);
            }
            None => {
                query.push("select leaf_index, event_id from audit_leaves where leaf_index >= ").push_bind(from);
            }
        }
        // Where everything fits, no more is looked at than is shown.
        let look_through = if filter.is_plain() { i64::from(limit) + 1 } else { LOOKED_THROUGH };
        query.push(" order by leaf_index limit ").push_bind(look_through);
        query.push("), fitting as (").push(FITTING).push(" where true");
        narrow(&mut query, filter);
        query.push(" order by l.leaf_index limit ").push_bind(i64::from(limit) + 1);
        query.push(
            ") select f.*, d.detail, (select max(leaf_index) from looked_at) as last, \
             (select count(*) from looked_at) as looked_through from (select 1) one left join fitting f on true \
             left join audit_details d on d.event_id = f.id order by f.leaf_index",
        );
        let rows: Vec<PageRow> = query.build_query_as().fetch_all(&self.readers).await?;
        Ok(page(rows, limit))
    }

    /// A place before which nothing is as new as this: a head's, that was sealed well before.
    async fn first_since(&self, from: Option<Timestamp>) -> Result<i64, StoreError> {
        let Some(from) = from.and_then(|from| from.checked_sub(CLOCKS_DIFFER).ok()) else { return Ok(0) };
        let size = sqlx::query_scalar!(
            "-- store::log::first_since\n\
             select tree_size from audit_checkpoints where sealed_at < $1 order by sealed_at desc limit 1",
            from.to_sqlx(),
        );
        Ok(size.fetch_optional(&self.readers).await?.unwrap_or(0))
    }
}

/// An event that fits, or nothing, and how far the page looked.
#[derive(Debug, sqlx::FromRow)]
struct PageRow {
    id: Option<i64>,
    at: Option<Column>,
    request_id: Option<Uuid>,
    connection: Option<String>,
    tenant: Option<String>,
    event: Option<String>,
    actor: Option<String>,
    state_from: Option<String>,
    state_to: Option<String>,
    detail_sha256: Option<Vec<u8>>,
    leaf_index: Option<i64>,
    detail: Option<Value>,
    last: Option<i64>,
    looked_through: i64,
}

impl PageRow {
    fn shown(self) -> Option<ShownEvent> {
        let record = RecordRow {
            id: self.id?,
            at: self.at?,
            request_id: self.request_id,
            connection: self.connection,
            tenant: self.tenant,
            event: self.event?,
            actor: self.actor?,
            state_from: self.state_from,
            state_to: self.state_to,
            detail_sha256: self.detail_sha256?,
        };
        Some(ShownRow { record, leaf_index: self.leaf_index, detail: self.detail }.into())
    }
}

fn page(rows: Vec<PageRow>, limit: u32) -> EventPage {
    let looked = rows.first().map_or((None, 0), |row| (row.last, row.looked_through));
    let mut events: Vec<_> = rows.into_iter().filter_map(PageRow::shown).collect();
    let more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let last_shown = events.last().and_then(|event| event.leaf_index);
    let last_looked_at = looked.0.and_then(|last| u64::try_from(last).ok()).filter(|_| looked.1 >= LOOKED_THROUGH);
    let next = if more { last_shown } else { last_looked_at };
    EventPage { events, next }
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &EventFilter) {
    if let Some(tenants) = &filter.visible_tenants {
        query.push(" and e.tenant = any(").push_bind(tenants.clone()).push(")");
    }
    let texts = [("event", &filter.event), ("actor", &filter.actor), ("tenant", &filter.tenant)];
    for (column, text) in texts {
        if let Some(text) = text {
            query.push(" and e.").push(column).push(" = ").push_bind(text.clone());
        }
    }
    if let Some(from) = filter.from {
        query.push(" and e.at >= ").push_bind(from.to_sqlx());
    }
    if let Some(to) = filter.to {
        query.push(" and e.at < ").push_bind(to.to_sqlx());
    }
}
