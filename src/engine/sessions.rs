//! Sign-in sessions after an early end, where the entitlement says so.
//!
//! Once nothing of the assignment is left, and before that is told, the sessions of the user who held it are revoked, so that
//! new tokens do not carry on what old ones began. That never delays an end for long: a few tries, then a finding. Access
//! tokens that were issued while it was active may be accepted for up to about an hour all the same.

use std::time::Duration as Wait;

use jiff::Timestamp;
use serde_json::json;

use super::{Engine, Entra, Ports, Records, Tenant, retry, step::go_on};
use crate::{
    domain::{
        assignment::Answer,
        attempt::{Attempt, AttemptKind, AttemptOutcome, sessions_revoked},
        lifecycle::Event,
        request::{Decision, EndCause, EndOrder, Request, State},
    },
    graph::Sent,
    store::{Change, Lease, NewFinding, StoreError},
};

/// So many tries; each waits for two further looks at PIM.
const TRIES: usize = 5;

impl<P: Ports> Engine<P> {
    /// Before an early end of what was in force is told: revokes the principal's sessions, and lets the request end when
    /// that is done or given up. To be called with changes after which nobody of stint's holds it; any change that does
    /// not tell such an end passes unchanged.
    pub(super) async fn then_sessions(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        change: Change,
    ) -> Result<Change, StoreError> {
        let Some(decision) = asks_for_it(request, change.event.as_ref()) else { return Ok(change) };
        let (user, now) = (decision.principal.id, self.clock.now());
        let attempt = Attempt::new(AttemptKind::RevokeSessions, now);
        let mut attempts = change.attempts.clone();
        // What was open is closed first: one open attempt at a time.
        attempts.push(attempt.clone());
        let recorded = Change { attempts, keep_lease: true, ..go_on(request, now, now) };
        let request = self.store.advance(lease, recorded).await?;
        let deadline = self.clock.monotonic() + Wait::from_secs(5);
        let sent = tenant.graph.revoke_sessions(user, attempt.id.0, deadline).await;
        Ok(concluded(&request, attempt, sent, self.clock.now()))
    }
}

/// The decision behind an early end whose sessions are still to be revoked.
fn asks_for_it<'a>(request: &'a Request, event: Option<&Event>) -> Option<&'a Decision> {
    let State::Ending(decision, assignment, order) = request.state.underlying() else { return None };
    let was_in_force = assignment.is_some() || request.attempts.iter().any(|a| a.kind == AttemptKind::Remove);
    let wanted = decision.entitlement.revoke_sessions && decision.principal.is_user() && is_early(order);
    let open = sessions_revoked(&request.attempts) != Some(true);
    (matches!(event, Some(Event::Gone(_, others)) if others.is_empty()) && was_in_force && wanted && open)
        .then_some(decision)
}

fn is_early(order: &EndOrder) -> bool {
    matches!(order.cause, EndCause::Revoked | EndCause::Withdrawn)
}

/// What the answer makes of attempt and request. A repeat is harmless, so nothing stays open.
fn concluded(request: &Request, mut attempt: Attempt, sent: Sent, now: Timestamp) -> Change {
    attempt.http_status = sent.http_status;
    attempt.graph_request_id = sent.graph_request_id;
    let (outcome, code, final_word) = match sent.answer {
        Answer::Accepted(_) => (AttemptOutcome::Accepted, None, true),
        Answer::Refused { code, .. } | Answer::TenantRefused { code, .. } => {
            (AttemptOutcome::Refused, Some(code), true)
        }
        Answer::NotYet { code } => (AttemptOutcome::Refused, Some(code), false),
        Answer::Throttled { .. } => (AttemptOutcome::Refused, Some("TooManyRequests".to_owned()), false),
        Answer::NotSent { reason } => (AttemptOutcome::NotSent, Some(reason), false),
        Answer::TooEarly => (AttemptOutcome::Refused, Some("ActiveDurationTooShort".to_owned()), false),
        Answer::Look { code } | Answer::Unclear { reason: code } => (AttemptOutcome::Absent, Some(code), false),
    };
    attempt.close(outcome, code.clone(), now);
    let tries = request.attempts.iter().filter(|a| a.kind == AttemptKind::RevokeSessions).count();
    let change = match outcome {
        AttemptOutcome::Accepted => Change::to(Event::Gone(now, vec![]), now, now),
        _ if final_word || tries >= TRIES => given_up(code.as_deref(), now),
        _ => go_on(request, now, retry::next_look(now, u32::try_from(tries).unwrap_or(u32::MAX))),
    };
    Change { attempts: vec![attempt], ..change }
}

/// The request ends all the same; somebody has to know.
fn given_up(code: Option<&str>, now: Timestamp) -> Change {
    let finding = NewFinding { kind: "sessions-not-revoked", detail: json!({ "code": code }) };
    Change { findings: vec![finding], ..Change::to(Event::Gone(now, vec![]), now, now) }
}
