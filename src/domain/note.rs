//! What stint writes on the ticket: one plain sentence on what happened, and what to do next.

use super::{
    id::RequestId,
    lifecycle::Event,
    request::{Assignment, Bound, Decision, EndCause, Reason, State},
};

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
pub fn for_move(request: RequestId, before: &State, event: &Event, after: &State) -> Option<NewNote> {
    let decision = before.decision();
    let note = match (event, after) {
        (Event::Confirm(assignment), _) => ("granted", granted(decision?, assignment)),
        // The approval behind it has already been answered, on the request that used it.
        (Event::Reject(reasons), _) if reasons.iter().any(|r| r.code == "approval-used") => return None,
        (Event::Reject(reasons), _) => ("rejected", rejected(reasons)),
        (Event::Fail(failure), _) => ("failed", failed(&failure.code, &failure.detail)),
        (_, State::Ended(order)) => ended(decision, order.cause, &order.reason, order.confirmed_at),
        _ => return None,
    };
    Some(NewNote { step: note.0, text: format!("{} (request {request})", note.1) })
}

fn granted(decision: &Decision, assignment: &Assignment) -> String {
    let cut = match decision.bound_by {
        Bound::Requested => String::new(),
        Bound::Entitlement => format!(", cut from {} to the entitlement's limit", decision.requested),
        Bound::ChangeWindow => format!(", cut from {} to the change window", decision.requested),
    };
    format!(
        "Access granted: {} has {} for {}{cut}, until {} (UTC). It ends by itself.",
        decision.principal.name,
        decision.entitlement.title,
        decision.duration,
        minute(assignment.ends_at),
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
    format!(
        "Access not granted: Microsoft Entra refused the assignment ({code}: {detail}). \
         Ask your administrators to resolve this, then have the ticket approved again."
    )
}

fn ended(
    decision: Option<&Decision>,
    cause: EndCause,
    reason: &str,
    confirmed_at: Option<jiff::Timestamp>,
) -> (&'static str, String) {
    let what = decision
        .map_or_else(|| "Access".to_owned(), |d| format!("Access of {} to {}", d.principal.name, d.entitlement.title));
    let when = confirmed_at.map(|at| format!(", proved at {} (UTC)", minute(at))).unwrap_or_default();
    match cause {
        EndCause::Expired => ("ended", format!("{what} has ended on time{when}.")),
        EndCause::Revoked => ("revoked", format!("{what} was ended early: {reason}{when}.")),
        EndCause::Withdrawn => (
            "ended",
            format!("{what} was withdrawn with the ticket: {reason}{when}. Approve it anew if it is still needed."),
        ),
    }
}

fn minute(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
