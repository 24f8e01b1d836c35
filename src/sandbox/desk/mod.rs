//! A small ticket system that speaks the standard contract: Standard Webhooks out, one document to read back.
//!
//! The handle plays the people and the administrators; the HTTP side is what a desk of one's own would have to offer:
//! `GET /tickets/{id}`, `POST /tickets/{id}/notes`, and, where it has one, the listing `GET /tickets`
//! (`contracts/tickets.md C`). [`Desk::webhook_for`] makes the deliveries that it would have sent.

mod control;
mod fault;
mod model;
mod people;
mod render;
mod rest;
mod webhook;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::fault::Play;
use self::model::State;
use super::Now;
use super::server::Answer;
use super::wire::{Pairs, bearer, json as json_answer, lock, segments};

pub use self::fault::{DeskFault, DeskFaultKind, DeskOn};
pub use self::model::{Note, Person};
pub use self::people::{Ticket, TicketDraft};
pub use self::webhook::DeskEvent;

/// The simulated desk. Clones share one state.
#[derive(Clone)]
pub struct Desk {
    url: Arc<str>,
    now: Now,
    state: Arc<Mutex<State>>,
}

/// One call, read.
struct Asked<'a> {
    now: Timestamp,
    query: Pairs,
    body: &'a Bytes,
}

/// A refused call: status and sentence.
struct Refusal(u16, &'static str);

type Outcome = Result<(u16, Value), Refusal>;

impl Refusal {
    const ABSENT: Self = Self(404, "There is no such ticket.");

    fn answer(&self) -> Response<Bytes> {
        json_answer(self.0, &json!({"error": self.1}))
    }
}

impl Desk {
    pub(super) fn new(url: String, now: Now) -> Self {
        Self { url: url.into(), now, state: Arc::new(Mutex::new(State::default())) }
    }

    pub(super) fn handle(&self, request: &Request<Bytes>) -> Answer {
        let now = (self.now)();
        let path = segments(request.uri().path());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut state = lock(&self.state);
        let answer = if bearer(request.headers()).is_some_and(|token| state.bearer.iter().any(|known| known == token)) {
            let query = Pairs::parse(request.uri().query().unwrap_or_default().as_bytes());
            let asked = Asked { now, query, body: request.body() };
            self.attend(&mut state, request.method(), &path, &asked)
        } else {
            Answer::Reply(Refusal(401, "A valid bearer token is needed.").answer())
        };
        state.calls.record(request, now, answer.status());
        answer
    }

    fn attend(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Answer {
        let on = DeskOn::of(method, path);
        let Some(kind) = state.faults.take(|waiting| waiting.matches(on)) else {
            return Answer::Reply(self.reply(state, method, path, asked));
        };
        match kind.play() {
            Play::Instead(answer) => answer(asked.now),
            Play::After(answer) => answer(self.reply(state, method, path, asked)),
            Play::OtherTicket => {
                let other = state.other_than(path);
                let path: Vec<&str> = match path {
                    [first, _, rest @ ..] => [&[*first, other.as_str()], rest].concat(),
                    _ => path.to_vec(),
                };
                Answer::Reply(self.reply(state, method, &path, asked))
            }
        }
    }

    fn reply(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Response<Bytes> {
        match self.serve(state, method, path, asked) {
            Ok((status, body)) => json_answer(status, &body),
            Err(refusal) => refusal.answer(),
        }
    }
}

#[cfg(test)]
mod tests;
