//! The append-only record of what happened, and who did it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    id::{ConnectionName, ObjectId},
    lifecycle::Event,
    note::TOKEN_TAIL,
    request::{EndCause, State, Status},
};

/// Who did something, as the API shows it: `stint`, `connection:<name>` or `caller:<tenant>/<object id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// stint itself.
    #[must_use]
    pub fn stint() -> Self {
        Self("stint".into())
    }

    /// A ticket system, by the name of its connection.
    #[must_use]
    pub fn connection(name: &ConnectionName) -> Self {
        Self(format!("connection:{name}"))
    }

    /// A caller of the API, by the tenant that issued the token and the object id in it.
    #[must_use]
    pub fn caller(tenant: uuid::Uuid, object: ObjectId) -> Self {
        Self(format!("caller:{tenant}/{object}"))
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
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

/// sha256 of the canonical JSON (RFC 8785) of an event's facts, as its record keeps it.
#[must_use]
pub fn digest(detail: &Value) -> [u8; 32] {
    // A JSON value always has a canonical form: its keys are texts and its numbers finite.
    let bytes = serde_json_canonicalizer::to_vec(detail).unwrap_or_default();
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref());
    digest
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
    /// Its facts; null once they were dropped after their time.
    pub detail: Value,
}

/// What the audit log keeps of a move. Every one of a dry run says that it is one.
#[must_use]
pub fn facts(event: &Event, before: &State, after: &State) -> Value {
    let facts = match event {
        Event::Take | Event::Resume => Ok(json!({})),
        Event::Approve(decision) | Event::Begin(decision) => serde_json::to_value(decision),
        Event::Reject(reasons) => Ok(json!({ "reasons": reasons })),
        Event::Confirm(assignment) => serde_json::to_value(assignment),
        Event::Fail(failure) => serde_json::to_value(failure),
        Event::End(order) | Event::Validated(order) => serde_json::to_value(order),
        Event::Gone(at, others) if !others.is_empty() => Ok(json!({ "confirmed_at": at, "continued_by": others })),
        Event::Gone(at, _) if ended_early(before) => Ok(json!({ "confirmed_at": at, "token_tail": TOKEN_TAIL })),
        Event::Gone(at, _) => Ok(json!({ "confirmed_at": at })),
        Event::Hold(hold) => serde_json::to_value(hold),
    };
    let mut facts = facts.unwrap_or_else(|error| json!({ "unreadable": error.to_string() }));
    if before.decision().or(after.decision()).is_some_and(|decision| decision.dry_run) {
        facts["dry_run"] = json!(true);
    }
    facts
}

/// Whether what was in force ends before its time.
fn ended_early(before: &State) -> bool {
    matches!(before.underlying(), State::Ending(_, Some(_), order) if order.cause != EndCause::Expired)
}
