//! What stint writes on the ticket: one plain sentence on what happened, and what to do next.

use super::{
    attempt::{Attempt, sessions_revoked},
    id::RequestId,
    lifecycle::Event,
    request::{Assignment, Bound, CoHolder, Decision, EndCause, EndOrder, Reason, State},
    ticket::Basis,
    zone::moment,
};

/// Failures that are stint's own finding, not Entra's word.
const OWN_CODES: [&str; 1] = ["too-late"];

/// What no early end can help (access tokens live on by themselves).
pub const TOKEN_TAIL: &str =
    "Tokens issued while it was active can outlive it by up to about an hour, with or without revoked sessions";

const ANEW: &str = "Have the ticket approved anew if it is still needed.";

/// A note to be written, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// Which step of the request's life it tells.
    pub step: &'static str,
    /// What it says.
    pub text: String,
}

/// The note that a move calls for, if any.
#[must_use]
pub fn for_move(
    request: RequestId,
    before: &State,
    event: &Event,
    after: &State,
    attempts: &[Attempt],
) -> Option<NewNote> {
    let decision = before.decision();
    let (step, text) = match (event, after) {
        (Event::Confirm(assignment), _) => ("granted", granted(decision?, assignment)),
        // The approval behind it has already been answered, on the request that used it.
        (Event::Reject(reasons), _) if reasons.iter().any(|r| r.code == "approval-used") => return None,
        (Event::Reject(reasons), _) => ("rejected", rejected(reasons)),
        (Event::Fail(failure), _) => ("failed", failed(&failure.code, &failure.detail)),
        (Event::Validated(order), _) => ("ended", validated(decision?, order)),
        (_, State::Ended(order)) => ended(before, order, &sessions(attempts)),
        _ => return None,
    };
    let dry = if decision.is_some_and(|decision| decision.dry_run) { "Dry run: " } else { "" };
    Some(NewNote { step, text: format!("{dry}{text} (request {request})") })
}

fn granted(decision: &Decision, assignment: &Assignment) -> String {
    let cut = cut(decision);
    let word = match decision.basis {
        Basis::ReadBack => "",
        Basis::Webhook => " It rests on the signed webhook alone: this ticket system cannot be asked.",
    };
    let unapproved = if decision.approvers.is_empty() { " Nobody was asked to approve it." } else { "" };
    let has = if decision.entitlement.target.assignment.is_active() { "has" } else { "may activate" };
    let shared = match assignment.joined.as_slice() {
        [] => String::new(),
        others => format!(" The same access is held by ticket {} as well; each keeps to its own end.", tickets(others)),
    };
    format!(
        "Access granted: {} {has} {} for {}{cut}, until {}. It ends by itself.{shared}{word}{unapproved}",
        decision.principal.name,
        decision.entitlement.title,
        decision.duration,
        moment(assignment.ends_at, decision.time_zone.as_deref()),
    )
}

fn tickets(holders: &[CoHolder]) -> String {
    let numbers: Vec<_> = holders.iter().map(|holder| holder.ticket.as_str()).collect();
    numbers.join(", ")
}

/// Which limit made it shorter than was asked for.
fn cut(decision: &Decision) -> String {
    match decision.bound_by {
        Bound::Requested => String::new(),
        Bound::Entitlement => format!(", cut from {} to the entitlement's limit", decision.requested),
        Bound::ChangeWindow => format!(", cut from {} to the change window", decision.requested),
    }
}

/// What a dry run came to, and what a real grant would have given.
fn validated(decision: &Decision, order: &EndOrder) -> String {
    let end = order.ordered_at + decision.duration.signed();
    let end = decision.not_after.map_or(end, |window| window.min(end));
    format!(
        "nothing was granted, and nothing will be on this approval. It was to give {} {} for {}{}, until {}. {}. Have the \
         ticket approved anew once stint grants for real.",
        decision.principal.name,
        decision.entitlement.title,
        decision.duration,
        cut(decision),
        moment(end, decision.time_zone.as_deref()),
        order.reason,
    )
}

fn rejected(reasons: &[Reason]) -> String {
    let details: Vec<_> = reasons.iter().map(|r| format!("{} [{}]", r.detail, r.code)).collect();
    format!(
        "Access not granted: {}. Correct the ticket and have it approved again; this approval will not be used.",
        details.join("; "),
    )
}

fn failed(code: &str, detail: &str) -> String {
    let why = if OWN_CODES.contains(&code) {
        format!("{detail} [{code}]")
    } else {
        format!("Microsoft Entra refused the assignment: {detail} [{code}]")
    };
    format!("Access not granted: {why}. Ask your administrators to resolve this, then have the ticket approved again.")
}

/// What became of the principal's sign-in sessions, and what that does not change.
fn sessions(attempts: &[Attempt]) -> String {
    let sessions = match sessions_revoked(attempts) {
        None => "",
        Some(true) => " The sign-in sessions of who held it were revoked.",
        Some(false) => " The sign-in sessions of who held it could not be revoked.",
    };
    format!("{sessions} {TOKEN_TAIL}.")
}

fn ended(before: &State, order: &EndOrder, sessions: &str) -> (&'static str, String) {
    let what = before
        .decision()
        .map_or_else(|| "access".to_owned(), |d| format!("access of {} to {}", d.principal.name, d.entitlement.title));
    let zone = before.decision().and_then(|decision| decision.time_zone.as_deref());
    let proved = order.confirmed_at.map(|at| format!(", proved at {}", moment(at, zone))).unwrap_or_default();
    let was_in_force = matches!(before.underlying(), State::Ending(_, Some(_), _));
    let reason = &order.reason;
    if let [_, ..] = order.continued_by.as_slice() {
        let step = if order.cause == EndCause::Revoked { "revoked" } else { "ended" };
        let goes_on =
            format!("the same access goes on for ticket {}, by its own approval", tickets(&order.continued_by));
        return (step, format!("This ticket's part in the {what} is over: {reason}{proved}; {goes_on}."));
    }
    match (order.cause, was_in_force) {
        (EndCause::Expired, true) if order.remove => {
            ("ended", format!("The {what} has ended, later than planned: {reason}{proved}."))
        }
        (EndCause::Expired, true) => ("ended", format!("The {what} has ended on time{proved}.")),
        (EndCause::Revoked, true) => ("revoked", format!("The {what} was ended early: {reason}{proved}.{sessions}")),
        (EndCause::Withdrawn | EndCause::DryRun, true) => {
            ("ended", format!("The {what} was withdrawn with the ticket: {reason}{proved}.{sessions} {ANEW}"))
        }
        (EndCause::Revoked, false) => ("revoked", format!("No {what} was given: it was called off: {reason}{proved}.")),
        (_, false) => ("ended", format!("No {what} was given: {reason}{proved}. {ANEW}")),
    }
}
