//! Joining an assignment that another request holds already: the end moves out, if this request's approval allows more,
//! and both hold it.
//!
//! The call carries an absolute end, never earlier than what the others hold, so a repeat changes nothing and nobody is cut
//! off. Where the others hold it for long enough there is nothing to send.

use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, Entra, Ports, Tenant,
    assign::{Found, Next, came_to_nothing, foreign},
    confirm::{coming, found, nothing, removed_for},
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Instance, Progress, Sighting, UpdateOrder},
        attempt::{Attempt, AttemptOutcome},
        duration::Duration,
        lifecycle::Event,
        overlap::{asked_for, co_holders, covered_until, may_be_joined, settled_from, shared},
        request::{Assignment, Decision, Hold, Request},
        sight::{Seen, TOLERANCE, judge, made_by_attempt},
    },
    store::Change,
};

/// The end that a join asks for is absolute, so the clock here may differ from PIM's by no more than this.
const CLOCKS_APART: i64 = 30;

/// An assignment that ends this soon is not joined any more: PIM might be removing it already.
const TOO_LATE_TO_JOIN: SignedDuration = SignedDuration::from_secs(60);

/// What is to be attempted: joining what others hold, or an assignment of its own. `None` while they hold it, and it cannot be
/// joined: it is not proved yet, or about to end.
pub(super) fn planned(duration: Duration, kin: &[Request], now: Timestamp) -> Option<Attempt> {
    let own = now + duration.signed();
    match covered_until(kin, now) {
        None => Some(Attempt::assign(duration, now)),
        Some(others) if may_be_joined(kin, now + TOO_LATE_TO_JOIN) => {
            Some(Attempt::join(duration, others.max(own), now))
        }
        Some(_) => None,
    }
}

impl<P: Ports> Engine<P> {
    /// Whether the assignment that is seen can be joined, and how.
    pub(super) fn may_join(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        attempt: &Attempt,
        kin: &[Request],
        sighting: &Sighting,
    ) -> Result<Next, Found> {
        let now = self.clock.now();
        let wait = |due_at| Err(Found::other(hold_until(request, waits(), now, due_at)));
        let ahead = tenant.graph.seconds_ahead();
        if ahead.abs() > CLOCKS_APART {
            return Err(Found::other(hold_until(
                request,
                clocks_apart(ahead),
                now,
                retry::next_try(now, request.looks),
            )));
        }
        match judge(sighting, request.id, &request.attempts, kin) {
            Seen::OfKin { contested: true, .. } => {
                Err(Found::other(hold_until(request, foreign(false), now, retry::parked(now))))
            }
            // Whoever held it may have left since this was planned.
            Seen::OfKin { .. } if !may_be_joined(kin, now) => wait(retry::next_try(now, request.looks)),
            Seen::OfKin { .. } => {
                // This attempt has not been sent, so it has moved nothing.
                let mut before = request.clone();
                before.attempts.retain(|earlier| earlier.id != attempt.id);
                Ok(next(sighting, &before, attempt, kin, now))
            }
            Seen::Foreign { of_stint } => {
                Err(Found::other(hold_until(request, foreign(of_stint), now, retry::parked(now))))
            }
            Seen::Over(schedule_request) => Err(Found::other(Change::to(came_to_nothing(&schedule_request), now, now))),
            Seen::Nothing => wait(retry::next_try(now, request.looks)),
            Seen::InForce { .. } | Seen::Known(_) => Err(Found::Ours),
        }
    }
}

/// Whether the others hold it for as long as this request may: then it only joins.
fn next(sighting: &Sighting, request: &Request, attempt: &Attempt, kin: &[Request], now: Timestamp) -> Next {
    let wanted = attempt.own_end().unwrap_or(now);
    let covered = shared(sighting, request, kin).filter(|row| {
        let lasts = row.ends_at.is_some_and(|end| end + TOLERANCE >= wanted);
        let promised = covered_until(kin, now).is_some_and(|until| until >= wanted);
        lasts && promised && settled_from(row, request, kin) <= now
    });
    match covered.and_then(|row| Some((row.schedule_id.clone()?, wanted))) {
        Some((schedule_id, ends_at)) => Next::Covered(Box::new(Assignment {
            schedule_request_id: None,
            schedule_id,
            starts_at: now,
            ends_at,
            confirmed_at: now,
            joined: co_holders(kin, now),
        })),
        None => Next::Extend,
    }
}

/// The order that lets the assignment end when the attempt says.
pub(super) fn update_order(request: &Request, decision: &Decision, attempt: &Attempt, text: String) -> UpdateOrder {
    UpdateOrder {
        holding: decision.holding(),
        ends_at: attempt.ends_at.unwrap_or(attempt.recorded_at),
        justification: text,
        ticket_number: request.number.to_string(),
        ticket_system: request.connection.to_string(),
        start: attempt.recorded_at,
        call_id: attempt.id.0,
    }
}

