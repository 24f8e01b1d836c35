//! What can go wrong with Graph, and how its error documents are read.
//!
//! A read either gives its whole answer or one [`GraphError`]; an answer that cannot be read is never "absent". What
//! the answer to a *write* means is another question, decided in [`super::answer`].

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use crate::{domain::duration::Duration, json, outbound};

/// Longer messages are cut: they are kept for people to read.
const MAX_DETAIL: usize = 300;

/// Why a read gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// No connection, no complete answer, or an outage.
    #[error("Graph or Entra is not available: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// How long it asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// Too many calls.
    #[error("Graph or Entra throttles")]
    Throttled {
        /// How long it asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// stint's application lacks a permission; somebody must consent to it.
    #[error("Graph refuses for lack of a permission: {code}: {detail}")]
    Permission {
        /// Graph's error code.
        code: String,
        /// Graph's message; names the permissions.
        detail: String,
    },
    /// The tenant lacks the licence that PIM needs.
    #[error("the tenant has no licence for PIM: {detail}")]
    Licence {
        /// Graph's message.
        detail: String,
    },
    /// Entra gives no token, or Graph does not take it.
    #[error("stint's application cannot sign in: {code}: {detail}")]
    Credential {
        /// `AADSTS…`, or Graph's error code.
        code: String,
        /// What it means.
        detail: String,
    },
    /// Not called: what only a person can mend was met before, and it is not yet time to try again.
    #[error("not asked, since Graph refused before: {detail}")]
    Stopped {
        /// The name of what was met; see [`super::TenantFault::code`].
        code: &'static str,
        /// Graph's or Entra's words.
        detail: String,
    },
    /// There is no such object, said in so many words.
    #[error("Graph finds no such object: {code}")]
    NotFound {
        /// Graph's error code.
        code: String,
    },
    /// An answer that cannot be read: nothing may be concluded from it.
    #[error("Graph answered something unreadable: {reason}")]
    BadAnswer {
        /// What is wrong with it.
        reason: String,
    },
    /// Any other refusal.
    #[error("Graph refuses: {status} {code}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Graph's error code.
        code: String,
        /// Graph's message.
        detail: String,
    },
    /// Something that a target is made of is not there, or newer than what answered.
    #[error("Graph does not know {what} yet")]
    Unknown {
        /// What, in words.
        what: String,
    },
    /// PIM has no policy for the target: it does not know it, or was never told to look after it.
    #[error("PIM has no policy for {target}: is it there, and under PIM?")]
    NoPolicy {
        /// The target in words.
        target: String,
    },
    /// A target of a kind that no entry of [`super::TARGETS`] knows.
    #[error("nothing here can assign {target}")]
    Unsupported {
        /// The target in words.
        target: String,
    },
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// With the caller's own back-off.
    Later,
    /// Not before this time has passed.
    After(Duration),
    /// Not before a person has changed something.
    Never,
}

impl GraphError {
    /// A stable name, for states, metrics and answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "graph-unavailable",
            Self::Throttled { .. } => "graph-throttled",
            Self::Permission { .. } => "graph-permission",
            Self::Licence { .. } => "graph-licence",
            Self::Credential { .. } => "graph-credential",
            Self::Stopped { code, .. } => code,
            Self::NotFound { .. } => "graph-not-found",
            Self::BadAnswer { .. } => "graph-bad-answer",
            Self::Refused { .. } => "graph-refused",
            Self::Unknown { .. } => "graph-not-yet",
            Self::NoPolicy { .. } => "graph-no-policy",
            Self::Unsupported { .. } => "target-unsupported",
        }
    }

    /// Whether to try again. PIM may not know a new principal, role or group yet, so that is tried again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unavailable { after: Some(after), .. } | Self::Throttled { after: Some(after) } => {
                Retry::After(*after)
            }
            Self::Unavailable { after: None, .. } | Self::Throttled { after: None } | Self::BadAnswer { .. } => {
                Retry::Later
            }
            Self::NotFound { code } if is_unknown_to_pim_yet(code) => Retry::Later,
            Self::Unknown { .. } => Retry::Later,
            Self::Permission { .. }
            | Self::Licence { .. }
            | Self::Credential { .. }
            | Self::Stopped { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::NoPolicy { .. }
            | Self::Unsupported { .. } => Retry::Never,
        }
    }

    /// The same, saying which identity met it.
    pub(super) fn met_by(self, whose: &str) -> Self {
        match self {
            Self::Credential { code, detail } => Self::Credential { code, detail: format!("{detail} ({whose})") },
            Self::Unavailable { reason, after } => Self::Unavailable { reason: format!("{reason} ({whose})"), after },
            Self::BadAnswer { reason } => Self::BadAnswer { reason: format!("{reason} ({whose})") },
            other => other,
        }
    }

    /// An answer that cannot be read.
    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self::BadAnswer { reason: reason.into() }
    }
}

