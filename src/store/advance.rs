//! One move of a request's life: state, attempts, note, findings and audit events in one transaction.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Lease, Store, StoreError, attempts, audit, begin,
    commit::commit,
    deliveries::{NewRequest, insert_request},
    findings, notes, requests,
};
use crate::domain::{
    attempt::{Attempt, AttemptOutcome},
    audit::{Actor, AuditEvent, facts},
    id::{ApprovalId, ConnectionName, TenantName, TicketNumber},
    in_force::{Span, span},
    lifecycle::{Event, apply},
    note,
    request::{Assignment, EndOrder, Request, State},
    withdrawal::Doubt,
};

/// What a step changes.
#[derive(Clone, Debug)]
pub struct Change {
    /// When, by stint's clock.
    pub now: Timestamp,
    /// The move; `None` when only attempts or the reading change.
    pub event: Option<Event>,
    /// Who makes it.
    pub actor: Actor,
    /// When the next step is due; meaningless for terminal states.
    pub due_at: Timestamp,
    /// Attempts made or changed, whole.
    pub attempts: Vec<Attempt>,
    /// The ticket as just read.
    pub reading: Option<Reading>,
    /// The approval that this request uses up.
    pub approval: Option<UsedApproval>,
    /// How the ticket is doubted, where this step read it: `Some(None)` says that it stands.
    pub doubt: Option<Option<Doubt>>,
    /// What deliveries said up to this moment is covered by what this step read.
    pub heard_until: Option<Timestamp>,
    /// The ticket shows an approval that is not this request's: another request is to look at it afterwards.
    pub another_approval: bool,
    /// What somebody must look at.
    pub findings: Vec<NewFinding>,
    /// Whether the lease is kept for a further step.
    pub keep_lease: bool,
}

/// An approval that a request uses up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedApproval {
    /// Its id.
    pub id: ApprovalId,
    /// When it was given or, where that is not told, asked for.
    pub given_at: Timestamp,
}

/// A ticket as read back, ready to be kept.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The tenant it is for, where the reading tells.
    pub tenant: Option<TenantName>,
    /// The number it has now.
    pub number: TicketNumber,
    /// Where a person opens it.
    pub url: Option<String>,
    /// The snapshot.
    pub snapshot: Value,
    /// Its digest.
    pub digest: String,
}

/// Something an auditor or operator must look at.
#[derive(Clone, Debug)]
pub struct NewFinding {
    /// Stable code.
    pub kind: &'static str,
    /// Its facts.
    pub detail: Value,
}

impl Change {
    /// A change that only says when to look again.
    #[must_use]
    pub fn later(now: Timestamp, due_at: Timestamp) -> Self {
        Self {
            now,
            event: None,
            actor: Actor::stint(),
            due_at,
            attempts: vec![],
            reading: None,
            approval: None,
            doubt: None,
            heard_until: None,
            another_approval: false,
            findings: vec![],
            keep_lease: false,
        }
    }

    /// Whether a crash of the database may undo it: the same step goes on at once and commits once more before anything is
    /// sent or told, which makes this one durable too. Whatever reads it meanwhile is committed after it.
    fn may_be_lost(&self) -> bool {
        self.keep_lease && self.attempts.is_empty() && matches!(self.event, Some(Event::Take | Event::Approve(_)))
    }

    /// A change that makes this move.
    #[must_use]
    pub fn to(event: Event, now: Timestamp, due_at: Timestamp) -> Self {
        Self { event: Some(event), ..Self::later(now, due_at) }
    }
}

