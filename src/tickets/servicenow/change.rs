//! Change requests (`contracts/tickets.md` H5).

use jiff::{SignedDuration, Timestamp};

use super::{
    super::TicketError,
    ServiceNow,
    list::{Answers, Pause},
    people::People,
    read::{Found, Record, window},
    rounds, shape,
};
use crate::domain::{
    approval::{Approval, Outcome},
    ticket::{Field, Standing, Ticket, Window},
};

const COLUMNS: [&str; 13] = [
    "sys_id",
    "number",
    "type",
    "state",
    "approval",
    "on_hold",
    "start_date",
    "end_date",
    "requested_by",
    "opened_by",
    "sys_created_on",
    "sys_updated_on",
    "sys_updated_by",
];

/// Which template a standard change was made from; asked for only where standard changes may ask.
const TEMPLATE: &str = "std_change_producer_version";
const STANDARD: &str = "standard";

/// So long after the last answer, the change's own approval and state may follow from it.
const FOLLOWS: SignedDuration = SignedDuration::from_secs(60);

/// Who carries out what follows by itself.
const SYSTEM: &str = "system";

pub(super) fn columns(snow: &ServiceNow) -> Vec<&str> {
    let names = &snow.fields;
    let mapped = [&names.entitlement, &names.principal, &names.duration].into_iter().chain(&names.tenant);
    let template = may_be_standard(snow).then_some(TEMPLATE);
    let mut columns: Vec<_> = COLUMNS.into_iter().chain(template).collect();
    columns.extend(mapped.map(String::as_str));
    let mut seen = std::collections::BTreeSet::new();
    columns.retain(|column| seen.insert(*column));
    columns
}

fn may_be_standard(snow: &ServiceNow) -> bool {
    snow.own.change_types.iter().any(|kind| kind == STANDARD)
}

pub(super) fn read(change: &Record<'_>, answers: &mut Answers<'_>) -> Result<Ticket, Pause> {
    let asked = rounds::asked(&change.place.sys_id, answers)?;
    let people = change.people("requested_by", &asked, answers)?;
    let approvals = change.approvals(&asked, &people, set_without_approver(change)?)?;
    let found = Found {
        is_served: is_served(change)?,
        standing: standing(change)?,
        fields_changed_at: changed_at(change, &approvals, &people)?,
        approvals,
        window: planned(change),
    };
    Ok(change.ticket("requested_by", &people, |name| change.field(name), found)?)
}

fn is_served(change: &Record<'_>) -> Result<bool, TicketError> {
    let kind = change.column("type")?;
    let served = change.snow.own.change_types.iter().any(|served| served == kind);
    Ok(served && (kind != STANDARD || is_listed_template(change)?))
}

fn is_listed_template(change: &Record<'_>) -> Result<bool, TicketError> {
    let template = change.reference(TEMPLATE)?;
    Ok(template.is_some_and(|id| change.snow.own.standard_templates.iter().any(|listed| listed == id)))
}

/// States are numbers: -2 scheduled, -1 implement, 0 review, 3 closed, 4 cancelled (`contracts/tickets.md` B3).
fn standing(change: &Record<'_>) -> Result<Standing, TicketError> {
    let (approval, state) = (change.column("approval")?, change.column("state")?);
    let on_hold = change.column("on_hold")? != "false";
    Ok(if ["0", "3", "4"].contains(&state) {
        Standing::Closed
    } else if approval == "approved" && ["-2", "-1"].contains(&state) && !on_hold {
        Standing::Approved
    } else {
        Standing::Open
    })
}

/// A standard change is approved by its template: nobody is asked, whoever allow-listed the template answered for it.
fn set_without_approver(change: &Record<'_>) -> Result<Option<Timestamp>, TicketError> {
    let accepted = change.snow.own.allow_without_approver
        || (may_be_standard(change.snow) && change.column("type")? == STANDARD && is_listed_template(change)?);
    if accepted { change.time("sys_created_on").map(Some) } else { Ok(None) }
}

/// A change is carried out within its planned window; without one nothing says when.
fn planned(change: &Record<'_>) -> Window {
    let (start, end) = (change.field("start_date"), change.field("end_date"));
    let mut window = window(Some(start.clone()), Some(end.clone()));
    if start == Field::Empty || end == Field::Empty {
        window.unknown.get_or_insert(Field::Empty);
    }
    window
}

/// When the change may last have been edited. Columns bear no date of their own, only the record does, with whoever
/// wrote it last. An update counts as an edit unless it came before the last answer, is a note of ours, or follows from
/// that answer. What our note or the answer's own consequences overwrite is not seen. An edit between two answers of one
/// round would not be seen either, so a round of several counts as edited: such entitlements are for request items. Where
/// nobody was asked, no answer speaks for the fields, and none can be outdated.
fn changed_at(change: &Record<'_>, approvals: &[Approval], people: &People) -> Result<Option<Timestamp>, TicketError> {
    let (updated, by) = (change.time("sys_updated_on")?, change.column("sys_updated_by")?);
    let newest =
        approvals.last().filter(|approval| approval.outcome == Outcome::Approved && !approval.without_approver);
    let Some((approval, decided_at)) = newest.and_then(|approval| Some((approval, approval.decided_at?))) else {
        return Ok(None);
    };
    if approval.votes.iter().filter(|vote| vote.outcome == Outcome::Approved).count() > 1 {
        return Ok(Some(shape::second_end(updated.max(decided_at))));
    }
    let ours = change.snow.account.as_deref() == Some(by);
    let follows = updated.duration_since(decided_at) <= FOLLOWS && (by == SYSTEM || has_approved(by, approval, people));
    Ok((updated >= decided_at && !ours && !follows).then(|| shape::second_end(updated)))
}

fn has_approved(user_name: &str, approval: &Approval, people: &People) -> bool {
    let counting = approval.votes.iter().filter(|vote| vote.outcome == Outcome::Approved);
    let mut persons = counting.filter_map(|vote| people.of(vote.approver.as_ref()?.id.as_str()));
    persons.any(|person| person.user_name == user_name)
}
