//! The three calls of the standard contract.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Note, State, TicketState};
use super::render::item;
use super::{Asked, Desk, Outcome, Refusal};

impl Desk {
    pub(super) fn serve(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Outcome {
        match (method.as_str(), path) {
            ("GET", ["tickets"]) if state.listing => list(state, asked),
            ("GET", ["tickets", id]) => self.read(state, id, asked),
            ("POST", ["tickets", id, "notes"]) => note(state, id, asked),
            _ => Err(Refusal(404, "Not found.")),
        }
    }

    fn read(&self, state: &State, id: &str, asked: &Asked) -> Outcome {
        let ticket = state.shown(id, asked.now).ok_or(Refusal::ABSENT)?;
        Ok((200, self.document(state, ticket)))
    }
}

/// The key makes a repeat harmless: the note that is there is answered, whatever the new text.
fn note(state: &mut State, id: &str, asked: &Asked) -> Outcome {
    let body: Value = serde_json::from_slice(asked.body).map_err(|_| Refusal(400, "The body is not JSON."))?;
    let member = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let (key, text) = member("key").zip(member("text")).ok_or(Refusal(400, "A note has a key and a text."))?;
    let ticket = state.live(id).ok_or(Refusal::ABSENT)?;
    let there = ticket.notes.iter().any(|note| note.key == key);
    if !there {
        ticket.notes.push(Note { key: key.to_owned(), text: text.to_owned(), created: asked.now });
        ticket.updated = asked.now;
    }
    Ok((if there { 200 } else { 201 }, json!({"key": key})))
}

/// Oldest change first.
fn list(state: &State, asked: &Asked) -> Outcome {
    let since = asked.query.first("updated_since").map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|_| Refusal(400, "updated_since is not RFC 3339."))?;
    let status = asked.query.first("status");
    let start = asked.query.first("cursor").map(|cursor| cursor.strip_prefix("after-").unwrap_or(cursor).parse());
    let start: usize = start.transpose().map_err(|_| Refusal(400, "The cursor is not one of ours."))?.unwrap_or(0);

    let mut found: Vec<&TicketState> = state.tickets.iter().filter_map(|ticket| ticket.shown(asked.now)).collect();
    found.retain(|ticket| since.is_none_or(|since| ticket.updated >= since));
    found.retain(|ticket| status.is_none_or(|status| ticket.status == status));
    found.sort_by_key(|ticket| ticket.updated);
    let end = start + state.page_size;
    let next = (found.len() > end).then(|| format!("after-{end}"));
    let items: Vec<Value> = found.into_iter().skip(start).take(state.page_size).map(item).collect();
    Ok((200, json!({"items": items, "next": next})))
}