impl From<outbound::Fault> for GraphError {
    fn from(fault: outbound::Fault) -> Self {
        Self::Unavailable { reason: fault.to_string(), after: None }
    }
}

impl From<json::Fault> for GraphError {
    fn from(fault: json::Fault) -> Self {
        Self::bad(fault.to_string())
    }
}

/// Codes for objects that are newer than PIM's copy of the directory, or wrong (`contracts/graph.md` §6.1).
pub(super) fn is_unknown_to_pim_yet(code: &str) -> bool {
    matches!(code, "SubjectNotFound" | "RoleNotFound" | "ResourceNotFound")
}

/// Codes that say in so many words that a permission was not consented to; other refusals may be about one object.
pub(super) fn is_lack_of_permission(code: &str) -> bool {
    matches!(code, "PermissionScopeNotGranted" | "Authorization_RequestDenied")
}

/// The document of a successful read: status 200 and JSON.
pub(super) fn document(answer: &outbound::Answer, now: Timestamp) -> Result<Value, GraphError> {
    match answer.status {
        StatusCode::OK => Ok(answer.json()?),
        _ => Err(failed_read(answer, now)),
    }
}

/// What a read's answer other than 200 means (`contracts/graph.md` §6).
fn failed_read(answer: &outbound::Answer, now: Timestamp) -> GraphError {
    let status = answer.status.as_u16();
    let after = answer.retry_after(now);
    match (status, ErrorBody::read(answer)) {
        (429, _) => GraphError::Throttled { after },
        (408 | 500..=599, _) => GraphError::Unavailable { reason: format!("status {status}"), after },
        (400..=499, Some(error)) => refused_read(status, error),
        _ => GraphError::bad(format!("status {status} without an error document")),
    }
}

fn refused_read(status: u16, error: ErrorBody) -> GraphError {
    let ErrorBody { code, detail } = error;
    match (status, code.as_str()) {
        (_, "AadPremiumLicenseRequired") => GraphError::Licence { detail },
        (403, _) => GraphError::Permission { code, detail },
        (_, known) if is_lack_of_permission(known) => GraphError::Permission { code, detail },
        (401, _) => GraphError::Credential { code, detail },
        (404, "Request_ResourceNotFound") => GraphError::NotFound { code },
        (404, other) if is_unknown_to_pim_yet(other) => GraphError::NotFound { code },
        _ => GraphError::Refused { status, code, detail },
    }
}

/// Graph's error document: `{"error": {"code", "message"}}` (`contracts/graph.md` §1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// What to branch on; may be empty.
    pub(super) code: String,
    /// The message, shortened.
    pub(super) detail: String,
}

