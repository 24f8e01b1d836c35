//! What people do at this desk: ask, approve, reject, edit, withdraw.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::story;
use super::super::wire::lock;
use super::Desk;
use super::model::{Approval, TicketState};

/// The two names of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Immutable.
    pub id: String,
    /// What people call it.
    pub number: String,
}

/// A request for access as somebody types it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketDraft {
    /// Person that asks.
    pub requester: String,
    /// Person that typed it in.
    pub created_by: String,
    /// Which entitlement; empty leaves it unset.
    pub entitlement: String,
    /// For whom; empty leaves it unset.
    pub principal: String,
    /// For how long; empty leaves it unset.
    pub duration: String,
    /// From when until when, as typed; absent means at once, and for the duration.
    pub window: (Option<String>, Option<String>),
    /// In whose time the window is meant, as an IANA name; absent leaves it out of the document.
    pub time_zone: Option<String>,
}

impl Default for TicketDraft {
    /// Nina asks for Exchange Administrator for four hours.
    fn default() -> Self {
        Self {
            requester: story::NINA_DESK.to_owned(),
            created_by: story::NINA_DESK.to_owned(),
            entitlement: "exchange-admin".to_owned(),
            principal: story::NINA_UPN.to_owned(),
            duration: "PT4H".to_owned(),
            window: (None, None),
            time_zone: None,
        }
    }
}

/// The fields whose change moves `fields_changed_at`.
const COUNTED: [&str; 3] = ["principal", "entitlement", "duration"];

impl Desk {
    /// Somebody files a request.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn create(&self, draft: TicketDraft) -> Ticket {
        let now = (self.now)();
        let mut state = lock(&self.state);
        let number = state.fresh_id();
        let ticket = TicketState::filed(number, draft, now);
        let names = Ticket { id: ticket.id.clone(), number: ticket.number.clone() };
        state.tickets.push(ticket);
        names
    }

    /// Asks these people, any one of whom decides. The ticket is pending.
    pub fn request_approval(&self, id: &str, approvers: &[&str]) {
        self.request_approvals(id, approvers, 1);
    }

    /// Asks these people, so many of whom must approve.
    pub fn request_approvals(&self, id: &str, approvers: &[&str], needed: usize) {
        self.with(id, |state, index, now| {
            let round = state.tickets[index].round;
            for approver in approvers {
                let approval = Approval::asked(state.fresh_id(), approver, round);
                state.tickets[index].approvals.push(approval);
            }
            state.tickets[index].needed = needed;
            state.tickets[index].move_to("pending", now);
        });
    }

    /// The person approves. The vote that completes the round makes the ticket approved.
    pub fn approve(&self, id: &str, approver: &str) {
        self.vote(id, approver, "approved");
    }

    /// The person rejects, which ends the round.
    pub fn reject(&self, id: &str, approver: &str) {
        self.vote(id, approver, "rejected");
    }

    fn vote(&self, id: &str, approver: &str, decision: &'static str) {
        self.with(id, |state, index, now| {
            let uninvited = Approval::asked(state.fresh_id(), approver, state.tickets[index].round);
            let ticket = &mut state.tickets[index];
            ticket.vote(uninvited, decision, now);
            let counted = |vote: &&Approval| vote.round == ticket.round && vote.decision == "approved";
            let complete = ticket.approvals.iter().filter(counted).count() >= ticket.needed;
            if decision == "rejected" || complete {
                // Questions that nobody needs answered are taken back.
                ticket.approvals.retain(|vote| vote.decision != "pending");
                ticket.move_to(decision, now);
            }
        });
    }

    /// The requester withdraws the request.
    pub fn cancel(&self, id: &str) {
        self.with(id, |state, index, now| state.tickets[index].move_to("cancelled", now));
    }

    /// The work is done.
    pub fn close(&self, id: &str) {
        self.with(id, |state, index, now| state.tickets[index].move_to("closed", now));
    }

    /// The ticket is pending again. Old decisions stay in the document but count for no new round.
    pub fn reopen(&self, id: &str) {
        self.with(id, |state, index, now| {
            let ticket = &mut state.tickets[index];
            ticket.round += 1;
            ticket.move_to("pending", now);
        });
    }

    /// Somebody edits a member of the document, `requester` and `created_by` by person id. An empty value unsets it.
    pub fn edit(&self, id: &str, field: &str, value: &str) {
        self.with(id, |state, index, now| {
            let ticket = &mut state.tickets[index];
            match field {
                "requester" => value.clone_into(&mut ticket.requester),
                "created_by" => value.clone_into(&mut ticket.created_by),
                _ => {
                    ticket.fields.insert(field.to_owned(), text(value));
                }
            }
            ticket.updated = now;
            if COUNTED.contains(&field) {
                ticket.fields_changed = now;
            }
        });
    }

    /// Somebody moves the window, which counts as an edit.
    pub fn set_window(&self, id: &str, start: Option<&str>, end: Option<&str>) {
        self.with(id, |state, index, now| {
            let ticket = &mut state.tickets[index];
            ticket.window = (start.map(str::to_owned), end.map(str::to_owned));
            ticket.updated = now;
            ticket.fields_changed = now;
        });
    }

    /// Deletes the ticket, which also cancels it.
    pub fn delete(&self, id: &str) {
        self.with(id, |state, index, now| {
            state.tickets[index].move_to("cancelled", now);
            state.tickets[index].deleted = true;
        });
    }
}

impl Approval {
    fn asked(id: u64, approver: &str, round: u32) -> Self {
        Self { id: format!("a{id}"), approver: approver.to_owned(), decision: "pending", decided: None, round }
    }
}

impl TicketState {
    fn filed(number: u64, draft: TicketDraft, now: Timestamp) -> Self {
        let mut fields: Vec<(&str, Value)> = vec![
            ("entitlement", text(&draft.entitlement)),
            ("principal", text(&draft.principal)),
            ("duration", text(&draft.duration)),
        ];
        fields.extend(draft.time_zone.map(|zone| ("time_zone", json!(zone))));
        Self {
            id: number.to_string(),
            number: format!("DESK-{}", number - 8829),
            status: "pending",
            requester: draft.requester,
            created_by: draft.created_by,
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            window: draft.window,
            approvals: Vec::new(),
            round: 1,
            needed: 1,
            notes: Vec::new(),
            updated: now,
            fields_changed: now,
            status_changed: now,
            hidden: BTreeSet::new(),
            deleted: false,
            stale: None,
        }
    }

    /// The vote fills its own question, or is added when nobody asked.
    fn vote(&mut self, uninvited: Approval, decision: &'static str, now: Timestamp) {
        let asked = |vote: &Approval| vote.round == uninvited.round && vote.approver == uninvited.approver;
        let index = self.approvals.iter().position(asked).unwrap_or_else(|| {
            self.approvals.push(uninvited);
            self.approvals.len() - 1
        });
        self.approvals[index].decision = decision;
        self.approvals[index].decided = Some(now);
        self.updated = now;
    }
}

fn text(value: &str) -> Value {
    if value.is_empty() { Value::Null } else { json!(value) }
}
