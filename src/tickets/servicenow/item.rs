//! Request items (`contracts/tickets.md` H4).

use jiff::Timestamp;

use super::{
    super::TicketError,
    ServiceNow,
    list::{Answers, Pause},
    read::{Found, Record, window},
    rounds::{self, Asked},
    shape,
    variables::variables,
};
use crate::domain::ticket::{Standing, Ticket};

const COLUMNS: [&str; 10] = [
    "sys_id",
    "number",
    "approval",
    "state",
    "active",
    "request",
    "cat_item",
    "requested_for",
    "opened_by",
    "sys_created_on",
];

/// When the approval was set: asked for only where it may have to date one without an approver.
const APPROVAL_SET: &str = "approval_set";

pub(super) fn columns(snow: &ServiceNow) -> Vec<&str> {
    COLUMNS.into_iter().chain(snow.own.allow_without_approver.then_some(APPROVAL_SET)).collect()
}

/// Later edits of `requested_for` and `opened_by` bear no date. They are compared with the approvers as they stand, and each
/// reading with the one before.
pub(super) fn read(item: &Record<'_>, answers: &mut Answers<'_>) -> Result<Ticket, Pause> {
    let asked = asked(item, answers)?;
    let names: Vec<_> = item.snow.fields.all().collect();
    let variables = variables(item.place, &names, answers)?;
    let people = item.people("requested_for", &asked, answers)?;
    let fields = &item.snow.fields;
    let created = item.time("sys_created_on")?;
    let mapped = |name: &Option<String>| name.as_deref().map(|name| variables.field(name));
    let found = Found {
        is_served: is_served(item)?,
        standing: standing(item)?,
        approvals: item.approvals(&asked, &people, set_without_approver(item)?)?,
        fields_changed_at: variables.changed_at.filter(|at| *at > created).map(shape::second_end),
        window: window(mapped(&fields.window_start), mapped(&fields.window_end)),
    };
    Ok(item.ticket("requested_for", &people, |name| variables.field(name), found)?)
}

/// Where an item has no approvals of its own, those of its request may stand for them.
fn asked(item: &Record<'_>, answers: &mut Answers<'_>) -> Result<Asked, Pause> {
    let own = rounds::asked(&item.place.sys_id, answers)?;
    match item.reference("request")? {
        Some(request) if own.is_empty() && item.snow.own.parent_request_approval => rounds::asked(request, answers),
        _ => Ok(own),
    }
}

fn is_served(item: &Record<'_>) -> Result<bool, TicketError> {
    let served = &item.snow.own.catalog_items;
    let cat_item = item.reference("cat_item")?;
    Ok(served.is_empty() || cat_item.is_some_and(|id| served.iter().any(|served| served == id)))
}

/// States are numbers: -5 pending, 1 open, 2 in progress, 3, 4 and 7 closed (`contracts/tickets.md` B3). The stage is free text
/// and decides nothing.
fn standing(item: &Record<'_>) -> Result<Standing, TicketError> {
    let (approval, state) = (item.column("approval")?, item.column("state")?);
    let active = match item.column("active")? {
        "true" => true,
        "false" => false,
        _ => return Err(TicketError::bad("active is neither true nor false")),
    };
    Ok(if !active || ["3", "4", "7"].contains(&state) || approval == "cancelled" {
        Standing::Closed
    } else if approval == "approved" && ["-5", "1", "2"].contains(&state) {
        Standing::Approved
    } else {
        Standing::Open
    })
}

fn set_without_approver(item: &Record<'_>) -> Result<Option<Timestamp>, TicketError> {
    if !item.snow.own.allow_without_approver {
        return Ok(None);
    }
    match item.column(APPROVAL_SET)? {
        "" => item.time("sys_created_on").map(Some),
        _ => item.time(APPROVAL_SET).map(Some),
    }
}
