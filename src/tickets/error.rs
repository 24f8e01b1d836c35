//! What can go wrong with a ticket system, and whether trying again may help (`contracts/tickets.md` H8).

use crate::{domain::duration::Duration, json};

/// Why a ticket was not read, or a note not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The ticket system does not take stint's credential.
    #[error("the ticket system does not take stint's credential")]
    Credential,
    /// The credential was refused a while ago, so nothing was called.
    #[error("the ticket system does not take stint's credential; it is tried again in a while")]
    Stopped,
    /// The credential works, but not for this.
    #[error("the ticket system does not permit this: {detail}")]
    NotPermitted {
        /// What it says.
        detail: String,
    },
    /// Too many calls.
    #[error("the ticket system throttles")]
    Throttled {
        /// How long it asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// No connection, no complete answer, or an outage. Nothing was changed.
    #[error("the ticket system is not available: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// How long it asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// An answer that cannot be read: nothing may be concluded from it.
    #[error("the ticket system answered something unreadable: {reason}")]
    BadAnswer {
        /// What is wrong with it.
        reason: String,
    },
    /// Any other refusal; most likely stint's own mistake.
    #[error("the ticket system refuses the call: {status} {detail}")]
    CallRefused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// The ticket takes no further notes.
    #[error("the ticket takes no further notes")]
    Full,
    /// The ticket a note was meant for is deleted, or hidden from a credential that otherwise works.
    #[error("the ticket system shows no such ticket")]
    Absent,
    /// A note was sent, and nobody knows whether it was written.
    #[error("the ticket system may or may not have written the note: {reason}")]
    OutcomeUnknown {
        /// What was seen.
        reason: String,
        /// How long it asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// With the caller's own back-off.
    Later,
    /// Not before this time has passed.
    After(Duration),
    /// Not before a person has changed something.
    Never,
}

impl TicketError {
    /// A stable name, for states, metrics and answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Credential | Self::Stopped => "ticket-credential",
            Self::NotPermitted { .. } => "ticket-not-permitted",
            Self::Throttled { .. } => "ticket-throttled",
            Self::Unavailable { .. } => "ticket-unavailable",
            Self::BadAnswer { .. } => "ticket-bad-answer",
            Self::CallRefused { .. } => "ticket-call-refused",
            Self::Full => "ticket-full",
            Self::Absent => "ticket-absent",
            Self::OutcomeUnknown { .. } => "outcome-unknown",
        }
    }

    /// Whether to try again. After an unknown outcome the next try looks for the note first.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { after } | Self::Unavailable { after, .. } | Self::OutcomeUnknown { after, .. } => {
                after.map_or(Retry::Later, Retry::After)
            }
            Self::BadAnswer { .. } => Retry::Later,
            Self::Credential
            | Self::Stopped
            | Self::NotPermitted { .. }
            | Self::CallRefused { .. }
            | Self::Full
            | Self::Absent => Retry::Never,
        }
    }

    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self::BadAnswer { reason: reason.into() }
    }
}

impl From<json::Fault> for TicketError {
    fn from(fault: json::Fault) -> Self {
        Self::bad(fault.to_string())
    }
}
