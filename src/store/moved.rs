//! What a move leaves in the request's row, in the log and for the ticket: written by one statement.

use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Change, Lease, Reading, StoreError, attempts, audit,
    requests::{self, Kept},
};
use crate::domain::{
    attempt::Attempt,
    audit::{AuditEvent, digest, facts},
    in_force::{Span, span},
    note::{self, NewNote},
    request::{Assignment, Request, State, Status},
};

/// A change, and the request before and after it.
pub(super) struct Move<'a> {
    pub change: &'a Change,
    /// What is kept of the ticket as just read.
    pub reading: Option<&'a Reading>,
    pub before: Request,
    pub after: Request,
    /// Which version of the row `before` was read from.
    pub version: String,
    pub tenant: Option<String>,
    /// Digest of the ticket's snapshot.
    pub snapshot_digest: Option<String>,
    /// The attempts that changed, oldest first.
    pub attempts: Vec<Attempt>,
    /// What the log tells besides the move itself.
    pub events: Vec<AuditEvent>,
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

/// Events column by column; no two of a move have the same details.
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

impl Move<'_> {
    pub(super) fn about(&self) -> audit::About<'_> {
        audit::About {
            request: Some(self.before.id),
            connection: Some(self.before.connection.as_str()),
            tenant: self.tenant.as_deref(),
        }
    }

    /// Whether the request is over.
    pub(super) fn is_last(&self) -> bool {
        self.after.state.status().is_terminal()
    }

    /// Whether [`Self::write`] writes all of it.
    pub(super) fn is_alone(&self) -> bool {
        self.change.findings.is_empty() && !self.is_last()
    }

    /// The request as it stands afterwards, in this version of its row.
    pub(super) fn kept(&self, version: String) -> Kept {
        let (request, tenant) = (self.after.clone(), self.tenant.clone());
        Kept { request, version, tenant, snapshot_digest: self.snapshot_digest.clone() }
    }

    /// Writes row, attempts, events, and the note that tells of it; gives the row's new version. `None`, and nothing is
    /// written, when the lease is lost or the row is not the version any more that `before` was read from.
    ///
    /// # Errors
    /// [`StoreError::ApprovalUsed`], [`StoreError::HoldingBusy`]; when the database fails.
    pub(super) async fn write(
        &self,
        connection: &mut sqlx::PgConnection,
        lease: &Lease,
    ) -> Result<Option<String>, StoreError> {
        let Self { change, after, .. } = self;
        let events: Vec<_> = self.events.iter().cloned().chain(self.event()).collect();
        let events = Events::of(&events);
        let note = self.note();
        let parts = Parts::of(&after.state)?;
        let keeps = change.keep_lease && !self.is_last();
        let span = self.span();
        let reading = self.reading;
        let written = sqlx::query_scalar!(
            "-- store::moved::write\n\
             with unhurried as materialized (select set_config('synchronous_commit', \
             case when $43 then 'off' else current_setting('synchronous_commit') end, true) as set), \
             written as (update requests set state = $2, held_state = $3, hold = $4, decision = coalesce($5, decision), \
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
             where id = $1 and lease_token = $42 and concat(xmin, ' ', extract(epoch from updated_at)) = $44 \
             and (select set from unhurried) is not null \
             returning concat(xmin, ' ', extract(epoch from updated_at)) as version), \
             attempt as (insert into attempts (id, request_id, tenant, principal_id, target, kind, recorded_at, send_not_after, \
             duration_seconds, ends_at, outcome, code, http_status, graph_request_id, schedule_request_id, schedule_id, \
             closed_at, absent_reads, last_absent_at) \
             select new.id, new.request_id, new.tenant, new.principal_id, new.target, new.kind, new.recorded_at, \
             new.send_not_after, new.duration_seconds, new.ends_at, new.outcome, new.code, new.http_status, \
             new.graph_request_id, new.schedule_request_id, new.schedule_id, new.closed_at, new.absent_reads, \
             new.last_absent_at from jsonb_populate_recordset(null::attempts, $45) as new where exists (select from written) \
             on conflict (id) do update set outcome = excluded.outcome, code = excluded.code, \
             http_status = excluded.http_status, graph_request_id = excluded.graph_request_id, \
             schedule_request_id = excluded.schedule_request_id, schedule_id = excluded.schedule_id, \
             closed_at = excluded.closed_at, absent_reads = excluded.absent_reads, last_absent_at = excluded.last_absent_at), \
             event as (insert into audit_events \
             (at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256) \
             select at, $1, $30, $13, event, actor, state_from, state_to, digest \
             from unnest($31::timestamptz[], $32::text[], $33::text[], $34::text[], $35::text[], $36::bytea[]) \
             with ordinality as new (at, event, actor, state_from, state_to, digest, nth) where exists (select from written) \
             order by nth returning id, detail_sha256), \
             detail as (insert into audit_details (event_id, detail) select event.id, new.detail \
             from unnest($36::bytea[], $37::jsonb[]) as new (digest, detail) join event on event.detail_sha256 = new.digest), \
             pending as (insert into audit_pending (event_id) select id from event), \
             note as (insert into notes (request_id, step, text, created_at, due_at) \
             select $1, $38, $39, $19, $19 where $38::text is not null and exists (select from written) on conflict (request_id, step) do nothing) \
             select version as \"version!\" from written",
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
            reading.and_then(|r| r.url.as_deref()),
            reading.map(|r| &r.snapshot),
            reading.map(|r| r.digest.as_str()),
            change.now.to_sqlx(),
            after.state_since.to_sqlx(),
            i32::try_from(after.looks).unwrap_or(i32::MAX),
            (!self.is_last()).then(|| change.due_at.to_sqlx()) as Option<Column>,
            keeps.then_some(lease.token),
            keeps,
            after.end_requested.is_none(),
            after.doubt.as_ref().map(requests::json).transpose()?,
            change.heard_until.map(ToSqlx::to_sqlx) as Option<Column>,
            change.another_approval,
            change.approval.as_ref().map(|approval| approval.given_at.to_sqlx()) as Option<Column>,
            self.before.connection.as_str(),
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
            lease.token,
            change.may_be_lost(),
            self.version,
            self.rows()?,
        );
        written.fetch_optional(connection).await.map_err(|error| StoreError::of_request(error, lease.request))
    }

    /// The attempts that changed, as rows.
    fn rows(&self) -> Result<Value, StoreError> {
        let Some(decision) = self.after.state.decision().or(self.before.state.decision()) else { return Ok(json!([])) };
        let (request, holding) = (self.before.id, decision.holding());
        let row = |attempt| attempts::row(request, &decision.tenant, &holding, attempt);
        Ok(Value::Array(self.attempts.iter().map(row).collect::<Result<_, _>>()?))
    }

    /// What the log tells of the move itself.
    fn event(&self) -> Option<AuditEvent> {
        let event = self.change.event.as_ref()?;
        let mut detail = facts(event, &self.before.state, &self.after.state);
        // What was read without a decision is sealed with the move that followed from it.
        // A decision holds its own.
        if let Some(digest) = self.snapshot_digest.as_ref().filter(|_| self.before.state.decision().is_none()) {
            detail["snapshot_digest"] = json!(digest);
        }
        Some(AuditEvent {
            at: self.change.now,
            event: event.name(),
            actor: self.change.actor.clone(),
            moved: Some((Some(self.before.state.status()), self.after.state.status())),
            detail,
        })
    }

    /// What the ticket is told of it.
    fn note(&self) -> Option<NewNote> {
        let (before, after) = (&self.before, &self.after);
        note::for_move(before.id, &before.state, self.change.event.as_ref()?, &after.state, &after.attempts)
    }

    /// When the request's assignment may have been in force.
    fn span(&self) -> Option<Span> {
        let (before, after) = (&self.before.state, &self.after.state);
        let decision = after.decision().or(before.decision())?;
        let assignment = assignment_of(after).or(assignment_of(before));
        let gone_at = match after {
            State::Ended(order) => order.confirmed_at,
            _ => None,
        };
        span(after.underlying().status(), decision, assignment, &self.after.attempts, gone_at, self.change.now)
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
