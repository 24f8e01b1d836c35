//! What the neighbours saw: the only thing that a checker reads besides committed rows.

use jiff::Timestamp;
use stint::domain::{
    assignment::Holding,
    id::{ConnectionName, RequestId},
};
use uuid::Uuid;

/// What the neighbours saw, in order.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Calls that left a worker.
    pub sent: Vec<Sent>,
    /// Calls that PIM carried out.
    pub done: Vec<Done>,
    /// Deliveries that their sender was told are taken in.
    pub acknowledged: Vec<(ConnectionName, RequestId)>,
    /// Orders of operators that were committed.
    pub ordered: Vec<(RequestId, Timestamp)>,
    /// What each task last read of a ticket: worker, task, ticket, which version, when.
    pub read: Vec<TicketRead>,
    /// When PIM was looked at, in which tenant and for what.
    pub looked: Vec<(Timestamp, usize, Holding)>,
    /// When each task last asked whether it may send.
    pub may_send: Vec<(usize, u64, Timestamp)>,
}

/// A reading of a ticket.
#[derive(Clone, Copy, Debug)]
pub struct TicketRead {
    pub worker: usize,
    pub task: u64,
    pub ticket: usize,
    pub version: usize,
    /// Something in it was not as the ticket is.
    pub spoilt: bool,
    pub at: Timestamp,
}

/// A call as it left.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Timestamp,
    pub worker: usize,
    pub task: u64,
    pub tenant: usize,
    pub call: Uuid,
    pub what: What,
    pub holding: Option<Holding>,
    pub request: Option<RequestId>,
    /// For how long it asks, or until when.
    pub asks: Asks,
    /// It surely was not carried out, and whoever sent it was told so.
    pub surely_not: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    For(jiff::SignedDuration),
    Until(Timestamp),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Assign,
    Validate,
    Update,
    Remove,
    Cancel,
    Sessions,
}

/// A call that PIM carried out.
#[derive(Clone, Debug)]
pub struct Done {
    pub at: Timestamp,
    pub tenant: usize,
    pub call: Uuid,
    pub what: What,
    pub request: Option<RequestId>,
    pub holding: Holding,
    /// The assignment that it changed was somebody else's.
    pub foreign: bool,
}
