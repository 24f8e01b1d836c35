//! The grant protocol: record the attempt, look first, read the ticket once more, send once, never guess.

use std::time::Duration as Wait;

use jiff::{SignedDuration, Timestamp};
use tracing::info;

use super::{
    Engine, Entra, Ports, Records, Tenant,
    absence::{carried_out, revoked_since},
    join::{planned, replanned, update_order, waits},
    reread::{TICKET_FRESH, too_slow},
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{AssignOrder, ScheduleRequest, Sighting},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        duration::{Duration, GRANTABLE},
        id::RequestId,
        lifecycle::Event,
        overlap::{covered_until, may_be_joined},
        request::{Assignment, Decision, EndOrder, Failure, Hold, Request, State},
        sight::{Seen, judge},
    },
    graph::{GraphError, Way},
    store::{Change, Lease, StoreError},
};

impl<P: Ports> Engine<P> {
    /// Brings an approved request to an assignment, one attempt at a time.
    pub(super) async fn assign(
        &self,
        lease: &Lease,
        request: &Request,
        decision: &Decision,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        let tenant = match self.tenant(request, decision) {
            Ok(tenant) => tenant,
            Err(change) => return Ok(*change),
        };
        if let Some(start) = decision.not_before.filter(|start| *start > now) {
            return Ok(self.watch(request, decision, start).await);
        }
        match last_for_access(request).map(|attempt| (attempt, attempt.outcome)) {
            Some((attempt, AttemptOutcome::Open | AttemptOutcome::Accepted)) => {
                self.confirm(tenant, request, decision, attempt).await
            }
            _ if decision.dry_run => self.rehearse(lease, tenant, request, decision).await,
            _ => self.send_new(lease, tenant, request, decision).await,
        }
    }

    /// Records a new attempt, then sends it if nothing speaks against it.
    async fn send_new(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
    ) -> Result<Change, StoreError> {
        if let Some(held) = self.only_rehearses(request, decision).await {
            return Ok(held);
        }
        let now = self.clock.now();
        if remaining(request, decision, now).is_none() {
            return Ok(too_late(now));
        }
        if let Some(full) = self.over_the_rate(tenant, request, decision, now).await? {
            return Ok(hold_until(request, full, now, retry::parked(now)));
        }
        if let Some(change) = self.paused(tenant, request, decision) {
            return Ok(*change);
        }
        let kin = self.kin(request, decision).await?;
        if let State::Held { .. } = request.state
            && let Err(change) = self.still_held(tenant, request, decision, &kin).await
        {
            return Ok(*change);
        }
        if let Err(change) = self.may_send(tenant, request, decision, Way::Write) {
            return Ok(*change);
        }
        // Looking may have taken long: what is left counts from here.
        let now = self.clock.now();
        let Some(duration) = remaining(request, decision, now) else { return Ok(too_late(now)) };
        let Some(attempt) = planned(duration, &kin, now) else {
            return Ok(hold_until(request, waits(), now, retry::next_try(now, request.looks)));
        };
        let send_not_after = self.clock.monotonic() + Wait::from_secs(30);
        let begun = match request.state.underlying() {
            State::Approved(decision) => Change::to(Event::Begin(Box::new(decision.clone())), now, now),
            _ => Change::later(now, now),
        };
        let begun = Change { attempts: vec![attempt.clone()], keep_lease: true, ..begun };
        // What is there is looked at meanwhile. Whoever changed it before this attempt was recorded shows below; from then on
        // nobody else may.
        let holding = decision.holding();
        let (begun, seen) = tokio::join!(self.store.advance(lease, begun), tenant.graph.look(&holding));
        let (planned_from, request) = (request, begun?);
        let not_sent = |change| not_sent(attempt.clone(), self.clock.now(), change);

        let (kin_now, read_again) = tokio::join!(self.kin(&request, decision), self.read_again(&request, decision));
        if has_changed(planned_from, &kin, &request, &kin_now?) {
            return Ok(not_sent(replanned(&request, self.clock.now())));
        }
        let next = match self.next(tenant, &request, &attempt, &kin, seen) {
            Ok(next) => next,
            Err(Found::Ours) => return Ok(adopt(&request, attempt, self.clock.now())),
            Err(Found::Other(change)) => return Ok(not_sent(*change)),
        };
        let read_at = match read_again {
            Ok(read_at) => read_at,
            Err(change) => return Ok(not_sent(*change)),
        };
        // The ticket has just been read to stand: what was doubted before is no longer.
        let not_sent = |change| not_sent(Change { doubt: Some(None), ..change });
        let now = self.clock.now();
        if let Some(full) = self.over_the_rate(tenant, &request, decision, now).await? {
            return Ok(not_sent(hold_until(&request, full, now, retry::parked(now))));
        }
        if now > attempt.send_not_after {
            let slow = Hold::new("graph-unavailable", "looking took longer than a call may wait to be sent");
            return Ok(not_sent(hold_until(&request, slow, now, retry::next_try(now, request.looks))));
        }
        if !self.store.may_send(lease).await? {
            return Ok(not_sent(go_on(&request, now, now)));
        }
        // PIM refuses a second assignment, but an update takes whatever is there, and nothing refuses what is not sent: so
        // that is looked at last.
        let next = match next {
            Next::Extend | Next::Covered(_) => {
                match self.next(tenant, &request, &attempt, &kin, tenant.graph.look(&holding).await) {
                    Ok(next) => next,
                    Err(Found::Ours) => return Ok(adopt(&request, attempt, self.clock.now())),
                    Err(Found::Other(change)) => return Ok(not_sent(*change)),
                }
            }
            Next::Assign => Next::Assign,
        };
        let deadline = send_not_after.min(read_at + TICKET_FRESH);
        if self.clock.monotonic() >= deadline {
            return Ok(not_sent(too_slow(&request, now)));
        }
        let sent = match next {
            Next::Covered(assignment) => return Ok(covered(attempt, *assignment, now)),
            Next::Assign => tenant.graph.assign(&order(&request, decision, &attempt), deadline).await,
            Next::Extend => {
                let order = update_order(&request, decision, &attempt, justification(&request));
                tenant.graph.update(&order, deadline).await
            }
        };
        Ok(Change { doubt: Some(None), ..self.conclude(&request, attempt, sent, &kin) })
    }

