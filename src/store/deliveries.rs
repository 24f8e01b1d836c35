//! What a delivery means to the database: delivery, request and audit event in one transaction, or nothing.
//!
//! Here is how one is taken in alone. Those that wait together are written together (`intake.rs`), by the same rules.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Store, StoreError, audit, begin, commit::commit, told};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::{ApprovalId, ConnectionName, RequestId, TenantName},
    request::Status,
    ticket::{Hint, HintEvent},
};

/// A genuine delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The connection it was posted to.
    pub connection: ConnectionName,
    /// What a repeat of it carries too.
    pub key: String,
    /// Identifier, retry and flow headers.
    pub headers: Value,
    /// The raw bytes.
    pub body: Vec<u8>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it means.
    pub meant: Meant,
}

/// What a delivery means.
#[derive(Clone, Debug)]
pub enum Meant {
    /// Look at a ticket. The tenant is known where the connection serves one only.
    Look(Hint, Option<TenantName>),
    /// Genuine, and nothing for stint.
    Ignored(String),
    /// No ticket number of that system.
    Rejected(String),
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It belongs to this request.
    Request {
        /// Made by it, or joined by it.
        id: RequestId,
        /// The very delivery had been taken in before; nothing was changed.
        repeat: bool,
    },
    /// Recorded as not for stint.
    Ignored(String),
    /// Recorded as rejected.
    Rejected(String),
}

impl Delivery {
    /// The ticket to look at, where it means one.
    pub(super) fn hint(&self) -> Option<&Hint> {
        match &self.meant {
            Meant::Look(hint, _) => Some(hint),
            Meant::Ignored(_) | Meant::Rejected(_) => None,
        }
    }
}

impl Received {
    /// What a repeat of the same delivery is told.
    pub(super) fn repeated(self) -> Self {
        match self {
            Self::Request { id, .. } => Self::Request { id, repeat: true },
            other => other,
        }
    }

    /// As the row keeps it: request, outcome, and why it was not accepted.
    pub(super) fn columns(&self) -> (Option<Uuid>, &'static str, Option<&str>) {
        match self {
            Self::Request { id, .. } => (Some(id.0), "accepted", None),
            Self::Ignored(why) => (None, "ignored", Some(why)),
            Self::Rejected(why) => (None, "rejected", Some(why)),
        }
    }

    /// As an earlier delivery's row tells it.
    pub(super) fn of_row(request: Option<Uuid>, outcome: &str, detail: Option<String>) -> Self {
        let detail = detail.unwrap_or_default();
        match request {
            Some(id) => Self::Request { id: RequestId(id), repeat: true },
            None if outcome == "rejected" => Self::Rejected(detail),
            None => Self::Ignored(detail),
        }
    }
}

impl Store {
    /// Takes a delivery in, in a transaction of its own.
    pub(super) async fn receive_alone(&self, delivery: &Delivery) -> Result<Received, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let Some(row) = insert(&mut transaction, delivery).await? else {
            let received = earlier(&mut transaction, delivery).await?;
            // Its row may be there and not durable yet. The lock on it was written after it, so this commit covers both.
            commit(transaction).await?;
            return Ok(received);
        };
        let received = match &delivery.meant {
            Meant::Look(hint, tenant) => look(&mut transaction, delivery, hint, tenant.as_ref()).await?,
            Meant::Ignored(why) => Received::Ignored(why.clone()),
            Meant::Rejected(why) => Received::Rejected(why.clone()),
        };
        conclude(&mut transaction, row, delivery, &received).await?;
        commit(transaction).await?;
        Ok(received)
    }
}

/// What became of the delivery that this one repeats.
async fn earlier(connection: &mut sqlx::PgConnection, delivery: &Delivery) -> Result<Received, StoreError> {
    let row = sqlx::query!(
        "-- store::deliveries::earlier\n\
         select request_id, outcome, detail from deliveries where connection = $1 and delivery_key = $2 for update",
        delivery.connection.as_str(),
        delivery.key,
    );
    let row = row.fetch_one(connection).await?;
    Ok(Received::of_row(row.request_id, &row.outcome, row.detail))
}

