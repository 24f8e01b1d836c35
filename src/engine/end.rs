//! The end of an assignment: by its own time, or brought about early; proved by reading either way.

use std::time::Duration as Wait;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{
    Engine, Tenant,
    assign::justification,
    confirm::IN_FORCE_WITHIN,
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Answer, Instance, Progress, RemoveOrder, ScheduleRequest},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        lifecycle::Event,
        request::{Assignment, Decision, EndCause, EndOrder, Hold, Request},
        sight::{Seen, judge},
    },
    graph::{Sent, Way},
    store::{Change, Lease, NewFinding, StoreError},
};

/// Absence this long after the end is proof by itself (`contracts/graph.md` §2.7).
const PROOF_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Reads may lag by two minutes; what is still there after this long is really there.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(3);

/// PIM refuses to remove a younger assignment; with a margin for its clock.
pub(super) const REMOVABLE_AFTER: SignedDuration = SignedDuration::from_secs(5 * 60 + 15);

/// A removal that was refused for now is repeated after this long at the earliest, if the assignment still shows.
const REMOVE_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// A schedule request that is not in force yet is told to cancel this often.
const CANCEL_TRIES: usize = 3;

impl Engine {
    /// Marks that the assignment's time is over; whether it is gone is proved next.
    pub(super) fn expire(&self, assignment: &Assignment) -> Change {
        let now = self.clock.now();
        if now < assignment.ends_at {
            return Change::later(now, assignment.ends_at);
        }
        let order = EndOrder::by_stint(EndCause::Expired, "its time is over", false, assignment.ends_at);
        Change::to(Event::End(order), now, assignment.ends_at + PROOF_AFTER)
    }

    /// Removes what is to be removed, and proves that nothing is left.
    pub(super) async fn end(
        &self,
        lease: &Lease,
        request: &Request,
        decision: &Decision,
        assignment: Option<&Assignment>,
        order: &EndOrder,
    ) -> Result<Change, StoreError> {
        let tenant = match self.tenant(request, decision) {
            Ok(tenant) => tenant,
            Err(change) => return Ok(*change),
        };
        let sighting = match self.look(tenant, request, decision).await {
            Ok(sighting) => sighting,
            Err(change) => return Ok(*change),
        };
        let now = self.clock.now();
        let seen = judge(&sighting, request.id, &request.attempts);
        let shows = matches!(seen, Seen::InForce { .. });
        let change = match seen {
            // One of the two rows is stale; a removal would take whichever is real.
            Seen::InForce { contested: true, instance, .. } => Ok(contested(request, &instance, order, now)),
            Seen::InForce { instance, .. } if order.remove => {
                self.remove(lease, tenant, request, decision, &instance).await
            }
            Seen::InForce { instance, .. } => Ok(overdue(request, &instance, assignment, order, now)),
            // What was in force once does not start again.
            Seen::Known(schedule_request) if assignment.is_none() && may_still_start(&schedule_request) => {
                self.cancel(lease, tenant, request, decision, &schedule_request).await
            }
            Seen::Known(_) => Ok(absent(request, assignment, order, started_by_now(request), now)),
            _ => Ok(absent(request, assignment, order, Timestamp::MIN, now)),
        };
        change.map(|change| if shows { forget_absence(request, change) } else { change })
    }

    async fn remove(
        &self,
        lease: &Lease,
        tenant: &Tenant,
        request: &Request,
        decision: &Decision,
        instance: &Instance,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        let allowed = instance.starts_at.map_or(now, |start| start + REMOVABLE_AFTER);
        if now < allowed {
            return Ok(go_on(request, now, allowed));
        }
        if let Err(change) = self.may_send(tenant, request, decision, Way::Remove) {
            return Ok(*change);
        }
        let Some((attempt, request)) = self.record(lease, request, AttemptKind::Remove).await? else {
            return Ok(go_on(request, now, now + REMOVE_AGAIN));
        };
        let order =
            RemoveOrder { holding: decision.holding(), justification: justification(&request), call_id: attempt.id.0 };
        let sent = tenant.graph.remove(&order, self.clock.monotonic() + Wait::from_secs(5)).await;
        Ok(removed(&request, attempt, sent, self.clock.now()))
    }

