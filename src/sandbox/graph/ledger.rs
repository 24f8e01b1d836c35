//! What really happened, for checkers that do not ask stint.

use jiff::Timestamp;
use uuid::Uuid;

/// One call that changed something or tried to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it arrived.
    pub at: Timestamp,
    /// Whose tenant.
    pub tenant: Uuid,
    /// The application that called.
    pub client_id: String,
    /// `adminAssign`, `adminRemove`, …, or `cancel`.
    pub action: String,
    /// Object id of the principal.
    pub principal: String,
    /// Role definition id.
    pub role: String,
    /// Directory scope.
    pub scope: String,
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
    /// Why it did not.
    pub error: Option<String>,
    /// When the assignment starts or started; absent when it never will.
    pub start: Option<Timestamp>,
    /// When it ends; absent for a standing one.
    pub end: Option<Timestamp>,
    /// PIM's request object.
    pub request_id: Option<String>,
    /// The schedule made or removed.
    pub schedule_id: Option<String>,
    /// What the client called this attempt.
    pub client_request_id: Option<String>,
    /// A removal that took away an assignment somebody else had made.
    pub removed_foreign: bool,
}

/// One assignment, present or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Object id of the principal.
    pub principal: String,
    /// Role definition id.
    pub role: String,
    /// Directory scope.
    pub scope: String,
    /// When it took effect; absent while it never did.
    pub start: Option<Timestamp>,
    /// When it ends by itself; absent for a standing one.
    pub end: Option<Timestamp>,
    /// When it was over, by expiry or by removal; absent while it is not.
    pub ended_at: Option<Timestamp>,
    /// Made by somebody other than a client of this API.
    pub foreign: bool,
    /// PIM's request object; absent for one made outside PIM.
    pub request_id: Option<String>,
    /// Its schedule.
    pub schedule_id: String,
    /// The text it was made with.
    pub justification: Option<String>,
}
