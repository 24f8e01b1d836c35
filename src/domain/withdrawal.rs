//! Whether a ticket still carries what was decided on it.
//!
//! Asked again for as long as a request lives: before anything is sent, while a start is waited for, and while the
//! assignment is in force. Edits are not asked about here; before the grant they refuse it, afterwards the approval
//! behind it stands as it was given.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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

/// What readings say against a decision, while that is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// In which way.
    pub kind: DoubtKind,
    /// Since which reading.
    pub since: Timestamp,
    /// In how many readings in a row.
    pub times: u32,
}

/// In which way a ticket is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// It reads as if it did not stand.
    Standing,
    /// It is not there.
    Absent,
}

impl Doubt {
    /// After one more reading of this kind. Another kind begins anew: one says nothing for the other.
    #[must_use]
    pub fn again(before: Option<Self>, kind: DoubtKind, now: Timestamp) -> Self {
        match before.filter(|doubt| doubt.kind == kind) {
            Some(doubt) => Self { times: doubt.times.saturating_add(1), since: doubt.since.min(now), ..doubt },
            None => Self { kind, since: now, times: 1 },
        }
    }

    /// Whether it has lasted so long, over so many readings.
    #[must_use]
    pub fn has_lasted(&self, now: Timestamp, time: SignedDuration, times: u32) -> bool {
        self.times >= times && now.duration_since(self.since) >= time
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_doubt_lasts_over_readings_of_one_kind_only() {
        let minute = SignedDuration::from_mins(1);
        let first = Doubt::again(None, DoubtKind::Standing, at(0));
        assert!(!first.has_lasted(at(60), minute, 2), "one reading is not enough, however long ago");
        let second = Doubt::again(Some(first), DoubtKind::Standing, at(60));
        assert!(second.has_lasted(at(60), minute, 2) && !second.has_lasted(at(59), minute, 2));
        let other = Doubt::again(Some(second), DoubtKind::Absent, at(61));
        assert_eq!((other.since, other.times), (at(61), 1));
    }
}
