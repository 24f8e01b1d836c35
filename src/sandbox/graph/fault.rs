//! Faults that strike the next call they match.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;

use super::super::fault::Retry;
use super::super::server::Answer;
use super::super::wire::html;
use super::refusal::{Refusal, Trace};

/// Which calls a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// POST of a schedule request with any action but `adminRemove`.
    Create,
    /// POST of a schedule request with action `adminRemove`.
    Remove,
    /// Cancelling a schedule request.
    Cancel,
    /// Reading schedule requests, one or many.
    ReadRequests,
    /// Reading schedules.
    ReadSchedules,
    /// Reading schedule instances.
    ReadInstances,
    /// Reading users, and which groups they are in.
    ReadUsers,
    /// Reading role definitions.
    ReadRoles,
    /// Reading policies.
    ReadPolicies,
    /// Reading a group, and which groups it is in.
    ReadGroups,
    /// Reading a service principal, its permissions, and which groups it is in.
    ReadServicePrincipals,
    /// Reading an administrative unit, or any object by its id alone.
    ReadObjects,
    /// Ending a user's sessions.
    RevokeSessions,
    /// Every call.
    Any,
}

impl On {
    pub(super) fn matches(self, call: Self) -> bool {
        self == Self::Any || self == call
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// 429; nothing is done.
    Throttle(Retry),
    /// This status in Graph's error shape; nothing is done.
    Status(u16),
    /// The call is carried out, then this status is answered, as a gateway does that lost patience.
    StatusAfterCommit(u16),
    /// The connection closes without an answer; nothing is done.
    DropBeforeCommit,
    /// The call is carried out, then the connection closes without an answer.
    DropAfterCommit,
    /// The call is carried out; half of the true answer is sent, then the connection closes.
    Truncated201,
    /// A proxy's page with this status; nothing is done.
    Html(u16),
    /// The call is carried out, then a proxy's page with this status.
    HtmlAfterCommit(u16),
    /// No answer, ever; nothing is done.
    StallBeforeCommit,
    /// The call is carried out, then no answer, ever.
    StallAfterCommit,
    /// This error; nothing is done.
    Code {
        /// HTTP status.
        status: u16,
        /// `error.code`
        code: String,
        /// `error.message`
        message: String,
    },
    /// The call is carried out, then this error is answered: so a removal that worked can be denied (§0.6).
    CodeAfterCommit {
        /// HTTP status.
        status: u16,
        /// `error.code`
        code: String,
        /// `error.message`
        message: String,
    },
    /// This error inside `UnknownError`; nothing is done.
    WrappedCode {
        /// HTTP status.
        status: u16,
        /// The code inside.
        code: String,
        /// The message inside.
        message: String,
    },
}

/// One entry of the fault queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which calls it waits for.
    pub on: On,
    /// What goes wrong.
    pub kind: FaultKind,
    /// For how many of them.
    pub times: usize,
}

impl Fault {
    /// A fault that strikes once.
    #[must_use]
    pub fn once(on: On, kind: FaultKind) -> Self {
        Self { on, kind, times: 1 }
    }
}

/// Whether the fault strikes in place of the service or after it.
pub(super) enum Effect {
    None,
    Instead(Play),
    After(Play),
}

/// What the client gets to see.
pub(super) enum Play {
    Error { refusal: Refusal, wrapped: bool, retry: Retry },
    Page(u16),
    HangUp,
    Stall,
    Truncate,
}

impl FaultKind {
    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Throttle(retry) => {
                let refusal = Refusal::new(429, "TooManyRequests", "Too many requests.");
                Effect::Instead(Play::Error { refusal, wrapped: false, retry })
            }
            Self::Status(status) => Effect::Instead(Play::status(status)),
            Self::StatusAfterCommit(status) => Effect::After(Play::status(status)),
            Self::DropBeforeCommit => Effect::Instead(Play::HangUp),
            Self::DropAfterCommit => Effect::After(Play::HangUp),
            Self::Truncated201 => Effect::After(Play::Truncate),
            Self::Html(status) => Effect::Instead(Play::Page(status)),
            Self::HtmlAfterCommit(status) => Effect::After(Play::Page(status)),
            Self::StallBeforeCommit => Effect::Instead(Play::Stall),
            Self::StallAfterCommit => Effect::After(Play::Stall),
            Self::Code { status, code, message } => Effect::Instead(Play::error(status, &code, message, false)),
            Self::CodeAfterCommit { status, code, message } => {
                Effect::After(Play::error(status, &code, message, false))
            }
            Self::WrappedCode { status, code, message } => Effect::Instead(Play::error(status, &code, message, true)),
        }
    }
}

impl Play {
    fn status(status: u16) -> Self {
        let (code, message) = match status {
            401 => ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
            403 => ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
            500 => ("InternalServerError", "An internal server error occurred."),
            503 => ("ServiceUnavailable", "The service is unavailable."),
            _ => ("UnknownError", ""),
        };
        Self::error(status, code, message.to_owned(), false)
    }

    fn error(status: u16, code: &str, message: String, wrapped: bool) -> Self {
        Self::Error { refusal: Refusal::new(status, code, message), wrapped, retry: Retry::Absent }
    }

    pub(super) fn answer(self, trace: &Trace, now: Timestamp, reply: impl FnOnce() -> Response<Bytes>) -> Answer {
        match self {
            Self::Error { refusal, wrapped, retry } => {
                let mut response = refusal.answer(trace, wrapped);
                retry.write(&mut response, now);
                Answer::Reply(response)
            }
            Self::Page(status) => Answer::Reply(html(status)),
            Self::HangUp => Answer::HangUp,
            Self::Stall => Answer::Stall,
            Self::Truncate => Answer::Truncate(reply()),
        }
    }
}
