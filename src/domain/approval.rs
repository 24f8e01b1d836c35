//! Who approved a ticket, and when: read from the ticket system, never from a webhook.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{AccountId, ApprovalId};

/// Somebody as the ticket system knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The immutable id; people are told apart by this and nothing else.
    pub id: AccountId,
    /// For display.
    pub name: Option<String>,
    /// Absent where privacy settings hide it. Used only to refuse, never to allow.
    pub email: Option<String>,
    /// Whether this is a person at all.
    pub kind: AccountKind,
    /// Whether the account may still sign in; `None` where the system does not say.
    pub active: Option<bool>,
}

/// What kind of account it is, as far as the ticket system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// A person.
    Person,
    /// A bot, an app or an automation; it never counts as an approver.
    App,
    /// The answer did not say.
    Unstated,
}

/// How an approval, or one vote in it, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Approved.
    Approved,
    /// Declined.
    Declined,
    /// Still open.
    Pending,
    /// A word that stint does not know; it is never taken for an approval.
    Unknown,
}

/// One round of approval on a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The round's immutable id.
    pub id: ApprovalId,
    /// How the round came out.
    pub outcome: Outcome,
    /// When the round was opened.
    pub opened_at: Timestamp,
    /// When the round was decided; absent while it is open.
    pub decided_at: Option<Timestamp>,
    /// Each asked approver with their own vote.
    pub votes: Vec<Vote>,
    /// Nobody was asked, and the connection opted in to that. Only entitlements that are not protected accept it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_approver: bool,
}

/// One approver's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who was asked. `None` where the ticket system hides the identity; such a vote never counts.
    pub approver: Option<Account>,
    /// What they said.
    pub outcome: Outcome,
    /// When, where the ticket system says so.
    pub decided_at: Option<Timestamp>,
}
