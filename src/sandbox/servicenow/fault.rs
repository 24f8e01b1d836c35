//! Faults that strike the next call they match.

use bytes::Bytes;
use http::{Method, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::fault::Retry;
use super::super::server::Answer;
use super::super::wire::{html, json as json_answer, set_header};
use super::Refusal;
use super::model::State;
use super::schema::{APPROVER, CHANGE, ITEM, JOURNAL, MTOM, REQUEST, USER};

/// Which calls a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnowOn {
    /// Reading request items.
    Items,
    /// Reading requests, the parents of items.
    Requests,
    /// Reading changes.
    Changes,
    /// Reading approver rows.
    Approvals,
    /// Reading catalog variables.
    Variables,
    /// Reading users.
    Users,
    /// Reading the journal.
    Journal,
    /// Writing a work note or a comment.
    Note,
    /// The OAuth token endpoint.
    Token,
    /// Every call.
    Any,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnowFaultKind {
    /// This status in the instance's error shape; nothing is done.
    Status(u16),
    /// The call is carried out, then this status is answered.
    StatusAfterCommit(u16),
    /// A page with this status; nothing is done. A hibernating instance says 200.
    Html(u16),
    /// 429 by a rate limit rule; nothing is done.
    Throttle(Retry),
    /// The true answer with 200, and an `error` beside its result: the query ran out of time.
    ErrorInside,
    /// Answers as if another record had been asked for; a list answers as if nothing particular had been.
    OtherRecord,
    /// The connection closes without an answer; nothing is done.
    DropBeforeCommit,
    /// The call is carried out, then the connection closes without an answer.
    DropAfterCommit,
    /// The call is carried out; half of the true answer is sent, then the connection closes.
    Truncate,
    /// No answer, ever; nothing is done.
    Stall,
}

/// One entry of the fault queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnowFault {
    /// Which calls it waits for.
    pub on: SnowOn,
    /// What goes wrong.
    pub kind: SnowFaultKind,
    /// For how many of them.
    pub times: usize,
}

impl SnowFault {
    /// A fault that strikes once.
    #[must_use]
    pub fn once(on: SnowOn, kind: SnowFaultKind) -> Self {
        Self { on, kind, times: 1 }
    }
}

/// Whether the fault strikes in place of the service, after it, or turns its head.
pub(super) enum Play {
    Instead(Box<dyn FnOnce(Timestamp) -> Answer>),
    After(Box<dyn FnOnce(Response<Bytes>) -> Answer>),
    OtherRecord,
}

impl SnowOn {
    pub(super) fn matches(self, call: Self) -> bool {
        self == Self::Any || self == call
    }

    pub(super) fn of(method: &Method, path: &[&str]) -> Self {
        let table = path.iter().skip_while(|part| **part != "table").nth(1).copied();
        match (method.as_str(), table) {
            (_, None) if path == ["oauth_token.do"] => Self::Token,
            ("PATCH", Some(_)) => Self::Note,
            ("GET", Some(ITEM)) => Self::Items,
            ("GET", Some(REQUEST)) => Self::Requests,
            ("GET", Some(CHANGE)) => Self::Changes,
            ("GET", Some(APPROVER)) => Self::Approvals,
            ("GET", Some(MTOM)) => Self::Variables,
            ("GET", Some(USER)) => Self::Users,
            ("GET", Some(JOURNAL)) => Self::Journal,
            _ => Self::Any,
        }
    }
}

impl SnowFaultKind {
    pub(super) fn play(self) -> Play {
        match self {
            Self::Status(status) => Play::Instead(Box::new(move |_| refused(status))),
            Self::StatusAfterCommit(status) => Play::After(Box::new(move |_| refused(status))),
            Self::Html(status) => Play::Instead(Box::new(move |_| Answer::Reply(html(status)))),
            Self::Throttle(retry) => Play::Instead(Box::new(move |now| throttled(retry, now))),
            Self::ErrorInside => Play::After(Box::new(|response| with_error(&response))),
            Self::OtherRecord => Play::OtherRecord,
            Self::DropBeforeCommit => Play::Instead(Box::new(|_| Answer::HangUp)),
            Self::DropAfterCommit => Play::After(Box::new(|_| Answer::HangUp)),
            Self::Truncate => Play::After(Box::new(Answer::Truncate)),
            Self::Stall => Play::Instead(Box::new(|_| Answer::Stall)),
        }
    }
}

impl State {
    /// The `sys_id` of some row of the path's table that the path does not name.
    pub(super) fn other_than(&self, path: &[&str]) -> String {
        let names = |id: &str| path.contains(&id);
        let mut others = self.rows.iter().filter(|row| names(row.table) && !row.deleted && !names(row.get("sys_id")));
        others.next().map_or_else(String::new, |row| row.get("sys_id").to_owned())
    }
}

fn refused(status: u16) -> Answer {
    let refusal = match status {
        401 => Refusal::unauthenticated(),
        403 => Refusal::forbidden(),
        404 => Refusal::absent(),
        _ => Refusal::new(status, "Transaction failed", "The instance could not process the request"),
    };
    Answer::Reply(refusal.answer())
}

fn with_error(response: &Response<Bytes>) -> Answer {
    let mut body: Value = serde_json::from_slice(response.body()).unwrap_or_else(|_| json!({}));
    body["error"] = json!({"message": "Transaction cancelled: maximum execution time exceeded", "detail": ""});
    body["status"] = json!("failure");
    Answer::Reply(json_answer(200, &body))
}

/// One hundred calls in the hour that ends with the present one.
fn throttled(retry: Retry, now: Timestamp) -> Answer {
    let detail = "Rate limit of 100 requests per hour for Table API exceeded";
    let mut response = Refusal::new(429, "Rate limit exceeded", detail).answer();
    retry.write(&mut response, now);
    let next_hour = (now.as_second().div_euclid(3600) + 1) * 3600;
    set_header(&mut response, "x-ratelimit-limit", "100");
    set_header(&mut response, "x-ratelimit-reset", &next_hour.to_string());
    set_header(&mut response, "x-ratelimit-rule", "c0ffee00d15ea5e0badc0de0feedface");
    Answer::Reply(response)
}
