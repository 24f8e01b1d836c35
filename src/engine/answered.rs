//! What PIM's answer to a call for access makes of attempt and request.
//!
//! A definite no closes the attempt; whatever is not definite leaves it open, and looking decides.

use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, Ports,
    assign::{came_to_nothing, failed, take_ids},
    confirm::look_on,
    join::{not_moved, waits_its_turn},
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Answer, Progress},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        request::{Hold, Request},
    },
    graph::{Sent, TenantFault},
    store::Change,
};

/// How long PIM may take to know a principal, role or group it refuses as unknown (`contracts/graph.md` §6.1).
pub(super) const KNOWN_WITHIN: SignedDuration = SignedDuration::from_mins(3);

impl<P: Ports> Engine<P> {
    /// What the answer to the call makes of attempt and request.
    pub(super) fn conclude(&self, request: &Request, mut attempt: Attempt, sent: Sent, kin: &[Request]) -> Change {
        let now = self.clock.now();
        attempt.http_status = sent.http_status;
        attempt.graph_request_id = sent.graph_request_id;
        let mut change = Self::answered(request, &mut attempt, sent.answer, kin, now);
        change.attempts = vec![attempt];
        change
    }

    pub(super) fn answered(
        request: &Request,
        attempt: &mut Attempt,
        answer: Answer,
        kin: &[Request],
        now: Timestamp,
    ) -> Change {
        let joins = attempt.kind == AttemptKind::Update;
        let held = |code: &str, detail: String, due_at| hold_until(request, Hold::new(code, detail), now, due_at);
        match answer {
            Answer::Accepted(schedule_request) => {
                take_ids(attempt, &schedule_request);
                if schedule_request.progress == Progress::Over && joins {
                    return not_moved(request, attempt, &schedule_request.status, now);
                }
                if schedule_request.progress == Progress::Over {
                    attempt.close(AttemptOutcome::Refused, Some(schedule_request.status.clone()), now);
                    return Change::to(came_to_nothing(&schedule_request), now, now);
                }
                attempt.close(AttemptOutcome::Accepted, Some(schedule_request.status), now);
                go_on(request, now, now)
            }
            Answer::Refused { code, .. } if joins && code.contains("ExpirationRule") => {
                waits_its_turn(request, attempt, &code, kin, now)
            }
            Answer::Refused { code, detail } => {
                attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
                Change::to(failed(&code, &detail), now, now)
            }
            Answer::TenantRefused { code, detail } => {
                attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
                held(TenantFault::of_code(&code).code(), format!("{code}: {detail}"), retry::parked(now))
            }
            Answer::NotYet { code } => {
                attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
                if refused_since(request, &code).is_some_and(|since| now.duration_since(since) >= KNOWN_WITHIN) {
                    return Change::to(failed(&code, "PIM still does not know the principal or role"), now, now);
                }
                held("graph-not-yet", format!("PIM answered {code}"), retry::soon(now, request.looks))
            }
            Answer::Throttled { after } => {
                attempt.close(AttemptOutcome::Refused, Some("TooManyRequests".into()), now);
                let due_at = retry::scattered(retry::asked(now, after, request.looks), request.id);
                held("graph-throttled", "Graph asks stint to wait".into(), due_at)
            }
            Answer::NotSent { reason } => {
                attempt.close(AttemptOutcome::NotSent, Some(reason.clone()), now);
                held("graph-unavailable", format!("nothing was sent: {reason}"), retry::next_try(now, request.looks))
            }
            // Nothing is changed by an update that finds nothing, or comes too early.
            Answer::Look { code } if joins && code == "RoleAssignmentDoesNotExist" => {
                not_moved(request, attempt, &code, now)
            }
            Answer::TooEarly if joins => not_moved(request, attempt, "ActiveDurationTooShort", now),
            Answer::TooEarly => unclear(request, attempt, "ActiveDurationTooShort".into(), now),
            Answer::Look { code } | Answer::Unclear { reason: code } => unclear(request, attempt, code, now),
        }
    }
}

/// The attempt stays open; looking decides.
fn unclear(request: &Request, attempt: &mut Attempt, seen: String, now: Timestamp) -> Change {
    attempt.code = Some(seen);
    look_on(request, attempt, now, retry::next_look(now, 0))
}

/// Since when PIM has been refusing with this code.
fn refused_since(request: &Request, code: &str) -> Option<Timestamp> {
    let refused = request.attempts.iter().find(|a| a.code.as_deref() == Some(code))?;
    Some(refused.recorded_at)
}
