//! Several requests that share one assignment.
//!
//! PIM keeps one assignment for a principal, target and scope, so a second approved request joins it. Each request holds it
//! for as long as its own approval allows; the assignment lasts as long as the last of them. Whoever leaves early cuts it
//! back to what the others hold, and only the last one removes it.

use jiff::Timestamp;

use super::{
    assignment::{Instance, Sighting},
    attempt::Attempt,
    request::{CoHolder, Request, State},
    sight::{TOLERANCE, instances_of_stint},
};

/// Until when a request holds, or may come to hold, the assignment; `None` when it does not, or is to end.
#[must_use]
pub fn holds_until(request: &Request, now: Timestamp) -> Option<Timestamp> {
    if request.end_requested.is_some() {
        return None;
    }
    let until = match request.state.underlying() {
        State::Active(_, assignment) => Some(assignment.ends_at),
        State::Assigning(_) => {
            let last = request.attempts.iter().rev().find(|attempt| attempt.is_for_access());
            last.filter(|attempt| attempt.may_have_moved_the_end()).and_then(Attempt::own_end)
        }
        _ => None,
    };
    until.filter(|until| *until > now)
}

/// Until when others hold the assignment; `None` when nobody does.
#[must_use]
pub fn covered_until(kin: &[Request], now: Timestamp) -> Option<Timestamp> {
    kin.iter().filter_map(|request| holds_until(request, now)).max()
}

/// Those of them that hold the assignment now.
#[must_use]
pub fn co_holders(kin: &[Request], now: Timestamp) -> Vec<CoHolder> {
    let holders = kin.iter().filter(|request| holds_until(request, now).is_some());
    holders.map(|request| CoHolder { request: request.id, ticket: request.number.clone() }).collect()
}

/// Those of them whose assignment in force may be joined: read back, and not about to end.
#[must_use]
pub fn may_be_joined(kin: &[Request], now: Timestamp) -> bool {
    let active = |request: &&Request| matches!(request.state.underlying(), State::Active(..));
    kin.iter().filter(active).any(|request| holds_until(request, now).is_some())
}

/// The assignment that stint's requests share, as it is shown: by the newest attempt that may have made it, else the one
/// that ends last, since a list may show an older row for a while.
#[must_use]
pub fn shared<'a>(sighting: &'a Sighting, request: &'a Request, kin: &'a [Request]) -> Option<&'a Instance> {
    let rows = instances_of_stint(sighting, request, kin);
    let newest = newest(request, kin).and_then(|attempt| attempt.schedule_id.as_deref());
    let by_newest = rows.iter().find(|row| newest.is_some() && row.schedule_id.as_deref() == newest);
    // No end at all is the latest end.
    by_newest.or_else(|| rows.iter().max_by_key(|row| row.ends_at.unwrap_or(Timestamp::MAX))).copied()
}

/// From when on the row can be taken at its word: at once where it is what the newest attempt made, otherwise when no
/// attempt can show late any more. An older row may show an end that is no longer true.
#[must_use]
pub fn settled_from(row: &Instance, request: &Request, kin: &[Request]) -> Timestamp {
    let Some(newest) = newest(request, kin) else { return Timestamp::MIN };
    let same_schedule = newest.schedule_id.is_some() && newest.schedule_id == row.schedule_id;
    let same_end = row.ends_at.zip(newest.ends_at).is_some_and(|(is, asked)| is_near(is, asked));
    if same_schedule && same_end { Timestamp::MIN } else { newest.settled_at() }
}

/// The latest end that any of them asked PIM for.
#[must_use]
pub fn asked_for(request: &Request, kin: &[Request]) -> Option<Timestamp> {
    let all = std::iter::once(request).chain(kin).flat_map(|one| &one.attempts);
    all.filter(|attempt| attempt.may_have_moved_the_end()).filter_map(|attempt| attempt.ends_at).max()
}

/// Whether two ends are the same, as far as PIM keeps to what it is asked (`contracts/graph.md` §2.5).
fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= TOLERANCE
}

/// The newest attempt of all of them that may have moved the assignment's end.
fn newest<'a>(request: &'a Request, kin: &'a [Request]) -> Option<&'a Attempt> {
    let all = std::iter::once(request).chain(kin).flat_map(|one| &one.attempts);
    all.filter(|attempt| attempt.may_have_moved_the_end()).max_by_key(|attempt| attempt.recorded_at)
}