    /// What is to be sent, if anything, after what was seen.
    fn next(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        attempt: &Attempt,
        kin: &[Request],
        seen: Result<Sighting, GraphError>,
    ) -> Result<Next, Found> {
        let now = self.clock.now();
        let others = covered_until(kin, now);
        match attempt.kind {
            // Somebody began to hold it, or for longer, since this was planned.
            AttemptKind::Assign if others.is_some() => return Err(Found::other(replanned(request, now))),
            AttemptKind::Update if others > attempt.ends_at => return Err(Found::other(replanned(request, now))),
            _ => {}
        }
        let sighting = seen.map_err(|error| Found::Other(self.not_answered(request, &error)))?;
        match attempt.kind {
            AttemptKind::Update => self.may_join(tenant, request, attempt, kin, &sighting),
            _ => self.is_free(request, kin, &sighting).map(|()| Next::Assign),
        }
    }

    /// What holds a request is looked at before a further attempt is recorded: ticket first, then PIM.
    async fn still_held(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        kin: &[Request],
    ) -> Result<(), Box<Change>> {
        self.read_again(request, decision).await?;
        if may_be_joined(kin, self.clock.now()) {
            return Ok(());
        }
        let sighting = self.look(tenant, request, decision).await?;
        match self.is_free(request, kin, &sighting) {
            Ok(()) | Err(Found::Ours) => Ok(()),
            Err(Found::Other(change)) => Err(Box::new(Change { doubt: Some(None), ..*change })),
        }
    }