/// What a sighting makes of an attempt to join.
pub(super) fn joined(
    request: &Request,
    decision: &Decision,
    attempt: &mut Attempt,
    sighting: &Sighting,
    kin: &[Request],
    now: Timestamp,
) -> Change {
    if let Some(made) = made_by_attempt(sighting, request, attempt) {
        if made.progress == Progress::Over {
            return not_moved(request, attempt, &made.status, now);
        }
        // It is listed: PIM took it, whatever became of it since.
        found(attempt, Some(&made.id), made.schedule_id.as_deref(), now);
        if made.progress == Progress::Revoked {
            return lost(request, attempt, now);
        }
    }
    let row = shared(sighting, request, kin);
    match row.filter(|_| attempt.outcome == AttemptOutcome::Accepted) {
        Some(row) => moved_out(request, decision, attempt, row, kin, now),
        None if attempt.outcome == AttemptOutcome::Accepted => lost(request, attempt, now),
        None => nothing(request, attempt, now),
    }
}

/// PIM took it, and nothing of stint's is in force: somebody removed the assignment, or it ended. What is left of the approved
/// time is asked for anew.
fn lost(request: &Request, attempt: &mut Attempt, now: Timestamp) -> Change {
    attempt.count_absent(now);
    if !attempt.is_proved_absent(now) {
        return coming(request, attempt, "not listed yet", now);
    }
    attempt.close(AttemptOutcome::Absent, None, now);
    go_on(request, now, now + SignedDuration::from_secs(1))
}

/// Whether the end is where PIM was asked to put it.
fn moved_out(
    request: &Request,
    decision: &Decision,
    attempt: &Attempt,
    row: &Instance,
    kin: &[Request],
    now: Timestamp,
) -> Change {
    let own = attempt.own_end().unwrap_or(now);
    // An end that stint itself asked for is not late: whoever has left meanwhile cuts it back.
    let limit = asked_for(request, kin).map_or(own, |asked| asked.max(own)) + TOLERANCE;
    let settled = settled_from(row, request, kin) <= now;
    let (finding, reason) = match row.ends_at {
        Some(end) if end <= limit && end + TOLERANCE >= own => {
            let Some(schedule_id) = row.schedule_id.clone() else { return coming(request, attempt, "not listed", now) };
            let assignment = Assignment {
                schedule_request_id: attempt.schedule_request_id.clone(),
                schedule_id,
                starts_at: attempt.recorded_at,
                ends_at: end.min(own),
                confirmed_at: now,
                joined: co_holders(kin, now),
            };
            let due_at = assignment.ends_at.min(retry::first_watch(now));
            return Change { doubt: Some(None), ..Change::to(Event::Confirm(assignment), now, due_at) };
        }
        Some(end) if end > limit && settled => ("end-late", format!("PIM ends it at {end}, later than approved")),
        None if settled => ("end-missing", "PIM gave it no end".to_owned()),
        _ => return coming(request, attempt, "without the end it was asked for", now),
    };
    removed_for(finding, &reason, row, decision, now)
}

/// Graph surely did not move the end; whether there is still something to join is looked at again.
pub(super) fn not_moved(request: &Request, attempt: &mut Attempt, code: &str, now: Timestamp) -> Change {
    attempt.close(AttemptOutcome::Refused, Some(code.to_owned()), now);
    let hold = Hold::new("graph-not-yet", format!("PIM does not move the assignment's end yet: {code}"));
    hold_until(request, hold, now, retry::soon(now, request.looks))
}

/// PIM's policy does not let the end move out: this request has its own assignment once the other has ended.
pub(super) fn waits_its_turn(
    request: &Request,
    attempt: &mut Attempt,
    code: &str,
    kin: &[Request],
    now: Timestamp,
) -> Change {
    attempt.close(AttemptOutcome::Refused, Some(code.to_owned()), now);
    let until = covered_until(kin, now).unwrap_or(now) + SignedDuration::from_secs(5);
    let detail =
        format!("PIM does not let the assignment in force last longer ({code}); this one begins when it has ended");
    hold_until(request, Hold::new("cannot-extend", detail), now, until)
}

/// An end by a wrong clock would be a wrong end.
fn clocks_apart(seconds_ahead: i64) -> Hold {
    let detail = format!(
        "the clock here and Graph's differ by {} s, so an end cannot be moved; set the clock by NTP",
        seconds_ahead.abs()
    );
    Hold::new("clocks-apart", detail)
}

/// Another request holds the assignment, and this one cannot join it yet.
pub(super) fn waits() -> Hold {
    let detail = "another approved request holds the same assignment; this one joins it, or follows it";
    Hold::new("held-by-another-request", detail)
}

/// Replanned at once: who holds the assignment has changed since the attempt was planned.
pub(super) fn replanned(request: &Request, now: Timestamp) -> Change {
    go_on(request, now, now + SignedDuration::from_secs(1))
}
