//! What a look says about an assignment that is to end: gone, still there, or not to be touched.
//!
//! Reads lag behind writes, so an empty look proves an end only where nothing could show late any more.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    confirm::IN_FORCE_WITHIN,
    end::REMOVE_AGAIN,
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Instance, Progress, ScheduleRequest, Sighting},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        lifecycle::Event,
        request::{Assignment, CoHolder, EndCause, EndOrder, Hold, Request},
        sight::{Seen, TOLERANCE, made_by_attempt},
    },
    store::{Change, NewFinding},
};

/// Absence this long after the end is proof by itself (`contracts/graph.md` §2.7).
pub(super) const PROOF_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Reads may lag by two minutes; what is still there after this long is really there.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(3);

/// Somebody else's row shows beside ours. While reads may lag it is read again; after that somebody has to know.
pub(super) fn contested(request: &Request, instance: &Instance, order: &EndOrder, now: Timestamp) -> Change {
    if now < order.ordered_at + OVERDUE_AFTER {
        return go_on(request, now, now + REMOVE_AGAIN);
    }
    let detail = "another assignment shows beside stint's own; a removal could take either, so stint removes neither";
    let finding = NewFinding { kind: "contested", detail: json!({ "instance": instance }) };
    let change = hold_until(request, Hold::new("contested", detail), now, retry::parked(now));
    Change { findings: vec![finding], ..change }
}

/// It shows, so empty looks before this one prove nothing.
pub(super) fn forget_absence(request: &Request, mut change: Change) -> Change {
    if let Some(witness) = request.attempts.last().filter(|a| a.absent_reads > 0 && change.attempts.is_empty()) {
        change.attempts.push(Attempt { absent_reads: 0, last_absent_at: None, ..witness.clone() });
    }
    change
}

/// It shows or did, so these attempts were carried out, whatever is to be read of it later.
pub(super) fn carried_out(mut change: Change, attempts: &[&Attempt], code: &str, now: Timestamp) -> Change {
    for attempt in attempts {
        if change.attempts.iter().all(|told| told.id != attempt.id) {
            change.attempts.push((*attempt).clone());
        }
    }
    let is_meant = |told: &&mut Attempt| {
        let unknown = matches!(told.outcome, AttemptOutcome::Open | AttemptOutcome::Absent);
        unknown && attempts.iter().any(|attempt| attempt.id == told.id)
    };
    let meant = change.attempts.iter_mut().filter(is_meant);
    meant.for_each(|told| told.close(AttemptOutcome::Accepted, Some(code.to_owned()), now));
    change
}

/// What a look at one that is to end tells of the attempts whose outcome is not known: that it shows, or that somebody
/// removed it. Without it, what is gone by the next look would be taken for never made.
pub(super) fn told_by(
    change: Change,
    (request, sighting): (&Request, &Sighting),
    seen: &Seen,
    now: Timestamp,
) -> Change {
    let is_known = |told: &Attempt| request.attempts.iter().any(|attempt| attempt.id == told.id);
    match seen {
        // A new attempt is recorded only once the earlier ones are closed.
        _ if !change.attempts.iter().all(is_known) => change,
        Seen::InForce { .. } => {
            let open = request.attempts.iter().filter(|a| a.is_for_access() && a.outcome == AttemptOutcome::Open);
            let took_effect: Vec<_> = open.filter(|attempt| took_effect(sighting, request, attempt)).collect();
            carried_out(change, &took_effect, "seen", now)
        }
        Seen::Over(over) => carried_out(change, &revoked_since(sighting, request, over), &over.status, now),
        _ => change,
    }
}

/// Whether what shows is by this attempt: another one may have made it.
fn took_effect(sighting: &Sighting, request: &Request, attempt: &Attempt) -> bool {
    made_by_attempt(sighting, request, attempt).is_some_and(|made| match attempt.kind {
        AttemptKind::Update => made.progress == Progress::Done,
        _ => !matches!(made.progress, Progress::Over | Progress::Revoked),
    })
}

