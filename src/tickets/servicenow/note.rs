//! Writing a note: an entry in the ticket's journal, hidden from customers where the connection says so
//! (`contracts/tickets.md` B4, H6).
//!
//! Journal fields read back empty, so a note that may be there already is looked for among the journal's rows, by its marker
//! at the end of an entry. Where the account may not read those, people may rarely see a note twice.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{Note, TicketError},
    Place, ServiceNow,
    list::{Answers, Listing, Pause},
    read::works,
    shape,
};
use crate::outbound::{Body, Call};

/// Nobody reads more characters than this.
const MAX_TEXT: usize = 3_500;

pub(super) fn write(
    snow: &ServiceNow,
    note: &Note,
    maybe_written: bool,
    mut answers: Answers<'_>,
) -> Result<(), Pause> {
    let place = Place::of(&note.ticket)?;
    if maybe_written && is_there(snow, note, &place, &mut answers)? {
        return Ok(());
    }
    let written = answers.to(|| entry(note, &place))?;
    match written.status {
        StatusCode::NOT_FOUND => {
            works(snow, &mut answers)?;
            Err(TicketError::Absent.into())
        }
        StatusCode::PAYLOAD_TOO_LARGE => Err(TicketError::Full.into()),
        status if status.is_success() => Ok(()),
        status => Err(TicketError::bad(format!("an unexpected {status}")).into()),
    }
}

/// The journal field: customers read comments, not work notes.
fn element(note: &Note) -> &'static str {
    if note.internal { "work_notes" } else { "comments" }
}

/// Whether the note stands in the journal. Anybody may quote a marker, so it must end an entry, and one of our own where the
/// entry says whose it is. Rows about anything else are passed over: with them nothing is found, and the note is written.
fn is_there(snow: &ServiceNow, note: &Note, place: &Place, answers: &mut Answers<'_>) -> Result<bool, Pause> {
    let marker = note.marker();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"[]:-_".contains(&byte);
    if !marker.bytes().all(plain) {
        return Err(TicketError::bad("a note's key that no query can carry").into());
    }
    let element = element(note);
    let rows = answers.all(&Listing {
        table: "sys_journal_field",
        query: format!("element_id={}^element={element}^valueLIKE{marker}", place.sys_id),
        fields: "element_id,element,value,sys_created_by",
        whole: false,
    })?;
    let is = |row: &Value, name: &str, wanted: &str| row.get(name).and_then(shape::scalar) == Some(wanted);
    let ends =
        |row: &Value| row.get("value").and_then(shape::scalar).is_some_and(|text| text.trim_end().ends_with(&marker));
    let ours = |row: &Value| match (&snow.account, row.get("sys_created_by").and_then(shape::scalar)) {
        (Some(account), Some(author)) => author == account,
        _ => true,
    };
    Ok(rows
        .iter()
        .any(|row| is(row, "element_id", &place.sys_id) && is(row, "element", element) && ends(row) && ours(row)))
}

fn entry(note: &Note, place: &Place) -> Call {
    Call {
        method: Method::PATCH,
        path: place.path(),
        query: vec![],
        // The answer would be the whole record.
        headers: vec![("X-no-response-body", "true".to_owned())],
        body: Body::Json(json!({ element(note): text(note) })),
    }
}

/// The marked text, cut in front of its marker where it is too long.
fn text(note: &Note) -> String {
    if note.text.chars().count() <= MAX_TEXT {
        return note.marked_text();
    }
    let cut: String = note.text.chars().take(MAX_TEXT).collect();
    Note { text: format!("{cut} …"), ..note.clone() }.marked_text()
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
