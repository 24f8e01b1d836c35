//! Dry runs: everything but the grant.
//!
//! Whether a request is one is frozen in its decision. Such a request asks PIM only with `isValidationOnly`
//! (`contracts/graph.md` §2.6), since the one function that makes orders to assign reads that decision, and
//! [`crate::domain::lifecycle`] knows no way from it to `active`. One that was decided for real is held while nothing may be
//! granted. Ends are never tried only: what was granted before is removed and proved gone as ever.

use std::time::Duration as Wait;

use jiff::Timestamp;
use serde_json::json;

use super::{
    Desk, Engine, Entra, Ports, Records, Tenant,
    assign::{came_to_nothing, not_sent, order, remaining, too_late},
    reread::{TICKET_FRESH, too_slow},
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Answer, Progress},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        lifecycle::Event,
        request::{Decision, EndCause, EndOrder, Hold, Request, State},
        sight::{Seen, judge},
    },
    graph::Sent,
    store::{Change, Lease, NewFinding, StoreError},
};

/// An unclear answer changes nothing, so PIM is asked so many times at once before the request is held.
const QUICK_TRIES: usize = 3;

const GRANTABLE: &str = "PIM checked it and would have granted it";
const FOREIGN: &str = "The principal holds this already, by somebody else's hand: stint would have left that alone, and granted \
                       nothing while it lasts";
const OF_STINT: &str =
    "Another approved request holds the same assignment now: this one would have waited for it or joined it";
const EXISTS: &str = "PIM says that the assignment exists already or is under way: this one would have joined it where stint \
                      made it, and waited for its end where somebody else did";

impl<P: Ports> Engine<P> {
    /// Why nothing may be granted to this request now; `None`: it may.
    pub(super) fn grants_nothing(&self, request: &Request) -> Option<&'static str> {
        let connection = self.connections.get(&request.connection);
        if self.dry_run {
            Some("stint runs with --dry-run, and this was approved before as a real request")
        } else if connection.is_some_and(|connection| connection.settings().dry_run) {
            Some("the connection says dry_run, and this was approved before as a real request")
        } else {
            None
        }
    }

    /// Holds a request that was decided for real while nothing may be granted, for as long as its ticket stands. `None`:
    /// go on.
    pub(super) async fn only_rehearses(&self, request: &Request, decision: &Decision) -> Option<Change> {
        let why = self.grants_nothing(request)?;
        if let Err(change) = self.read_again(request, decision).await {
            return Some(*change);
        }
        let now = self.clock.now();
        let held = hold_until(request, Hold::new("dry-run", why), now, retry::parked(now));
        Some(Change { doubt: Some(None), ..held })
    }

    /// Asks PIM whether it would grant what was decided, and ends the request with what it says.
    pub(super) async fn rehearse(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        if let Some(attempt) = last_validation(request).filter(|a| may_have_been_meant(a)) {
            return self.nothing_was_made(tenant, request, decision, attempt.clone()).await;
        }
        if let Some(left_open) = left_open(request, now) {
            return Ok(Change { attempts: left_open, ..go_on(request, now, now) });
        }
        let Some(duration) = remaining(request, decision, now) else { return Ok(too_late(now)) };
        if let Some(full) = self.over_the_rate(tenant, request, decision, now).await? {
            return Ok(hold_until(request, full, now, retry::parked(now)));
        }
        let attempt = Attempt::validate(duration, now);
        let send_not_after = self.clock.monotonic() + Wait::from_secs(30);
        let request = self.record_validation(lease, request, attempt.clone()).await?;
        let not_sent = |change| Ok(not_sent(attempt.clone(), self.clock.now(), change));

        if let Some(found) = self.found(tenant, &request, decision).await? {
            return not_sent(found);
        }
        let read_at = match self.read_again(&request, decision).await {
            Ok(read_at) => read_at,
            Err(change) => return not_sent(*change),
        };
        if !self.store.may_send(lease).await? {
            let now = self.clock.now();
            return not_sent(go_on(&request, now, now));
        }
        let deadline = send_not_after.min(read_at + TICKET_FRESH);
        if self.clock.monotonic() >= deadline {
            return not_sent(too_slow(&request, self.clock.now()));
        }
        let sent = tenant.graph.assign(&order(&request, decision, &attempt), deadline).await;
        Ok(Change { doubt: Some(None), ..Self::validated(&request, attempt, sent, self.clock.now()) })
    }

    /// Records it.
    async fn record_validation(
        &self,
        lease: &Lease,
        request: &Request,
        attempt: Attempt,
    ) -> Result<Request, StoreError> {
        let now = self.clock.now();
        let begun = match request.state.underlying() {
            State::Approved(decision) => Change::to(Event::Begin(Box::new(decision.clone())), now, now),
            _ => Change::later(now, now),
        };
        self.store.advance(lease, Change { attempts: vec![attempt], keep_lease: true, ..begun }).await
    }

    /// What PIM shows already, if that answers the question. `None`: nothing is there, go on.
    async fn found(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
    ) -> Result<Option<Change>, StoreError> {
        let sighting = match self.look(tenant, request, decision).await {
            Ok(sighting) => sighting,
            Err(change) => return Ok(Some(*change)),
        };
        let kin = self.kin(request, decision).await?;
        let now = self.clock.now();
        Ok(match judge(&sighting, request.id, &request.attempts, &kin) {
            Seen::Nothing | Seen::Over(_) => None,
            Seen::OfKin { .. } => Some(over(OF_STINT, now)),
            Seen::Foreign { of_stint } => Some(over(if of_stint { OF_STINT } else { FOREIGN }, now)),
            Seen::InForce { .. } | Seen::Known(_) => Some(granted_after_all(now)),
        })
    }

    /// PIM said yes, but not that it only checked: what it may have made shows within the settle time, or it made nothing.
    async fn nothing_was_made(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        mut attempt: Attempt,
    ) -> Result<Change, StoreError> {
        let found = self.found(tenant, request, decision).await?;
        let now = self.clock.now();
        // What shows as somebody else's may be what PIM made of the question, of which the rest shows later.
        let (is_early, shows) = (now < attempt.settled_at(), found.is_some());
        if let Some(change) = found.filter(|found| !(is_early && matches!(found.event, Some(Event::Validated(_))))) {
            if matches!(change.event, Some(Event::Validated(_) | Event::End(_))) {
                // Looks that missed what it made are no proof that it is gone.
                (attempt.absent_reads, attempt.last_absent_at) = (0, None);
                attempt.close(AttemptOutcome::Accepted, None, now);
            }
            return Ok(Change { attempts: vec![attempt], ..change });
        }
        if !shows {
            attempt.count_absent(now);
        }
        if !shows && attempt.is_proved_absent(now) {
            attempt.close(AttemptOutcome::Accepted, None, now);
            return Ok(Change { attempts: vec![attempt], ..over(GRANTABLE, now) });
        }
        let due_at = retry::next_look(now, request.looks);
        let settled_at = if attempt.settled_at() > now { attempt.settled_at() } else { due_at };
        Ok(Change { attempts: vec![attempt], ..go_on(request, now, due_at.min(settled_at)) })
    }

    /// What the answer makes of attempt and request.
    fn validated(request: &Request, mut attempt: Attempt, sent: Sent, now: Timestamp) -> Change {
        attempt.http_status = sent.http_status;
        attempt.graph_request_id = sent.graph_request_id;
        let change = match sent.answer {
            Answer::Accepted(checked) if checked.progress == Progress::Over => {
                attempt.close(AttemptOutcome::Refused, Some(checked.status.clone()), now);
                Change::to(came_to_nothing(&checked), now, now)
            }
            Answer::Accepted(checked) => {
                attempt.close(AttemptOutcome::Accepted, Some(checked.status), now);
                over(GRANTABLE, now)
            }
            Answer::Look { code } => {
                attempt.close(AttemptOutcome::Refused, Some(code), now);
                over(EXISTS, now)
            }
            Answer::Unclear { reason } => {
                attempt.code = Some(reason);
                unclear(request, &mut attempt, now)
            }
            other => Self::answered(request, &mut attempt, other, &[], now),
        };
        Change { attempts: vec![attempt], ..change }
    }
}

