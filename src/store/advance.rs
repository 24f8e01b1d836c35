//! One move of a request's life: state, attempts, note, findings and audit events in one transaction.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Lease, Store, StoreError, begin,
    commit::{commit, heeding},
    deliveries::{NewRequest, insert_request},
    findings,
    moved::Move,
    requests::{self, Kept},
};
use crate::domain::{
    attempt::{Attempt, AttemptOutcome},
    audit::{Actor, AuditEvent},
    id::{ApprovalId, ConnectionName, TenantName, TicketNumber},
    lifecycle::{Event, apply},
    request::{EndOrder, Request, State},
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
    pub(super) fn may_be_lost(&self) -> bool {
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
    pub async fn advance(&self, lease: &Lease, change: Change) -> Result<Request, StoreError> {
        // What is planned from an outdated row is not written, and what cannot be is planned anew.
        let planned = lease.take_kept().and_then(|kept| plan(*kept, &change).ok()).filter(Move::is_alone);
        let written = match &planned {
            // One statement suffices for most moves. It changes nothing where somebody wrote to the row after it was read.
            Some(moved) => {
                let mut connection = self.pool.acquire().await?;
                heeding(moved.write(&mut connection, lease)).await?
            }
            None => None,
        };
        let (moved, version) = match planned.zip(written) {
            Some(done) => done,
            None => self.advance_locked(lease, &change).await?,
        };
        if change.keep_lease {
            lease.keep(moved.kept(version));
            lease.is_for(moved.tenant.as_deref());
        }
        let changed = matches!(change.event, Some(Event::Confirm(_))) || moved.is_last();
        if let Some(decision) = moved.before.state.decision().filter(|_| changed) {
            // After the commit, so that rows are never locked crosswise; what is not woken comes by itself, only later.
            let woken = self.wake_kin(moved.before.id, decision, change.now).await;
            woken
                .unwrap_or_else(|problem| tracing::warn!(request = %moved.before.id, %problem, "others are not woken"));
        }
        Ok(moved.after)
    }

    /// The same in a transaction of several statements, with the row locked.
    async fn advance_locked<'a>(&self, lease: &Lease, change: &'a Change) -> Result<(Move<'a>, String), StoreError> {
        let mut transaction = begin(&self.pool).await?;
        match make(&mut transaction, lease, change).await {
            Ok(moved) => {
                commit(transaction).await?;
                Ok(moved)
            }
            Err(error) => {
                // The row is free at once, not when somebody next uses the connection.
                transaction.rollback().await?;
                Err(error)
            }
        }
    }
}

async fn make<'a>(
    connection: &mut sqlx::PgConnection,
    lease: &Lease,
    change: &'a Change,
) -> Result<(Move<'a>, String), StoreError> {
    lock(connection, lease).await?;
    let moved = plan(requests::read(connection, lease).await?, change)?;
    let written = moved.write(connection, lease).await?.ok_or(StoreError::LeaseLost(lease.request))?;
    for finding in &change.findings {
        findings::raise(connection, &moved.about(), finding, change.now).await?;
    }
    if moved.is_last() {
        follow_up(connection, lease, change.now).await?;
    }
    Ok((moved, written))
}

/// What the change makes of the request in this row.
fn plan(kept: Kept, change: &Change) -> Result<Move<'_>, StoreError> {
    let Kept { request: before, version, tenant, snapshot_digest } = kept;
    if must_yield(before.end_requested.as_ref(), change.event.as_ref()) {
        return Err(StoreError::EndOrdered(before.id));
    }
    let state = match change.event.clone() {
        Some(event) => apply(before.state.clone(), event).map_err(|illegal| StoreError::Illegal(before.id, illegal))?,
        None => before.state.clone(),
    };
    let told = told(&before, change, state.status().is_terminal());
    // What was decided on stays as it was, the tenant first of all.
    let undecided = before.state.decision().is_none();
    let reading = change.reading.as_ref().filter(|_| undecided);
    let after = after(&before, state, change, reading, &told);
    let attempts: Vec<_> = told.into_iter().filter(|attempt| !before.attempts.contains(attempt)).collect();
    Ok(Move {
        tenant: reading.and_then(|r| r.tenant.as_ref()).map(|t| t.as_str().to_owned()).or(tenant),
        snapshot_digest: reading.map(|r| r.digest.clone()).or(snapshot_digest),
        reading,
        events: of_attempts(&before, &attempts, change.now)?,
        attempts,
        version,
        before,
        after,
        change,
    })
}

