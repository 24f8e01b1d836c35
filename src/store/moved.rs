//! What a move leaves in the request's row, in the log and for the ticket: written by one statement.

use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Change, Lease, Reading, StoreError, audit, requests};
use crate::domain::{
    audit::{AuditEvent, digest, facts},
    in_force::{Span, span},
    note,
    request::{Assignment, Request, State, Status},
};

/// A request before and after a move, with what its row holds besides.
pub(super) struct Move {
    pub before: Request,
    pub after: Request,
    pub connection: String,
    pub tenant: Option<String>,
    /// Digest of the ticket snapshot beside it, while nothing is decided: a decision holds its own.
    pub snapshot_digest: Option<String>,
    /// The ticket as just read; what was decided on stays as it was.
    pub reading: Option<Reading>,
}

/// A state spread over its columns.
#[derive(Default)]
struct Parts {
    held_state: Option<&'static str>,
    hold: Option<Value>,
    decision: Option<Value>,
    assignment: Option<Value>,
    end_order: Option<Value>,
    reasons: Option<Value>,
    failure: Option<Value>,
    principal_id: Option<Uuid>,
    principal_name: Option<String>,
    entitlement_key: Option<String>,
}

/// Events column by column.
#[derive(Default)]
struct Events {
    at: Vec<Column>,
    names: Vec<String>,
    actors: Vec<String>,
    from: Vec<Option<String>>,
    to: Vec<Option<String>>,
    digests: Vec<Vec<u8>>,
    details: Vec<Value>,
}

impl Move {
    pub(super) fn about(&self) -> audit::About<'_> {
        audit::About {
            request: Some(self.before.id),
            connection: Some(&self.connection),
            tenant: self.tenant.as_deref(),
        }
    }

    /// Writes the row, these events followed by the move's own, and the note that tells of it.
    ///
    /// # Errors
    /// [`StoreError::ApprovalUsed`] when another request rests on the approval; when the database fails.
    pub(super) async fn write(
        &self,
        connection: &mut sqlx::PgConnection,
        lease: &Lease,
        change: &Change,
        mut events: Vec<AuditEvent>,
    ) -> Result<(), StoreError> {
        let Self { before, after, reading, .. } = self;
        events.extend(self.event(change));
        let events = Events::of(&events);
        let told = change.event.as_ref();
        let note =
            told.and_then(|event| note::for_move(before.id, &before.state, event, &after.state, &after.attempts));
        let parts = Parts::of(&after.state)?;
        let over = after.state.status().is_terminal();
        let keeps = change.keep_lease && !over;
        let span = self.span(change);
        sqlx::query!(
            "-- store::moved::write\n\
             with told as materialized (select nextval('audit_events_id_seq') as id, new.* from (\
             select * from unnest($31::timestamptz[], $32::text[], $33::text[], $34::text[], $35::text[], $36::bytea[], \
             $37::jsonb[]) with ordinality as new (at, event, actor, state_from, state_to, digest, detail, nth) order by nth) \
             as new), \
             event as (insert into audit_events \
             (id, at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256) overriding system value \
             select id, at, $1, $30, $13, event, actor, state_from, state_to, digest from told), \
             detail as (insert into audit_details (event_id, detail) select id, detail from told), \
             pending as (insert into audit_pending (event_id) select id from told), \
             note as (insert into notes (request_id, step, text, created_at, due_at) \
             select $1, $38, $39, $19, $19 where $38::text is not null on conflict (request_id, step) do nothing) \
             update requests set state = $2, held_state = $3, hold = $4, decision = coalesce($5, decision), \
             assignment = coalesce($6, assignment), end_order = coalesce($7, end_order), reasons = coalesce($8, reasons), \
             failure = coalesce($9, failure), principal_id = coalesce($10, principal_id), \
             principal_name = coalesce($11, principal_name), entitlement_key = coalesce($12, entitlement_key), \
             tenant = coalesce($13, tenant), approval_id = coalesce($14, approval_id), \
             ticket_number = $15, ticket_url = coalesce($16, ticket_url), \
             snapshot = coalesce($17, snapshot), snapshot_digest = coalesce($18, snapshot_digest), \
             updated_at = $19, state_since = $20, looks = $21, \
             due_at = case when $22::timestamptz is null then null when woken and not $24 then least($22, $19) else $22 end, \
             lease_token = $23, leased_until = case when $24 then leased_until end, \
             end_requested = case when $25 then null else end_requested end, doubt = $26, \
             hinted_approval = case when $28 then '' when hinted_at <= $27 then null else hinted_approval end, \
             approval_given_at = coalesce($29, approval_given_at), in_force_from = $40, in_force_until = $41 \
             where id = $1",
            lease.request.0,
            after.state.status().as_str(),
            parts.held_state,
            parts.hold,
            parts.decision,
            parts.assignment,
            parts.end_order,
            parts.reasons,
            parts.failure,
            parts.principal_id,
            parts.principal_name,
            parts.entitlement_key,
            self.tenant,
            change.approval.as_ref().map(|approval| approval.id.as_str()),
            after.number.as_str(),
            reading.as_ref().and_then(|r| r.url.as_deref()),
            reading.as_ref().map(|r| &r.snapshot),
            reading.as_ref().map(|r| r.digest.as_str()),
            change.now.to_sqlx(),
            after.state_since.to_sqlx(),
            i32::try_from(after.looks).unwrap_or(i32::MAX),
            (!over).then(|| change.due_at.to_sqlx()) as Option<Column>,
            keeps.then_some(lease.token),
            keeps,
            after.end_requested.is_none(),
            after.doubt.as_ref().map(requests::json).transpose()?,
            change.heard_until.map(ToSqlx::to_sqlx) as Option<Column>,
            change.another_approval,
            change.approval.as_ref().map(|approval| approval.given_at.to_sqlx()) as Option<Column>,
            self.connection,
            &events.at as &[Column],
            &events.names,
            &events.actors,
            &events.from as &[Option<String>],
            &events.to as &[Option<String>],
            &events.digests,
            &events.details,
            note.as_ref().map(|note| note.step) as Option<&str>,
            note.as_ref().map(|note| note.text.as_str()),
            span.map(|span| span.from.to_sqlx()) as Option<Column>,
            span.and_then(|span| span.until).map(ToSqlx::to_sqlx) as Option<Column>,
        )
        .execute(connection)
        .await
        .map_err(|error| StoreError::of_request(error, lease.request))?;
        Ok(())
    }

    /// What the log tells of the move itself.
    fn event(&self, change: &Change) -> Option<AuditEvent> {
        let event = change.event.as_ref()?;
        let mut detail = facts(event, &self.before.state, &self.after.state);
        // What was read without a decision is sealed with the move that followed from it.
        if let Some(digest) = &self.snapshot_digest {
            detail["snapshot_digest"] = json!(digest);
        }
        Some(AuditEvent {
            at: change.now,
            event: event.name(),
            actor: change.actor.clone(),
            moved: Some((Some(self.before.state.status()), self.after.state.status())),
            detail,
        })
    }

    /// When the request's assignment may have been in force.
    fn span(&self, change: &Change) -> Option<Span> {
        let (before, after) = (&self.before.state, &self.after.state);
        let decision = after.decision().or(before.decision())?;
        let assignment = assignment_of(after).or(assignment_of(before));
        let gone_at = match after {
            State::Ended(order) => order.confirmed_at,
            _ => None,
        };
        span(after.underlying().status(), decision, assignment, &self.after.attempts, gone_at, change.now)
    }
}

