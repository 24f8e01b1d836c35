//! From an attempt to a proved assignment: read back until the instance shows, or until it surely never will.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Engine, Ports, Tenant,
    assign::{came_to_nothing, foreign, take_ids},
    join::joined,
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Instance, Progress, ScheduleRequest, Sighting},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        lifecycle::Event,
        request::{Assignment, Decision, EndCause, EndOrder, Hold, Request},
        sight::{EndCheck, Seen, check_end, judge, made_by_attempt},
    },
    store::{Change, NewFinding, StoreError},
};

/// Graph's codes for a call that was refused because of what is there already.
const SAID_TO_EXIST: [&str; 2] = ["RoleAssignmentExists", "PendingRoleAssignmentRequest"];

/// Before such a call is tried again.
const SAID_TO_EXIST_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// An accepted schedule request that is not in force after this long is shown as held (`contracts/graph.md` §7.5).
pub(super) const IN_FORCE_WITHIN: SignedDuration = SignedDuration::from_mins(5);

impl<P: Ports> Engine<P> {
    /// Looks for what the attempt made.
    pub(super) async fn confirm(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        attempt: &Attempt,
    ) -> Result<Change, StoreError> {
        let kin = self.kin(request, decision).await?;
        let sighting = match self.look(tenant, request, decision).await {
            Ok(sighting) => sighting,
            Err(change) => return Ok(*change),
        };
        let (mut attempt, now) = (attempt.clone(), self.clock.now());
        let change = match attempt.kind {
            AttemptKind::Update => joined(request, decision, &mut attempt, &sighting, &kin, now),
            _ => judged(request, decision, &mut attempt, &sighting, &kin, now),
        };
        Ok(Change { attempts: vec![attempt], ..change })
    }
}

/// What a sighting makes of the attempt and the request.
fn judged(
    request: &Request,
    decision: &Decision,
    attempt: &mut Attempt,
    sighting: &Sighting,
    kin: &[Request],
    now: Timestamp,
) -> Change {
    let seen = judge(sighting, request.id, &request.attempts, kin);
    let of_stint = matches!(seen, Seen::OfKin { .. } | Seen::Foreign { of_stint: true });
    match seen {
        Seen::InForce { instance, schedule_id, schedule_request_id, .. } => {
            found(attempt, schedule_request_id.as_deref(), Some(&schedule_id), now);
            in_force(request, decision, &instance, (schedule_id, schedule_request_id), now)
        }
        Seen::Known(schedule_request) => {
            found(attempt, Some(&schedule_request.id), schedule_request.schedule_id.as_deref(), now);
            coming(request, attempt, &schedule_request.status, now)
        }
        // An earlier attempt's is over; of this one nothing shows yet.
        Seen::Over(over) if made_by_attempt(sighting, request, attempt).is_none_or(|made| made.id != over.id) => {
            nothing(request, attempt, now)
        }
        Seen::Over(schedule_request) => {
            take_ids(attempt, &schedule_request);
            attempt.close(came_out(&schedule_request), Some(schedule_request.status.clone()), now);
            Change::to(came_to_nothing(&schedule_request), now, now)
        }
        Seen::Foreign { .. } | Seen::OfKin { .. } => {
            let waiting = nothing(request, attempt, now);
            let hold = hold_until(request, foreign(of_stint), now, waiting.due_at);
            let moves_on = attempt.outcome != AttemptOutcome::Accepted && attempt.outcome != AttemptOutcome::Open;
            if moves_on || matches!(waiting.event, Some(Event::End(_))) { waiting } else { hold }
        }
        Seen::Nothing => nothing(request, attempt, now),
    }
}

/// How an attempt came out whose schedule request is over. What was revoked may have been in force before.
fn came_out(schedule_request: &ScheduleRequest) -> AttemptOutcome {
    match schedule_request.progress {
        Progress::Revoked => AttemptOutcome::Accepted,
        _ => AttemptOutcome::Refused,
    }
}

/// Graph knows it: the attempt is no longer open.
pub(super) fn found(attempt: &mut Attempt, schedule_request: Option<&str>, schedule: Option<&str>, now: Timestamp) {
    let keep = |slot: &mut Option<String>, value: Option<&str>| {
        if let Some(value) = value {
            *slot = Some(value.to_owned());
        }
    };
    keep(&mut attempt.schedule_request_id, schedule_request);
    keep(&mut attempt.schedule_id, schedule);
    if attempt.outcome == AttemptOutcome::Open {
        attempt.absent_reads = 0;
        attempt.last_absent_at = None;
        attempt.close(AttemptOutcome::Accepted, None, now);
    }
}

