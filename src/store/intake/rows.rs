//! Everything that a group writes, column by column, and the one statement that writes it.

use std::collections::HashSet;

use jiff_sqlx::{Timestamp, ToSqlx};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    super::{
        StoreError, commit,
        deliveries::{Delivery, NewRequest, Received, mentioned, refusal},
        told,
    },
    plan::Plan,
};
use crate::domain::{
    audit::{AuditEvent, digest},
    id::RequestId,
    request::Status,
    ticket::{Hint, Told},
};

/// What is written.
#[derive(Default)]
pub(super) struct Rows {
    requests: Requests,
    hints: Hints,
    told: ToldTickets,
    deliveries: Deliveries,
    events: Events,
}

/// New requests.
#[derive(Default)]
struct Requests {
    ids: Vec<Uuid>,
    connections: Vec<String>,
    tenants: Vec<Option<String>>,
    tickets: Vec<String>,
    numbers: Vec<String>,
    at: Vec<Timestamp>,
}

/// What open requests are told.
#[derive(Default)]
struct Hints {
    requests: Vec<Uuid>,
    at: Vec<Timestamp>,
    mentioned: Vec<Option<String>>,
}

#[derive(Default)]
struct ToldTickets {
    connections: Vec<String>,
    ids: Vec<String>,
    tickets: Vec<Value>,
    at: Vec<Timestamp>,
}

#[derive(Default)]
struct Deliveries {
    connections: Vec<String>,
    keys: Vec<String>,
    requests: Vec<Option<Uuid>>,
    outcomes: Vec<String>,
    details: Vec<Option<String>>,
    headers: Vec<Value>,
    bodies: Vec<Vec<u8>>,
    at: Vec<Timestamp>,
}

/// Audit events, told apart by connection and digest: each tells of a delivery's key.
#[derive(Default)]
struct Events {
    at: Vec<Timestamp>,
    requests: Vec<Option<Uuid>>,
    connections: Vec<String>,
    tenants: Vec<Option<String>>,
    names: Vec<String>,
    actors: Vec<String>,
    states: Vec<Option<String>>,
    digests: Vec<Vec<u8>>,
    details: Vec<Value>,
}

impl Rows {
    /// What these plans write.
    ///
    /// # Errors
    /// When a told ticket has no form in which it can be kept.
    pub(super) fn of<'a, 'b: 'a>(
        planned: impl Iterator<Item = (&'a Delivery, &'a Plan<'b>)>,
    ) -> Result<Self, StoreError> {
        // Two groups that want the same keys take them in the same order.
        let mut planned: Vec<_> = planned.collect();
        planned.sort_by_key(|(delivery, _)| (&delivery.connection, delivery.hint().map(|hint| hint.ticket.as_str())));
        let mut rows = Self::default();
        for (delivery, plan) in planned {
            rows.add(delivery, plan)?;
        }
        Ok(rows)
    }

    fn add(&mut self, delivery: &Delivery, plan: &Plan<'_>) -> Result<(), StoreError> {
        let received = match plan {
            Plan::Repeat => return Ok(()),
            Plan::Keep(received) => received.clone(),
            Plan::Make(id, _) | Plan::Join(id, _) => Received::Request { id: *id, repeat: false },
        };
        if let Some(told) = delivery.hint().and_then(|hint| hint.told.as_ref()) {
            self.told.add(delivery, told)?;
        }
        match plan {
            Plan::Make(id, new) => {
                self.requests.add(*id, new);
                self.events.add((Some(*id), new.tenant), delivery, &new.event());
            }
            Plan::Join(id, hint) => self.hints.add(*id, hint, delivery),
            Plan::Repeat | Plan::Keep(_) => {}
        }
        if let Some(event) = refusal(delivery, &received) {
            self.events.add((None, None), delivery, &event);
        }
        self.deliveries.add(delivery, &received);
        Ok(())
    }

