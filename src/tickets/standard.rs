//! Standard tickets: any system that can sign a webhook and show a ticket in the form of `docs/standard.md`.
//!
//! `hint` reads deliveries, `document` the ticket itself, `rounds` the approvals in it, `list` what changed lately. A
//! system that cannot be called signs the whole ticket instead: then its word is all there is, and protected entitlements
//! are refused on it. Nothing here is guessed: a member with a meaning of its own that cannot be read makes the whole
//! ticket unreadable, and one that is left out is never taken for "no".

use std::sync::Arc;

use http::{Method, StatusCode};
use regex::Regex;
use serde_json::json;
use url::Url;

use super::{
    Heard, Listed, Lookback, NotHeard, Note, Source, Step, TicketError, TicketSystem, VerifiedBody,
    kind::{Key, Kind, Make, Own, Shape},
    settings::Common,
};
use crate::{
    domain::{
        id::TicketId,
        ticket::{Basis, Reading},
    },
    json,
    outbound::{Answer, Body, Call, segment},
};

mod document;
mod hint;
mod list;
mod rounds;

#[cfg(test)]
mod fixtures;

/// Any system that keeps to the published contract.
pub(super) const KIND: Kind = Kind {
    name: "standard",
    example_url: "https://desk.contoso.com",
    maps_fields: false,
    keys: &[Key {
        name: READ_BACK,
        about: "Whether tickets are read back, or only told by signed webhooks. Default `http`.",
        shape: Shape::Choice(&["http", "none"]),
    }],
    is_never_called: |own| own.says(READ_BACK, "none"),
    check,
};

const READ_BACK: &str = "read_back";

#[expect(clippy::unnecessary_wraps, reason = "other kinds find faults")]
fn check(own: &mut Own) -> Option<Make> {
    let source = match own.word(READ_BACK).as_deref() {
        Some("none") => Source::Webhooks,
        _ => Source::ReadBack,
    };
    Some(Box::new(move |common| Arc::new(Standard::new(common, source))))
}

/// One such system, as a connection is configured for it.
#[derive(Debug)]
pub(super) struct Standard {
    base: Url,
    pattern: Regex,
    /// The document's member that names a tenant, where the connection serves several.
    tenant: Option<String>,
    source: Source,
}

impl Standard {
    fn new(common: &Common, source: Source) -> Self {
        let tenant = common.fields.tenant.clone();
        Self { base: common.base_url.clone(), pattern: common.ticket_pattern.clone(), tenant, source }
    }
}

impl TicketSystem for Standard {
    fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard> {
        hint::hear(self, body)
    }

    fn source(&self) -> Source {
        self.source
    }

    fn territory(&self) -> Vec<String> {
        vec!["tickets".into()]
    }

    /// The contract has refused credentials answered with 401 or 403, so a 404 needs no second question.
    fn read(&self, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError> {
        let Some(answer) = so_far.first() else { return Ok(Step::Send(get(ticket_path(ticket), vec![]))) };
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Step::Done(Reading::Absent));
        }
        let document = success(answer)?;
        let found = document::ticket(self, &document, Basis::ReadBack)?;
        if found.id != *ticket {
            return Err(TicketError::bad("another ticket than the one asked for"));
        }
        Ok(Step::Done(Reading::Found(Box::new(found))))
    }

    fn changed(&self, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
        match self.source {
            Source::ReadBack => list::changed(self, window, so_far),
            Source::Webhooks => Ok(Step::Done(vec![])),
        }
    }

    /// The key makes a repeat harmless, so a note that may be there already is sent again without looking.
    fn write_note(&self, note: &Note, _maybe_written: bool, so_far: &[Answer]) -> Result<Step<()>, TicketError> {
        let Some(answer) = so_far.first() else { return Ok(Step::Send(post(note))) };
        match answer.status {
            StatusCode::NOT_FOUND => Err(TicketError::Absent),
            StatusCode::PAYLOAD_TOO_LARGE => Err(TicketError::Full),
            status if status.is_success() => Ok(Step::Done(())),
            status => Err(TicketError::bad(format!("an unexpected {status}"))),
        }
    }
}

fn ticket_path(ticket: &TicketId) -> String {
    format!("/tickets/{}", segment(ticket.as_str()))
}

fn get(path: String, query: Vec<(String, String)>) -> Call {
    Call { method: Method::GET, path, query, headers: vec![], body: Body::Empty }
}

fn post(note: &Note) -> Call {
    let path = format!("{}/notes", ticket_path(&note.ticket));
    let body = Body::Json(json!({"key": note.key, "text": note.text.trim_end()}));
    Call { method: Method::POST, path, query: vec![], headers: vec![], body }
}

/// The JSON of an answer of success.
fn success(answer: &Answer) -> Result<serde_json::Value, TicketError> {
    if answer.status.is_success() {
        let document = answer.json()?;
        json::object(&document, "")?;
        Ok(document)
    } else {
        Err(TicketError::bad(format!("an unexpected {}", answer.status)))
    }
}

#[cfg(test)]
#[path = "standard/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "standard/example_tests.rs"]
mod example_tests;