    async fn cancel(
        &self,
        lease: &Lease,
        tenant: &Tenant,
        request: &Request,
        decision: &Decision,
        schedule_request: &ScheduleRequest,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        if request.attempts.iter().filter(|a| a.kind == AttemptKind::Cancel).count() >= CANCEL_TRIES {
            return Ok(stuck(request, schedule_request, now));
        }
        if let Err(change) = self.may_send(tenant, request, decision, Way::Write) {
            return Ok(*change);
        }
        let Some((attempt, request)) = self.record(lease, request, AttemptKind::Cancel).await? else {
            return Ok(go_on(request, now, now + REMOVE_AGAIN));
        };
        let deadline = self.clock.monotonic() + Wait::from_secs(5);
        let target = &decision.entitlement.target;
        let call: Uuid = attempt.id.0;
        let sent = tenant.graph.cancel(target, &schedule_request.id, call, deadline).await;
        Ok(removed(&request, attempt, sent, self.clock.now()))
    }

    /// Records an attempt to end it; `None` while an earlier one may still take effect, or may have and reads lag. An open
    /// attempt to assign has served its purpose once the assignment shows.
    async fn record(
        &self,
        lease: &Lease,
        request: &Request,
        kind: AttemptKind,
    ) -> Result<Option<(Attempt, Request)>, StoreError> {
        let now = self.clock.now();
        let may_act = |a: &&Attempt| matches!(a.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted);
        let wait_until = |a: &Attempt| if may_act(&a) { a.settled_at() } else { a.recorded_at + REMOVE_AGAIN };
        let mut ends = request.attempts.iter().filter(|a| a.kind != AttemptKind::Assign);
        if ends.any(|a| now < wait_until(a)) {
            return Ok(None);
        }
        let mut attempts = close_open(request, AttemptOutcome::Accepted, AttemptOutcome::Absent, now);
        let attempt = Attempt::new(kind, now);
        // The earlier ones are closed first: one open attempt at a time.
        attempts.push(attempt.clone());
        let change = Change { attempts, keep_lease: true, ..go_on(request, now, now) };
        let request = self.store.advance(lease, change).await?;
        Ok(Some((attempt, request)))
    }
}

/// Somebody else's row shows beside ours. While reads may lag it is read again; after that somebody has to know.
fn contested(request: &Request, instance: &Instance, order: &EndOrder, now: Timestamp) -> Change {
    if now < order.ordered_at + OVERDUE_AFTER {
        return go_on(request, now, now + REMOVE_AGAIN);
    }
    let detail = "another assignment shows beside stint's own; a removal could take either, so stint removes neither";
    let finding = NewFinding { kind: "contested", detail: json!({ "instance": instance }) };
    let change = hold_until(request, Hold::new("contested", detail), now, retry::parked(now));
    Change { findings: vec![finding], ..change }
}

/// It shows, so empty looks before this one prove nothing.
fn forget_absence(request: &Request, mut change: Change) -> Change {
    if let Some(witness) = request.attempts.last().filter(|a| a.absent_reads > 0 && change.attempts.is_empty()) {
        change.attempts.push(Attempt { absent_reads: 0, last_absent_at: None, ..witness.clone() });
    }
    change
}

/// Still in force although its time is over: read again while reads may lag, then remove it and say so. One that only
/// seemed to be gone keeps the time it was given.
fn overdue(
    request: &Request,
    instance: &Instance,
    assignment: Option<&Assignment>,
    order: &EndOrder,
    now: Timestamp,
) -> Change {
    let over = assignment.map_or(order.ordered_at, |assignment| assignment.ends_at.max(order.ordered_at));
    if now < over {
        return go_on(request, now, over.min(retry::parked(now)));
    }
    if now < over + OVERDUE_AFTER {
        return go_on(request, now, now + SignedDuration::from_secs(20));
    }
    let reason = "its time is over, and PIM has not ended it";
    let again = EndOrder::by_stint(EndCause::Expired, reason, true, over);
    let finding = NewFinding { kind: "past-its-end", detail: json!({ "instance": instance }) };
    Change { findings: vec![finding], ..Change::to(Event::End(again), now, now) }
}

/// What the answer to a removal makes of it. Whatever was answered, reading decides.
fn removed(request: &Request, mut attempt: Attempt, sent: Sent, now: Timestamp) -> Change {
    attempt.http_status = sent.http_status;
    attempt.graph_request_id = sent.graph_request_id;
    let (outcome, code, due_at) = match sent.answer {
        Answer::Accepted(schedule_request) => {
            (Some(AttemptOutcome::Accepted), schedule_request.status, retry::next_look(now, 0))
        }
        Answer::TooEarly => {
            (Some(AttemptOutcome::Refused), "ActiveDurationTooShort".into(), now + SignedDuration::from_secs(45))
        }
        Answer::Throttled { after } => {
            (Some(AttemptOutcome::Refused), "TooManyRequests".into(), retry::asked(now, after, request.looks))
        }
        Answer::Refused { code, .. } | Answer::TenantRefused { code, .. } => {
            let attempt = {
                attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
                attempt
            };
            return refused(request, attempt, &code, now);
        }
        Answer::NotSent { reason } => (Some(AttemptOutcome::NotSent), reason, retry::next_try(now, request.looks)),
        Answer::NotYet { code } => (Some(AttemptOutcome::Refused), code, retry::next_try(now, request.looks)),
        Answer::Look { code } | Answer::Unclear { reason: code } => (None, code, retry::next_look(now, 0)),
    };
    match outcome {
        Some(outcome) => attempt.close(outcome, Some(code), now),
        None => attempt.code = Some(code),
    }
    Change { attempts: vec![attempt], ..go_on(request, now, due_at) }
}

