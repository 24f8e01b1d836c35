//! What really happened, for checkers that do not ask stint.

use jiff::Timestamp;
use uuid::Uuid;

use super::surface::{Access, Surface, What};

/// One call that changed something or tried to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own for some checker")]
pub struct Entry {
    /// When it arrived.
    pub at: Timestamp,
    /// Whose tenant.
    pub tenant: Uuid,
    /// The application that called.
    pub client_id: String,
    /// `adminAssign`, `adminRemove`, …, `cancel`, or `revokeSignInSessions`.
    pub action: String,
    /// Which of PIM's tables; meaningless for `revokeSignInSessions`.
    pub surface: Surface,
    /// Object id of the principal.
    pub principal: String,
    /// Role definition id; empty for groups.
    pub role: String,
    /// Directory scope; empty for groups.
    pub scope: String,
    /// Object id of the group; absent for roles.
    pub group: Option<String>,
    /// Place in the group; absent for roles.
    pub access: Option<Access>,
    /// The text sent with it.
    pub justification: Option<String>,
    /// `ticketInfo.ticketNumber`
    pub ticket_number: Option<String>,
    /// `ticketInfo.ticketSystem`
    pub ticket_system: Option<String>,
    /// The duration asked for, when one was.
    pub duration: Option<String>,
    /// Whether it took effect, whatever was answered.
    pub committed: bool,
    /// It only asked whether it would be accepted; such a call never takes effect.
    pub validation_only: bool,
    /// Why it did not.
    pub error: Option<String>,
    /// When the assignment starts or started; absent when it never will.
    pub start: Option<Timestamp>,
    /// When it ends; absent for a standing one.
    pub end: Option<Timestamp>,
    /// When the assignment that an update replaced would have ended; absent for a standing one, or without an update.
    pub old_end: Option<Timestamp>,
    /// PIM's request object.
    pub request_id: Option<String>,
    /// The schedule made or removed.
    pub schedule_id: Option<String>,
    /// What the client called this attempt.
    pub client_request_id: Option<String>,
    /// A removal that took away an assignment somebody else had made.
    pub removed_foreign: bool,
    /// An update of an assignment somebody else had made.
    pub updated_foreign: bool,
}

/// How a principal came to hold something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Held {
    /// Given to the principal itself.
    #[default]
    Direct,
    /// Activated by the principal from an eligibility.
    Activated,
    /// Through a group that holds it.
    Inherited,
}

/// One assignment or eligibility, present or past. An update ends one and begins another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which of PIM's tables.
    pub surface: Surface,
    /// Object id of the principal.
    pub principal: String,
    /// Role definition id; empty for groups.
    pub role: String,
    /// Directory scope; empty for groups.
    pub scope: String,
    /// Object id of the group; absent for roles.
    pub group: Option<String>,
    /// Place in the group; absent for roles.
    pub access: Option<Access>,
    /// How the principal came to hold it.
    pub held: Held,
    /// When it took effect; absent while it never did.
    pub start: Option<Timestamp>,
    /// When it ends by itself; absent for a standing one.
    pub end: Option<Timestamp>,
    /// When it was over, by expiry, removal or update; absent while it is not.
    pub ended_at: Option<Timestamp>,
    /// An update ended it: the next grant of the same thing goes on where it stopped.
    pub replaced: bool,
    /// Made by somebody other than a client of this API.
    pub foreign: bool,
    /// PIM's request object; absent for one made outside PIM.
    pub request_id: Option<String>,
    /// Its schedule.
    pub schedule_id: String,
    /// The text it was made with.
    pub justification: Option<String>,
}

impl Entry {
    /// Writes down what the call is about.
    pub(super) fn about(&mut self, principal: &str, what: &What) {
        principal.clone_into(&mut self.principal);
        self.surface = what.surface();
        (self.role, self.scope, self.group, self.access) = what.parts();
    }
}

impl What {
    /// Role, scope, group and access, as the ledger keeps them.
    pub(super) fn parts(&self) -> (String, String, Option<String>, Option<Access>) {
        match self {
            Self::Role { role, scope, .. } => (role.clone(), scope.clone(), None, None),
            Self::Group { group, access, .. } => (String::new(), String::new(), Some(group.clone()), Some(*access)),
        }
    }
}
