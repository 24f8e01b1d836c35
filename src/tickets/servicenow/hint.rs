//! What a delivery of ServiceNow hints at: a ticket, and whether it was approved or otherwise changed.
//!
//! ServiceNow has no webhook of its own; every customer writes one (`contracts/tickets.md` B1). Two kinds of body are
//! understood: `stint.servicenow.v1`, about a ticket or about an approver's record, and a flat one of display values, which
//! names a ticket at its root. Only table, `sys_id`, number and event are looked at. stint's own notes come back as changes,
//! which nothing tells apart from others and which are harmless.

use serde_json::Value;

use super::{
    super::{Heard, NotHeard, VerifiedBody},
    Place, ServiceNow, Table, shape,
};
use crate::{
    domain::{
        id::TicketNumber,
        ticket::{Hint, HintEvent},
    },
    json,
};

/// The body that stint's script sends.
const SCHEMA: &str = "stint.servicenow.v1";

/// The record of one approver's answer.
const APPROVER: &str = "sysapproval_approver";

/// Longer names are cut where they are recorded.
const MAX_NAME: usize = 60;

/// A delivery, before its ticket is looked at.
struct Said<'a> {
    /// The table it names; empty where it names none.
    table: &'a str,
    sys_id: &'a str,
    number: &'a str,
    event: HintEvent,
}

pub(super) fn hear(snow: &ServiceNow, body: &VerifiedBody) -> Result<Heard, NotHeard> {
    let malformed = |fault: json::Fault| NotHeard::Malformed(fault.to_string());
    let body = json::parse(body.bytes()).map_err(malformed)?;
    json::object(&body, "").map_err(malformed)?;
    let text = |path| json::optional_text(&body, path).map_err(malformed);
    match text("/schema")? {
        Some(SCHEMA) if text("/table")? == Some(APPROVER) => hint(snow, &approver(&body)),
        Some(SCHEMA) => hint(snow, &record(&body)),
        Some(other) => Ok(Heard::Ignored(format!("the schema {}", shape::shown(other, MAX_NAME)))),
        None => hint(snow, &display(&body)),
    }
}

fn at<'a>(body: &'a Value, path: &str) -> &'a str {
    body.pointer(path).and_then(shape::scalar).unwrap_or_default()
}

fn claims(approved: bool) -> HintEvent {
    if approved { HintEvent::Approved } else { HintEvent::Changed }
}

fn record(body: &Value) -> Said<'_> {
    let event = claims(at(body, "/event") == "approval.approved");
    Said { table: at(body, "/table"), sys_id: at(body, "/sys_id"), number: at(body, "/number"), event }
}

/// One answer approves nothing by itself; that the ticket reads as approved may follow at once.
fn approver(body: &Value) -> Said<'_> {
    let (task, document) = (at(body, "/sysapproval/sys_id"), at(body, "/document_id"));
    let agree = task.is_empty() || document.is_empty() || task == document;
    let sys_id = if document.is_empty() { task } else { document };
    let event = claims(at(body, "/event") == "approver.approved");
    let number = at(body, "/sysapproval/number");
    Said { table: at(body, "/source_table"), sys_id: if agree { sys_id } else { "" }, number, event }
}

/// Display values are in the sender's language: another word for approved is a change, and the poll finds the rest.
fn display(body: &Value) -> Said<'_> {
    let event = claims(at(body, "/approval").eq_ignore_ascii_case("approved"));
    Said { table: at(body, "/table"), sys_id: at(body, "/sys_id"), number: at(body, "/number"), event }
}

fn hint(snow: &ServiceNow, said: &Said<'_>) -> Result<Heard, NotHeard> {
    let not = |what: &str| NotHeard::NotATicket(format!("the delivery has no {what}"));
    shape::prefix_of(said.number).ok_or_else(|| not("ticket number such as RITM0010588"))?;
    if !shape::is_sys_id(said.sys_id) {
        return Err(not("sys_id of 32 hex digits"));
    }
    let Some(table) = Table::of_number(said.number).filter(|table| snow.is_ours(*table, said.number)) else {
        return Ok(Heard::Ignored(format!("{} is not for this connection", said.number)));
    };
    let place = Place::new(table, said.sys_id).filter(|_| said.table.is_empty() || said.table == table.name());
    let place = place.ok_or_else(|| not("table that belongs to its number"))?;
    Ok(Heard::Hint(Hint {
        ticket: place.ticket(),
        number: TicketNumber::new(said.number),
        event: said.event,
        approval: None,
        told: None,
    }))
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
