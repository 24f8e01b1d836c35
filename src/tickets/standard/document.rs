//! The ticket as a standard system shows it, or signs it.

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::{Standard, rounds};
use crate::{
    domain::{
        approval::{Account, AccountKind},
        id::{AccountId, TicketId, TicketNumber},
        ticket::{Basis, Field, Standing, Ticket, Window},
    },
    json::{self, Fault},
};

const ID: &str = "1 to 64 visible ASCII characters without slashes, and not dots alone";
const NUMBER: &str = "1 to 64 visible ASCII characters";
const ACCOUNT_ID: &str = "1 to 255 visible ASCII characters";
const MOMENT: &str = "a time such as 2026-11-03T08:31:07Z";

/// The year 0000: RFC 3339 writes none before it, and Postgres keeps none that lie far before it.
const EARLIEST: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// What the contract's `status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Approved,
    Rejected,
    /// Cancelled or closed.
    Over,
}

/// Reads the whole document.
pub(super) fn ticket(desk: &Standard, document: &Value, basis: Basis) -> Result<Ticket, Fault> {
    let (id, number) = name(document)?;
    let status = status(document)?;
    Ok(Ticket {
        in_scope: desk.is_ours(&number),
        url: desk.link(document.get("url")),
        standing: status.standing(),
        requester: account(document, "/requester")?,
        creator: account(document, "/created_by")?,
        entitlement: field(document.get("entitlement")),
        principal: field(document.get("principal")),
        duration: field(document.get("duration")),
        tenant: desk.tenant.as_deref().map(|name| field(document.get(name))),
        approvals: rounds::rounds(document, status)?,
        fields_changed_at: fields_changed_at(document)?,
        window: window(document),
        time_zone: time_zone(document.get("time_zone")),
        id,
        number,
        basis,
    })
}

/// A ticket that its system has withdrawn: nothing else about it matters any more.
pub(super) fn withdrawn(desk: &Standard, document: &Value, id: TicketId, number: TicketNumber) -> Ticket {
    Ticket {
        in_scope: true,
        url: desk.link(document.get("url")),
        standing: Standing::Closed,
        requester: None,
        creator: None,
        entitlement: Field::Hidden,
        principal: Field::Hidden,
        duration: Field::Hidden,
        tenant: desk.tenant.as_deref().map(|name| field(document.get(name))),
        approvals: vec![],
        fields_changed_at: None,
        window: Window::default(),
        time_zone: None,
        id,
        number,
        basis: Basis::Webhook,
    }
}

/// The ticket's immutable id, and its number.
pub(super) fn name(document: &Value) -> Result<(TicketId, TicketNumber), Fault> {
    json::object(document, "")?;
    let id = json::text(document, "/id")?;
    let number = json::text(document, "/number")?;
    is_id(id).then_some(()).ok_or_else(|| json::not("/id", ID))?;
    is_visible(number, 64).then_some(()).ok_or_else(|| json::not("/number", NUMBER))?;
    Ok((TicketId::new(id), TicketNumber::new(number)))
}

/// Ids become segments of paths, where dots alone would lead elsewhere.
pub(super) fn is_id(text: &str) -> bool {
    is_visible(text, 64) && !text.contains(['/', '\\']) && !text.bytes().all(|byte| byte == b'.')
}

fn is_visible(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A moment at this path, cut to microseconds; `None` when the member is absent or null.
pub(super) fn moment(document: &Value, path: &str) -> Result<Option<Timestamp>, Fault> {
    let Some(text) = json::optional_text(document, path)? else { return Ok(None) };
    time(text).map(Some).ok_or_else(|| json::not(path, MOMENT))
}

/// A moment that must be there.
pub(super) fn required_moment(document: &Value, path: &str) -> Result<Timestamp, Fault> {
    moment(document, path)?.ok_or_else(|| json::not(path, MOMENT))
}

fn time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    Timestamp::from_microsecond(time.as_microsecond()).ok().filter(|time| *time >= EARLIEST)
}

