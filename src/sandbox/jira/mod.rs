//! Jira with Jira Service Management, small; Cloud unless it is told to be Data Center.
//!
//! Issues live here with their status, custom fields, approval rounds, changelog and comments. The handle plays the
//! people and the administrators; the HTTP side shows a client what it may see (`contracts/tickets.md A4, A7`), and
//! [`Jira::webhook_for`] makes the deliveries that Jira would have sent.

mod account;
mod adf;
mod automation;
mod changes;
mod control;
mod fault;
mod flavour;
mod index;
mod login;
mod model;
mod people;
mod render;
mod rest;
mod search;
mod service_desk;
mod webhook;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::fault::Play;
use self::login::Door;
use self::model::State;
use super::server::Answer;
use super::wire::{Pairs, empty, html, json as json_answer, lock, segments};
use super::{Now, story};

pub use self::account::Account;
pub use self::fault::{JiraFault, JiraFaultKind, JiraOn, ThrottleReason};
pub use self::flavour::Flavour;
pub use self::model::Comment;
pub use self::people::{Issue, IssueDraft};
pub use self::webhook::{Delivered, Webhook, WebhookKind};

/// The simulated Jira site. Clones share one state.
#[derive(Clone)]
pub struct Jira {
    url: Arc<str>,
    now: Now,
    state: Arc<Mutex<State>>,
}

/// One call, read.
struct Asked<'a> {
    now: Timestamp,
    /// Nobody logged in; the site lets the public read.
    anonymous: bool,
    query: Pairs,
    body: &'a Bytes,
}

/// A refused call: status, messages, and messages by field.
struct Refusal {
    status: u16,
    message: String,
    errors: Value,
}

type Outcome = Result<(u16, Value), Refusal>;

impl Refusal {
    fn new(status: u16, message: &str) -> Self {
        Self { status, message: message.to_owned(), errors: json!({}) }
    }

    fn unauthenticated() -> Self {
        Self::new(401, "Client must be authenticated to access this resource.")
    }

    /// Missing and forbidden look alike.
    fn absent() -> Self {
        Self::new(404, "Issue does not exist or you do not have permission to see it.")
    }

    fn answer(&self) -> Response<Bytes> {
        json_answer(self.status, &json!({"errorMessages": [self.message], "errors": self.errors}))
    }
}

impl Jira {
    pub(super) fn new(url: String, now: Now) -> Self {
        Self { url: url.into(), now, state: Arc::new(Mutex::new(State::default())) }
    }

    pub(super) fn handle(&self, request: &Request<Bytes>) -> Answer {
        let now = (self.now)();
        let path = segments(request.uri().path());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut state = lock(&self.state);
        let (door, site, path) = self.enter(&path);
        let known = state.knows(request.headers(), door);
        let answer = if path == ["_edge", "tenant_info"] {
            Answer::Reply(json_answer(200, &json!({"cloudId": story::CLOUD_ID})))
        } else if known || (state.anonymous && door == Door::Site) {
            let query = Pairs::parse(request.uri().query().unwrap_or_default().as_bytes());
            let asked = Asked { now, anonymous: !known, query, body: request.body() };
            site.attend(&mut state, request.method(), path, &asked)
        } else {
            Answer::Reply(Refusal::unauthenticated().answer())
        };
        state.calls.record(request, now, answer.status());
        answer
    }

    fn attend(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Answer {
        let on = JiraOn::of(method, path);
        let Some(kind) = state.faults.take(|waiting| waiting.matches(on)) else {
            return Answer::Reply(self.reply(state, method, path, asked));
        };
        match kind.play() {
            Play::Instead(answer) => answer(asked.now),
            Play::After(answer) => answer(self.reply(state, method, path, asked)),
            Play::OtherIssue => {
                let other = state.other_than(path);
                let path: Vec<&str> =
                    path.iter().map(|part| if on.names(part) { other.as_str() } else { part }).collect();
                Answer::Reply(self.reply(state, method, &path, asked))
            }
        }
    }

    fn reply(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Response<Bytes> {
        if let ["rest", "servicedeskapi", rest @ ..] = path
            && !state.licensed
            && rest != ["info"]
        {
            return html(403);
        }
        match self.serve(state, method, path, asked) {
            Ok((204, _)) => empty(204),
            Ok((status, body)) => json_answer(status, &body),
            Err(refusal) => refusal.answer(),
        }
    }

    fn serve(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Outcome {
        let version = state.flavour.rest().version().to_string();
        match path {
            ["rest", "api", asked_version, rest @ ..] if *asked_version == "latest" || *asked_version == version => {
                self.platform(state, method, rest, asked)
            }
            ["rest", "servicedeskapi", rest @ ..] => self.service_desk(state, method, rest, asked),
            _ => Err(Refusal::new(404, "Not found.")),
        }
    }
}

#[cfg(test)]
mod data_center_tests;
#[cfg(test)]
mod knob_tests;
#[cfg(test)]
mod tests;
