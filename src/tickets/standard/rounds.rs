//! From single votes to rounds of approval.
//!
//! Each entry of `approvals` is one approver's vote. Votes with the same `round` make one round, and a round is what may
//! be granted upon, once. Without `round` a vote belongs to the first: so a vote that comes later, or one that vanishes,
//! never makes a used approval look like a new one. Only a system that names its rounds can have a ticket approved again.

use jiff::Timestamp;
use serde_json::Value;

use super::document::{self, Status};
use crate::{
    domain::{
        approval::{Approval, Outcome, Vote},
        id::ApprovalId,
    },
    json::{self, Fault},
};

/// The name of a round whose votes do not say.
const FIRST: &str = "1";

/// More votes than this on one ticket are not read.
const MAX_VOTES: usize = 500;

/// Every round, oldest first.
pub(super) fn rounds(document: &Value, status: Status) -> Result<Vec<Approval>, Fault> {
    let count = json::array(document, "/approvals")?.len();
    (count <= MAX_VOTES).then_some(()).ok_or_else(|| json::not("/approvals", "a list of at most 500 votes"))?;
    let mut rounds: Vec<(&str, Vec<Vote>)> = Vec::new();
    for n in 0..count {
        let at = format!("/approvals/{n}");
        let name = round_of(document, &at)?;
        let vote = vote(document, &at)?;
        match rounds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, votes)) => votes.push(vote),
            None => rounds.push((name, vec![vote])),
        }
    }
    Ok(sorted(rounds, status))
}

fn round_of<'a>(document: &'a Value, at: &str) -> Result<&'a str, Fault> {
    json::object(document, at)?;
    let path = format!("{at}/round");
    let name = json::optional_text(document, &path)?.unwrap_or(FIRST);
    document::is_id(name).then_some(name).ok_or_else(|| json::not(&path, "1 to 64 visible ASCII characters"))
}

fn vote(document: &Value, at: &str) -> Result<Vote, Fault> {
    let outcome = match json::text(document, &format!("{at}/decision"))? {
        "approved" => Outcome::Approved,
        "rejected" => Outcome::Declined,
        "pending" => Outcome::Pending,
        _ => Outcome::Unknown,
    };
    let path = format!("{at}/decided_at");
    let decided_at = match outcome {
        // Undated, nobody could tell whether an edit came before or after it.
        Outcome::Approved | Outcome::Declined => Some(document::required_moment(document, &path)?),
        Outcome::Unknown => document::moment(document, &path)?,
        Outcome::Pending => None,
    };
    Ok(Vote { approver: document::account(document, &format!("{at}/approver"))?, outcome, decided_at })
}

/// Rounds by their first decision. One that has none yet is the newest.
fn sorted(mut rounds: Vec<(&str, Vec<Vote>)>, status: Status) -> Vec<Approval> {
    let first = |votes: &[Vote]| votes.iter().filter_map(|vote| vote.decided_at).min();
    let newest = rounds.iter().flat_map(|(_, votes)| votes).filter_map(|vote| vote.decided_at).max();
    rounds.sort_by_key(|(_, votes)| (first(votes).is_none(), first(votes)));
    let opened_at = |votes: &[Vote]| first(votes).or(newest).unwrap_or(Timestamp::UNIX_EPOCH);
    let round = |(name, votes): (&str, Vec<Vote>)| round(name, opened_at(&votes), votes);
    let mut rounds: Vec<_> = rounds.into_iter().map(round).collect();
    // The system's own last word, whoever voted what.
    if let (Some(newest), Status::Rejected) = (rounds.last_mut(), status) {
        newest.outcome = Outcome::Declined;
    }
    rounds
}

fn round(name: &str, opened_at: Timestamp, votes: Vec<Vote>) -> Approval {
    let outcome = outcome(&votes);
    let decided_at = votes.iter().filter(|vote| vote.outcome == outcome).filter_map(|vote| vote.decided_at).max();
    Approval { id: ApprovalId::new(name), outcome, opened_at, decided_at, votes, without_approver: false }
}

/// One no is a no. A vote still out does not keep the others from counting: whether they are enough is said by the
/// ticket's status, and by the entitlement.
fn outcome(votes: &[Vote]) -> Outcome {
    let any = |outcome| votes.iter().any(|vote| vote.outcome == outcome);
    let known = [Outcome::Declined, Outcome::Unknown, Outcome::Approved];
    known.into_iter().find(|outcome| any(*outcome)).unwrap_or(Outcome::Pending)
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