/// The row's id, or `None` when the delivery is there already. A concurrent copy waits here for the first one's commit.
async fn insert(connection: &mut sqlx::PgConnection, delivery: &Delivery) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query_scalar!(
        "-- store::deliveries::insert\n\
         insert into deliveries (connection, delivery_key, outcome, detail, headers, body, received_at) \
         values ($1, $2, 'ignored', 'being taken in', $3, $4, $5) \
         on conflict (connection, delivery_key) do nothing returning id",
        delivery.connection.as_str(),
        delivery.key,
        delivery.headers,
        delivery.body,
        delivery.received_at.to_sqlx(),
    );
    Ok(row.fetch_optional(connection).await?)
}

async fn look(
    connection: &mut sqlx::PgConnection,
    delivery: &Delivery,
    hint: &Hint,
    tenant: Option<&TenantName>,
) -> Result<Received, StoreError> {
    if let Some(told) = &hint.told {
        told::keep(connection, &delivery.connection, told).await?;
    }
    if let Some(id) = wake_open(connection, &delivery.connection, hint, delivery.received_at).await? {
        return Ok(Received::Request { id, repeat: false });
    }
    if let Some(id) = answered_before(connection, &delivery.connection, hint).await? {
        return Ok(Received::Request { id, repeat: true });
    }
    if hint.event == HintEvent::Changed {
        return Ok(rests_on_nothing(hint));
    }
    if let Some(id) = insert_request(connection, &NewRequest::of(delivery, hint, tenant)).await? {
        return Ok(Received::Request { id, repeat: false });
    }
    // Another delivery about the same ticket made the request between the first look and the insert.
    let open = wake_open(connection, &delivery.connection, hint, delivery.received_at).await?;
    open.map(|id| Received::Request { id, repeat: false }).ok_or_else(|| StoreError::Database(sqlx::Error::RowNotFound))
}

/// The ticket's open request, made due at once if it still reads the ticket and waits for nothing but the ticket: what a
/// neighbour in trouble asked to wait for is not cut short by deliveries.
pub(super) async fn wake_open(
    connection: &mut sqlx::PgConnection,
    name: &ConnectionName,
    hint: &Hint,
    at: Timestamp,
) -> Result<Option<RequestId>, StoreError> {
    let id = sqlx::query_scalar!(
        "-- store::deliveries::wake_open\n\
         update requests set woken = true, hinted_at = $3, hinted_approval = case when $4::text is null then hinted_approval \
         when hinted_approval <> $4 then '' else $4 end, \
         due_at = case when coalesce(held_state, state) in ('received', 'verifying', 'approved', 'assigning', 'active') \
         and coalesce(hold->>'code', '') in ('', 'approval-pending', 'approval-unclear', 'field-hidden', 'ticket-moved') \
         then least(due_at, $3) else due_at end \
         where connection = $1 and ticket_id = $2 and state not in ('ended', 'rejected', 'failed') returning id",
        name.as_str(),
        hint.ticket.as_str(),
        at.to_sqlx(),
        mentioned(hint),
    );
    Ok(id.fetch_optional(connection).await?.map(RequestId))
}

/// What becomes of a change to a ticket that no open request is about.
pub(super) fn rests_on_nothing(hint: &Hint) -> Received {
    Received::Ignored(format!("no open request rests on {}", hint.number))
}

/// The approval that a delivery claims: empty when it claims one without naming it.
pub(super) fn mentioned(hint: &Hint) -> Option<&str> {
    let named = hint.approval.as_ref().map_or("", ApprovalId::as_str);
    (hint.event == HintEvent::Approved).then_some(named)
}

