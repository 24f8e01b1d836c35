//! Reading a ticket back: its record, who was asked to approve, what it asks for, and the people in it.
//!
//! The record is read first, so that an edit in between shows as an edit, and an approval taken back in between is
//! found open. Every answer must be about the ticket that was asked for.

use std::collections::BTreeSet;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::TicketError,
    Place, ServiceNow, Table, change, document, get, item,
    list::{Answers, Pause},
    people::{People, people},
    rounds::Asked,
    shape,
};
use crate::{
    domain::{
        approval::{Approval, Outcome},
        id::{ApprovalId, TicketNumber},
        ticket::{Basis, Field, Reading, Standing, Ticket, Window},
    },
    json,
};

pub(super) fn read(snow: &ServiceNow, place: &Place, mut answers: Answers<'_>) -> Result<Reading, Pause> {
    let columns = match place.table {
        Table::Item => item::columns(snow),
        Table::Change => change::columns(snow),
    };
    let first = answers.to(|| get(place.path(), [("sysparm_fields", columns.join(","))]))?;
    if first.status == StatusCode::NOT_FOUND {
        return absent(snow, &mut answers);
    }
    let record = Record::from(snow, place, &document(first)?)?;
    let ticket = match place.table {
        Table::Item => item::read(&record, &mut answers)?,
        Table::Change => change::read(&record, &mut answers)?,
    };
    Ok(Reading::Found(Box::new(ticket)))
}

/// A missing ticket and one hidden from a lost credential look alike; an account that is shown tells them apart.
fn absent(snow: &ServiceNow, answers: &mut Answers<'_>) -> Result<Reading, Pause> {
    works(snow, answers)?;
    Ok(Reading::Absent)
}

/// Goes on only once the credential is known to work.
pub(super) fn works(snow: &ServiceNow, answers: &mut Answers<'_>) -> Result<(), Pause> {
    let answer = answers.to(|| snow.probe())?;
    // Rows are cut before rights are looked at: an account without any is shown an empty list, not a refusal.
    if json::array(&document(answer)?, "/result")?.is_empty() {
        return Err(shape::hidden("every user, stint's own account included").into());
    }
    Ok(())
}

/// The record that was asked for.
pub(super) struct Record<'a> {
    pub(super) snow: &'a ServiceNow,
    pub(super) place: &'a Place,
    row: Value,
    number: String,
}

/// What a table's own reading finds.
pub(super) struct Found {
    pub(super) is_served: bool,
    pub(super) standing: Standing,
    pub(super) approvals: Vec<Approval>,
    pub(super) fields_changed_at: Option<Timestamp>,
    pub(super) window: Window,
}

impl<'a> Record<'a> {
    fn from(snow: &'a ServiceNow, place: &'a Place, document: &Value) -> Result<Self, TicketError> {
        let row = json::object(document, "/result")?;
        let row = Value::Object(row.clone());
        if shape::column(&row, "sys_id")? != place.sys_id {
            return Err(TicketError::bad("another ticket than the one asked for"));
        }
        let number = shape::column(&row, "number")?.to_owned();
        shape::prefix_of(&number).ok_or_else(|| json::not("/result/number", "a ticket number"))?;
        Ok(Self { snow, place, row, number })
    }

    pub(super) fn column(&self, name: &str) -> Result<&str, TicketError> {
        shape::column(&self.row, name)
    }

    pub(super) fn reference(&self, name: &str) -> Result<Option<&str>, TicketError> {
        shape::reference(&self.row, name)
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp, TicketError> {
        shape::time(&self.row, name)
    }

    /// A mapped column.
    pub(super) fn field(&self, name: &str) -> Field {
        shape::field(self.row.get(name))
    }

    /// Whoever must be known to decide: who asks, who opened the ticket, and everybody who approved.
    pub(super) fn people(&self, requester: &str, asked: &Asked, answers: &mut Answers<'_>) -> Result<People, Pause> {
        let asking = [self.reference(requester)?, self.reference("opened_by")?];
        let ids: BTreeSet<&str> = asking.into_iter().flatten().chain(asked.approving()).collect();
        people(&ids, answers)
    }

    /// The approvals. Where nobody was asked, what the ticket says is all there is: a refusal, or, where the connection
    /// opted in, an approval without an approver. It has one id for good, so that it grants once in a ticket's life.
    pub(super) fn approvals(
        &self,
        asked: &Asked,
        people: &People,
        set_without_approver: Option<Timestamp>,
    ) -> Result<Vec<Approval>, TicketError> {
        let says = self.column("approval")?;
        if !asked.is_empty() {
            return Ok(asked.rounds(says, people));
        }
        let opened_at = self.time("sys_created_on")?;
        let alone = |outcome, decided_at, without_approver| Approval {
            id: ApprovalId::new(format!("{}@without-approver", self.place.sys_id)),
            outcome,
            opened_at,
            decided_at,
            votes: vec![],
            without_approver,
        };
        Ok(match (says, set_without_approver) {
            ("rejected", _) => vec![alone(Outcome::Declined, None, false)],
            ("approved", Some(at)) => vec![alone(Outcome::Approved, Some(at), true)],
            _ => vec![],
        })
    }

    pub(super) fn ticket(
        &self,
        requester: &str,
        people: &People,
        field: impl Fn(&str) -> Field,
        found: Found,
    ) -> Result<Ticket, TicketError> {
        let names = &self.snow.fields;
        let asking = self.reference(requester)?;
        Ok(Ticket {
            id: self.place.ticket(),
            number: TicketNumber::new(&self.number),
            url: Some(self.snow.url(self.place)),
            in_scope: found.is_served && self.snow.is_ours(self.place.table, &self.number),
            standing: found.standing,
            requester: people.account(asking),
            creator: people.account(self.reference("opened_by")?),
            entitlement: field(&names.entitlement),
            principal: field(&names.principal),
            duration: field(&names.duration),
            tenant: names.tenant.as_deref().map(field),
            approvals: found.approvals,
            fields_changed_at: found.fields_changed_at,
            window: found.window,
            basis: Basis::ReadBack,
            time_zone: asking.and_then(|id| people.of(id)).and_then(|person| person.time_zone.clone()),
        })
    }
}

/// The window between these ends; an end that is `None` is open.
pub(super) fn window(start: Option<Field>, end: Option<Field>) -> Window {
    let mut window = Window::default();
    for (field, end) in [(start, &mut window.start), (end, &mut window.end)] {
        match field {
            None | Some(Field::Empty) => {}
            Some(Field::Text(text)) => match shape::moment(&text) {
                Some(at) => *end = Some(at),
                None => window.unknown = Some(Field::Unreadable),
            },
            Some(unknown) => window.unknown = Some(unknown),
        }
    }
    window
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
