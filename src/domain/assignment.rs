//! What PIM shows about one (principal, target), and whose it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    duration::Duration,
    entitlement::PrincipalKind,
    id::{ObjectId, RequestId},
    target::Target,
};

/// Who holds what: at most one assignment of ours exists for this at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holding {
    /// Who receives it.
    pub principal: ObjectId,
    /// What it gives.
    pub target: Target,
}

/// What an attempt asks PIM to assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignOrder {
    /// Who receives what.
    pub holding: Holding,
    /// How long PIM lets it live, counted from its own provisioning.
    pub duration: Duration,
    /// The ticket number, then the request's marker.
    pub justification: String,
    /// Graph's `ticketInfo.ticketNumber`.
    pub ticket_number: String,
    /// Graph's `ticketInfo.ticketSystem`: the connection's name.
    pub ticket_system: String,
    /// When the order was made; PIM starts at its own provisioning, not before.
    pub start: Timestamp,
    /// PIM is only to check it (`contracts/graph.md` §2.6).
    pub only_validate: bool,
    /// Sent as `client-request-id`: diagnostics only, never relied on.
    pub call_id: Uuid,
}

/// When an attempt asks PIM to let an assignment end, absolutely, so that a repeat changes nothing further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateOrder {
    /// Whose assignment of what. PIM changes whatever direct assignment it finds, so whose it is must be known first.
    pub holding: Holding,
    /// The new end.
    pub ends_at: Timestamp,
    /// The ticket number, then the request's marker.
    pub justification: String,
    /// Graph's `ticketInfo.ticketNumber`.
    pub ticket_number: String,
    /// Graph's `ticketInfo.ticketSystem`: the connection's name.
    pub ticket_system: String,
    /// When the order was made.
    pub start: Timestamp,
    /// Sent as `client-request-id`.
    pub call_id: Uuid,
}

/// What an attempt asks PIM to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveOrder {
    /// Who loses what. PIM removes whatever direct assignment it finds for this, so whose it is must be known first.
    pub holding: Holding,
    /// The ticket number, then the request's marker.
    pub justification: String,
    /// Sent as `client-request-id`.
    pub call_id: Uuid,
}

/// A schedule request as PIM lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRequest {
    /// PIM's id for it.
    pub id: String,
    /// What PIM did, or will do.
    pub action: ScheduleAction,
    /// How far it has come.
    pub progress: Progress,
    /// PIM's own word for it, kept for the record.
    pub status: String,
    /// The text given with it; carries the marker when it is ours.
    pub justification: Option<String>,
    /// The schedule it made.
    pub schedule_id: Option<String>,
    /// When PIM made it; off by up to a second between answers, so never compared exactly.
    pub created_at: Option<Timestamp>,
    /// PIM only checked it, and will never do it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_validated: bool,
}

/// What a schedule request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleAction {
    /// `adminAssign`.
    Assign,
    /// `adminUpdate`.
    Update,
    /// `adminRemove`.
    Remove,
    /// Anything else.
    Other,
}

/// How far a schedule request has come (`contracts/graph.md` §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// `Provisioned`, `ScheduleCreated`: effective, or its schedule exists.
    Done,
    /// `Granted`: accepted, not provisioned yet; the one state that can be cancelled for sure.
    Granted,
    /// On its way, or waiting for a person in Entra.
    Underway,
    /// Ended or, for a removal, carried out.
    Revoked,
    /// Over without giving access.
    Over,
    /// A word that stint does not know: the instances decide.
    Unknown,
}

/// A schedule: a current or coming assignment, without its justification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// PIM's id for it.
    pub id: String,
    /// The schedule request that made it.
    pub created_using: Option<String>,
    /// Made directly for the principal by an administrator, not activated and not through a group.
    pub direct: bool,
}

/// An assignment in force now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// PIM's id for it.
    pub id: String,
    /// The schedule behind it; equal to `id` when it was made outside PIM.
    pub schedule_id: Option<String>,
    /// Made directly for the principal by an administrator, not activated and not through a group.
    pub direct: bool,
    /// When it began; absent for a standing assignment made outside PIM.
    pub starts_at: Option<Timestamp>,
    /// When PIM ends it; absent when it never ends.
    pub ends_at: Option<Timestamp>,
}

/// Everything PIM shows about one holding, read at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Schedule requests of any age that PIM still keeps.
    pub requests: Vec<ScheduleRequest>,
    /// Current and coming schedules.
    pub schedules: Vec<Schedule>,
    /// What is in force now.
    pub instances: Vec<Instance>,
}

/// What PIM said to a call that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Definite yes: 201, parsed.
    Accepted(ScheduleRequest),
    /// Definite no, for good: nothing was done and repeating will not help.
    Refused {
        /// Graph's error code, or the failed policy rules behind it.
        code: String,
        /// Graph's message, shortened.
        detail: String,
    },
    /// Definite no that a person must lift for the whole tenant: licence, permission, credential.
    TenantRefused {
        /// Graph's or Entra's error code.
        code: String,
        /// What it means.
        detail: String,
    },
    /// Definite no for now: PIM does not know the principal, role or group yet, or refused the token.
    NotYet {
        /// Graph's error code.
        code: String,
    },
    /// Definite no for now: throttled, nothing was done.
    Throttled {
        /// How long Graph asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// A removal inside the first five minutes.
    TooEarly,
    /// Something for this holding already exists, or for a removal does not: go and look.
    Look {
        /// Graph's error code.
        code: String,
    },
    /// The call surely never left: no connection, no token, or too late to send.
    NotSent {
        /// Why.
        reason: String,
    },
    /// Nobody knows whether it was done.
    Unclear {
        /// What was seen instead of an answer.
        reason: String,
    },
}

/// Who may receive something, as far as stint needs to know them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The Entra object id.
    pub id: ObjectId,
    /// Display name, for people to read.
    pub name: String,
    /// The sign-in name now; only users have one.
    pub upn: Option<String>,
    /// Disabled accounts are refused although Entra would take them.
    pub enabled: bool,
    /// What it is besides a member of the tenant; `None`: just that.
    pub kind: Option<PrincipalKind>,
    /// Whether roles may be assigned to it; only groups may lack that.
    pub role_assignable: bool,
}

/// What the directory says to a principal's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Exactly one.
    One(Principal),
    /// None.
    Nobody,
    /// Several: refused, never guessed.
    Several,
    /// stint's own application: refused.
    Stint,
}

impl ScheduleRequest {
    /// Whether stint made it for this request.
    #[must_use]
    pub fn is_marked(&self, request: RequestId) -> bool {
        let marker = request.marker();
        let words = self.justification.as_deref().unwrap_or_default();
        words.split_whitespace().any(|word| word == marker)
    }
}