    /// Whether the entitlement's grants of the last hour are used up.
    pub(super) async fn over_the_rate(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Option<Hold>, StoreError> {
        let key = &decision.entitlement.key;
        let Some(limit) = tenant.catalog.entitlements.get(key).and_then(|e| e.per_hour) else { return Ok(None) };
        let hour_ago = now - SignedDuration::from_hours(1);
        let begun = self.store.begun_since(&decision.tenant, key, hour_ago, request.id).await?;
        let detail = format!("{key} may be granted {limit} times an hour, and was");
        Ok((begun >= i64::from(limit)).then(|| Hold::new("entitlement-rate", detail)))
    }

    /// Whether nothing is there that speaks against an assignment.
    fn is_free(&self, request: &Request, kin: &[Request], sighting: &Sighting) -> Result<(), Found> {
        let now = self.clock.now();
        match judge(sighting, request.id, &request.attempts, kin) {
            Seen::Nothing => Ok(()),
            Seen::OfKin { .. } => {
                Err(Found::other(hold_until(request, foreign(true), now, retry::next_try(now, request.looks))))
            }
            Seen::Foreign { of_stint } => {
                Err(Found::other(hold_until(request, foreign(of_stint), now, retry::parked(now))))
            }
            Seen::Over(over) => {
                let made_it = revoked_since(sighting, request, &over);
                let change = Change::to(came_to_nothing(&over), now, now);
                Err(Found::other(carried_out(change, &made_it, &over.status, now)))
            }
            Seen::InForce { .. } | Seen::Known(_) => Err(Found::Ours),
        }
    }
}

/// Whether anybody else changed what this request or its kin attempted while an attempt was planned and recorded.
fn has_changed(before: &Request, kin_before: &[Request], now: &Request, kin_now: &[Request]) -> bool {
    let earlier = now.attempts.split_last().map(|(_, earlier)| earlier);
    !kin_now.iter().map(stands).eq(kin_before.iter().map(stands)) || earlier != Some(&before.attempts)
}

/// What of somebody who shares the holding matters for it: how often he looked, or was told of his ticket, does not.
fn stands(kin: &Request) -> (RequestId, &State, Option<&EndOrder>, &[Attempt]) {
    (kin.id, kin.state.underlying(), kin.end_requested.as_ref(), &kin.attempts)
}

/// An earlier attempt took effect after all; this one is not sent and stands for it.
fn adopt(request: &Request, mut attempt: Attempt, now: Timestamp) -> Change {
    info!(request = %request.id, "an earlier attempt took effect after all");
    attempt.close(AttemptOutcome::Accepted, Some("adopted".into()), now);
    Change { attempts: vec![attempt], ..go_on(request, now, now) }
}

/// What is to be sent.
pub(super) enum Next {
    /// A new assignment.
    Assign,
    /// A later end for the one in force.
    Extend,
    /// Nothing: others hold it for long enough.
    Covered(Box<Assignment>),
}

/// The assignment in force lasts long enough: the request joins it without a call.
fn covered(mut attempt: Attempt, assignment: Assignment, now: Timestamp) -> Change {
    attempt.close(AttemptOutcome::NotSent, Some("covered".into()), now);
    let due_at = assignment.ends_at.min(retry::first_watch(now));
    Change { attempts: vec![attempt], doubt: Some(None), ..Change::to(Event::Confirm(assignment), now, due_at) }
}

/// What looking first found instead of nothing.
pub(super) enum Found {
    /// An earlier attempt of ours took effect after all.
    Ours,
    /// Something that keeps the call from being sent.
    Other(Box<Change>),
}

impl Found {
    pub(super) fn other(change: Change) -> Self {
        Self::Other(Box::new(change))
    }
}

/// The last attempt to assign or to join.
pub(super) fn last_for_access(request: &Request) -> Option<&Attempt> {
    request.attempts.iter().rev().find(|attempt| attempt.is_for_access())
}

/// What of the approved time may still be asked for; `None` when it is too short for PIM. The first call that may have
/// been carried out fixed the end, so a later one asks only for the rest.
pub(super) fn remaining(request: &Request, decision: &Decision, now: Timestamp) -> Option<Duration> {
    let maybe_sent = |attempt: &&Attempt| {
        attempt.is_for_access()
            && matches!(attempt.outcome, AttemptOutcome::Absent | AttemptOutcome::Open | AttemptOutcome::Accepted)
    };
    let fixed = request.attempts.iter().find(maybe_sent).and_then(Attempt::own_end);
    let end = [fixed, decision.not_after].into_iter().flatten().min();
    let left = end.map_or(Some(decision.duration), |end| Duration::between(now, end))?;
    let duration = left.min(decision.duration);
    (duration >= *GRANTABLE.start()).then_some(duration)
}

/// The only order that asks for an assignment: what was decided as a dry run is only ever checked.
pub(super) fn order(request: &Request, decision: &Decision, attempt: &Attempt) -> AssignOrder {
    AssignOrder {
        holding: decision.holding(),
        duration: attempt.duration.unwrap_or(decision.duration),
        justification: justification(request),
        ticket_number: request.number.to_string(),
        ticket_system: request.connection.to_string(),
        start: attempt.recorded_at,
        only_validate: decision.dry_run,
        call_id: attempt.id.0,
    }
}

/// The text PIM stores: ticket number first, then the marker.
pub(super) fn justification(request: &Request) -> String {
    format!("{} {}", request.number, request.id.marker())
}

/// Keeps the ids that PIM gave.
pub(super) fn take_ids(attempt: &mut Attempt, schedule_request: &ScheduleRequest) {
    attempt.schedule_request_id = Some(schedule_request.id.clone());
    attempt.schedule_id.clone_from(&schedule_request.schedule_id);
}

pub(super) fn not_sent(mut attempt: Attempt, now: Timestamp, change: Change) -> Change {
    attempt.close(AttemptOutcome::NotSent, Some("not-sent".into()), now);
    // The look may have told of another one, or of this one as if it had been sent.
    let others = change.attempts.into_iter().filter(|told| told.id != attempt.id);
    Change { attempts: others.chain([attempt.clone()]).collect(), ..change }
}

pub(super) fn failed(code: &str, detail: &str) -> Event {
    Event::Fail(Failure { code: code.to_owned(), detail: detail.to_owned() })
}

/// What is left of the approved time is too short to be asked for.
pub(super) fn too_late(now: Timestamp) -> Change {
    let detail = "what is left of the approved time is shorter than PIM's minimum of five minutes";
    Change::to(failed("too-late", detail), now, now)
}

/// PIM took the schedule request and it came to nothing there.
pub(super) fn came_to_nothing(schedule_request: &ScheduleRequest) -> Event {
    let detail = format!("PIM's schedule request {} is {}", schedule_request.id, schedule_request.status);
    failed("schedule-request-over", &detail)
}

pub(super) fn foreign(of_stint: bool) -> Hold {
    if of_stint {
        Hold::new("held-by-another-request", "another approved request holds the same assignment now")
    } else {
        Hold::new(
            "foreign-assignment",
            "the principal holds this already, by somebody else's hand; stint leaves it alone",
        )
    }
}
