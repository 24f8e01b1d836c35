//! Faults that strike the next call they match.

use bytes::Bytes;
use http::{Method, Response};
use jiff::Timestamp;
use serde_json::json;

use super::super::fault::Retry;
use super::super::server::Answer;
use super::super::wire::{html, json as json_answer};

/// Which calls a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskOn {
    /// Reading a ticket.
    Ticket,
    /// Writing a note.
    Note,
    /// Listing tickets.
    List,
    /// Every call.
    Any,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskFaultKind {
    /// This status in the desk's error shape; nothing is done.
    Status(u16),
    /// The call is carried out, then this status is answered.
    StatusAfterCommit(u16),
    /// A page with this status, 200 included; nothing is done.
    Html(u16),
    /// 429; nothing is done.
    Throttle(Retry),
    /// The connection closes without an answer; nothing is done.
    DropBeforeCommit,
    /// The call is carried out, then the connection closes without an answer.
    DropAfterCommit,
    /// The call is carried out, then the connection closes in the middle of the answer.
    Truncate,
    /// Answers as if another ticket had been asked for.
    OtherTicket,
    /// No answer, ever; nothing is done.
    Stall,
}

/// One entry of the fault queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeskFault {
    /// Which calls it waits for.
    pub on: DeskOn,
    /// What goes wrong.
    pub kind: DeskFaultKind,
    /// For how many of them.
    pub times: usize,
}

impl DeskFault {
    /// A fault that strikes once.
    #[must_use]
    pub fn once(on: DeskOn, kind: DeskFaultKind) -> Self {
        Self { on, kind, times: 1 }
    }
}

/// Whether the fault strikes in place of the service, after it, or turns its head.
pub(super) enum Play {
    Instead(Box<dyn FnOnce(Timestamp) -> Answer>),
    /// Given the proper answer.
    After(Box<dyn FnOnce(Response<Bytes>) -> Answer>),
    OtherTicket,
}

impl DeskOn {
    pub(super) fn matches(self, call: Self) -> bool {
        self == Self::Any || self == call
    }

    pub(super) fn of(method: &Method, path: &[&str]) -> Self {
        match (method.as_str(), path) {
            ("GET", ["tickets", _]) => Self::Ticket,
            ("POST", ["tickets", _, "notes"]) => Self::Note,
            ("GET", ["tickets"]) => Self::List,
            _ => Self::Any,
        }
    }
}

impl DeskFaultKind {
    pub(super) fn play(self) -> Play {
        match self {
            Self::Status(status) => Play::Instead(Box::new(move |_| refused(status))),
            Self::StatusAfterCommit(status) => Play::After(Box::new(move |_| refused(status))),
            Self::Html(status) => Play::Instead(Box::new(move |_| Answer::Reply(html(status)))),
            Self::Throttle(retry) => Play::Instead(Box::new(move |now| throttled(retry, now))),
            Self::DropBeforeCommit => Play::Instead(Box::new(|_| Answer::HangUp)),
            Self::DropAfterCommit => Play::After(Box::new(|_| Answer::HangUp)),
            Self::Truncate => Play::After(Box::new(Answer::Truncate)),
            Self::OtherTicket => Play::OtherTicket,
            Self::Stall => Play::Instead(Box::new(|_| Answer::Stall)),
        }
    }
}

fn refused(status: u16) -> Answer {
    Answer::Reply(json_answer(status, &json!({"error": "The request failed."})))
}

fn throttled(retry: Retry, now: Timestamp) -> Answer {
    let mut response = json_answer(429, &json!({"error": "Too many requests."}));
    retry.write(&mut response, now);
    Answer::Reply(response)
}
