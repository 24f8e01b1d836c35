//! Requests as rows: read whole, and told to end.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{Lease, Store, StoreError, attempts, audit, begin, commit::commit};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::{ConnectionName, EntitlementKey, RequestId, TenantName, TicketId, TicketNumber},
    request::{EndOrder, Request, State, Status},
};

/// What other requests about a ticket leave of its approvals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// When the newest approval that another one used up was given: what was asked for by then is no new approval,
    /// whatever id it has now.
    pub given_at: Option<Timestamp>,
    /// When somebody last revoked another one, or another one was withdrawn before it was known on which approval it
    /// rested: what was given by then does not come back.
    pub called_off_at: Option<Timestamp>,
}

/// What became of an order to end a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// It is recorded and due at once.
    Recorded,
    /// It is ending already, by an earlier order.
    Already,
    /// It is over.
    Over(Status),
    /// There is no such request.
    Unknown,
}

impl Store {
    /// The leased request as it stands now. A move under the lease is planned from this.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; when the database fails or the row does not hold what it must.
    pub async fn read(&self, lease: &Lease) -> Result<Request, StoreError> {
        let kept = read(&mut *self.pool.acquire().await?, lease).await?;
        let request = kept.request.clone();
        lease.keep(kept);
        Ok(request)
    }

    /// One request with its attempts; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the database fails or the row does not hold what it must.
    pub async fn load(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(load(&mut connection, &[id.0]).await?.pop())
    }

    /// Orders a request to end. The order outlives restarts and comes before whatever a running step would do next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order_end(&self, id: RequestId, actor: &Actor, order: &EndOrder) -> Result<Ordered, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let ordered = order_end_in(&mut transaction, id, actor, order).await?;
        commit(transaction).await?;
        Ok(ordered)
    }

    /// What other requests about a ticket leave of its approvals.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spent(
        &self,
        connection: &ConnectionName,
        ticket: &TicketId,
        other_than: RequestId,
    ) -> Result<Spent, StoreError> {
        let row = sqlx::query!(
            "-- store::requests::spent\n\
             select max(approval_given_at) as given_at, greatest(\
             max((end_order->>'ordered_at')::timestamptz) filter (where end_order->>'cause' = 'revoked'), \
             max(state_since) filter (where approval_id is null and state = 'ended' \
             and end_order->>'cause' in ('revoked', 'withdrawn'))) as called_off_at \
             from requests where connection = $1 and ticket_id = $2 and id <> $3",
            connection.as_str(),
            ticket.as_str(),
            other_than.0,
        );
        let row = row.fetch_one(&self.pool).await?;
        let moment = |column: Option<Column>| column.map(Column::to_jiff);
        Ok(Spent { given_at: moment(row.given_at), called_off_at: moment(row.called_off_at) })
    }

    /// How many other requests began to assign this entitlement since then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begun_since(
        &self,
        tenant: &TenantName,
        entitlement: &EntitlementKey,
        since: Timestamp,
        other_than: RequestId,
    ) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar!(
            "-- store::requests::begun_since\n\
             select count(distinct r.id) as \"count!\" from requests r join attempts a on a.request_id = r.id \
             where r.tenant = $1 and r.entitlement_key = $2 and a.kind in ('assign', 'update') and a.duration_seconds is not null \
             and (a.outcome <> 'not-sent' or a.code = 'covered') and a.tenant = $1 and a.recorded_at > $3 and r.id <> $4",
            tenant.as_str(),
            entitlement.as_str(),
            since.to_sqlx(),
            other_than.0,
        );
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// How many open requests stand in each state, and when the longest-waiting step fell due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backlog(&self) -> Result<(Vec<(Status, i64)>, Option<Timestamp>), StoreError> {
        let rows = sqlx::query!(
            "-- store::requests::backlog\n\
             select state, count(*) as \"count!\", min(due_at) as oldest from requests \
             where due_at is not null group by state"
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let oldest = rows.iter().filter_map(|row| row.oldest.map(Column::to_jiff)).min();
        let counts = rows.into_iter().filter_map(|row| Some((Status::named(&row.state)?, row.count)));
        Ok((counts.collect(), oldest))
    }
}

