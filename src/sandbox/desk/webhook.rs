//! The deliveries the desk would have sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::delivery::Webhook;
use super::Desk;
use super::model::{State, TicketState};
use super::render::milliseconds;

/// Which event of a ticket is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskEvent {
    /// The latest approval.
    Approved,
    /// The latest change of status away from approved, or the deletion.
    Withdrawn,
}

impl Desk {
    /// A delivery that names the ticket and no more, for a receiver that reads back.
    #[must_use]
    pub fn webhook_for(&self, id: &str, event: DeskEvent) -> Webhook {
        self.with(id, |state, index, _| {
            let ticket = &state.tickets[index];
            event.delivery(ticket, &json!({"id": ticket.id, "number": ticket.number}))
        })
    }

    /// A delivery that carries the whole document as it is now, for a receiver that cannot read back.
    #[must_use]
    pub fn whole_webhook_for(&self, id: &str, event: DeskEvent) -> Webhook {
        self.with(id, |state: &mut State, index, _| {
            let ticket = &state.tickets[index];
            event.delivery(ticket, &self.document(state, ticket))
        })
    }
}

impl DeskEvent {
    fn delivery(self, ticket: &TicketState, row: &Value) -> Webhook {
        let kind = match self {
            Self::Approved => "ticket.approved",
            Self::Withdrawn => "ticket.withdrawn",
        };
        let timestamp = milliseconds(self.happened(ticket));
        let body = json!({"type": kind, "timestamp": timestamp, "data": {"ticket": row}});
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Webhook { headers, body: body.to_string().into_bytes() }
    }

    /// An approval happens when its last vote falls, whatever became of the ticket since.
    fn happened(self, ticket: &TicketState) -> Timestamp {
        let decided = || ticket.approvals.iter().filter_map(|approval| approval.decided).max();
        match self {
            Self::Approved => decided().unwrap_or(ticket.status_changed),
            Self::Withdrawn => ticket.status_changed,
        }
    }
}
