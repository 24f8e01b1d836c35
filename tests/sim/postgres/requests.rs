//! Requests: told to end, and asked about.

use jiff::{SignedDuration, Timestamp};
use stint::{
    domain::{
        assignment::Holding,
        attempt::{AttemptKind, AttemptOutcome},
        id::{ConnectionName, EntitlementKey, RequestId, TenantName, TicketId},
        request::{EndCause, EndOrder, Request, Status},
    },
    store::{Ordered, Spent},
};

use super::Database;

const MATTERS_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Database {
    pub fn order_end(&mut self, id: RequestId, order: &EndOrder) -> Ordered {
        let Some(row) = self.row_mut(id) else { return Ordered::Unknown };
        let status = row.state.status();
        if status.is_terminal() {
            return Ordered::Over(status);
        }
        let removes = |order: &Option<EndOrder>| order.as_ref().is_some_and(|order| order.remove);
        if removes(&row.end_requested) || removes(&row.end_order) {
            return Ordered::Already;
        }
        row.end_requested = Some(order.clone());
        row.woken = true;
        row.due_at = Some(order.ordered_at);
        self.tell(Some(id), "end-ordered", None);
        Ordered::Recorded
    }

    pub fn spent(&self, connection: &ConnectionName, ticket: &TicketId, other_than: RequestId) -> Spent {
        let others = || {
            self.rows
                .iter()
                .filter(|row| row.connection == *connection && row.ticket == *ticket && row.id != other_than)
        };
        let revoked =
            others().filter_map(|row| row.end_order.as_ref()).filter(|order| order.cause == EndCause::Revoked);
        let called_off = others().filter(|row| {
            let cause = row.end_order.as_ref().map(|order| order.cause);
            row.approval.is_none()
                && row.state.status() == Status::Ended
                && matches!(cause, Some(EndCause::Revoked | EndCause::Withdrawn))
        });
        Spent {
            given_at: others().filter_map(|row| row.approval_given_at).max(),
            called_off_at: revoked.map(|order| order.ordered_at).chain(called_off.map(|row| row.state_since)).max(),
        }
    }

    pub fn begun_since(
        &self,
        tenant: &TenantName,
        entitlement: &EntitlementKey,
        since: Timestamp,
        other_than: RequestId,
    ) -> i64 {
        let counts = |id: RequestId| {
            self.attempts.iter().any(|row| {
                let attempt = &row.attempt;
                row.request == id
                    && row.tenant == *tenant
                    && matches!(attempt.kind, AttemptKind::Assign | AttemptKind::Update)
                    && attempt.duration.is_some()
                    && (attempt.outcome != AttemptOutcome::NotSent || attempt.code.as_deref() == Some("covered"))
                    && attempt.recorded_at > since
            })
        };
        let of = |row: &&super::Row| {
            row.tenant.as_ref() == Some(tenant)
                && row.id != other_than
                && row.decision.as_ref().is_some_and(|decision| decision.entitlement.key == *entitlement)
        };
        let count = self.rows.iter().filter(of).filter(|row| counts(row.id)).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Which requests had to do with this holding lately.
    pub fn kin_ids(&self, of: RequestId, tenant: &TenantName, holding: &Holding, now: Timestamp) -> Vec<RequestId> {
        let lately = now - MATTERS_FOR;
        let rows = self.attempts.iter().filter(|row| {
            row.tenant == *tenant
                && row.holding == *holding
                && row.request != of
                && row.attempt.ends_at.is_some_and(|end| end > lately)
        });
        let mut ids: Vec<_> = rows.map(|row| row.request).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub fn kin(&self, of: RequestId, tenant: &TenantName, holding: &Holding, now: Timestamp) -> Vec<Request> {
        self.kin_ids(of, tenant, holding, now).into_iter().filter_map(|id| self.load(id)).collect()
    }
}