fn assignment_of(state: &State) -> Option<&Assignment> {
    match state.underlying() {
        State::Active(_, assignment) | State::Ending(_, Some(assignment), _) => Some(assignment),
        _ => None,
    }
}

impl Events {
    fn of(told: &[AuditEvent]) -> Self {
        let mut events = Self::default();
        for event in told {
            let state = |status: Status| status.as_str().to_owned();
            events.at.push(event.at.to_sqlx());
            events.names.push(event.event.to_owned());
            events.actors.push(event.actor.to_string());
            events.from.push(event.moved.and_then(|(from, _)| from).map(state));
            events.to.push(event.moved.map(|(_, to)| state(to)));
            events.digests.push(digest(&event.detail).to_vec());
            events.details.push(event.detail.clone());
        }
        events
    }
}

impl Parts {
    fn of(state: &State) -> Result<Self, StoreError> {
        let mut parts = Self::default();
        if let State::Held { hold, was } = state {
            parts.hold = Some(requests::json(hold)?);
            parts.held_state = Some(was.status().as_str());
        }
        if let Some(decision) = state.decision() {
            parts.decision = Some(requests::json(decision)?);
            parts.principal_id = Some(decision.principal.id.0);
            parts.principal_name = Some(decision.principal.name.clone());
            parts.entitlement_key = Some(decision.entitlement.key.to_string());
        }
        match state.underlying() {
            State::Active(_, assignment) => parts.assignment = Some(requests::json(assignment)?),
            State::Ending(_, assignment, order) => {
                parts.assignment = assignment.as_ref().map(requests::json).transpose()?;
                parts.end_order = Some(requests::json(order)?);
            }
            State::Ended(order) => parts.end_order = Some(requests::json(order)?),
            State::Rejected(reasons) => parts.reasons = Some(requests::json(reasons)?),
            State::Failed(failure) => parts.failure = Some(requests::json(failure)?),
            _ => {}
        }
        Ok(parts)
    }
}