fn in_force(
    request: &Request,
    decision: &Decision,
    instance: &Instance,
    (schedule_id, schedule_request_id): (String, Option<String>),
    now: Timestamp,
) -> Change {
    let (finding, reason) = match check_end(instance, &request.attempts, decision.not_after) {
        EndCheck::Kept(starts_at, ends_at) => {
            let assignment =
                Assignment { schedule_request_id, schedule_id, starts_at, ends_at, confirmed_at: now, joined: vec![] };
            let confirmed = Change::to(Event::Confirm(assignment), now, ends_at.min(retry::first_watch(now)));
            return Change { doubt: Some(None), ..confirmed };
        }
        EndCheck::Missing => ("end-missing", "PIM gave it no end".to_owned()),
        EndCheck::Late(end) => ("end-late", format!("PIM ends it at {end}, later than approved")),
    };
    removed_for(finding, &reason, instance, decision, now)
}

/// Its end is not what was approved: it is removed, and somebody has to know.
pub(super) fn removed_for(
    finding: &'static str,
    reason: &str,
    instance: &Instance,
    decision: &Decision,
    now: Timestamp,
) -> Change {
    let detail = json!({ "instance": instance, "approved": decision.duration });
    let change = Change::to(Event::End(EndOrder::by_stint(EndCause::Revoked, reason, true, now)), now, now);
    Change { findings: vec![NewFinding { kind: finding, detail }], ..change }
}

/// Accepted by PIM, not in force yet.
pub(super) fn coming(request: &Request, attempt: &Attempt, status: &str, now: Timestamp) -> Change {
    let over = attempt.own_end().is_some_and(|end| now > end + SignedDuration::from_mins(2));
    if over {
        let reason = "its time was over before PIM brought it into force";
        return Change::to(Event::End(EndOrder::by_stint(EndCause::Expired, reason, true, now)), now, now);
    }
    let due_at = retry::next_look(now, request.looks);
    let since = attempt.closed_at.unwrap_or(attempt.recorded_at);
    if now.duration_since(since) < IN_FORCE_WITHIN {
        return go_on(request, now, due_at);
    }
    let id = attempt.schedule_request_id.as_deref().unwrap_or_default();
    let detail = format!("PIM's schedule request {id} is still {status}");
    hold_until(request, Hold::new("not-in-force", detail), now, due_at)
}

/// Nothing is there. An open attempt comes to nothing only after the settle time and two absent reads; one that Graph
/// accepted is waited for.
pub(super) fn nothing(request: &Request, attempt: &mut Attempt, now: Timestamp) -> Change {
    if attempt.outcome == AttemptOutcome::Open {
        attempt.count_absent(now);
        if attempt.is_proved_absent(now) {
            if is_said_to_exist(attempt) {
                return said_to_exist(request, attempt, now);
            }
            attempt.close(AttemptOutcome::Absent, None, now);
            return go_on(request, now, now + SignedDuration::from_secs(1));
        }
        let due_at = retry::next_look(now, request.looks).min(settled(attempt, now));
        return look_on(request, attempt, now, due_at);
    }
    coming(request, attempt, "not listed yet", now)
}

/// Looks again later. What Graph said to exist stays held while it is looked for.
pub(super) fn look_on(request: &Request, attempt: &Attempt, now: Timestamp, due_at: Timestamp) -> Change {
    if is_said_to_exist(attempt) { Change::later(now, due_at) } else { go_on(request, now, due_at) }
}

fn is_said_to_exist(attempt: &Attempt) -> bool {
    attempt.code.as_deref().is_some_and(|code| SAID_TO_EXIST.contains(&code))
}

/// Graph refused the call because something exists, and shows nothing: surely not carried out, and not to be repeated at
/// once. It may be an assignment that the user activated (`contracts/graph.md` §7.1).
fn said_to_exist(request: &Request, attempt: &mut Attempt, now: Timestamp) -> Change {
    attempt.close(AttemptOutcome::Refused, None, now);
    let detail = "Graph says that the assignment exists, and shows none; look at the principal's roles in PIM";
    hold_until(request, Hold::new("said-to-exist", detail), now, now + SAID_TO_EXIST_PAUSE)
}

/// The moment the settle time is over, if that is still to come.
fn settled(attempt: &Attempt, now: Timestamp) -> Timestamp {
    let at = attempt.settled_at();
    if at > now { at } else { Timestamp::MAX }
}