impl Store {
    /// Makes one move, or none: returns the request as it then stands.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::ApprovalUsed`], [`StoreError::HoldingBusy`],
    /// [`StoreError::EndOrdered`] and [`StoreError::Illegal`] change nothing; after [`StoreError::Database`] it is
    /// unknown whether the move was made.
    pub async fn advance(&self, lease: &Lease, mut change: Change) -> Result<Request, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let held = lock(&mut transaction, lease, change.may_be_lost()).await?;
        let request = requests::load(&mut transaction, lease.request).await?;
        let before = request.ok_or(StoreError::LeaseLost(lease.request))?;
        if must_yield(before.end_requested.as_ref(), change.event.as_ref()) {
            return Err(StoreError::EndOrdered(before.id));
        }
        let after = step(&before, change.event.clone())?;
        if after.status().is_terminal() {
            close_what_is_open(&before, &mut change);
        }
        // What was decided on stays as it was, the tenant first of all.
        let undecided = change.reading.as_ref().filter(|_| before.state.decision().is_none());
        let tenant = undecided.and_then(|r| r.tenant.as_ref()).map(|t| t.as_str().to_owned());
        let digest = undecided.map(|r| r.digest.clone()).or(held.snapshot_digest);
        let snapshot_digest = digest.filter(|_| before.state.decision().is_none());
        let (tenant, connection) = (tenant.or(held.tenant), held.connection);
        let mut row = Row { tenant, connection, snapshot_digest, due_at: None };
        write_attempts(&mut transaction, &before, &after, &change, &row).await?;
        row.due_at = (!after.status().is_terminal()).then_some(change.due_at);
        write_request(&mut transaction, lease, &before, &after, &change, &row).await?;
        write_event(&mut transaction, &before, &after, &change, &row).await?;
        if after.status().is_terminal() {
            follow_up(&mut transaction, lease, change.now).await?;
        }
        let moved = requests::load(&mut transaction, lease.request).await?;
        commit(transaction).await?;
        let changed = after.status().is_terminal() || matches!(change.event, Some(Event::Confirm(_)));
        if let Some(decision) = before.state.decision().filter(|_| changed) {
            // After the commit, so that rows are never locked crosswise; what is not woken comes by itself, only later.
            let woken = self.wake_kin(before.id, decision, change.now).await;
            woken.unwrap_or_else(|problem| tracing::warn!(request = %before.id, %problem, "others are not woken"));
        }
        moved.ok_or(StoreError::LeaseLost(lease.request))
    }
}

struct Row {
    connection: String,
    tenant: Option<String>,
    due_at: Option<Timestamp>,
    /// Digest of the ticket snapshot beside it, while nothing is decided: a decision holds its own.
    snapshot_digest: Option<String>,
}

struct Held {
    connection: String,
    tenant: Option<String>,
    snapshot_digest: Option<String>,
    #[expect(dead_code, reason = "asked for what it sets")]
    unhurried: Option<String>,
}

/// Locks the row if the lease is still held, and says whether the commit waits for the disk.
async fn lock(connection: &mut sqlx::PgConnection, lease: &Lease, may_be_lost: bool) -> Result<Held, StoreError> {
    let row = sqlx::query_as!(
        Held,
        "-- store::advance::lock\n\
         select connection, tenant, snapshot_digest, \
         case when $3::boolean then set_config('synchronous_commit', 'off', true) end as unhurried \
         from requests where id = $1 and lease_token = $2 for update",
        lease.request.0,
        lease.token,
        may_be_lost,
    );
    row.fetch_optional(connection).await?.ok_or(StoreError::LeaseLost(lease.request))
}

/// Once somebody ordered the end, that order comes before every move towards access and before every other end.
fn must_yield(ordered: Option<&EndOrder>, event: Option<&Event>) -> bool {
    match (ordered, event) {
        (None, _) | (_, None) => false,
        (Some(ordered), Some(Event::End(order))) => ordered != order,
        (Some(_), Some(event)) => {
            matches!(event, Event::Take | Event::Approve(_) | Event::Begin(_) | Event::Confirm(_) | Event::Validated(_))
        }
    }
}

/// A delivery answered while the request was open may have told of an approval that no reading covered: a request of its
/// own goes and looks. One that was used already ends there without a word.
async fn follow_up(connection: &mut sqlx::PgConnection, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
    let row = sqlx::query!(
        "-- store::advance::follow_up\n\
         select connection, tenant, ticket_id, ticket_number from requests where id = $1 \
         and hinted_approval is not null and hinted_approval <> coalesce(approval_id, '-')",
        lease.request.0,
    );
    let Some(row) = row.fetch_optional(&mut *connection).await? else { return Ok(()) };
    let new = NewRequest {
        connection: &ConnectionName::new(row.connection),
        tenant: row.tenant.as_deref(),
        ticket: &row.ticket_id,
        number: &row.ticket_number,
        at: now,
        actor: Actor::stint(),
        because: json!({ "after": lease.request }),
    };
    insert_request(connection, &new).await?;
    Ok(())
}

