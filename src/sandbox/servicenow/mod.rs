//! A ServiceNow instance, small.
//!
//! Request items, requests, changes, approvals and catalog variables are rows of tables, as on the real one. The
//! handle plays the people and the administrators; the HTTP side is the Table API with its oddities
//! (`contracts/tickets.md B3, B4`), and [`ServiceNow::webhook_for`] makes what a customer's business rule sends.

mod approvals;
mod changes;
mod control;
mod fault;
mod login;
mod model;
mod people;
mod query;
mod render;
mod schema;
mod table;
mod webhook;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::json;

use self::fault::Play;
use self::model::State;
use super::Now;
use super::server::Answer;
use super::wire::{Pairs, header_text, json as json_answer, lock, segments};

pub use self::control::JournalEntry;
pub use self::fault::{SnowFault, SnowFaultKind, SnowOn};
pub use self::people::{ChangeDraft, ItemDraft, Record, User};
pub use self::render::ReferenceShape;
pub use self::webhook::SnowEvent;

/// The simulated instance. Clones share one state.
#[derive(Clone)]
pub struct ServiceNow {
    url: Arc<str>,
    now: Now,
    state: Arc<Mutex<State>>,
}

/// One call, read.
struct Asked<'a> {
    now: Timestamp,
    /// User name of the caller.
    user: String,
    request: &'a Request<Bytes>,
    query: Pairs,
    /// The query's terms are forgotten, so that unrelated rows answer.
    forgetful: bool,
}

/// A refused call.
struct Refusal {
    status: u16,
    message: String,
    detail: String,
}

type Outcome = Result<Response<Bytes>, Refusal>;

impl Refusal {
    fn new(status: u16, message: &str, detail: &str) -> Self {
        Self { status, message: message.to_owned(), detail: detail.to_owned() }
    }

    fn unauthenticated() -> Self {
        Self::new(401, "User Not Authenticated", "Required to provide Auth information")
    }

    fn forbidden() -> Self {
        Self::new(403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
    }

    /// Missing and hidden look alike.
    fn absent() -> Self {
        Self::new(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
    }

    fn answer(&self) -> Response<Bytes> {
        let error = json!({"message": self.message, "detail": self.detail});
        json_answer(self.status, &json!({"error": error, "status": "failure"}))
    }
}

impl ServiceNow {
    pub(super) fn new(url: String, now: Now) -> Self {
        Self { url: url.into(), now, state: Arc::new(Mutex::new(State::default())) }
    }

    pub(super) fn handle(&self, request: &Request<Bytes>) -> Answer {
        let now = (self.now)();
        let path = segments(request.uri().path());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut state = lock(&self.state);
        let answer = if path == ["oauth_token.do"] {
            self.attend(&mut state, &path, &Asked::new(request, String::new(), now))
        } else if let Some(user) = state.logins.user(request.headers(), now) {
            self.attend(&mut state, &path, &Asked::new(request, user, now))
        } else {
            Answer::Reply(Refusal::unauthenticated().answer())
        };
        state.calls.record(request, now, answer.status());
        answer
    }

    fn attend(&self, state: &mut State, path: &[&str], asked: &Asked) -> Answer {
        let on = SnowOn::of(asked.request.method(), path);
        let Some(kind) = state.faults.take(|waiting| waiting.matches(on)) else {
            return Answer::Reply(self.reply(state, path, asked));
        };
        match kind.play() {
            Play::Instead(answer) => answer(asked.now),
            Play::After(answer) => {
                let response = self.reply(state, path, asked);
                answer(response)
            }
            Play::OtherRecord => Answer::Reply(self.reply_about_another(state, path, asked)),
        }
    }

    fn reply_about_another(&self, state: &mut State, path: &[&str], asked: &Asked) -> Response<Bytes> {
        let mut asked = Asked::new(asked.request, asked.user.clone(), asked.now);
        asked.forgetful = true;
        let other = state.other_than(path);
        let is_id = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path: Vec<&str> = path.iter().map(|part| if is_id(part) { other.as_str() } else { part }).collect();
        self.reply(state, &path, &asked)
    }

    fn reply(&self, state: &mut State, path: &[&str], asked: &Asked) -> Response<Bytes> {
        self.serve(state, path, asked).unwrap_or_else(|refusal| refusal.answer())
    }

    fn serve(&self, state: &mut State, path: &[&str], asked: &Asked) -> Outcome {
        match path {
            ["oauth_token.do"] if asked.request.method() == Method::POST => {
                Ok(state.logins.token(asked.request, asked.now))
            }
            ["api", "now", "table" | "v1" | "v2", ..] => {
                asked.check_media_types()?;
                self.table_api(state, &path[2..], asked)
            }
            _ => Err(Refusal::new(400, "Requested URI does not represent any resource", "")),
        }
    }
}

impl<'a> Asked<'a> {
    fn new(request: &'a Request<Bytes>, user: String, now: Timestamp) -> Self {
        let query = Pairs::parse(request.uri().query().unwrap_or_default().as_bytes());
        Self { now, user, request, query, forgetful: false }
    }

    /// `Accept` and, with a body, `Content-Type` must name JSON.
    fn check_media_types(&self) -> Result<(), Refusal> {
        let names_json = |header| {
            let text = header_text(self.request.headers(), header);
            text.is_some_and(|text| text.contains("application/json"))
        };
        if !names_json("accept") {
            return Err(Refusal::new(400, "Invalid Accept header", "Accept must be application/json"));
        }
        if !self.request.body().is_empty() && !names_json("content-type") {
            return Err(Refusal::new(400, "Invalid Content-Type header", "Content-Type must be application/json"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