/// Orders a request to end, inside the caller's transaction.
pub(super) async fn order_end_in(
    connection: &mut sqlx::PgConnection,
    id: RequestId,
    actor: &Actor,
    order: &EndOrder,
) -> Result<Ordered, StoreError> {
    let row = sqlx::query!(
        "-- store::requests::order_end_in\n\
         select state, connection, tenant, coalesce((end_requested->>'remove')::boolean, false) as \"ordered!\", \
         coalesce((end_order->>'remove')::boolean, false) as \"removing!\" \
         from requests where id = $1 for update",
        id.0
    );
    let Some(row) = row.fetch_optional(&mut *connection).await? else {
        return Ok(Ordered::Unknown);
    };
    let status = status(id, &row.state)?;
    if status.is_terminal() {
        return Ok(Ordered::Over(status));
    }
    if row.ordered || row.removing {
        return Ok(Ordered::Already);
    }
    sqlx::query!(
        "-- store::requests::order_end_in\n\
         update requests set end_requested = $2, woken = true, due_at = $3, updated_at = $3 where id = $1",
        id.0,
        json(order)?,
        order.ordered_at.to_sqlx(),
    )
    .execute(&mut *connection)
    .await?;
    let (at, actor, detail) = (order.ordered_at, actor.clone(), json(order)?);
    let event = AuditEvent { at, event: "end-ordered", actor, moved: None, detail };
    let about = audit::About { request: Some(id), connection: Some(&row.connection), tenant: row.tenant.as_deref() };
    audit::append(connection, &about, &event).await?;
    Ok(Ordered::Recorded)
}

/// Requests with all of their attempts, by one statement: its name, its condition on `r`, and what that binds. The
/// version tells whether somebody has written to the row since, or a crash has undone what was written last: the number of
/// a transaction that it undid may be given to another one.
macro_rules! request_rows {
    ($name:literal, $condition:literal, $($bound:expr),+) => {
        sqlx::query_as!(
            $crate::store::requests::RequestRow,
            "-- store::" + $name + "\n\
             select id, connection, tenant, ticket_id, ticket_number, state, held_state, hold, decision, assignment, \
             end_order, reasons, failure, received_at, state_since, hinted_at, looks, end_requested, doubt, snapshot_digest, \
             concat(xmin, ' ', extract(epoch from updated_at)) as \"version!\", \
             (select jsonb_agg(to_jsonb(a) order by a.number) from attempts a where a.request_id = r.id) as attempts \
             from requests r where " + $condition,
            $($bound),+
        )
    };
}

/// What [`request_rows`] reads.
pub(super) struct RequestRow {
    pub id: Uuid,
    pub connection: String,
    pub tenant: Option<String>,
    pub ticket_id: String,
    pub ticket_number: String,
    pub state: String,
    pub held_state: Option<String>,
    pub hold: Option<Value>,
    pub decision: Option<Value>,
    pub assignment: Option<Value>,
    pub end_order: Option<Value>,
    pub reasons: Option<Value>,
    pub failure: Option<Value>,
    pub received_at: Column,
    pub state_since: Column,
    pub hinted_at: Column,
    pub looks: i32,
    pub end_requested: Option<Value>,
    pub doubt: Option<Value>,
    /// Digest of the ticket's snapshot.
    pub snapshot_digest: Option<String>,
    pub version: String,
    pub attempts: Option<Value>,
}

/// A request, and what else of its row a move is planned from.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub request: Request,
    /// Which version of the row this is.
    pub version: String,
    pub tenant: Option<String>,
    /// Digest of the ticket's snapshot.
    pub snapshot_digest: Option<String>,
}

pub(super) async fn load(connection: &mut sqlx::PgConnection, ids: &[Uuid]) -> Result<Vec<Request>, StoreError> {
    let rows = request_rows!("requests::load", "id = any($1) order by id", ids);
    rows.fetch_all(connection).await?.into_iter().map(RequestRow::request).collect()
}

