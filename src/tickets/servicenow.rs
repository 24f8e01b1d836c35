//! ServiceNow: request items and change requests (`contracts/tickets.md` B).
//!
//! `hint` reads deliveries; `read` reads a ticket back with `rounds`, the approvals behind it, `people` and
//! `variables`; `search` lists what changed, `note` writes journal entries; `list` puts pages together and `shape`
//! holds the formats.
//!
//! A ticket is bound by its `sys_id`. Reading it back also takes its table, which no `sys_id` tells, so stint's
//! immutable id is `<table>/<sys_id>`, such as `sc_req_item/5a7e93d0db3f1910a3c5f0e1ca961977`. The number is for
//! people. ServiceNow passes over parts of a query and names of fields that it does not know (B4), so every row is
//! checked for what was asked, and every member that was asked for must be there.

use std::time::Duration;

use http::{HeaderMap, Method};
use regex::Regex;

use super::{
    Heard, Listed, Lookback, NotHeard, Note, Patience, Step, TicketError, TicketSystem, VerifiedBody,
    settings::{Common, FieldNames},
};
use crate::{
    domain::{id::TicketId, ticket::Reading},
    outbound::{Answer, Body, Call},
};

mod change;
mod hint;
mod item;
mod list;
mod note;
mod own;
mod people;
mod read;
mod rounds;
mod search;
mod shape;
mod variables;

pub(super) use own::KIND;

#[cfg(test)]
pub(super) mod fixtures;
#[cfg(test)]
mod sample_tests;

/// One ServiceNow instance, as a connection is configured for it.
#[derive(Debug)]
pub(super) struct ServiceNow {
    base: String,
    pattern: Regex,
    fields: FieldNames,
    /// Our own `user_name`, where the way to sign in names it.
    account: Option<String>,
    own: Settings,
}

/// What only ServiceNow has.
#[derive(Clone, Debug)]
struct Settings {
    /// Catalog items that may ask, by `sys_id`; empty: any.
    catalog_items: Vec<String>,
    /// Types of change that may ask.
    change_types: Vec<String>,
    /// Versions of standard change templates that may ask, by `sys_id`.
    standard_templates: Vec<String>,
    /// Whether a ticket that nobody was asked to approve may ask all the same.
    allow_without_approver: bool,
    /// Whether the approvals of an item's request count where the item has none.
    parent_request_approval: bool,
}

/// The tables whose tickets may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// Request items, RITM.
    Item,
    /// Change requests, CHG.
    Change,
}

impl Table {
    const ALL: [Self; 2] = [Self::Item, Self::Change];

    fn name(self) -> &'static str {
        match self {
            Self::Item => "sc_req_item",
            Self::Change => "change_request",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Item => "RITM",
            Self::Change => "CHG",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The table of a well-formed number; `None` for tickets that never ask, such as incidents.
    fn of_number(number: &str) -> Option<Self> {
        let prefix = shape::prefix_of(number)?;
        Self::ALL.into_iter().find(|table| table.prefix() == prefix)
    }
}

/// Where one ticket is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    table: Table,
    sys_id: String,
}

impl Place {
    fn new(table: Table, sys_id: &str) -> Option<Self> {
        shape::is_sys_id(sys_id).then(|| Self { table, sys_id: sys_id.to_owned() })
    }

    fn of(ticket: &TicketId) -> Result<Self, TicketError> {
        let place = ticket.as_str().split_once('/').and_then(|(table, id)| Self::new(Table::named(table)?, id));
        place.ok_or_else(|| TicketError::bad("the id of no ticket in ServiceNow"))
    }

    fn ticket(&self) -> TicketId {
        TicketId::new(format!("{}/{}", self.table.name(), self.sys_id))
    }

    fn path(&self) -> String {
        format!("{}/{}", table_path(self.table.name()), self.sys_id)
    }
}

impl ServiceNow {
    fn new(common: &Common, own: Settings) -> Self {
        Self {
            base: common.base_url.as_str().trim_end_matches('/').to_owned(),
            pattern: common.ticket_pattern.clone(),
            fields: common.fields.clone(),
            account: common.account.clone(),
            own,
        }
    }

