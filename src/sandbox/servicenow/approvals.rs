//! Asking for approval, voting, and what becomes of the record (`contracts/tickets.md B1, B3`).

use jiff::Timestamp;

use super::super::wire::lock;
use super::ServiceNow;
use super::model::{State, utc};
use super::schema::{APPROVER, CHANGE, ITEM, REQUEST};

pub(super) const APPROVED: &str = "approved";
pub(super) const REJECTED: &str = "rejected";
const REQUESTED: &str = "requested";
const SYSTEM: &str = "system";

/// One set of approver rows.
pub(super) struct Round {
    pub(super) ticket: String,
    /// The task the rows are about: the ticket, or its parent request.
    on: String,
    rows: Vec<String>,
    /// So many must approve.
    needed: usize,
    open: bool,
}

/// What a round came to, and the record it is about.
#[derive(Clone)]
pub(super) struct Decision {
    pub(super) ticket: String,
    on: String,
    approval: &'static str,
    author: String,
}

impl ServiceNow {
    /// Asks for approval of an item or change; any one of the approvers decides.
    pub fn request_approval(&self, id: &str, approvers: &[&str]) {
        self.request_approvals(id, approvers, 1);
    }

    /// Asks for approval of an item or change; so many of the approvers must approve.
    pub fn request_approvals(&self, id: &str, approvers: &[&str], needed: usize) {
        self.with(id, |state, id, now| state.open_round(id, id, approvers, needed, now));
    }

    /// Asks for approval of the item's request, so that the rows are about the parent and the item has none.
    pub fn request_parent_approval(&self, item: &str, approvers: &[&str]) {
        self.request_parent_approvals(item, approvers, 1);
    }

    /// The same where so many of the approvers must approve.
    pub fn request_parent_approvals(&self, item: &str, approvers: &[&str], needed: usize) {
        self.with(item, |state, id, now| {
            let request = state.value(id, "request");
            state.open_round(id, &request, approvers, needed, now);
        });
    }

    /// The user approves in the newest open round. The vote that completes it approves the record.
    pub fn approve(&self, id: &str, user: &str) {
        self.vote(id, user, user, APPROVED);
    }

    /// Somebody else approves in the approver's name; only the stamp on the row tells.
    pub fn approve_on_behalf(&self, id: &str, approver: &str, by: &str) {
        self.vote(id, approver, by, APPROVED);
    }

    /// The user rejects in the newest open round, which ends it.
    pub fn reject(&self, id: &str, user: &str) {
        self.vote(id, user, user, REJECTED);
    }

    /// A flow approves the record without asking anybody: there are no rows.
    pub fn auto_approve(&self, id: &str) {
        self.with(id, |state, id, now| {
            let (ticket, on) = (id.to_owned(), id.to_owned());
            state.decide(&Decision { ticket, on, approval: APPROVED, author: SYSTEM.to_owned() }, now);
        });
    }

    /// Whether decided records go on reading `requested` until somebody calls [`ServiceNow::roll_up`]: a rule on the
    /// approver rows fires before the engine that recomputes the record. Switching it off rolls up what waits.
    pub fn delay_roll_up(&self, delayed: bool) {
        if delayed {
            lock(&self.state).delayed.get_or_insert_default();
        } else {
            self.roll_up();
            lock(&self.state).delayed = None;
        }
    }

    /// The decisions that wait reach their records.
    pub fn roll_up(&self) {
        let now = (self.now)();
        let mut state = lock(&self.state);
        for decision in state.delayed.as_mut().map(std::mem::take).unwrap_or_default() {
            state.decide(&decision, now);
        }
    }

