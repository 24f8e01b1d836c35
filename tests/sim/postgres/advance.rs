//! One move: state, attempts, note, findings and event together, under a lease that is still held.

use jiff::Timestamp;
use stint::{
    domain::{
        attempt::{Attempt, AttemptOutcome},
        id::TenantName,
        in_force::span,
        lifecycle::{Event, apply},
        note,
        request::{Assignment, EndOrder, Request, State, Status},
    },
    store::{Change, Lease, StoreError},
};

use super::{Database, Note};

impl Database {
    /// The move, or the reason why nothing was changed.
    ///
    /// The checks come in the order of the real transaction; whatever fails after the first write leaves nothing behind, so
    /// everything that may fail is asked before anything is written.
    pub fn advance(&mut self, lease: &Lease, mut change: Change) -> Result<Request, StoreError> {
        let id = lease.request();
        let lost = || StoreError::LeaseLost(id);
        let before = self.leased(lease)?;
        if must_yield(before.end_requested.as_ref(), change.event.as_ref()) {
            return Err(StoreError::EndOrdered(id));
        }
        let after = match change.event.clone() {
            Some(event) => apply(before.state.clone(), event).map_err(|illegal| StoreError::Illegal(id, illegal))?,
            None => before.state.clone(),
        };
        let over = after.status().is_terminal();
        if over {
            close_what_is_open(&before, &mut change);
        }
        let kept = self.attempts.clone();
        let told = self.write_attempts(&before, &after, &change);
        if told.is_err() || self.is_approval_used(&before, &change) {
            self.attempts = kept;
            told?;
            return Err(StoreError::ApprovalUsed(id));
        }
        let closed = told?;
        for event in closed {
            self.tell(Some(id), event, None);
        }
        self.write_row(lease, &before, &after, &change);
        self.write_event(&before, &after, &change);
        if over {
            self.follow_up(&before, change.now);
        }
        let moved = self.load(id).ok_or_else(lost);
        if over || matches!(change.event, Some(Event::Confirm(_))) {
            self.wake_kin(&before, change.now);
        }
        moved
    }

    /// Writes the attempts that changed; what the log says of them.
    fn write_attempts(
        &mut self,
        before: &Request,
        after: &State,
        change: &Change,
    ) -> Result<Vec<&'static str>, StoreError> {
        let mut told = vec![];
        let Some(decision) = after.decision().or(before.state.decision()) else { return Ok(told) };
        for attempt in &change.attempts {
            let earlier = before.attempts.iter().find(|known| known.id == attempt.id);
            if earlier == Some(attempt) {
                continue;
            }
            self.put(before.id, &decision.tenant, &decision.holding(), attempt)?;
            match earlier {
                None => told.push("attempt-recorded"),
                Some(earlier) if attempt.outcome != AttemptOutcome::Open && !is_only_counted(earlier, attempt) => {
                    told.push("attempt-closed");
                }
                Some(_) => {}
            }
        }
        Ok(told)
    }

    fn is_approval_used(&self, before: &Request, change: &Change) -> bool {
        let Some(approval) = &change.approval else { return false };
        self.rows.iter().any(|row| {
            let same_ticket = row.connection == before.connection && row.ticket == before.ticket;
            row.id != before.id && same_ticket && row.approval.as_ref() == Some(&approval.id)
        })
    }

    fn write_row(&mut self, lease: &Lease, before: &Request, after: &State, change: &Change) {
        let span = span_after(before, after, change);
        let over = after.status().is_terminal();
        let Some(row) = self.row_mut(before.id) else { return };
        // What was decided on stays as it was.
        let reading = change.reading.as_ref().filter(|_| before.state.decision().is_none());
        if let Some(reading) = reading {
            row.number = reading.number.clone();
            row.tenant = reading.tenant.clone().or(row.tenant.take());
        }
        if before.state.underlying().status() != after.underlying().status() {
            row.state_since = change.now;
        }
        let looked = change.event.is_some() || change.heard_until.is_some();
        row.looks = if looked { 0 } else { before.looks + 1 };
        row.doubt = change.doubt.unwrap_or(before.doubt);
        let keeps = change.keep_lease && !over;
        let due_at = (!over).then_some(change.due_at);
        row.due_at = if row.woken && !keeps { due_at.map(|due| due.min(change.now)) } else { due_at };
        row.lease = row.lease.filter(|_| keeps).map(|(_, until)| (lease.token(), until));
        if matches!(change.event, Some(Event::End(_))) || over {
            row.end_requested = None;
        }
        if change.another_approval {
            row.hinted_approval = Some(String::new());
        } else if change.heard_until.is_some_and(|until| row.hinted_at <= until) {
            row.hinted_approval = None;
        }
        if let Some(approval) = &change.approval {
            (row.approval, row.approval_given_at) = (Some(approval.id.clone()), Some(approval.given_at));
        }
        (row.in_force_from, row.in_force_until) = (span.map(|span| span.from), span.and_then(|span| span.until));
        row.decision = after.decision().cloned().or(row.decision.take());
        row.assignment = assignment_of(after).cloned().or(row.assignment.take());
        row.end_order = end_order_of(after).cloned().or(row.end_order.take());
        row.state = after.clone();
    }

    fn write_event(&mut self, before: &Request, after: &State, change: &Change) {
        let tenant: Option<TenantName> = self.row(before.id).and_then(|row| row.tenant.clone());
        for finding in &change.findings {
            self.raise(tenant.as_ref(), before.id, finding);
        }
        let Some(event) = &change.event else { return };
        if let Some(note) = note::for_move(before.id, &before.state, event, after, &attempts_after(before, change)) {
            self.queue(before, note.step.into(), note.text, change.now);
        }
        self.tell(Some(before.id), event.name(), Some((Some(before.state.status()), after.status())));
    }

    fn queue(&mut self, before: &Request, step: String, text: String, now: Timestamp) {
        if self.notes.iter().any(|note| note.request == before.id && note.step == step) {
            return;
        }
        let (request, created_at, due_at) = (before.id, now, Some(now));
        self.notes.push(Note { request, step, text, created_at, due_at, lease: None, tries: 0 });
    }

    /// What was heard of another approval, and covered by no reading, is for a request of its own to look at.
    fn follow_up(&mut self, before: &Request, now: Timestamp) {
        let Some(row) = self.row(before.id) else { return };
        let used = row.approval.as_ref().map_or("-", |approval| approval.as_str());
        if row.hinted_approval.as_deref().is_none_or(|hinted| hinted == used) {
            return;
        }
        let (connection, tenant, ticket) = (row.connection.clone(), row.tenant.clone(), row.ticket.clone());
        let number = row.number.clone();
        self.insert(&connection, tenant.as_ref(), (&ticket, &number), now);
    }

    fn wake_kin(&mut self, before: &Request, now: Timestamp) {
        let Some(decision) = before.state.decision() else { return };
        let waits = |row: &&mut super::Row| {
            let same = row.tenant.as_ref() == Some(&decision.tenant)
                && row.decision.as_ref().is_some_and(|other| {
                    other.holding() == decision.holding() && other.not_before.is_none_or(|start| start <= now)
                });
            let stands = matches!(row.stands(), Status::Approved | Status::Assigning | Status::Ending);
            same && row.id != before.id && row.due_at.is_some() && stands
        };
        for row in self.rows.iter_mut().filter(waits) {
            row.due_at = row.due_at.map(|due| due.min(now));
            row.woken = true;
        }
    }
}