/// The request as the change leaves it.
fn after(before: &Request, state: State, change: &Change, reading: Option<&Reading>, told: &[Attempt]) -> Request {
    let moved = before.state.underlying().status() != state.underlying().status();
    let looked = change.event.is_some() || change.heard_until.is_some();
    let end_taken_up = matches!(change.event, Some(Event::End(_))) || state.status().is_terminal();
    Request {
        number: reading.map_or(&before.number, |reading| &reading.number).clone(),
        state_since: if moved { change.now } else { before.state_since },
        looks: if looked { 0 } else { before.looks.saturating_add(1) },
        attempts: attempts_after(before, told),
        end_requested: before.end_requested.clone().filter(|_| !end_taken_up),
        doubt: change.doubt.unwrap_or(before.doubt),
        state,
        ..before.clone()
    }
}

/// The request's attempts as the change leaves them, oldest first.
fn attempts_after(before: &Request, told: &[Attempt]) -> Vec<Attempt> {
    let mut attempts = before.attempts.clone();
    for changed in told {
        match attempts.iter_mut().find(|attempt| attempt.id == changed.id) {
            Some(attempt) => attempt.clone_from(changed),
            None => attempts.push(changed.clone()),
        }
    }
    attempts
}

/// Waits for whoever writes to the row, and keeps others from it.
async fn lock(connection: &mut sqlx::PgConnection, lease: &Lease) -> Result<(), StoreError> {
    let row = sqlx::query!("-- store::advance::lock\nselect from requests where id = $1 for update", lease.request.0);
    row.execute(connection).await?;
    Ok(())
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

/// The attempts that the change tells of. No attempt of a request that is over may keep others from its holding.
fn told(before: &Request, change: &Change, is_over: bool) -> Vec<Attempt> {
    let mut told = change.attempts.clone();
    if is_over {
        let left = before.attempts.iter().filter(|attempt| !change.attempts.iter().any(|told| told.id == attempt.id));
        told.extend(left.filter(|attempt| attempt.outcome == AttemptOutcome::Open).cloned());
        for attempt in told.iter_mut().filter(|attempt| attempt.outcome == AttemptOutcome::Open) {
            attempt.close(AttemptOutcome::Absent, None, change.now);
        }
    }
    told
}

/// What the log tells of the attempts that changed.
fn of_attempts(before: &Request, changed: &[Attempt], now: Timestamp) -> Result<Vec<AuditEvent>, StoreError> {
    let mut events = vec![];
    for attempt in changed {
        let event = match before.attempts.iter().find(|earlier| earlier.id == attempt.id) {
            None => "attempt-recorded",
            // Looks for it are only counted. All else that is learnt of a closed one, such as another outcome, is told anew:
            // what is shown of it must be what the log says.
            Some(earlier) if attempt.outcome != AttemptOutcome::Open && *attempt != counted_on(earlier, attempt) => {
                "attempt-closed"
            }
            Some(_) => continue,
        };
        let detail = requests::json(attempt)?;
        events.push(AuditEvent { at: now, event, actor: Actor::stint(), moved: None, detail });
    }
    Ok(events)
}

/// As it was, with the looks for it counted as they are now.
fn counted_on(earlier: &Attempt, now: &Attempt) -> Attempt {
    Attempt { absent_reads: now.absent_reads, last_absent_at: now.last_absent_at, ..earlier.clone() }
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
