//! What a delivery of a standard system says: which ticket was approved or withdrawn, and, where the ticket cannot be
//! read back, all of the ticket.

use serde_json::Value;

use super::{
    super::{Heard, NotHeard, Source, VerifiedBody},
    Standard, document,
};
use crate::{
    domain::{
        id::{TicketId, TicketNumber},
        ticket::{Basis, Hint, HintEvent, Ticket, Told},
    },
    json::{self, Fault},
};

/// What a ticket that is told must say: nobody could be asked for the rest.
const WHOLE: [&str; 5] = ["/requester/id", "/created_by/id", "/principal", "/entitlement", "/duration"];

/// Longer names of events are cut where they are recorded.
const MAX_NAME: usize = 60;

pub(super) fn hear(desk: &Standard, body: &VerifiedBody) -> Result<Heard, NotHeard> {
    let body = json::parse(body.bytes()).map_err(|fault| malformed(&fault))?;
    json::object(&body, "").map_err(|fault| malformed(&fault))?;
    let event = match json::text(&body, "/type").map_err(|fault| malformed(&fault))? {
        "ticket.approved" => HintEvent::Approved,
        "ticket.withdrawn" => HintEvent::Changed,
        other => return Ok(Heard::Ignored(format!("the event {}", shown(other)))),
    };
    json::object(&body, "/data/ticket").map_err(|fault| NotHeard::NotATicket(fault.to_string()))?;
    let document = &body["data"]["ticket"];
    let (ticket, number) = document::name(document).map_err(|fault| not_a_ticket(&fault))?;
    if !desk.is_ours(&number) {
        return Err(NotHeard::NotATicket(format!("{number} is no ticket number of this connection")));
    }
    let told = match desk.source {
        Source::ReadBack => None,
        Source::Webhooks => {
            let at = document::required_moment(&body, "/timestamp").map_err(|fault| malformed(&fault))?;
            let ticket = told(desk, event, document, &ticket, &number).map_err(|fault| not_a_ticket(&fault))?;
            Some(Box::new(Told { at, ticket }))
        }
    };
    let approval = told.as_ref().and_then(|told| told.ticket.newest_approval()).map(|approval| approval.id.clone());
    Ok(Heard::Hint(Hint { ticket, number, event, approval, told }))
}

fn malformed(fault: &Fault) -> NotHeard {
    NotHeard::Malformed(fault.to_string())
}

fn not_a_ticket(fault: &Fault) -> NotHeard {
    NotHeard::NotATicket(format!("in data.ticket {fault}"))
}

fn told(
    desk: &Standard,
    event: HintEvent,
    document: &Value,
    id: &TicketId,
    number: &TicketNumber,
) -> Result<Ticket, Fault> {
    match event {
        HintEvent::Approved => {
            let missing = WHOLE.iter().find(|path| document.pointer(path).is_none());
            missing
                .map_or_else(|| document::ticket(desk, document, Basis::Webhook), |path| Err(json::not(path, "there")))
        }
        HintEvent::Changed => Ok(document::withdrawn(desk, document, id.clone(), number.clone())),
    }
}

/// A name from outside, fit to be recorded.
fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(MAX_NAME).collect()
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
