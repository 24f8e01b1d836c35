//! A ticket as its own system shows it now, in words that every ticket system shares.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    approval::{Account, Approval},
    id::{ApprovalId, TicketId, TicketNumber},
};

/// What a genuine webhook says: go and look at this ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The immutable id by which the ticket is read back.
    pub ticket: TicketId,
    /// The number the webhook used, for display until the read-back.
    pub number: TicketNumber,
    /// What the webhook claims to have happened.
    pub event: HintEvent,
    /// The newest approval the webhook mentions, used only to recognise a repeat.
    pub approval: Option<ApprovalId>,
    /// The ticket as the webhook tells it. `None` wherever a ticket can be read back.
    pub told: Option<Box<Told>>,
}

/// A ticket as a signed webhook told it, where its system cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When its sender says that this was so. A later telling replaces an earlier one, whatever order they arrive in.
    pub at: Timestamp,
    /// The ticket.
    pub ticket: Ticket,
}

/// What a webhook claims to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintEvent {
    /// The ticket was approved: worth a request of its own.
    Approved,
    /// Something else changed: worth a look if a request about this ticket is open, nothing otherwise.
    Changed,
}

/// Whether the ticket's status, by itself, still carries an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// In one of the statuses configured as approved.
    Approved,
    /// Not there yet, or back again.
    Open,
    /// Cancelled, closed or done.
    Closed,
}

/// One mapped field of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "field", content = "text")]
pub enum Field {
    /// The answer lacks the field: the credential may not see it, or the mapping is wrong.
    Hidden,
    /// Present without a value.
    Empty,
    /// Its value as text, trimmed.
    Text(String),
    /// Present in a shape that is no single text.
    Unreadable,
}

/// What stands behind what is known of a ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Its own system, asked for it.
    #[default]
    ReadBack,
    /// A signed webhook's word alone; protected entitlements are refused on it.
    Webhook,
}

/// A change window on the ticket; both ends may be open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// No access before this moment.
    pub start: Option<Timestamp>,
    /// No access after this moment.
    pub end: Option<Timestamp>,
    /// An end that is given and cannot be read, or that stint may not see. Nothing is granted while this is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Field>,
}

/// A ticket as read back from its own system. It holds nothing that stint's own notes would change, so that the same
/// content always has the same digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The immutable id that was asked for.
    pub id: TicketId,
    /// The number it has now.
    pub number: TicketNumber,
    /// Where a person can open it.
    pub url: Option<String>,
    /// Whether it still lies where this connection may grant from (project, item type).
    pub in_scope: bool,
    /// What its status says.
    pub standing: Standing,
    /// Who asked. `None` where the system hides it.
    pub requester: Option<Account>,
    /// Who created the ticket, maybe on behalf of the requester.
    pub creator: Option<Account>,
    /// Which entitlement is asked for: a catalog key or its exact title.
    pub entitlement: Field,
    /// For whom: an object id or a UPN.
    pub principal: Field,
    /// For how long.
    pub duration: Field,
    /// In which tenant; meaningful only where the connection serves several.
    pub tenant: Option<Field>,
    /// Every round of approval, oldest first.
    pub approvals: Vec<Approval>,
    /// When a mapped field, the requester or the window last changed; `None` when never since creation.
    pub fields_changed_at: Option<Timestamp>,
    /// When access may be used.
    pub window: Window,
    /// What stands behind all this.
    #[serde(default)]
    pub basis: Basis,
    /// The requester's time zone by its IANA name; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Ticket {
    /// The newest round of approval, whatever came of it.
    #[must_use]
    pub fn newest_approval(&self) -> Option<&Approval> {
        self.approvals.iter().max_by_key(|approval| approval.opened_at)
    }
}

/// What a read-back found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The ticket.
    Found(Box<Ticket>),
    /// Deleted, or hidden from a credential that otherwise works.
    Absent,
}
