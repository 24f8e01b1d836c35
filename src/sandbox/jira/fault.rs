//! Faults that strike the next call they match.

use bytes::Bytes;
use http::{Method, Response};
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
    /// 429 because of a burst; nothing is done.
    Throttle(Retry),
    /// 429 for the given reason; nothing is done.
    ThrottleFor(ThrottleReason, Retry),
    /// The connection closes without an answer; nothing is done.
    DropBeforeCommit,
    /// The call is carried out, then the connection closes without an answer.
    DropAfterCommit,
    /// The call is carried out, then the connection closes in the middle of the answer.
    Truncate,
    /// Answers as if another issue had been asked for.
    OtherIssue,
    /// No answer, ever; nothing is done.
    Stall,
}

/// Which limit a 429 speaks of (`RateLimit-Reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// Too many calls of one endpoint at once.
    Burst,
    /// Too many writes to one issue.
    PerIssueOnWrite,
    /// The hour's points are used up.
    Quota,
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
    /// Given the proper answer.
    After(Box<dyn FnOnce(Response<Bytes>) -> Answer>),
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
            (_, [.., "search", "jql"] | [.., "search"]) => Self::Search,
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
            Self::Throttle(retry) => Self::ThrottleFor(ThrottleReason::Burst, retry).play(),
            Self::ThrottleFor(reason, retry) => Play::Instead(Box::new(move |now| throttled(reason, retry, now))),
            Self::DropBeforeCommit => Play::Instead(Box::new(|_| Answer::HangUp)),
            Self::DropAfterCommit => Play::After(Box::new(|_| Answer::HangUp)),
            Self::Truncate => Play::After(Box::new(Answer::Truncate)),
            Self::OtherIssue => Play::OtherIssue,
            Self::Stall => Play::Instead(Box::new(|_| Answer::Stall)),
        }
    }
}

fn refused(status: u16) -> Answer {
    Answer::Reply(json_answer(status, &json!({"errorMessages": ["The request failed."], "errors": {}})))
}

fn throttled(reason: ThrottleReason, retry: Retry, now: Timestamp) -> Answer {
    let mut response = json_answer(429, &json!({"errorMessages": ["Rate limit exceeded."], "errors": {}}));
    retry.write(&mut response, now);
    set_header(&mut response, "x-ratelimit-limit", "100");
    set_header(&mut response, "x-ratelimit-remaining", "0");
    set_header(&mut response, "x-ratelimit-reset", &now.strftime("%Y-%m-%dT%H:%MZ").to_string());
    let reason = match reason {
        ThrottleReason::Burst => "jira-burst-based",
        ThrottleReason::PerIssueOnWrite => "jira-per-issue-on-write",
        ThrottleReason::Quota => "jira-quota-tenant-based",
    };
    set_header(&mut response, "ratelimit-reason", reason);
    Answer::Reply(response)
}
