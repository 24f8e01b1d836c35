//! What a request left behind that is over: stint's own, and nobody's any more, so it is removed again.
//!
//! The recorded attempt keeps everybody else from sending for the same holding; only then is it looked at once more, and
//! removed if this very assignment shows there and nothing beside it. An attempt whose outcome nobody learns is settled by
//! a later comparison ([`Store::settle_removals`]), so that it blocks nobody for ever.
//!
//! [`Store::settle_removals`]: crate::store::Store::settle_removals

use std::time::Duration as Wait;

use serde_json::json;
use tracing::warn;

use super::{Engine, Entra, Ports, Records, end::REMOVABLE_AFTER, sweep::Run};
use crate::{
    domain::{
        assignment::{Answer, RemoveOrder},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        id::{RequestId, TicketNumber},
        sweep::{Held, is_alone, shows},
    },
    graph::{Sent, Way},
    store::{NewFinding, StoreError},
};

/// From the look to the call that removes.
const SEND_WITHIN: Wait = Wait::from_secs(5);

impl<P: Ports> Engine<P> {
    /// Tells of it, and removes it as soon as PIM allows.
    pub(super) async fn overstays(
        &self,
        run: &mut Run<'_, P::Entra>,
        request: RequestId,
        held: &Held,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        if held.instance.starts_at.is_some_and(|start| now < start + REMOVABLE_AFTER) {
            run.doubted = true;
            return Ok(());
        }
        if run.tenant.graph.may_send(&held.holding.target, Way::Remove).is_err() {
            return Ok(());
        }
        let mut attempt = Attempt::new(AttemptKind::Remove, now);
        let tenant = &run.sweep.tenant;
        let Some(number) = self.store.record_removal(tenant, request, &held.holding, &attempt).await? else {
            return Ok(());
        };
        warn!(%request, instance = held.instance.id, "its assignment is there although it is over; removing it");
        self.try_removal(run, (request, &number), held, &mut attempt).await?;
        let refused = attempt.code.as_deref().filter(|_| attempt.outcome == AttemptOutcome::Refused);
        let finding = refused.map(|code| NewFinding { kind: "removal-refused", detail: json!({ "code": code }) });
        self.store.close_removal(tenant, request, &held.holding, &attempt, finding.as_slice()).await
    }

    /// Looks once more, and removes what is still as it was.
    async fn try_removal(
        &self,
        run: &mut Run<'_, P::Entra>,
        (request, number): (RequestId, &TicketNumber),
        held: &Held,
        attempt: &mut Attempt,
    ) -> Result<(), StoreError> {
        let deadline = self.clock.monotonic() + Wait::from_secs(30);
        let not_sent = |attempt: &mut Attempt, code: &str| {
            attempt.close(AttemptOutcome::NotSent, Some(code.to_owned()), self.clock.now());
        };
        let sighting = match run.tenant.graph.look(&held.holding).await {
            Ok(sighting) => sighting,
            Err(error) => {
                not_sent(attempt, error.code());
                run.stop_looking::<()>(error);
                return Ok(());
            }
        };
        // Told of whether or not it may be removed.
        if shows(&sighting, &held.instance) {
            let finding = NewFinding { kind: "past-its-end", detail: json!({ "instance": held.instance }) };
            self.store.show_again(request).await?;
            self.store.raise_of_request(&run.sweep.tenant, request, &finding, self.clock.now()).await?;
        }
        if !is_alone(&sighting, &held.instance) {
            not_sent(attempt, "not-alone");
            return Ok(());
        }
        if !self.store.may_sweep(run.sweep).await? {
            not_sent(attempt, "lease-lost");
            return Ok(());
        }
        let justification = format!("{number} {}", request.marker());
        let order = RemoveOrder { holding: held.holding.clone(), justification, call_id: attempt.id.0 };
        let deadline = deadline.min(self.clock.monotonic() + SEND_WITHIN);
        let sent = run.tenant.graph.remove(&order, deadline).await;
        take(attempt, sent, self.clock.now());
        run.doubted |= matches!(attempt.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted);
        Ok(())
    }
}

/// What the answer makes of the attempt. One whose outcome is unknown stays open.
fn take(attempt: &mut Attempt, sent: Sent, now: jiff::Timestamp) {
    attempt.http_status = sent.http_status;
    attempt.graph_request_id = sent.graph_request_id;
    let (outcome, code) = match sent.answer {
        Answer::Accepted(schedule_request) => (AttemptOutcome::Accepted, schedule_request.status),
        Answer::TooEarly => (AttemptOutcome::NotSent, "ActiveDurationTooShort".into()),
        Answer::Throttled { .. } => (AttemptOutcome::NotSent, "TooManyRequests".into()),
        Answer::NotYet { code } => (AttemptOutcome::NotSent, code),
        Answer::NotSent { reason } => (AttemptOutcome::NotSent, reason),
        Answer::Refused { code, .. } | Answer::TenantRefused { code, .. } => (AttemptOutcome::Refused, code),
        Answer::Look { code } | Answer::Unclear { reason: code } => {
            attempt.code = Some(code);
            return;
        }
    };
    attempt.close(outcome, Some(code), now);
}