/// Validations that a crash left open, closed: they made nothing, and must keep nobody else waiting. `None`: there are none.
fn left_open(request: &Request, now: Timestamp) -> Option<Vec<Attempt>> {
    let close = |open: &Attempt| {
        let mut open = open.clone();
        open.close(AttemptOutcome::Absent, None, now);
        open
    };
    let open = request.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Open);
    let closed: Vec<_> = open.map(close).collect();
    (!closed.is_empty()).then_some(closed)
}

fn last_validation(request: &Request) -> Option<&Attempt> {
    request.attempts.iter().rev().find(|attempt| attempt.kind == AttemptKind::Validate)
}

/// Whether PIM said yes without saying that it only checked. Then it is not asked again before it is known what it did.
fn may_have_been_meant(attempt: &Attempt) -> bool {
    let yes = attempt.http_status.is_some_and(|status| (200..300).contains(&status));
    yes && attempt.outcome == AttemptOutcome::Open
}

/// A yes that cannot be read stays open: looking decides. Everything else is asked again, at first at once.
fn unclear(request: &Request, attempt: &mut Attempt, now: Timestamp) -> Change {
    if may_have_been_meant(attempt) {
        return go_on(request, now, retry::next_look(now, 0));
    }
    attempt.close(AttemptOutcome::Absent, None, now);
    let tries = request.attempts.iter().filter(|a| a.kind == AttemptKind::Validate).count();
    let later = u32::try_from(tries).unwrap_or(u32::MAX);
    if tries < QUICK_TRIES {
        return go_on(request, now, retry::next_look(now, later));
    }
    let detail = "PIM gives no clear answer to the question whether it would grant this; it is asked again";
    hold_until(request, Hold::new("validation-unclear", detail), now, retry::next_try(now, later))
}

/// The end of a dry run.
fn over(reason: &str, now: Timestamp) -> Change {
    Change::to(Event::Validated(EndOrder::by_stint(EndCause::DryRun, reason, false, now)), now, now)
}

/// PIM made what it was only to check: it is removed, and somebody has to know.
fn granted_after_all(now: Timestamp) -> Change {
    let reason = "PIM granted what it was asked only to check";
    let finding = NewFinding { kind: "dry-run-granted", detail: json!({ "reason": reason }) };
    let end = Event::End(EndOrder::by_stint(EndCause::Revoked, reason, true, now));
    Change { findings: vec![finding], ..Change::to(end, now, now) }
}