/// The attempts that made a schedule request which somebody revoked: it may have been in force before.
pub(super) fn revoked_since<'a>(
    sighting: &Sighting,
    request: &'a Request,
    schedule_request: &ScheduleRequest,
) -> Vec<&'a Attempt> {
    let is_its = |attempt: &&Attempt| {
        let unknown = matches!(attempt.outcome, AttemptOutcome::Open | AttemptOutcome::Absent);
        let made = || made_by_attempt(sighting, request, attempt).is_some_and(|made| made.id == schedule_request.id);
        attempt.kind == AttemptKind::Assign && unknown && made()
    };
    let revoked = schedule_request.progress == Progress::Revoked;
    request.attempts.iter().filter(|_| revoked).filter(is_its).collect()
}

/// Still in force although its time is over: read again while reads may lag, then remove it and say so. One that only
/// seemed to be gone keeps the time it was given; one that PIM would not end in time either is not waited for.
pub(super) fn overdue(
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
    let outlives = instance.ends_at.is_none_or(|end| end > over + TOLERANCE);
    if !outlives && now < over + OVERDUE_AFTER {
        return go_on(request, now, now + SignedDuration::from_secs(20));
    }
    let reason = "its time is over, and PIM has not ended it";
    let again = EndOrder::by_stint(EndCause::Expired, reason, true, over);
    let finding = NewFinding { kind: "past-its-end", detail: json!({ "instance": instance }) };
    Change { findings: vec![finding], ..Change::to(Event::End(again), now, now) }
}

/// Nothing of it shows. That proves its end only where nothing could show late any more: `quiet_from` at the earliest,
/// after the settle time of every attempt that may have made it, unless PIM took a later removal, which it would not of
/// what does not exist.
pub(super) fn absent(
    request: &Request,
    assignment: Option<&Assignment>,
    order: &EndOrder,
    quiet_from: Timestamp,
    now: Timestamp,
) -> Change {
    let own_time = |a: &Assignment| order.cause == EndCause::Expired && now >= a.ends_at + PROOF_AFTER;
    if assignment.is_some_and(own_time) {
        return gone(request, vec![], now);
    }
    let Some(mut witness) = request.attempts.last().cloned() else { return gone(request, vec![], now) };
    let removed = |a: &Attempt| a.kind == AttemptKind::Remove && a.outcome == AttemptOutcome::Accepted;
    let may_show = |a: &&Attempt| {
        // A question may have been carried out: whoever asks for its end has seen that.
        let made =
            (a.may_have_moved_the_end() || a.kind == AttemptKind::Validate) && a.outcome == AttemptOutcome::Accepted;
        a.outcome == AttemptOutcome::Open || (made && !request.attempts.iter().any(removed))
    };
    let settled = request.attempts.iter().filter(may_show).map(Attempt::settled_at).max();
    let quiet_from = settled.unwrap_or(quiet_from).max(quiet_from);
    if now < quiet_from {
        return go_on(request, now, quiet_from);
    }
    witness.count_absent(now);
    if witness.absent_reads >= 2 {
        return gone(request, vec![], now);
    }
    let again = now + SignedDuration::from_secs(31);
    Change { attempts: vec![witness], ..go_on(request, now, again) }
}

/// When a schedule request that PIM took, and that never showed, is no longer expected to come into force.
pub(super) fn started_by_now(request: &Request) -> Timestamp {
    let taken = request.attempts.iter().filter(|a| a.is_for_access()).filter_map(|a| a.closed_at).max();
    taken.map_or(Timestamp::MIN, |at| at + IN_FORCE_WITHIN)
}

/// It is over; what is left of it, if anything, is what these others hold.
pub(super) fn gone(request: &Request, others: Vec<CoHolder>, now: Timestamp) -> Change {
    let open = request.attempts.iter().filter(|a| a.outcome == AttemptOutcome::Open);
    let close = |attempt: &Attempt| {
        let mut attempt = attempt.clone();
        let outcome = match attempt.kind {
            AttemptKind::Remove | AttemptKind::Cancel => AttemptOutcome::Accepted,
            // Whether a question or a sign-out was ever sent is not known; nothing is told as done on a guess.
            _ => AttemptOutcome::Absent,
        };
        attempt.close(outcome, None, now);
        attempt
    };
    Change { attempts: open.map(close).collect(), ..Change::to(Event::Gone(now, others), now, now) }
}