    /// Whether stint may act on tickets with this number in this table.
    fn is_ours(&self, table: Table, number: &str) -> bool {
        Table::of_number(number) == Some(table) && self.pattern.is_match(number)
    }

    /// Where people open the ticket.
    fn url(&self, place: &Place) -> String {
        format!("{}/nav_to.do?uri={}.do%3Fsys_id%3D{}", self.base, place.table.name(), place.sys_id)
    }

    /// Asks for an account: told apart by this, a missing ticket and a broken credential no longer look alike.
    fn probe(&self) -> Call {
        let ours = self.account.as_deref().filter(|account| shape::is_user_name(account));
        let query = ours.map(|account| ("sysparm_query", format!("user_name={account}")));
        let limit = [("sysparm_fields", "sys_id".to_owned()), ("sysparm_limit", "1".to_owned())];
        get(table_path("sys_user"), query.into_iter().chain(limit))
    }
}

impl TicketSystem for ServiceNow {
    fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard> {
        hint::hear(self, body)
    }

    /// A lone 401 may pass (`contracts/tickets.md` H8).
    fn patience(&self) -> Patience {
        Patience { refusals: 4, over: Duration::from_secs(6) }
    }

    /// Few accounts may read the journal (`contracts/tickets.md` H6).
    fn writes_unseen(&self) -> bool {
        true
    }

    fn territory(&self) -> Vec<String> {
        let items = self.own.catalog_items.iter().map(|item| format!("request items of catalog item {item}"));
        let items: Vec<_> = items.collect();
        let items = if items.is_empty() { vec!["request items".to_owned()] } else { items };
        let changes = self.own.change_types.iter().map(|kind| format!("changes of type {kind}"));
        items.into_iter().chain(changes).collect()
    }

    fn read(&self, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError> {
        list::step(read::read(self, &Place::of(ticket)?, list::Answers::new(so_far)))
    }

    fn changed(&self, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
        list::step(search::changed(self, window, list::Answers::new(so_far)))
    }

    fn write_note(&self, note: &Note, maybe_written: bool, so_far: &[Answer]) -> Result<Step<()>, TicketError> {
        list::step(note::write(self, note, maybe_written, list::Answers::new(so_far)))
    }
}

fn table_path(table: &str) -> String {
    format!("/api/now/table/{table}")
}

/// A reading of raw values: display values are in somebody's language and time zone.
fn get(path: String, query: impl IntoIterator<Item = (&'static str, String)>) -> Call {
    let raw = [("sysparm_display_value", "false".to_owned()), ("sysparm_exclude_reference_link", "true".to_owned())];
    let query = query.into_iter().chain(raw).map(|(name, value)| (name.to_owned(), value)).collect();
    Call { method: Method::GET, path, query, headers: vec![], body: Body::Empty }
}

/// The JSON of an answer of success. An error may come with status 200 (`contracts/tickets.md` B4).
fn document(answer: &Answer) -> Result<serde_json::Value, TicketError> {
    if !answer.status.is_success() {
        return Err(TicketError::bad(format!("an unexpected {}", answer.status)));
    }
    let body = answer.json()?;
    let failed = body.get("status").and_then(serde_json::Value::as_str) == Some("failure");
    if failed || body.get("error").is_some() {
        let detail = shape::shown(&body.get("error").unwrap_or(&body).to_string(), 300);
        return Err(TicketError::CallRefused { status: answer.status.as_u16(), detail });
    }
    Ok(body)
}

/// How many rows there are for a query, those not shown included; `None` when the answer does not say.
fn total(headers: &HeaderMap) -> Result<Option<usize>, TicketError> {
    let Some(count) = headers.get("x-total-count") else { return Ok(None) };
    let count = count.to_str().ok().and_then(|count| count.parse().ok());
    count.map(Some).ok_or_else(|| TicketError::bad("a count of rows that is no number"))
}
