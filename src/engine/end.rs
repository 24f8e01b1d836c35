//! The end of an assignment: by its own time, or brought about early; proved by reading either way.

use std::time::Duration as Wait;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{
    Engine, Entra, Ports, Records, Tenant,
    absence::{PROOF_AFTER, absent, contested, forget_absence, overdue, started_by_now, told_by},
    assign::{justification, take_ids},
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Answer, Instance, Progress, RemoveOrder, ScheduleRequest, Sighting},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        lifecycle::Event,
        overlap::covered_until,
        request::{Assignment, Decision, EndCause, EndOrder, Hold, Request},
        sight::{Seen, hanging, judge, made_by_attempt},
    },
    graph::{Sent, Way},
    store::{Change, Lease, NewFinding, StoreError},
};

/// PIM refuses to remove a younger assignment; with a margin for its clock.
pub(super) const REMOVABLE_AFTER: SignedDuration = SignedDuration::from_secs(5 * 60 + 15);

/// A removal that was refused for now is repeated after this long at the earliest, if the assignment still shows.
pub(super) const REMOVE_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// Graph's code while another change of the same holding is under way.
const PENDING: &str = "PendingRoleAssignmentRequest";

/// After so many of those answers somebody has to know.
const PENDING_TIMES: usize = 2;

/// A schedule request that is not in force yet is told to cancel this often.
const CANCEL_TRIES: usize = 3;

impl<P: Ports> Engine<P> {
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
        let kin = self.kin(request, decision).await?;
        let now = self.clock.now();
        let seen = judge(&sighting, request.id, &request.attempts, &kin);
        let shows = matches!(seen, Seen::InForce { .. } | Seen::OfKin { .. });
        // What PIM has yet to carry out would change the assignment behind the back of whatever is done now.
        if shows && let Some(hanging) = hanging(&sighting, request) {
            if may_be_cancelled(request) {
                return self.cancel(lease, tenant, request, decision, &sighting, hanging).await;
            }
            if covered_until(&kin, now).is_some() {
                return Ok(stuck(request, hanging, now));
            }
        }
        if let Some(until) = covered_until(&kin, now) {
            let change = self.leave(lease, tenant, request, decision, order, &sighting, &kin, until).await;
            let change = if shows { forget_absence(request, change?) } else { change? };
            return Ok(told_by(change, (request, &sighting), &seen, now));
        }
        let goes_on = matches!(seen, Seen::Foreign { of_stint: true });
        let change = match seen.clone() {
            // One of the two rows is stale; a removal would take whichever is real.
            Seen::InForce { contested: true, instance, .. } | Seen::OfKin { contested: true, instance } => {
                Ok(contested(request, &instance, order, now))
            }
            Seen::InForce { instance, .. } | Seen::OfKin { instance, .. } if order.remove => {
                self.remove(lease, tenant, request, decision, &sighting, &instance).await
            }
            Seen::InForce { instance, .. } | Seen::OfKin { instance, .. } => {
                Ok(overdue(request, &instance, assignment, order, now))
            }
            // What was in force once does not start again.
            Seen::Known(schedule_request) if assignment.is_none() && may_still_start(&schedule_request) => {
                self.cancel(lease, tenant, request, decision, &sighting, &schedule_request).await
            }
            Seen::Known(_) => Ok(absent(request, assignment, order, started_by_now(request), now)),
            _ => Ok(absent(request, assignment, order, Timestamp::MIN, now)),
        };
        let change = if shows { forget_absence(request, change?) } else { change? };
        let change = told_by(change, (request, &sighting), &seen, now);
        // For another holder it goes on.
        if goes_on { Ok(change) } else { self.then_sessions(lease, tenant, request, change).await }
    }

    async fn remove(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        sighting: &Sighting,
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
        let attempt = Attempt::new(AttemptKind::Remove, now);
        let request = match self.record(lease, request, sighting, &attempt).await? {
            Ok(request) => request,
            Err(change) => return Ok(*change),
        };
        // While this attempt is open nobody else may begin to hold it; somebody may have just before.
        let kin = self.kin(&request, decision).await?;
        if covered_until(&kin, self.clock.now()).is_some() {
            return Ok(not_sent(&request, attempt, self.clock.now()));
        }
        let order =
            RemoveOrder { holding: decision.holding(), justification: justification(&request), call_id: attempt.id.0 };
        let sent = tenant.graph.remove(&order, self.clock.monotonic() + Wait::from_secs(5)).await;
        Ok(removed(&request, attempt, sent, self.clock.now()))
    }

    async fn cancel(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        sighting: &Sighting,
        schedule_request: &ScheduleRequest,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        if !may_be_cancelled(request) {
            return Ok(stuck(request, schedule_request, now));
        }
        if let Err(change) = self.may_send(tenant, request, decision, Way::Write) {
            return Ok(*change);
        }
        let attempt = Attempt::new(AttemptKind::Cancel, now);
        let request = match self.record(lease, request, sighting, &attempt).await? {
            Ok(request) => request,
            Err(change) => return Ok(*change),
        };
        let deadline = self.clock.monotonic() + Wait::from_secs(5);
        let target = &decision.entitlement.target;
        let call: Uuid = attempt.id.0;
        let sent = tenant.graph.cancel(target, &schedule_request.id, call, deadline).await;
        Ok(removed(&request, attempt, sent, self.clock.now()))
    }

    /// Records an attempt to end it, or says what is done instead: an earlier one may still take effect, or may have and
    /// reads lag; or nothing tells yet whether an attempt to assign did. One attempt is open at a time, and none is closed
    /// on a guess.
    pub(super) async fn record(
        &self,
        lease: &Lease,
        request: &Request,
        sighting: &Sighting,
        attempt: &Attempt,
    ) -> Result<Result<Request, Box<Change>>, StoreError> {
        let now = self.clock.now();
        let may_act = |a: &Attempt| matches!(a.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted);
        let wait_until = |a: &Attempt| if may_act(a) { a.settled_at() } else { a.recorded_at + REMOVE_AGAIN };
        let mut ends = request.attempts.iter().filter(|a| !a.is_for_access());
        if ends.any(|a| now < wait_until(a)) {
            return Ok(Err(Box::new(go_on(request, now, now + REMOVE_AGAIN))));
        }
        let mut attempts = closed(request, sighting, now);
        if attempts.iter().any(|a| a.outcome == AttemptOutcome::Open) {
            return Ok(Err(Box::new(Change { attempts, ..go_on(request, now, now + REMOVE_AGAIN) })));
        }
        // The earlier ones are closed first: one open attempt at a time.
        attempts.push(attempt.clone());
        let change = Change { attempts, keep_lease: true, ..go_on(request, now, now) };
        Ok(Ok(self.store.advance(lease, change).await?))
    }
}