/// An account. `None` without the immutable id: nothing else tells people apart.
pub(super) fn account(document: &Value, at: &str) -> Result<Option<Account>, Fault> {
    if document.pointer(at).is_none_or(Value::is_null) {
        return Ok(None);
    }
    json::object(document, at)?;
    let path = |name: &str| format!("{at}/{name}");
    let text = |name: &str| json::optional_text(document, &path(name));
    let Some(id) = text("id")? else { return Ok(None) };
    is_visible(id, 255).then_some(()).ok_or_else(|| json::not(&path("id"), ACCOUNT_ID))?;
    let filled = |text: &&str| !text.trim().is_empty();
    Ok(Some(Account {
        id: AccountId::new(id),
        name: text("name")?.filter(filled).map(str::to_owned),
        email: text("email")?.filter(filled).map(str::to_owned),
        kind: account_kind(text("kind")?).ok_or_else(|| json::not(&path("kind"), "person or app"))?,
        active: flag(document, &path("active"))?,
    }))
}

/// A word that is not known may stand for a machine, which must not count as an approver.
fn account_kind(word: Option<&str>) -> Option<AccountKind> {
    match word {
        None => Some(AccountKind::Unstated),
        Some("person") => Some(AccountKind::Person),
        Some("app") => Some(AccountKind::App),
        Some(_) => None,
    }
}

fn flag(document: &Value, path: &str) -> Result<Option<bool>, Fault> {
    match document.pointer(path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(json::not(path, "true or false")),
    }
}

fn status(document: &Value) -> Result<Status, Fault> {
    match json::text(document, "/status")? {
        "pending" => Ok(Status::Pending),
        "approved" => Ok(Status::Approved),
        "rejected" => Ok(Status::Rejected),
        "cancelled" | "closed" => Ok(Status::Over),
        _ => Err(json::not("/status", "pending, approved, rejected, cancelled or closed")),
    }
}

impl Status {
    fn standing(self) -> Standing {
        match self {
            Self::Approved => Standing::Approved,
            Self::Pending | Self::Rejected => Standing::Open,
            Self::Over => Standing::Closed,
        }
    }
}

/// Null says that nothing was ever changed; left out, it would say nothing, and an edit could hide in that.
fn fields_changed_at(document: &Value) -> Result<Option<Timestamp>, Fault> {
    let path = "/fields_changed_at";
    if document.pointer(path).is_none() {
        return Err(json::not(path, "a time, nor null for never"));
    }
    moment(document, path)
}

fn field(value: Option<&Value>) -> Field {
    match value {
        None => Field::Hidden,
        Some(Value::Null) => Field::Empty,
        Some(Value::String(text)) if text.trim().is_empty() => Field::Empty,
        Some(Value::String(text)) => Field::Text(text.trim().to_owned()),
        Some(_) => Field::Unreadable,
    }
}

fn window(document: &Value) -> Window {
    let end = |path| moment(document, path).map_err(|_| Field::Unreadable);
    match document.pointer("/window") {
        None | Some(Value::Null) => Window::default(),
        Some(Value::Object(_)) => {
            let (start, end) = (end("/window/start"), end("/window/end"));
            let unknown = start.clone().err().or_else(|| end.clone().err());
            Window { start: start.unwrap_or_default(), end: end.unwrap_or_default(), unknown }
        }
        Some(_) => Window { unknown: Some(Field::Unreadable), ..Window::default() },
    }
}

/// Only shown to people.
fn time_zone(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|zone| is_visible(zone, 64)).map(str::to_owned)
}

impl Standard {
    /// Whether the number is one of this connection's.
    pub(super) fn is_ours(&self, number: &TicketNumber) -> bool {
        self.pattern.is_match(number.as_str())
    }

    /// Where people open the ticket: https, or at least the configured address. People click on it.
    fn link(&self, value: Option<&Value>) -> Option<String> {
        let url: Url = value?.as_str()?.parse().ok()?;
        let known = url.scheme() == "https" || url.origin() == self.base.origin();
        known.then(|| url.into())
    }
}
