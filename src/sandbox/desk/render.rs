//! A ticket as JSON: the document, and the row of the listing.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Desk;
use super::model::{Approval, State, TicketState};

impl Desk {
    /// The whole document, without what is hidden.
    pub(super) fn document(&self, state: &State, ticket: &TicketState) -> Value {
        let approvals: Vec<Value> = ticket.approvals.iter().map(|approval| approval_row(state, approval)).collect();
        let mut row = json!({
            "id": ticket.id,
            "number": ticket.number,
            "url": format!("{}/t/{}", self.url, ticket.id),
            "status": ticket.status,
            "requester": person(state, &ticket.requester),
            "created_by": person(state, &ticket.created_by),
            "approvals": approvals,
            "window": {"start": ticket.window.0, "end": ticket.window.1},
            "fields_changed_at": ticket.fields_changed.to_string(),
        });
        if let Value::Object(members) = &mut row {
            members.extend(ticket.fields.clone());
            members.retain(|name, _| !ticket.hidden.contains(name));
        }
        row
    }
}

fn approval_row(state: &State, approval: &Approval) -> Value {
    let mut row = json!({
        "id": approval.id,
        "decision": approval.decision,
        "approver": person(state, &approval.approver),
        "decided_at": approval.decided.map(|at| at.to_string()),
    });
    if state.names_rounds {
        row["round"] = json!(approval.round.to_string());
    }
    row
}

/// Somebody the desk does not know is shown by id alone.
fn person(state: &State, id: &str) -> Value {
    let Some(person) = state.people.get(id) else { return json!({"id": id}) };
    let mut row = json!({"id": person.id, "name": person.name});
    if let Some(email) = &person.email {
        row["email"] = json!(email);
    }
    row
}

pub(super) fn item(ticket: &TicketState) -> Value {
    json!({
        "id": ticket.id,
        "number": ticket.number,
        "status": ticket.status,
        "updated_at": ticket.updated.to_string(),
    })
}

/// A moment with milliseconds, as deliveries carry it.
pub(super) fn milliseconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