/// What is open, closed by what the look shows: an attempt to assign, or to move the end, was taken if PIM has it in its
/// books, and stays open otherwise until that proves it absent; any other came to nothing, since there is still something to
/// end.
fn closed(request: &Request, sighting: &Sighting, now: Timestamp) -> Vec<Attempt> {
    let open = request.attempts.iter().filter(|a| a.outcome == AttemptOutcome::Open).cloned();
    let close = |mut attempt: Attempt| {
        let outcome = if !matches!(attempt.kind, AttemptKind::Assign | AttemptKind::Update) {
            Some(AttemptOutcome::Absent)
        } else if made_by_attempt(sighting, request, &attempt).is_some() {
            Some(AttemptOutcome::Accepted)
        } else {
            attempt.count_absent(now);
            attempt.is_proved_absent(now).then_some(AttemptOutcome::Absent)
        };
        if let Some(outcome) = outcome {
            attempt.close(outcome, None, now);
        }
        attempt
    };
    open.map(close).collect()
}

/// Whether another cancellation is worth a try.
fn may_be_cancelled(request: &Request) -> bool {
    request.attempts.iter().filter(|a| a.kind == AttemptKind::Cancel).count() < CANCEL_TRIES
}

/// What the answer to a removal makes of it. Whatever was answered, reading decides.
pub(super) fn removed(request: &Request, mut attempt: Attempt, sent: Sent, now: Timestamp) -> Change {
    attempt.http_status = sent.http_status;
    attempt.graph_request_id = sent.graph_request_id;
    let (outcome, code, due_at) = match sent.answer {
        Answer::Accepted(schedule_request) => {
            if attempt.kind == AttemptKind::Update {
                take_ids(&mut attempt, &schedule_request);
            }
            (Some(AttemptOutcome::Accepted), schedule_request.status, retry::next_look(now, 0))
        }
        // Another change is under way in PIM: looked at like any that exists, and told when it stays.
        Answer::Look { code } if code == PENDING => return in_the_way(request, attempt, code, now),
        // What cannot be cancelled was not: the look says what it is now.
        Answer::Look { code } if attempt.kind == AttemptKind::Cancel => {
            (Some(AttemptOutcome::Refused), code, retry::next_look(now, 0))
        }
        Answer::TooEarly => {
            (Some(AttemptOutcome::Refused), "ActiveDurationTooShort".into(), now + SignedDuration::from_secs(45))
        }
        Answer::Throttled { after } => {
            (Some(AttemptOutcome::Refused), "TooManyRequests".into(), retry::asked(now, after, request.looks))
        }
        Answer::Refused { code, detail } | Answer::TenantRefused { code, detail } => {
            let attempt = {
                attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
                attempt
            };
            return refused(request, attempt, &code, &detail, now);
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

/// Who holds the assignment has changed since: nothing is sent, and it is looked at anew.
pub(super) fn not_sent(request: &Request, mut attempt: Attempt, now: Timestamp) -> Change {
    attempt.close(AttemptOutcome::NotSent, Some("not-sent".into()), now);
    Change { attempts: vec![attempt], ..go_on(request, now, now + SignedDuration::from_secs(1)) }
}

/// Something else is under way at PIM for the same holding. Were it stint's own it would be cancelled; so it is waited for as
/// for any answer that is to be reconciled, and before long somebody has to know.
fn in_the_way(request: &Request, mut attempt: Attempt, code: String, now: Timestamp) -> Change {
    let before = request.attempts.iter().filter(|a| a.code.as_deref() == Some(PENDING)).count();
    attempt.code = Some(code);
    let mut change = go_on(request, now, retry::next_look(now, 0));
    if before >= PENDING_TIMES {
        let detail =
            "a request for the same assignment is pending in PIM and keeps this one from ending; look at it there";
        change = hold_until(request, Hold::new("pending-in-pim", detail), now, retry::parked(now));
        change.findings = vec![NewFinding { kind: "pending-in-pim", detail: json!({ "tries": before + 1 }) }];
    }
    Change { attempts: vec![attempt], ..change }
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
fn refused(request: &Request, attempt: Attempt, code: &str, detail: &str, now: Timestamp) -> Change {
    let hold = Hold::new("removal-refused", format!("Graph refuses to remove the assignment: {code}: {detail}"));
    let finding = NewFinding { kind: "removal-refused", detail: json!({ "code": code, "detail": detail }) };
    let change = hold_until(request, hold, now, retry::parked(now));
    Change { attempts: vec![attempt], findings: vec![finding], ..change }
}

/// Whether PIM may yet bring it into force.
fn may_still_start(schedule_request: &ScheduleRequest) -> bool {
    matches!(schedule_request.progress, Progress::Granted | Progress::Underway | Progress::Unknown)
}