    fn vote(&self, id: &str, approver: &str, by: &str, vote: &'static str) {
        self.with(id, |state, id, now| {
            let Some(index) = state.rounds.iter().rposition(|round| round.ticket == id && round.open) else { return };
            let author = state.user_name(by);
            let votes = state.cast(index, approver, vote, &author, now);
            if vote == APPROVED && votes < state.rounds[index].needed {
                return;
            }
            state.end_round(index, "not_required", now);
            let Round { ticket, on, .. } = &state.rounds[index];
            let decision = Decision { ticket: ticket.clone(), on: on.clone(), approval: vote, author };
            match &mut state.delayed {
                Some(waiting) => waiting.push(decision),
                None => state.decide(&decision, now),
            }
        });
    }
}

impl State {
    fn open_round(&mut self, ticket: &str, on: &str, approvers: &[&str], needed: usize, now: Timestamp) {
        let rows = approvers.iter().map(|approver| self.ask(ticket, on, approver, now)).collect();
        self.rounds.push(Round { ticket: ticket.to_owned(), on: on.to_owned(), rows, needed, open: true });
        if on != ticket {
            self.set(on, &[("approval", REQUESTED)], SYSTEM, now);
        }
        let (column, value) =
            if self.table_of(ticket) == CHANGE { ("state", "-3") } else { ("stage", "waiting_for_approval") };
        self.set(ticket, &[("approval", REQUESTED), (column, value)], SYSTEM, now);
    }

    fn ask(&mut self, ticket: &str, on: &str, approver: &str, now: Timestamp) -> String {
        let columns = [
            ("state", REQUESTED),
            ("approver", approver),
            ("sysapproval", on),
            ("document_id", on),
            ("source_table", self.table_of(on)),
        ];
        self.insert(APPROVER, Some(ticket), &columns, SYSTEM, now)
    }

    /// Writes the vote into the approver's row, made if need be, and counts the round's equal votes.
    fn cast(&mut self, index: usize, approver: &str, vote: &str, author: &str, now: Timestamp) -> usize {
        let asked = self.rounds[index].rows.iter().find(|row| self.value(row, "approver") == approver).cloned();
        let row = asked.unwrap_or_else(|| {
            let Round { ticket, on, .. } = &self.rounds[index];
            let row = self.ask(&ticket.clone(), &on.clone(), approver, now);
            self.rounds[index].rows.push(row.clone());
            row
        });
        self.set(&row, &[("state", vote)], author, now);
        self.rounds[index].rows.iter().filter(|row| self.value(row, "state") == vote).count()
    }

    /// Nobody may vote any more; rows without a vote get this state.
    fn end_round(&mut self, index: usize, unanswered: &str, now: Timestamp) {
        self.rounds[index].open = false;
        for row in self.rounds[index].rows.clone() {
            if self.value(&row, "state") == REQUESTED {
                self.set(&row, &[("state", unanswered)], SYSTEM, now);
            }
        }
    }

    pub(super) fn cancel_rounds(&mut self, ticket: &str, now: Timestamp) {
        for index in 0..self.rounds.len() {
            if self.rounds[index].ticket == ticket && self.rounds[index].open {
                self.end_round(index, "cancelled", now);
            }
        }
    }

    pub(super) fn decide(&mut self, decision: &Decision, now: Timestamp) {
        let Decision { ticket, on, approval, author } = decision;
        self.settle(on, approval, author, now);
        if on != ticket {
            self.settle(ticket, approval, author, now);
        }
    }

    fn settle(&mut self, task: &str, approval: &str, author: &str, now: Timestamp) {
        let date = utc(now);
        let mut columns = vec![("approval", approval), ("approval_set", date.as_str())];
        columns.extend(match (self.table_of(task), approval) {
            (CHANGE, APPROVED) => &[("state", "-2")][..],
            (CHANGE, _) => &[("state", "-5")],
            (REQUEST, APPROVED) => &[("request_state", "in_process"), ("state", "2")],
            (REQUEST, _) => &[("request_state", "closed_cancelled"), ("state", "4"), ("active", "false")],
            (ITEM, APPROVED) => &[("stage", "fulfillment"), ("state", "2")],
            _ => &[("stage", "Request Cancelled"), ("state", "4"), ("active", "false")],
        });
        self.set(task, &columns, author, now);
    }
}
