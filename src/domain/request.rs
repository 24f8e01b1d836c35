//! stint's own record: one approved ticket asking for one entitlement for one principal.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    assignment::Holding,
    attempt::Attempt,
    audit::Actor,
    duration::Duration,
    entitlement::PrincipalKind,
    id::{
        AccountId, ApprovalId, ConnectionName, EntitlementKey, ObjectId, RequestId, TenantName, TicketId, TicketNumber,
    },
    target::Target,
    ticket::Basis,
    withdrawal::Doubt,
};

/// One request, with everything a step needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its id, given at intake.
    pub id: RequestId,
    /// Where the ticket came from.
    pub connection: ConnectionName,
    /// The ticket's immutable id.
    pub ticket: TicketId,
    /// The ticket's number; from the webhook until the first read-back.
    pub number: TicketNumber,
    /// When the delivery that made it was committed.
    pub received_at: Timestamp,
    /// Where it stands, with what is true there.
    pub state: State,
    /// When it came to stand there.
    pub state_since: Timestamp,
    /// When a delivery last pointed at its ticket.
    pub hinted_at: Timestamp,
    /// Looks taken since it came to stand there, or since the last look that succeeded.
    pub looks: u32,
    /// Every attempt so far, oldest first.
    pub attempts: Vec<Attempt>,
    /// An order to end it that no step has taken up yet.
    pub end_requested: Option<EndOrder>,
    /// How the ticket reads as if it no longer carried what was decided on; `None` while it does.
    pub doubt: Option<Doubt>,
}

/// Where a request stands. Each variant carries exactly what is true there.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Committed, nothing read yet.
    Received,
    /// The ticket is being read back.
    Verifying,
    /// Everything allows it; nothing was sent.
    Approved(Decision),
    /// At least one attempt is recorded; whether an assignment exists is not proved.
    Assigning(Decision),
    /// Read back: in force, with its own end.
    Active(Decision, Assignment),
    /// Its end passed or was ordered; not proved yet.
    Ending(Decision, Option<Assignment>, EndOrder),
    /// Proved by reading: nothing of it is left. The order says how it came to end.
    Ended(EndOrder),
    /// Refused, with every reason.
    Rejected(Vec<Reason>),
    /// Graph refused it for good.
    Failed(Failure),
    /// Something a person or time must resolve; `was` is where it goes on.
    Held {
        /// Why.
        hold: Hold,
        /// Where it stood; never `Held` and never terminal.
        was: Box<State>,
    },
}

/// A state's name, as the API and the database write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is described at its variant of `State`")]
pub enum Status {
    Received,
    Verifying,
    Approved,
    Assigning,
    Active,
    Ending,
    Ended,
    Rejected,
    Failed,
    Held,
}

/// What was decided, frozen with everything it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub decided_at: Timestamp,
    /// In which tenant.
    pub tenant: TenantName,
    /// The approval it rests on; one approval never grants twice.
    pub approval: ApprovalId,
    /// When that approval was given.
    pub approved_at: Timestamp,
    /// Who counted as approvers.
    pub approvers: Vec<Approver>,
    /// Who receives it.
    pub principal: Receiver,
    /// What is granted.
    pub entitlement: Granted,
    /// What the ticket asked for.
    pub requested: Duration,
    /// What is granted.
    pub duration: Duration,
    /// Which limit made it so.
    pub bound_by: Bound,
    /// Not to be assigned before this moment; `None`: at once.
    pub not_before: Option<Timestamp>,
    /// The change window's end, which the access never outlives.
    pub not_after: Option<Timestamp>,
    /// The catalog it was decided by.
    pub catalog_version: String,
    /// Digest of the ticket snapshot it was decided on.
    pub snapshot_digest: String,
    /// What stood behind that snapshot.
    #[serde(default)]
    pub basis: Basis,
    /// The requester's time zone, where the ticket system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// PIM is only asked whether it would grant this; whatever the configuration says later, it is never granted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// A counted approver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// Immutable id in the ticket system.
    pub id: AccountId,
    /// For display.
    pub name: Option<String>,
    /// When they said yes, where the ticket system tells.
    pub decided_at: Option<Timestamp>,
}

/// The principal of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The Entra object id.
    pub id: ObjectId,
    /// For display.
    pub name: String,
    /// What it is besides an enabled member of the tenant; `None`: just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PrincipalKind>,
    /// As the ticket named it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
}

/// The entitlement of a decision, as the catalog described it then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its key.
    pub key: EntitlementKey,
    /// Its title.
    pub title: String,
    /// What it gives.
    pub target: Target,
    /// Whether an early end also revokes the principal's sign-in sessions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoke_sessions: bool,
}

/// Which limit set the duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// As asked.
    Requested,
    /// Cut to the entitlement's maximum.
    Entitlement,
    /// Cut to the change window.
    ChangeWindow,
}

/// An assignment as it was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// PIM's id of the schedule request; absent when only the schedule could be read.
    pub schedule_request_id: Option<String>,
    /// PIM's id of the schedule.
    pub schedule_id: String,
    /// When PIM started it.
    pub starts_at: Timestamp,
    /// When PIM ends it.
    pub ends_at: Timestamp,
    /// When this was read.
    pub confirmed_at: Timestamp,
    /// Whose assignment it joined; empty when it is its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<CoHolder>,
}