/// The request that used up the approval this delivery mentions.
pub(super) async fn answered_before(
    connection: &mut sqlx::PgConnection,
    name: &ConnectionName,
    hint: &Hint,
) -> Result<Option<RequestId>, StoreError> {
    let id = sqlx::query_scalar!(
        "-- store::deliveries::answered_before\n\
         select id from requests where connection = $1 and ticket_id = $2 and approval_id = $3",
        name.as_str(),
        hint.ticket.as_str(),
        hint.approval.as_ref().map(ApprovalId::as_str),
    );
    Ok(id.fetch_optional(connection).await?.map(RequestId))
}

/// A request about to be made.
pub(super) struct NewRequest<'a> {
    pub connection: &'a ConnectionName,
    pub tenant: Option<&'a str>,
    pub ticket: &'a str,
    pub number: &'a str,
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// What led to it, for the audit log.
    pub because: Value,
}

impl<'a> NewRequest<'a> {
    /// The request that a delivery makes.
    pub(super) fn of(delivery: &'a Delivery, hint: &'a Hint, tenant: Option<&'a TenantName>) -> Self {
        Self {
            connection: &delivery.connection,
            tenant: tenant.map(TenantName::as_str),
            ticket: hint.ticket.as_str(),
            number: hint.number.as_str(),
            at: delivery.received_at,
            actor: Actor::connection(&delivery.connection),
            because: json!({ "delivery": delivery.key }),
        }
    }

    /// What is appended to the audit log with it.
    pub(super) fn event(&self) -> AuditEvent {
        AuditEvent {
            at: self.at,
            event: "received",
            actor: self.actor.clone(),
            moved: Some((None, Status::Received)),
            detail: json!({ "ticket": { "id": self.ticket, "number": self.number }, "because": self.because }),
        }
    }
}

/// Makes a request with its audit event; `None` when the ticket has an open one.
pub(super) async fn insert_request(
    connection: &mut sqlx::PgConnection,
    new: &NewRequest<'_>,
) -> Result<Option<RequestId>, StoreError> {
    let id = RequestId(Uuid::now_v7());
    let made = sqlx::query!(
        "-- store::deliveries::insert_request\n\
         insert into requests (id, connection, tenant, ticket_id, ticket_number, state, received_at, updated_at, \
         state_since, hinted_at, due_at) values ($1, $2, $3, $4, $5, 'received', $6, $6, $6, $6, $6) \
         on conflict (connection, ticket_id) where state not in ('ended', 'rejected', 'failed') do nothing",
        id.0,
        new.connection.as_str(),
        new.tenant,
        new.ticket,
        new.number,
        new.at.to_sqlx(),
    );
    if made.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let about = audit::About { request: Some(id), connection: Some(new.connection.as_str()), tenant: new.tenant };
    audit::append(connection, &about, &new.event()).await?;
    Ok(Some(id))
}

async fn conclude(
    connection: &mut sqlx::PgConnection,
    row: i64,
    delivery: &Delivery,
    received: &Received,
) -> Result<(), StoreError> {
    let (request, outcome, detail) = received.columns();
    sqlx::query!(
        "-- store::deliveries::conclude\n\
         update deliveries set request_id = $2, outcome = $3, detail = $4 where id = $1",
        row,
        request,
        outcome,
        detail,
    )
    .execute(&mut *connection)
    .await?;
    if let Some(event) = refusal(delivery, received) {
        let about = audit::About { request: None, connection: Some(delivery.connection.as_str()), tenant: None };
        audit::append(connection, &about, &event).await?;
    }
    Ok(())
}

/// What is appended to the audit log about a delivery that is not accepted.
pub(super) fn refusal(delivery: &Delivery, received: &Received) -> Option<AuditEvent> {
    let (event, why) = match received {
        Received::Request { .. } => return None,
        Received::Ignored(why) => ("delivery-ignored", why),
        Received::Rejected(why) => ("delivery-rejected", why),
    };
    Some(AuditEvent {
        at: delivery.received_at,
        event,
        actor: Actor::connection(&delivery.connection),
        moved: None,
        detail: json!({ "delivery": delivery.key, "why": why }),
    })
}