/// The request, if the lease is still held.
pub(super) async fn read(connection: &mut sqlx::PgConnection, lease: &Lease) -> Result<Kept, StoreError> {
    let row = request_rows!("requests::read", "id = $1 and lease_token = $2", lease.request.0, lease.token);
    let mut row = row.fetch_optional(connection).await?.ok_or(StoreError::LeaseLost(lease.request))?;
    let (version, tenant) = (std::mem::take(&mut row.version), row.tenant.take());
    let snapshot_digest = row.snapshot_digest.take();
    Ok(Kept { request: row.request()?, version, tenant, snapshot_digest })
}

impl RequestRow {
    /// The request that this row holds.
    fn request(self) -> Result<Request, StoreError> {
        let (id, state) = (RequestId(self.id), self.state()?);
        let attempts: Vec<Value> = self.attempts.map_or(Ok(vec![]), |rows| parse(id, "attempts", &rows))?;
        Ok(Request {
            id,
            connection: ConnectionName::new(self.connection),
            ticket: TicketId::new(self.ticket_id),
            number: TicketNumber::new(self.ticket_number),
            received_at: self.received_at.to_jiff(),
            state,
            state_since: self.state_since.to_jiff(),
            hinted_at: self.hinted_at.to_jiff(),
            looks: u32::try_from(self.looks).unwrap_or(0),
            attempts: attempts.into_iter().map(|row| attempts::read(id, row)).collect::<Result<_, _>>()?,
            end_requested: self.end_requested.map(|order| parse(id, "end_requested", &order)).transpose()?,
            doubt: self.doubt.map(|doubt| parse(id, "doubt", &doubt)).transpose()?,
        })
    }

    /// The state its columns spell.
    fn state(&self) -> Result<State, StoreError> {
        let id = RequestId(self.id);
        let status = status(id, &self.state)?;
        if status != Status::Held {
            return self.named(status);
        }
        let hold = self.part("hold", self.hold.as_ref())?;
        let was = self.held_state.as_deref().unwrap_or_default();
        let was = status_named(id, "held_state", was)?;
        Ok(State::Held { hold, was: Box::new(self.named(was)?) })
    }

    fn named(&self, status: Status) -> Result<State, StoreError> {
        let decision = || self.part("decision", self.decision.as_ref());
        let end_order = || self.part("end_order", self.end_order.as_ref());
        let assignment = || self.part("assignment", self.assignment.as_ref());
        Ok(match status {
            Status::Received => State::Received,
            Status::Verifying => State::Verifying,
            Status::Approved => State::Approved(decision()?),
            Status::Assigning => State::Assigning(decision()?),
            Status::Active => State::Active(decision()?, assignment()?),
            Status::Ending => {
                let assignment = self.assignment.is_some().then(assignment).transpose()?;
                State::Ending(decision()?, assignment, end_order()?)
            }
            Status::Ended => State::Ended(end_order()?),
            Status::Rejected => State::Rejected(self.part("reasons", self.reasons.as_ref())?),
            Status::Failed => State::Failed(self.part("failure", self.failure.as_ref())?),
            Status::Held => {
                return Err(StoreError::bad("requests", "held_state", RequestId(self.id), "held twice"));
            }
        })
    }

    fn part<T: DeserializeOwned>(&self, column: &'static str, value: Option<&Value>) -> Result<T, StoreError> {
        let id = RequestId(self.id);
        parse(id, column, value.ok_or_else(|| StoreError::bad("requests", column, id, "missing"))?)
    }
}

pub(super) fn status(id: RequestId, name: &str) -> Result<Status, StoreError> {
    status_named(id, "state", name)
}

fn status_named(id: RequestId, column: &'static str, name: &str) -> Result<Status, StoreError> {
    Status::named(name).ok_or_else(|| StoreError::bad("requests", column, id, format!("unknown state {name:?}")))
}

pub(super) fn parse<T: DeserializeOwned>(id: RequestId, column: &'static str, value: &Value) -> Result<T, StoreError> {
    T::deserialize(value).map_err(|error| StoreError::bad("requests", column, id, error))
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::bad("requests", "json", "new", error))
}
