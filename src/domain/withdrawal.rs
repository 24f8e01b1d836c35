//! Whether a ticket still carries what was decided on it.
//!
//! Asked again for as long as a request lives: before anything is sent, while a start is waited for, and while the
//! assignment is in force. Edits are not asked about here; before the grant they refuse it, afterwards the approval
//! behind it stands as it was given.

use super::{
    approval::Outcome,
    request::Decision,
    ticket::{Standing, Ticket},
};

/// What a reading says about an earlier decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The ticket still carries it.
    Yes,
    /// The ticket is over, and why.
    No(&'static str),
    /// It reads as if it did not, and why. A stale answer reads like this too, so it takes a second one to tell.
    Doubtful(&'static str),
    /// The approval has a word for its outcome that stint does not know, which says neither.
    Unclear,
}

/// Why a request ends whose ticket reads as closed.
pub const CLOSED: &str = "the ticket was closed or cancelled";

/// What the ticket as it reads now says about the decision.
#[must_use]
pub fn carried(decision: &Decision, ticket: &Ticket) -> Carried {
    if ticket.standing == Standing::Closed {
        return Carried::No(CLOSED);
    }
    if !ticket.in_scope {
        return Carried::Doubtful("the ticket was moved to where this connection does not grant from");
    }
    let Some(newest) = ticket.newest_approval() else {
        return Carried::Doubtful("the ticket no longer shows any approval");
    };
    let same = newest.id == decision.approval;
    match newest.outcome {
        Outcome::Declined => Carried::Doubtful("the ticket's approval was declined"),
        Outcome::Approved if !same => {
            Carried::Doubtful("another approval has taken the place of the one this rests on")
        }
        Outcome::Pending => Carried::Doubtful("the ticket is to be approved anew"),
        _ if ticket.standing != Standing::Approved => Carried::Doubtful("the ticket was reopened"),
        Outcome::Approved => Carried::Yes,
        Outcome::Unknown => Carried::Unclear,
    }
}
