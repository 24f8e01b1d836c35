//! What stint holds of a tenant's assignments, and what a comparison changes of that.

use jiff::{SignedDuration, Timestamp};
use stint::{
    domain::{
        assignment::Holding,
        attempt::{Attempt, AttemptKind, AttemptOutcome, SETTLE},
        id::{RequestId, TenantName, TicketNumber},
        request::{EndOrder, Status},
        sweep::{Books, Entry, Held, Stands},
        target::Target,
    },
    store::{NewFinding, StoreError},
};

use super::{AttemptRow, Database, Row};

const AGAIN_AFTER_REFUSAL: SignedDuration = SignedDuration::from_hours(1);

impl Database {
    pub fn open_targets(&self, tenant: &TenantName) -> Vec<Target> {
        let busy =
            |row: &Row| self.attempts.iter().any(|a| a.request == row.id && a.attempt.outcome == AttemptOutcome::Open);
        let open = self.rows.iter().filter(|row| row.tenant.as_ref() == Some(tenant));
        let open = open.filter(|row| row.due_at.is_some() || busy(row));
        let mut targets: Vec<_> =
            open.filter_map(|row| Some(row.decision.as_ref()?.entitlement.target.clone())).collect();
        targets.sort();
        targets.dedup();
        targets
    }

    pub fn books(&self, tenant: &TenantName, shown: &[Held]) -> Books {
        let ids: Vec<_> = shown.iter().filter_map(|held| held.instance.schedule_id.as_deref()).collect();
        let of_tenant = || self.attempts.iter().filter(|row| row.tenant == *tenant);
        let is_shown = |id: &Option<String>| id.as_deref().is_some_and(|id| ids.contains(&id));
        let mut books = Books::default();
        let mut makers = vec![];
        for row in of_tenant().filter(|r| is_shown(&r.attempt.schedule_id) || is_shown(&r.attempt.schedule_request_id))
        {
            makers.push(row.request);
            let ids = [row.attempt.schedule_id.clone(), row.attempt.schedule_request_id.clone()];
            books.made.extend(ids.into_iter().flatten().map(|id| (id, row.request)));
        }
        books.entries = self.entries(tenant, &makers);
        let open = of_tenant().filter(|row| row.attempt.outcome == AttemptOutcome::Open);
        books.busy = open.map(|row| (row.holding.principal, row.holding.target.to_string())).collect();
        let told = self.findings.iter().filter(|f| f.tenant.as_ref() == Some(tenant) && !f.cleared);
        books.told = told.filter_map(|f| f.subject.clone()).collect();
        books
    }

    fn entries(&self, tenant: &TenantName, makers: &[RequestId]) -> Vec<Entry> {
        let of = |row: &&Row| row.tenant.as_ref() == Some(tenant) && (row.due_at.is_some() || makers.contains(&row.id));
        self.rows.iter().filter(of).filter_map(|row| self.entry_of(row)).collect()
    }

    fn entry_of(&self, row: &Row) -> Option<Entry> {
        let decision = row.decision.as_ref()?;
        let stands = match row.stands() {
            Status::Active => {
                let assignment = row.assignment.as_ref()?;
                let (ends_at, confirmed_at) = (assignment.ends_at, assignment.confirmed_at);
                Stands::InForce { ends_at, confirmed_at, unseen_since: row.unseen_since }
            }
            status if status.is_terminal() => Stands::Over(row.state_since),
            Status::Approved | Status::Assigning if !self.has_asked(row.id) => Stands::Waiting,
            _ => Stands::Underway,
        };
        Some(Entry { request: row.id, holding: decision.holding(), stands })
    }

    /// Whether it has asked PIM for access, or may have.
    fn has_asked(&self, request: RequestId) -> bool {
        self.attempts.iter().any(|row| {
            let access = matches!(row.attempt.kind, AttemptKind::Assign | AttemptKind::Update);
            let may = matches!(row.attempt.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted);
            row.request == request && access && may
        })
    }

    pub fn entry(&self, tenant: &TenantName, request: RequestId) -> Option<Entry> {
        self.entries(tenant, &[request]).into_iter().find(|entry| entry.request == request)
    }

    pub fn miss(&mut self, request: RequestId, now: Timestamp) {
        if let Some(row) =
            self.row_mut(request).filter(|row| row.unseen_since.is_none() && row.stands() == Status::Active)
        {
            row.unseen_since = Some(now);
        }
    }

    pub fn find_again(&mut self, request: RequestId) {
        if let Some(row) = self.row_mut(request) {
            row.unseen_since = None;
        }
    }