/// Once somebody ordered the end, that order comes before every move towards access and before every other end.
fn must_yield(ordered: Option<&EndOrder>, event: Option<&Event>) -> bool {
    let Some(ordered) = ordered else { return false };
    match event {
        Some(Event::End(order)) => order != ordered,
        Some(Event::Take | Event::Approve(_) | Event::Begin(_) | Event::Confirm(_) | Event::Validated(_)) => true,
        _ => false,
    }
}

fn close_what_is_open(before: &Request, change: &mut Change) {
    let told: Vec<_> = change.attempts.iter().map(|attempt| attempt.id).collect();
    let left = before.attempts.iter().filter(|a| a.outcome == AttemptOutcome::Open && !told.contains(&a.id));
    change.attempts.extend(left.cloned());
    for open in change.attempts.iter_mut().filter(|attempt| attempt.outcome == AttemptOutcome::Open) {
        open.close(AttemptOutcome::Absent, None, change.now);
    }
}

fn is_only_counted(earlier: &Attempt, now: &Attempt) -> bool {
    let counted = Attempt { absent_reads: now.absent_reads, last_absent_at: now.last_absent_at, ..earlier.clone() };
    counted == *now
}

fn attempts_after(before: &Request, change: &Change) -> Vec<Attempt> {
    let kept = before.attempts.iter().filter(|a| change.attempts.iter().all(|changed| changed.id != a.id));
    kept.chain(&change.attempts).cloned().collect()
}

fn span_after(before: &Request, after: &State, change: &Change) -> Option<stint::domain::in_force::Span> {
    let decision = after.decision().or(before.state.decision())?;
    let assignment = assignment_of(after).or(assignment_of(&before.state));
    let gone_at = match after {
        State::Ended(order) => order.confirmed_at,
        _ => None,
    };
    let status = after.underlying().status();
    span(status, decision, assignment, &attempts_after(before, change), gone_at, change.now)
}

fn assignment_of(state: &State) -> Option<&Assignment> {
    match state.underlying() {
        State::Active(_, assignment) | State::Ending(_, Some(assignment), _) => Some(assignment),
        _ => None,
    }
}

fn end_order_of(state: &State) -> Option<&EndOrder> {
    match state.underlying() {
        State::Ending(_, _, order) | State::Ended(order) => Some(order),
        _ => None,
    }
}