/// No attempt of a request that is over may keep others from its holding.
fn close_what_is_open(before: &Request, change: &mut Change) {
    let now = change.now;
    let told: Vec<_> = change.attempts.iter().map(|attempt| attempt.id).collect();
    let left = before.attempts.iter().filter(|attempt| !told.contains(&attempt.id)).cloned();
    change.attempts.extend(left.filter(|attempt| attempt.outcome == AttemptOutcome::Open));
    for attempt in change.attempts.iter_mut().filter(|attempt| attempt.outcome == AttemptOutcome::Open) {
        attempt.close(AttemptOutcome::Absent, None, now);
    }
}

fn step(before: &Request, event: Option<Event>) -> Result<State, StoreError> {
    let Some(event) = event else {
        return Ok(before.state.clone());
    };
    apply(before.state.clone(), event).map_err(|illegal| StoreError::Illegal(before.id, illegal))
}

async fn write_attempts(
    connection: &mut sqlx::PgConnection,
    before: &Request,
    after: &State,
    change: &Change,
    row: &Row,
) -> Result<(), StoreError> {
    for attempt in &change.attempts {
        let earlier = before.attempts.iter().find(|a| a.id == attempt.id);
        let decision = after.decision().or(before.state.decision());
        let Some(decision) = decision.filter(|_| earlier != Some(attempt)) else {
            continue;
        };
        attempts::put(connection, before.id, decision, attempt).await?;
        let event = match earlier {
            None => "attempt-recorded",
            // Looks for it are only counted. All else that is learnt of a closed one, such as another outcome, is told anew:
            // what is shown of it must be what the log says.
            Some(earlier) if attempt.outcome != AttemptOutcome::Open && *attempt != counted_on(earlier, attempt) => {
                "attempt-closed"
            }
            Some(_) => continue,
        };
        let detail = requests::json(attempt)?;
        let event = AuditEvent { at: change.now, event, actor: Actor::stint(), moved: None, detail };
        append(connection, before, row, event).await?;
    }
    Ok(())
}

/// As it was, with the looks for it counted as they are now.
fn counted_on(earlier: &Attempt, now: &Attempt) -> Attempt {
    Attempt { absent_reads: now.absent_reads, last_absent_at: now.last_absent_at, ..earlier.clone() }
}

