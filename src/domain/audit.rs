//! The append-only record of what happened, and who did it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::Status;

/// Who did something: the API shows it as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// stint itself.
    Stint,
    /// A ticket system, by the name of its connection.
    Connection(String),
    /// A caller of the API, by tenant and object id.
    Caller(String),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stint => f.write_str("stint"),
            Self::Connection(name) => write!(f, "connection:{name}"),
            Self::Caller(id) => write!(f, "caller:{id}"),
        }
    }
}

/// One thing that happened to a request, as it is appended.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// When, by stint's clock.
    pub at: Timestamp,
    /// What, in kebab-case.
    pub event: &'static str,
    /// Who.
    pub actor: Actor,
    /// The move it made, for events that change a request's state.
    pub moved: Option<(Option<Status>, Status)>,
    /// Its facts.
    pub detail: Value,
}

/// One entry of a request's timeline, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// Who.
    pub actor: String,
    /// Its facts.
    pub detail: Value,
}
