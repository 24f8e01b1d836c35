//! Who had what at a moment: whether a request's assignment was in force then, by proof or by plan, and until when.
//!
//! Proof is a read-back that showed it, with a window that covers the moment, and nothing that says it had begun to be
//! removed by then. All else that may have been is told by plan, and said why; only what is proved gone, or was surely
//! never sent, is left out. Nothing is proved of a moment that has not come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    attempt::{Attempt, AttemptOutcome},
    request::{Assignment, Decision, EndOrder, Status},
};

/// What is known of one request's access, from its decision to the proof that it is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Where it stands; of a held request, where it goes on.
    pub status: Status,
    /// What was decided.
    pub decision: Decision,
    /// The assignment as it was read back; `None` when no reading showed it.
    pub assignment: Option<Assignment>,
    /// The order by which it ends or ended.
    pub end: Option<EndOrder>,
    /// An order to end it that no step has taken up yet.
    pub ordered: Option<EndOrder>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// Since when looks at Graph missed it.
    pub unseen_since: Option<Timestamp>,
    /// When nothing of it was left to be read; `None` until then, and once it showed again.
    pub gone_at: Option<Timestamp>,
    /// From when it was in force at the earliest, as kept with the request.
    pub kept_from: Option<Timestamp>,
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// It was read back.
    Proof,
    /// It was decided, ordered or sent, and may be so.
    Plan,
}

/// That somebody had something at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Had {
    /// Whether that is proved.
    pub ground: Ground,
    /// Why it is listed, and on what ground.
    pub why: &'static str,
    /// From when: as PIM says, as it was first sent, or as it is planned.
    pub starts_at: Timestamp,
    /// Until when this request's own approval lets it.
    pub ends_at: Timestamp,
    /// When it was proved gone, or is to be by plan.
    pub until: (Timestamp, Ground),
}

/// The time in which a request's assignment may have been in force, as it is kept with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Not before this moment.
    pub from: Timestamp,
    /// Proved gone then; `None` until then.
    pub until: Option<Timestamp>,
}

/// Whether the request's principal had its assignment at that moment, as far as is known now; `None`: surely not.
#[must_use]
pub fn had_at(course: &Course, moment: Timestamp, now: Timestamp) -> Option<Had> {
    if course.decision.dry_run {
        return None;
    }
    // What is over and showed again was there, whatever was believed of what was sent.
    let showed_again = course.kept_from.filter(|_| is_back(course));
    match begun_at(course.assignment.as_ref(), &course.attempts).or(showed_again) {
        Some(begun) => maybe_begun(course, begun, moment, now),
        None => still_to_come(course, moment, now),
    }
}