impl ErrorBody {
    /// Reads it; `None` when the body is something else. Some surfaces answer `UnknownError` and put the real code
    /// into the message, as JSON in a string.
    pub(super) fn read(answer: &outbound::Answer) -> Option<Self> {
        let body = answer.json().ok()?;
        let code = json::text(&body, "/error/code").ok()?;
        let message = json::optional_text(&body, "/error/message").ok()?.unwrap_or_default();
        let wrapped = (code == "UnknownError").then(|| Self::unwrap(message)).flatten();
        Some(wrapped.unwrap_or_else(|| Self::new(code, message)))
    }

    fn unwrap(message: &str) -> Option<Self> {
        let inner = json::parse(message.as_bytes()).ok()?;
        let code = json::text(&inner, "/errorCode").ok()?;
        let message = json::optional_text(&inner, "/message").ok()?;
        Some(Self::new(code, message.unwrap_or_default()))
    }

    fn new(code: &str, message: &str) -> Self {
        Self { code: shortened(code), detail: shortened(message) }
    }
}

/// A text from outside, cut and without control characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use http::HeaderMap;

    use super::*;

    pub(in crate::graph) fn answer(status: u16, body: &str) -> outbound::Answer {
        outbound::Answer {
            status: StatusCode::from_u16(status).expect("status"),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    fn read(status: u16, body: &str) -> GraphError {
        document(&answer(status, body), Timestamp::UNIX_EPOCH).expect_err("a failed read")
    }

    fn coded(status: u16, code: &str) -> GraphError {
        read(status, &format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#))
    }

    #[test]
    fn each_failed_read_has_its_name_and_says_whether_to_try_again() {
        for (error, code, retry) in [
            (coded(429, "TooManyRequests"), "graph-throttled", Retry::Later),
            (coded(503, "ServiceUnavailable"), "graph-unavailable", Retry::Later),
            (read(502, "<html>"), "graph-unavailable", Retry::Later),
            (coded(400, "AadPremiumLicenseRequired"), "graph-licence", Retry::Never),
            (coded(403, "PermissionScopeNotGranted"), "graph-permission", Retry::Never),
            (coded(403, "SomethingNew"), "graph-permission", Retry::Never),
            (coded(401, "InvalidAuthenticationToken"), "graph-credential", Retry::Never),
            (coded(404, "Request_ResourceNotFound"), "graph-not-found", Retry::Never),
            (coded(404, "ResourceNotFound"), "graph-not-found", Retry::Later),
            (coded(400, "BadRequest"), "graph-refused", Retry::Never),
        ] {
            assert_eq!((error.code(), error.retry()), (code, retry), "{error}");
        }
    }

    #[test]
    fn nothing_unreadable_is_taken_for_absent() {
        for (status, body) in [
            (404, "<html>not here</html>"),
            (404, ""),
            (404, r#"{"error":"gone"}"#),
            (403, "blocked by proxy"),
            (200, "<html>sign in</html>"),
            (200, r#"{"value":[],"value":[]}"#),
            (204, ""),
            (302, ""),
        ] {
            assert_eq!(read(status, body).code(), "graph-bad-answer", "{status} {body}");
        }
        assert_eq!(coded(404, "itemNotFound").code(), "graph-refused");
    }

    #[test]
    fn a_wrapped_refusal_is_unwrapped() {
        let body = r#"{"error":{"code":"UnknownError",
            "message":"{\"errorCode\":\"PermissionScopeNotGranted\",\"message\":\"missing X\"}"}}"#;
        let error = ErrorBody::read(&answer(403, body)).expect("an error document");
        assert_eq!((error.code.as_str(), error.detail.as_str()), ("PermissionScopeNotGranted", "missing X"));
        assert_eq!(read(403, body).code(), "graph-permission");
    }

    #[test]
    fn throttling_says_how_long_when_graph_says_so() {
        let mut answer = answer(429, "");
        answer.headers.insert(http::header::RETRY_AFTER, "7".parse().expect("header"));
        let error = document(&answer, Timestamp::UNIX_EPOCH).expect_err("throttled");
        assert_eq!(error.retry(), Retry::After(Duration::seconds(7)));
    }
}