    pub fn end_missed(&mut self, request: RequestId, since: Timestamp, order: &EndOrder, finding: &NewFinding) -> bool {
        let is_so = |row: &&mut Row| {
            row.unseen_since == Some(since) && row.end_requested.is_none() && row.stands() == Status::Active
        };
        let Some(row) = self.row_mut(request).filter(is_so) else { return false };
        row.end_requested = Some(order.clone());
        row.woken = true;
        row.due_at = Some(order.ordered_at);
        let tenant = row.tenant.clone();
        self.raise(tenant.as_ref(), request, finding);
        self.tell(Some(request), "end-ordered", None);
        true
    }

    pub fn show_again(&mut self, request: RequestId) {
        let sent = self.attempts.iter().filter(|a| a.request == request);
        let sent = sent.filter(|a| matches!(a.attempt.kind, AttemptKind::Assign | AttemptKind::Update));
        let first = sent.map(|a| a.attempt.recorded_at).min();
        if let Some(row) = self.row_mut(request).filter(|row| row.due_at.is_none()) {
            row.in_force_until = None;
            row.in_force_from = row.in_force_from.or(first).or(Some(row.received_at));
        }
    }

    pub fn record_removal(
        &mut self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
    ) -> Option<TicketNumber> {
        let row = self.row(request).filter(|row| row.due_at.is_none())?;
        let number = row.number.clone();
        let rests = |other: &Row| {
            let same = other.tenant.as_ref() == Some(tenant)
                && other.due_at.is_some()
                && other.decision.as_ref().is_some_and(|decision| decision.holding() == *holding);
            let waits = matches!(other.stands(), Status::Approved | Status::Assigning) && !self.has_asked(other.id);
            same && !waits
        };
        let same = |row: &AttemptRow| row.tenant == *tenant && row.holding == *holding;
        let settling = |row: &AttemptRow| {
            let may = matches!(row.attempt.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted);
            let late = row.attempt.send_not_after > attempt.recorded_at - SETTLE;
            same(row) && may && row.attempt.kind != AttemptKind::Validate && late
        };
        let refused = |row: &AttemptRow| {
            let no = matches!(row.attempt.outcome, AttemptOutcome::Refused | AttemptOutcome::NotSent);
            let lately = row.attempt.recorded_at > attempt.recorded_at - AGAIN_AFTER_REFUSAL;
            row.request == request && row.attempt.kind == AttemptKind::Remove && no && lately
        };
        if self.rows.iter().any(rests) || self.attempts.iter().any(|row| settling(row) || refused(row)) {
            return None;
        }
        self.put(request, tenant, holding, attempt).ok()?;
        self.tell(Some(request), "attempt-recorded", None);
        Some(number)
    }

    pub fn close_removal(
        &mut self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
        findings: &[NewFinding],
    ) -> Result<(), StoreError> {
        self.put(request, tenant, holding, attempt)?;
        for finding in findings {
            self.raise(Some(tenant), request, finding);
        }
        if attempt.outcome != AttemptOutcome::Open {
            self.tell(Some(request), "attempt-closed", None);
        }
        Ok(())
    }

    pub fn settle_removals(&mut self, tenant: &TenantName, read: &[Target], shown: &[Held], now: Timestamp) {
        let quiet_since = now - SETTLE;
        let is_there = |row: &AttemptRow| shown.iter().any(|held| held.holding == row.holding);
        let over: Vec<_> = self.rows.iter().filter(|row| row.due_at.is_none()).map(|row| row.id).collect();
        let mut closed = vec![];
        for row in &mut self.attempts {
            let left = row.tenant == *tenant
                && row.attempt.outcome == AttemptOutcome::Open
                && row.attempt.kind == AttemptKind::Remove
                && row.attempt.send_not_after <= quiet_since;
            if left && over.contains(&row.request) && read.contains(&row.holding.target) {
                row.attempt.closed_at = Some(now);
                row.attempt.outcome = if is_there(row) { AttemptOutcome::Absent } else { AttemptOutcome::Accepted };
                closed.push(row.request);
            }
        }
        for request in closed {
            self.tell(Some(request), "attempt-closed", None);
        }
        for row in self.rows.iter_mut().filter(|row| row.tenant.as_ref() == Some(tenant) && row.due_at.is_none()) {
            let Some(from) = row.in_force_from.filter(|_| row.in_force_until.is_none()) else { continue };
            let its = || self.attempts.iter().filter(|a| a.request == row.id);
            let gone = its().any(|a| read.contains(&a.holding.target))
                && its().all(|a| a.attempt.send_not_after <= quiet_since)
                && !its().any(is_there);
            if gone {
                row.in_force_until = Some(now.max(from));
            }
        }
    }
}