/// The time in which it may be in force, for a request in this state since `now`; `None` when it surely never is.
#[must_use]
pub fn span(
    status: Status,
    decision: &Decision,
    assignment: Option<&Assignment>,
    attempts: &[Attempt],
    proved_gone_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Span> {
    if decision.dry_run {
        return None;
    }
    let begun = begun_at(assignment, attempts);
    if status.is_terminal() {
        let until = proved_gone_at.unwrap_or(now);
        // Clocks may go back; what was in force for no time at all still was.
        return begun.map(|from| Span { from, until: Some(until.max(from)) });
    }
    // What is only planned counts from its decision on.
    Some(Span { from: begun.unwrap_or(decision.decided_at.min(now)), until: None })
}

/// The earliest moment at which it may have been in force; `None` when nothing that was sent came of it.
fn begun_at(assignment: Option<&Assignment>, attempts: &[Attempt]) -> Option<Timestamp> {
    // PIM's clock may be ahead of stint's: what was read was there.
    let read = assignment.map(|assignment| assignment.starts_at.min(assignment.confirmed_at));
    let sent = attempts.iter().filter(|attempt| match attempt.outcome {
        AttemptOutcome::Open | AttemptOutcome::Accepted => assignment.is_none(),
        _ => true,
    });
    let sent = sent.filter(|attempt| may_have_been(attempt)).map(|attempt| attempt.recorded_at);
    sent.chain(read).min()
}

/// Whether an attempt may have been carried out. Empty looks prove that it was not only while it would still have shown.
fn may_have_been(attempt: &Attempt) -> bool {
    let Some(own_end) = attempt.own_end() else { return false };
    match attempt.outcome {
        AttemptOutcome::Open | AttemptOutcome::Accepted => true,
        AttemptOutcome::Absent => attempt.closed_at.is_some_and(|closed| closed >= own_end),
        AttemptOutcome::Refused | AttemptOutcome::NotSent => false,
    }
}

fn maybe_begun(course: &Course, begun: Timestamp, moment: Timestamp, now: Timestamp) -> Option<Had> {
    let ends_at = own_end(course, begun);
    let is_gone = course.gone_at.is_some_and(|gone| gone <= moment);
    // Once its time is over it is not believed to be gone before that is proved.
    let is_to_be_gone = ends_at <= moment && now < ends_at;
    if moment < begun || is_gone || is_to_be_gone {
        return None;
    }
    let (ground, why) = reason(course, ends_at, moment, now);
    let until = course.gone_at.map_or((ends_at, Ground::Plan), |gone| (gone, Ground::Proof));
    let starts_at = course.assignment.as_ref().map_or(begun, |assignment| assignment.starts_at);
    Some(Had { ground, why, starts_at, ends_at, until })
}

fn reason(course: &Course, ends_at: Timestamp, moment: Timestamp, now: Timestamp) -> (Ground, &'static str) {
    let by_then = |at: Option<Timestamp>| at.is_some_and(|at| at <= moment);
    let shown = by_then(course.assignment.as_ref().map(|assignment| assignment.starts_at.min(assignment.confirmed_at)));
    let ordered = [&course.end, &course.ordered].into_iter().flatten().any(|order| order.ordered_at <= moment);
    let (missed, over) = (by_then(course.unseen_since), ends_at <= moment);
    if shown && !ordered && !missed && !over && moment <= now {
        let why = "a reading of Microsoft Entra showed it in force over that moment, and nothing had begun to end it";
        return (Ground::Proof, why);
    }
    let why = match () {
        () if is_back(course) => "it was taken for gone, and a later comparison with Microsoft Entra showed it",
        () if !shown => "an order to assign it had been recorded by then, and no reading tells that nothing came of it",
        () if over => "its time was over by then, and it was not proved yet that it is gone",
        () if ordered => "its end was ordered by then, and it was not proved yet that it is gone",
        () if missed => "it was read back in force, and looks at Microsoft Entra missed it from then on",
        () => "it was read back in force, and lasts until after that moment by plan",
    };
    (Ground::Plan, why)
}

/// Whether it is over, and shows all the same.
fn is_back(course: &Course) -> bool {
    course.status.is_terminal() && course.gone_at.is_none()
}

/// Until when this request's approval lets it have what was read or may have been sent.
fn own_end(course: &Course, begun: Timestamp) -> Timestamp {
    let sent = course.attempts.iter().filter(|attempt| may_have_been(attempt)).filter_map(Attempt::own_end).max();
    course.assignment.as_ref().map(|assignment| assignment.ends_at).or(sent).unwrap_or(begun)
}

/// Nothing was sent, or nothing came of it: by plan it is assigned as soon as it may be.
fn still_to_come(course: &Course, moment: Timestamp, now: Timestamp) -> Option<Had> {
    let waits = matches!(course.status, Status::Approved | Status::Assigning);
    if !waits || course.end.is_some() || course.ordered.is_some() {
        return None;
    }
    let decision = &course.decision;
    let starts_at = decision.not_before.map_or(now, |start| start.max(now));
    let limits = [fixed_end(&course.attempts), decision.not_after];
    // A start may be as late as time goes.
    let lasts_until = starts_at.checked_add(decision.duration.signed()).unwrap_or(Timestamp::MAX);
    let ends_at = limits.into_iter().flatten().fold(lasts_until, Timestamp::min);
    let why = "it is approved and not assigned yet; by plan it is in force then";
    let had = Had { ground: Ground::Plan, why, starts_at, ends_at, until: (ends_at, Ground::Plan) };
    (starts_at <= moment && moment < ends_at).then_some(had)
}

/// The first call that may have been carried out fixed the end: a later one asks only for the rest.
fn fixed_end(attempts: &[Attempt]) -> Option<Timestamp> {
    let maybe_sent = |attempt: &&Attempt| attempt.is_for_access() && attempt.outcome == AttemptOutcome::Absent;
    attempts.iter().find(maybe_sent).and_then(Attempt::own_end)
}

#[cfg(test)]
#[path = "in_force_tests.rs"]
mod tests;