    /// Writes it, and says which requests were joined: what would have joined another one is left out.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub(super) async fn write(self, connection: &mut PgConnection) -> Result<HashSet<Uuid>, StoreError> {
        let Self { requests, hints, told, deliveries, events } = self;
        let joined = sqlx::query_scalar!(
            "-- store::intake::write\n\
             with made as (insert into requests (id, connection, tenant, ticket_id, ticket_number, state, received_at, \
             updated_at, state_since, hinted_at, due_at) \
             select id, connection, tenant, ticket, number, 'received', at, at, at, at, at \
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) \
             as new (id, connection, tenant, ticket, number, at)), \
             told as (insert into told_tickets (connection, ticket_id, ticket, told_at) \
             select connection, id, ticket, at from unnest($7::text[], $8::text[], $9::jsonb[], $10::timestamptz[]) \
             as new (connection, id, ticket, at) \
             on conflict (connection, ticket_id) do update set ticket = excluded.ticket, told_at = excluded.told_at \
             where told_tickets.told_at < excluded.told_at \
             or (told_tickets.told_at = excluded.told_at and excluded.ticket->>'standing' = 'closed')), \
             hint as (select id, at, mentioned from unnest($11::uuid[], $12::timestamptz[], $13::text[]) \
             as hint (id, at, mentioned)), \
             free as (select id from requests where id = any($11) and state not in ('ended', 'rejected', 'failed') \
             for update skip locked), \
             woken as (update requests set woken = true, hinted_at = hint.at, \
             hinted_approval = case when hint.mentioned is null then hinted_approval \
             when hinted_approval <> hint.mentioned then '' else hint.mentioned end, \
             due_at = case when coalesce(held_state, state) in ('received', 'verifying', 'approved', 'assigning', 'active') \
             and coalesce(hold->>'code', '') in ('', 'approval-pending', 'approval-unclear', 'field-hidden', 'ticket-moved') \
             then least(due_at, hint.at) else due_at end \
             from hint join free using (id) where requests.id = hint.id returning requests.id), \
             taken as (insert into deliveries \
             (connection, delivery_key, request_id, outcome, detail, headers, body, received_at) \
             select connection, key, request, outcome, detail, headers, body, at \
             from unnest($14::text[], $15::text[], $16::uuid[], $17::text[], $18::text[], $19::jsonb[], $20::bytea[], \
             $21::timestamptz[]) as new (connection, key, request, outcome, detail, headers, body, at) \
             where request is null or request <> all($11) or request in (select id from woken)), \
             event as (insert into audit_events (at, request_id, connection, tenant, event, actor, state_to, detail_sha256) \
             select at, request, connection, tenant, event, actor, state, digest from unnest($22::timestamptz[], $23::uuid[], \
             $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::bytea[]) \
             as new (at, request, connection, tenant, event, actor, state, digest) \
             returning id, connection, detail_sha256), \
             detail as (insert into audit_details (event_id, detail) select event.id, new.detail \
             from unnest($24::text[], $29::bytea[], $30::jsonb[]) as new (connection, digest, detail) \
             join event on event.connection = new.connection and event.detail_sha256 = new.digest), \
             pending as (insert into audit_pending (event_id) select id from event) \
             select id from woken",
            &requests.ids,
            &requests.connections,
            &requests.tenants as &[Option<String>],
            &requests.tickets,
            &requests.numbers,
            &requests.at as &[Timestamp],
            &told.connections,
            &told.ids,
            &told.tickets,
            &told.at as &[Timestamp],
            &hints.requests,
            &hints.at as &[Timestamp],
            &hints.mentioned as &[Option<String>],
            &deliveries.connections,
            &deliveries.keys,
            &deliveries.requests as &[Option<Uuid>],
            &deliveries.outcomes,
            &deliveries.details as &[Option<String>],
            &deliveries.headers,
            &deliveries.bodies,
            &deliveries.at as &[Timestamp],
            &events.at as &[Timestamp],
            &events.requests as &[Option<Uuid>],
            &events.connections,
            &events.tenants as &[Option<String>],
            &events.names,
            &events.actors,
            &events.states as &[Option<String>],
            &events.digests,
            &events.details,
        );
        Ok(commit::heeding(joined.fetch_all(connection)).await?.into_iter().collect())
    }
}

impl Requests {
    fn add(&mut self, id: RequestId, new: &NewRequest<'_>) {
        self.ids.push(id.0);
        self.connections.push(new.connection.to_string());
        self.tenants.push(new.tenant.map(str::to_owned));
        self.tickets.push(new.ticket.to_owned());
        self.numbers.push(new.number.to_owned());
        self.at.push(new.at.to_sqlx());
    }
}

impl Hints {
    fn add(&mut self, id: RequestId, hint: &Hint, delivery: &Delivery) {
        self.requests.push(id.0);
        self.at.push(delivery.received_at.to_sqlx());
        self.mentioned.push(mentioned(hint).map(str::to_owned));
    }
}

impl ToldTickets {
    fn add(&mut self, delivery: &Delivery, told: &Told) -> Result<(), StoreError> {
        self.tickets.push(told::document(told)?);
        self.connections.push(delivery.connection.to_string());
        self.ids.push(told.ticket.id.to_string());
        self.at.push(told.at.to_sqlx());
        Ok(())
    }
}

impl Deliveries {
    fn add(&mut self, delivery: &Delivery, received: &Received) {
        let (request, outcome, detail) = received.columns();
        self.connections.push(delivery.connection.to_string());
        self.keys.push(delivery.key.clone());
        self.requests.push(request);
        self.outcomes.push(outcome.to_owned());
        self.details.push(detail.map(str::to_owned));
        self.headers.push(delivery.headers.clone());
        self.bodies.push(delivery.body.clone());
        self.at.push(delivery.received_at.to_sqlx());
    }
}

impl Events {
    fn add(&mut self, (request, tenant): (Option<RequestId>, Option<&str>), delivery: &Delivery, event: &AuditEvent) {
        self.at.push(event.at.to_sqlx());
        self.requests.push(request.map(|id| id.0));
        self.connections.push(delivery.connection.to_string());
        self.tenants.push(tenant.map(str::to_owned));
        self.names.push(event.event.to_owned());
        self.actors.push(event.actor.to_string());
        self.states.push(event.moved.map(|(_, to)| Status::as_str(to).to_owned()));
        self.digests.push(digest(&event.detail).to_vec());
        self.details.push(event.detail.clone());
    }
}
