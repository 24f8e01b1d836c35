//! Leaving an assignment that others still hold: it is cut back to what they hold, and goes on for them.
//!
//! Nothing is removed here. What cannot be cut back in time is removed by whoever leaves it last.

use std::time::Duration as Wait;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Engine, Entra, Ports, Tenant,
    absence::{absent, contested, gone},
    assign::{justification, take_ids},
    end::{not_sent, removed},
    join::update_order,
    retry,
    step::{go_on, hold_until},
};
use crate::{
    domain::{
        assignment::{Answer, Sighting},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        duration::GRANTABLE,
        overlap::{co_holders, covered_until, settled_from, shared},
        request::{Decision, EndOrder, Hold, Request, State},
        sight::{Seen, TOLERANCE, judge, made_by_attempt},
    },
    graph::{Sent, Way},
    store::{Change, Lease, NewFinding, StoreError},
};

/// A margin for PIM's clock beyond the five minutes that it demands.
const MARGIN: SignedDuration = SignedDuration::from_secs(15);

impl<P: Ports> Engine<P> {
    /// Sees that the assignment lasts no longer than others hold it, which is `until`.
    #[expect(clippy::too_many_arguments, reason = "the step's whole picture; each part is used")]
    pub(super) async fn leave(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        order: &EndOrder,
        sighting: &Sighting,
        kin: &[Request],
        until: Timestamp,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        let learnt = learnt(request, sighting, now);
        if !learnt.is_empty() {
            return Ok(Change { attempts: learnt, ..go_on(request, now, now) });
        }
        let seen = judge(sighting, request.id, &request.attempts, kin);
        if let Seen::InForce { contested: true, instance, .. } | Seen::OfKin { contested: true, instance } = &seen {
            return Ok(contested(request, instance, order, now));
        }
        let Some(row) = shared(sighting, request, kin) else {
            let assignment = match request.state.underlying() {
                State::Ending(_, assignment, _) => assignment.as_ref(),
                _ => None,
            };
            return Ok(absent(request, assignment, order, Timestamp::MIN, now));
        };
        let settled = settled_from(row, request, kin);
        if now < settled {
            return Ok(go_on(request, now, settled.min(retry::next_look(now, request.looks))));
        }
        if row.ends_at.is_some_and(|end| end <= until + TOLERANCE) {
            return Ok(gone(request, co_holders(kin, now), now));
        }
        // PIM sets no end nearer than five minutes (`contracts/graph.md` §2.5): then the last holder removes it.
        if until.duration_since(now) < GRANTABLE.start().signed() + MARGIN {
            return Ok(go_on(request, now, until));
        }
        self.cut_back(lease, tenant, request, decision, sighting, until).await
    }

    async fn cut_back(
        &self,
        lease: &Lease,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        sighting: &Sighting,
        until: Timestamp,
    ) -> Result<Change, StoreError> {
        let now = self.clock.now();
        if let Err(change) = self.may_send(tenant, request, decision, Way::Write) {
            return Ok(Change { due_at: change.due_at.min(until), ..*change });
        }
        let attempt = Attempt::cut_back(until, now);
        let request = match self.record(lease, request, sighting, &attempt).await? {
            Ok(request) => request,
            Err(change) => return Ok(*change),
        };
        let kin = self.kin(&request, decision).await?;
        if covered_until(&kin, self.clock.now()) != Some(until) {
            return Ok(not_sent(&request, attempt, self.clock.now()));
        }
        let order = update_order(&request, decision, &attempt, justification(&request));
        let sent = tenant.graph.update(&order, self.clock.monotonic() + Wait::from_secs(5)).await;
        Ok(concluded(&request, attempt, sent, until, self.clock.now()))
    }
}

/// What a look tells of updates whose answer was lost: PIM took them, and by which ids they are known.
fn learnt(request: &Request, sighting: &Sighting, now: Timestamp) -> Vec<Attempt> {
    let lost = |a: &&Attempt| a.kind == AttemptKind::Update && a.may_have_moved_the_end() && a.schedule_id.is_none();
    let found = request.attempts.iter().filter(lost).filter_map(|attempt| {
        let made = made_by_attempt(sighting, request, attempt).filter(|made| made.schedule_id.is_some())?;
        let mut attempt = attempt.clone();
        take_ids(&mut attempt, made);
        if attempt.outcome == AttemptOutcome::Open {
            attempt.close(AttemptOutcome::Accepted, Some(made.status.clone()), now);
        }
        Some(attempt)
    });
    found.collect()
}

/// What the answer makes of it. Whatever was answered, reading decides.
fn concluded(request: &Request, mut attempt: Attempt, sent: Sent, until: Timestamp, now: Timestamp) -> Change {
    let code = match &sent.answer {
        Answer::Refused { code, .. } | Answer::TenantRefused { code, .. } => code.clone(),
        _ => return removed(request, attempt, sent, now),
    };
    attempt.http_status = sent.http_status;
    attempt.graph_request_id = sent.graph_request_id;
    attempt.close(AttemptOutcome::Refused, Some(code.clone()), now);
    let detail = format!("Graph refuses to let the assignment end at {until}, when the others' approvals end: {code}");
    let finding = NewFinding { kind: "cut-back-refused", detail: json!({ "code": code, "until": until }) };
    let hold = Hold::new("cut-back-refused", detail);
    let change = hold_until(request, hold, now, retry::parked(now).min(until));
    Change { attempts: vec![attempt], findings: vec![finding], ..change }
}