/// Another request that holds the same assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoHolder {
    /// The request.
    pub request: RequestId,
    /// Its ticket.
    pub ticket: TicketNumber,
}

/// Why an assignment ends, and on whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOrder {
    /// How it comes to end.
    pub cause: EndCause,
    /// When it was ordered, or when its time was over.
    pub ordered_at: Timestamp,
    /// Who ordered it.
    pub actor: Actor,
    /// Why, in words.
    pub reason: String,
    /// Whether stint itself must remove it, because PIM would not in time.
    pub remove: bool,
    /// When nothing of it was left to be read; `None` until then.
    pub confirmed_at: Option<Timestamp>,
    /// Who held the assignment when this request's part in it was over; empty when it ended with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continued_by: Vec<CoHolder>,
}

/// How an assignment comes to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// Its time was over.
    Expired,
    /// Somebody, or stint itself, ended it early.
    Revoked,
    /// Its ticket no longer carries the approval.
    Withdrawn,
    /// It was only tried: PIM was asked whether it would grant it, and nothing was ever in force.
    DryRun,
}

/// Why a request was refused: a stable code, and words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, kebab-case.
    pub code: String,
    /// What to know or do about it.
    pub detail: String,
}

/// Why a request failed at Graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Graph's code or stint's own.
    pub code: String,
    /// What to know or do about it.
    pub detail: String,
}

/// Why a request is held: a stable code, and words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Stable, kebab-case.
    pub code: String,
    /// What to know or do about it.
    pub detail: String,
    /// Since when; set when the hold is made.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl State {
    /// The state's name.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Received => Status::Received,
            Self::Verifying => Status::Verifying,
            Self::Approved(_) => Status::Approved,
            Self::Assigning(_) => Status::Assigning,
            Self::Active(..) => Status::Active,
            Self::Ending(..) => Status::Ending,
            Self::Ended(_) => Status::Ended,
            Self::Rejected(_) => Status::Rejected,
            Self::Failed(_) => Status::Failed,
            Self::Held { .. } => Status::Held,
        }
    }

    /// Where it goes on: itself, or what is held.
    #[must_use]
    pub fn underlying(&self) -> &State {
        match self {
            Self::Held { was, .. } => was,
            other => other,
        }
    }

    /// The decision, in every state that rests on one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self.underlying() {
            Self::Approved(decision)
            | Self::Assigning(decision)
            | Self::Active(decision, _)
            | Self::Ending(decision, ..) => Some(decision),
            _ => None,
        }
    }
}

impl Status {
    /// Every status, in the order of a request's life.
    pub const ALL: [Self; 10] = [
        Self::Received,
        Self::Verifying,
        Self::Approved,
        Self::Assigning,
        Self::Active,
        Self::Ending,
        Self::Ended,
        Self::Rejected,
        Self::Failed,
        Self::Held,
    ];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Verifying => "verifying",
            Self::Approved => "approved",
            Self::Assigning => "assigning",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ended | Self::Rejected | Self::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Decision {
    /// Who is to hold what.
    #[must_use]
    pub fn holding(&self) -> Holding {
        Holding { principal: self.principal.id, target: self.entitlement.target.clone() }
    }

    /// Whether a later decision about the same ticket asks for the same thing on the same approval.
    #[must_use]
    pub fn agrees_with(&self, later: &Decision) -> bool {
        let essence = |d: &Decision| {
            (d.tenant.clone(), d.approval.clone(), d.approved_at, d.holding(), d.entitlement.key.clone(), d.requested)
        };
        essence(self) == essence(later)
    }
}

impl Receiver {
    /// Whether it is a user, who signs in.
    #[must_use]
    pub fn is_user(&self) -> bool {
        matches!(self.kind, None | Some(PrincipalKind::Guest))
    }
}

impl EndOrder {
    /// An order that stint gives itself.
    #[must_use]
    pub fn by_stint(cause: EndCause, reason: &str, remove: bool, ordered_at: Timestamp) -> Self {
        let (actor, reason) = (Actor::stint(), reason.to_owned());
        Self { cause, ordered_at, actor, reason, remove, confirmed_at: None, continued_by: vec![] }
    }

    /// The order that somebody gives to end it early: stint removes what there is of it.
    #[must_use]
    pub fn revocation(actor: Actor, reason: &str, ordered_at: Timestamp) -> Self {
        let (cause, reason) = (EndCause::Revoked, reason.to_owned());
        Self { cause, ordered_at, actor, reason, remove: true, confirmed_at: None, continued_by: vec![] }
    }

    /// The order that follows from a ticket that no longer carries its approval.
    #[must_use]
    pub fn withdrawal(reason: &str, ordered_at: Timestamp) -> Self {
        Self::by_stint(EndCause::Withdrawn, reason, true, ordered_at)
    }
}

impl EndCause {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Withdrawn => "withdrawn",
            Self::DryRun => "dry-run",
        }
    }
}

impl Bound {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Entitlement => "entitlement",
            Self::ChangeWindow => "change-window",
        }
    }
}

impl Hold {
    /// A hold with this code.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), since: None }
    }
}

impl Reason {
    /// A reason with this code.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}