async fn write_request(
    connection: &mut sqlx::PgConnection,
    lease: &Lease,
    before: &Request,
    after: &State,
    change: &Change,
    row: &Row,
) -> Result<(), StoreError> {
    let parts = Parts::of(after)?;
    let moved = before.state.underlying().status() != after.underlying().status();
    let looks = if change.event.is_some() || change.heard_until.is_some() { 0 } else { before.looks + 1 };
    let doubt = change.doubt.unwrap_or(before.doubt).as_ref().map(requests::json).transpose()?;
    let (token, until) =
        if change.keep_lease && row.due_at.is_some() { (Some(lease.token), true) } else { (None, false) };
    // What was decided on stays as it was.
    let reading = change.reading.as_ref().filter(|_| before.state.decision().is_none());
    let span = span_after(before, after, change);
    sqlx::query!(
        "-- store::advance::write_request\n\
         update requests set state = $2, held_state = $3, hold = $4, decision = coalesce($5, decision), \
         assignment = coalesce($6, assignment), end_order = coalesce($7, end_order), reasons = coalesce($8, reasons), \
         failure = coalesce($9, failure), principal_id = coalesce($10, principal_id), \
         principal_name = coalesce($11, principal_name), entitlement_key = coalesce($12, entitlement_key), \
         tenant = coalesce($13, tenant), approval_id = coalesce($14, approval_id), \
         ticket_number = coalesce($15, ticket_number), ticket_url = coalesce($16, ticket_url), \
         snapshot = coalesce($17, snapshot), snapshot_digest = coalesce($18, snapshot_digest), \
         updated_at = $19, state_since = case when $20 then $19 else state_since end, looks = $21, \
         due_at = case when $22::timestamptz is null then null when woken and not $24 then least($22, $19) else $22 end, \
         lease_token = $23, leased_until = case when $24 then leased_until end, \
         end_requested = case when $25 then null else end_requested end, doubt = $26, \
         hinted_approval = case when $28 then '' when hinted_at <= $27 then null else hinted_approval end, \
         approval_given_at = coalesce($29, approval_given_at), in_force_from = $30, in_force_until = $31 \
         where id = $1",
        lease.request.0,
        after.status().as_str(),
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
        row.tenant,
        change.approval.as_ref().map(|approval| approval.id.as_str()),
        reading.map(|r| r.number.as_str()),
        reading.and_then(|r| r.url.as_deref()),
        reading.map(|r| &r.snapshot),
        reading.map(|r| r.digest.as_str()),
        change.now.to_sqlx(),
        moved,
        i32::try_from(looks).unwrap_or(i32::MAX),
        row.due_at.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        token,
        until,
        matches!(change.event, Some(Event::End(_))) || after.status().is_terminal(),
        doubt,
        change.heard_until.map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
        change.another_approval,
        change.approval.as_ref().map(|approval| approval.given_at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        span.map(|span| span.from.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        span.and_then(|span| span.until).map(ToSqlx::to_sqlx) as Option<jiff_sqlx::Timestamp>,
    )
    .execute(connection)
    .await
    .map_err(|error| StoreError::of_request(error, lease.request))?;
    Ok(())
}

async fn write_event(
    connection: &mut sqlx::PgConnection,
    before: &Request,
    after: &State,
    change: &Change,
    row: &Row,
) -> Result<(), StoreError> {
    for finding in &change.findings {
        findings::raise(connection, &about(before, row), finding, change.now).await?;
    }
    let Some(event) = &change.event else { return Ok(()) };
    if let Some(note) = note::for_move(before.id, &before.state, event, after, &attempts_after(before, change)) {
        notes::queue(connection, before.id, &note, change.now).await?;
    }
    let mut detail = facts(event, &before.state, after);
    // What was read without a decision is sealed with the move that followed from it.
    if let Some(digest) = &row.snapshot_digest {
        detail["snapshot_digest"] = json!(digest);
    }
    let event = AuditEvent {
        at: change.now,
        event: event.name(),
        actor: change.actor.clone(),
        moved: Some((Some(before.state.status()), after.status())),
        detail,
    };
    append(connection, before, row, event).await
}

/// The request's attempts as the change leaves them.
fn attempts_after(before: &Request, change: &Change) -> Vec<Attempt> {
    let kept = before.attempts.iter().filter(|a| change.attempts.iter().all(|changed| changed.id != a.id));
    kept.chain(&change.attempts).cloned().collect()
}

/// When the request's assignment may have been in force, as the change leaves it.
fn span_after(before: &Request, after: &State, change: &Change) -> Option<Span> {
    let decision = after.decision().or(before.state.decision())?;
    let assignment = assignment_of(after).or(assignment_of(&before.state));
    let gone_at = match after {
        State::Ended(order) => order.confirmed_at,
        _ => None,
    };
    let status = after.underlying().status();
    span(status, decision, assignment, &attempts_after(before, change), gone_at, change.now)
}

fn assignment_of(state: &State) -> Option<&Assignment> {
    match state.underlying() {
        State::Active(_, assignment) | State::Ending(_, Some(assignment), _) => Some(assignment),
        _ => None,
    }
}

async fn append(
    connection: &mut sqlx::PgConnection,
    before: &Request,
    row: &Row,
    event: AuditEvent,
) -> Result<(), StoreError> {
    audit::append(connection, &about(before, row), &event).await
}

fn about<'a>(before: &Request, row: &'a Row) -> audit::About<'a> {
    audit::About { request: Some(before.id), connection: Some(&row.connection), tenant: row.tenant.as_deref() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{audit::Actor, request::EndCause};

    #[test]
    fn everything_but_the_order_itself_yields_to_an_order_to_end() {
        let order = EndOrder {
            cause: EndCause::Revoked,
            ordered_at: Timestamp::UNIX_EPOCH,
            actor: Actor::stint(),
            reason: "enough".into(),
            remove: true,
            confirmed_at: None,
            continued_by: vec![],
        };
        let own = EndOrder { cause: EndCause::Expired, ..order.clone() };
        assert!(must_yield(Some(&order), Some(&Event::Take)));
        assert!(must_yield(Some(&order), Some(&Event::End(own))));
        assert!(!must_yield(Some(&order), Some(&Event::End(order.clone()))));
        assert!(!must_yield(Some(&order), Some(&Event::Resume)));
        assert!(!must_yield(Some(&order), None));
        assert!(!must_yield(None, Some(&Event::Take)));
    }
}