/// PIM neither brings it into force nor lets it be cancelled: a person must look, and stint keeps looking.
fn stuck(request: &Request, schedule_request: &ScheduleRequest, now: Timestamp) -> Change {
    let detail = format!(
        "PIM's schedule request {} is {} and cannot be cancelled; it may still come into force",
        schedule_request.id, schedule_request.status
    );
    let finding = NewFinding { kind: "not-cancellable", detail: json!({ "schedule_request": schedule_request }) };
    let change = hold_until(request, Hold::new("not-cancellable", detail), now, retry::parked(now));
    Change { findings: vec![finding], ..change }
}

/// Graph refuses to remove what must go: somebody has to know.
fn refused(request: &Request, attempt: Attempt, code: &str, now: Timestamp) -> Change {
    let hold = Hold::new("removal-refused", format!("Graph refuses to remove the assignment: {code}"));
    let finding = NewFinding { kind: "removal-refused", detail: json!({ "code": code }) };
    let change = hold_until(request, hold, now, retry::parked(now));
    Change { attempts: vec![attempt], findings: vec![finding], ..change }
}

/// Nothing of it shows. That proves its end only where nothing could show late any more: `quiet_from` at the earliest,
/// after the settle time of every attempt that may have made it, unless PIM took a later removal, which it would not of
/// what does not exist.
fn absent(
    request: &Request,
    assignment: Option<&Assignment>,
    order: &EndOrder,
    quiet_from: Timestamp,
    now: Timestamp,
) -> Change {
    let own_time = |a: &Assignment| order.cause == EndCause::Expired && now >= a.ends_at + PROOF_AFTER;
    if assignment.is_some_and(own_time) {
        return gone(request, now);
    }
    let Some(mut witness) = request.attempts.last().cloned() else { return gone(request, now) };
    let removed = |a: &Attempt| a.kind == AttemptKind::Remove && a.outcome == AttemptOutcome::Accepted;
    let may_show = |a: &&Attempt| {
        let made = a.kind == AttemptKind::Assign && a.outcome == AttemptOutcome::Accepted;
        a.outcome == AttemptOutcome::Open || (made && !request.attempts.iter().any(removed))
    };
    let settled = request.attempts.iter().filter(may_show).map(Attempt::settled_at).max();
    let quiet_from = settled.unwrap_or(quiet_from).max(quiet_from);
    if now < quiet_from {
        return go_on(request, now, quiet_from);
    }
    witness.count_absent(now);
    if witness.absent_reads >= 2 {
        return gone(request, now);
    }
    let again = now + SignedDuration::from_secs(31);
    Change { attempts: vec![witness], ..go_on(request, now, again) }
}

/// When a schedule request that PIM took, and that never showed, is no longer expected to come into force.
fn started_by_now(request: &Request) -> Timestamp {
    let taken = request.attempts.iter().filter(|a| a.kind == AttemptKind::Assign).filter_map(|a| a.closed_at).max();
    taken.map_or(Timestamp::MIN, |at| at + IN_FORCE_WITHIN)
}

fn gone(request: &Request, now: Timestamp) -> Change {
    let attempts = close_open(request, AttemptOutcome::Absent, AttemptOutcome::Accepted, now);
    Change { attempts, ..Change::to(Event::Gone(now), now, now) }
}

/// Closes what is open, attempts to assign and to end each with their own outcome.
fn close_open(request: &Request, assign: AttemptOutcome, end: AttemptOutcome, now: Timestamp) -> Vec<Attempt> {
    let open = request.attempts.iter().filter(|a| a.outcome == AttemptOutcome::Open);
    let close = |attempt: &Attempt| {
        let mut attempt = attempt.clone();
        let outcome = if attempt.kind == AttemptKind::Assign { assign } else { end };
        attempt.close(outcome, None, now);
        attempt
    };
    open.map(close).collect()
}

/// Whether PIM may yet bring it into force.
fn may_still_start(schedule_request: &ScheduleRequest) -> bool {
    matches!(schedule_request.progress, Progress::Granted | Progress::Underway | Progress::Unknown)
}
