//! Faults that strike the next call they match.

use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::super::fault::Retry;
use super::super::server::Answer;
use super::super::wire::{html, json as json_answer, set_header};

/// Which calls a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JiraOn {
    /// Reading an issue or its changelog.
    Issue,
    /// Reading approvals.
    Approvals,
    /// Writing a comment, by either API.
    Comment,
    /// Reading comments.
    ReadComments,
    /// Who am I?
    Myself,
    /// Searching.
    Search,
    /// Every call.
    Any,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JiraFaultKind {
    /// This status in Jira's error shape; nothing is done.
    Status(u16),
    /// The call is carried out, then this status is answered.
    StatusAfterCommit(u16),
    /// A page with this status, 200 included; nothing is done. 403 is what an unlicensed Service Management says.
    Html(u16),
    /// 429; nothing is done.
    Throttle(Retry),
    /// The connection closes without an answer; nothing is done.
    DropBeforeCommit,
    /// The call is carried out, then the connection closes without an answer.
    DropAfterCommit,
    /// Answers as if another issue had been asked for.
    OtherIssue,
    /// No answer, ever; nothing is done.
    Stall,
}

/// One entry of the fault queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JiraFault {
    /// Which calls it waits for.
    pub on: JiraOn,
    /// What goes wrong.
    pub kind: JiraFaultKind,
    /// For how many of them.
    pub times: usize,
}

impl JiraFault {
    /// A fault that strikes once.
    #[must_use]
    pub fn once(on: JiraOn, kind: JiraFaultKind) -> Self {
        Self { on, kind, times: 1 }
    }
}

/// Whether the fault strikes in place of the service, after it, or turns its head.
pub(super) enum Play {
    Instead(Box<dyn FnOnce(Timestamp) -> Answer>),
    After(Box<dyn FnOnce(Timestamp) -> Answer>),
    OtherIssue,
}

impl JiraOn {
    pub(super) fn matches(self, call: Self) -> bool {
        self == Self::Any || self == call
    }

    pub(super) fn of(method: &Method, path: &[&str]) -> Self {
        match (method.as_str(), path) {
            ("POST", [.., "comment"]) => Self::Comment,
            ("GET", [.., "comment"]) => Self::ReadComments,
            ("GET", [.., "approval"] | [.., "approval", _]) => Self::Approvals,
            ("GET", [.., "issue", _] | [.., "issue", _, "changelog"]) => Self::Issue,
            (_, [.., "myself"]) => Self::Myself,
            (_, [.., "search", "jql"]) => Self::Search,
            _ => Self::Any,
        }
    }

    /// Whether this part of the path is the name of an issue.
    pub(super) fn names(self, part: &str) -> bool {
        let number = part.rsplit('-').next().unwrap_or_default();
        let is_name = number.len() > 1 && number.bytes().all(|byte| byte.is_ascii_digit());
        is_name && matches!(self, Self::Issue | Self::Approvals | Self::Comment | Self::ReadComments)
    }
}

impl JiraFaultKind {
    pub(super) fn play(self) -> Play {
        match self {
            Self::Status(status) => Play::Instead(Box::new(move |_| refused(status))),
            Self::StatusAfterCommit(status) => Play::After(Box::new(move |_| refused(status))),
            Self::Html(status) => Play::Instead(Box::new(move |_| Answer::Reply(html(status)))),
            Self::Throttle(retry) => Play::Instead(Box::new(move |now| throttled(retry, now))),
            Self::DropBeforeCommit => Play::Instead(Box::new(|_| Answer::HangUp)),
            Self::DropAfterCommit => Play::After(Box::new(|_| Answer::HangUp)),
            Self::OtherIssue => Play::OtherIssue,
            Self::Stall => Play::Instead(Box::new(|_| Answer::Stall)),
        }
    }
}

fn refused(status: u16) -> Answer {
    Answer::Reply(json_answer(status, &json!({"errorMessages": ["The request failed."], "errors": {}})))
}

fn throttled(retry: Retry, now: Timestamp) -> Answer {
    let mut response = json_answer(429, &json!({"errorMessages": ["Rate limit exceeded."], "errors": {}}));
    retry.write(&mut response, now);
    set_header(&mut response, "x-ratelimit-limit", "100");
    set_header(&mut response, "x-ratelimit-remaining", "0");
    set_header(&mut response, "x-ratelimit-reset", &now.strftime("%Y-%m-%dT%H:%MZ").to_string());
    set_header(&mut response, "ratelimit-reason", "jira-burst-based");
    Answer::Reply(response)
}
