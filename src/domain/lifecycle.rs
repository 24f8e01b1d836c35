//! The life of a request: which effect is due, and which move its outcome makes.
//!
//! [`apply`] is the whole table. A pair that is not in it is an error, terminal states never change, and `active` and
//! `ended` are reached only by events that carry what was read back.

use super::request::{Assignment, CoHolder, Decision, EndOrder, Failure, Hold, Reason, State, Status};

/// What happened to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The read-back began.
    Take,
    /// Everything allows it.
    Approve(Box<Decision>),
    /// Something forbids it; nothing was sent, or nothing of what was sent exists.
    Reject(Vec<Reason>),
    /// The first attempt is recorded.
    Begin(Box<Decision>),
    /// Read back in force, with its own end.
    Confirm(Assignment),
    /// Graph refused it for good; nothing of it exists.
    Fail(Failure),
    /// PIM only checked it, and so it is over: nothing was ever granted.
    Validated(EndOrder),
    /// It is to end: its time is over, or somebody said so.
    End(EndOrder),
    /// Read back then: nothing of it is left, but what these others hold.
    Gone(jiff::Timestamp, Vec<CoHolder>),
    /// Something a person or time must resolve.
    Hold(Hold),
    /// What held it is resolved.
    Resume,
}

/// What is due for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the ticket back and decide.
    Verify,
    /// Look, assign, and look again.
    Assign,
    /// See that the ticket still carries it, until its time is over.
    Watch,
    /// Remove it where that is due, and prove that it is gone.
    End,
    /// Nothing, ever.
    Nothing,
}

/// An event that this state does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a request that is {status}")]
pub struct IllegalMove {
    /// The state it was in.
    pub status: Status,
    /// The event's name.
    pub event: &'static str,
}

/// What is due now for a request in this state.
#[must_use]
pub fn due(state: &State) -> Effect {
    match state.underlying() {
        State::Received | State::Verifying => Effect::Verify,
        State::Approved(_) | State::Assigning(_) => Effect::Assign,
        State::Active(..) => Effect::Watch,
        State::Ending(..) => Effect::End,
        State::Ended(_) | State::Rejected(_) | State::Failed(_) | State::Held { .. } => Effect::Nothing,
    }
}

/// The state after this event.
///
/// # Errors
/// [`IllegalMove`] for every pair that is not in the table.
pub fn apply(state: State, event: Event) -> Result<State, IllegalMove> {
    use Event as E;
    use State as S;
    let next = match (state, event) {
        (S::Received, E::Take) => S::Verifying,

        (S::Verifying, E::Approve(decision)) => S::Approved(*decision),
        (S::Verifying | S::Approved(_) | S::Assigning(_), E::Reject(reasons)) => S::Rejected(reasons),

        (S::Approved(_), E::Begin(decision)) => S::Assigning(*decision),
        // What was decided as a dry run is never in force, and nothing else ends as one.
        (S::Assigning(decision), E::Confirm(assignment)) if !decision.dry_run => S::Active(decision, assignment),
        (S::Assigning(decision), E::Validated(order)) if decision.dry_run => S::Ended(at_once(order)),
        (S::Approved(_) | S::Assigning(_), E::Fail(failure)) => S::Failed(failure),

        // Nothing was sent before `Assigning`, so there is nothing to prove.
        (S::Received | S::Verifying | S::Approved(_), E::End(order)) => S::Ended(at_once(order)),
        (S::Assigning(decision), E::End(order)) => S::Ending(decision, None, order),
        (S::Active(decision, assignment), E::End(order)) => S::Ending(decision, Some(assignment), order),
        // An end that only waits for proof may still be ordered to be brought about.
        (S::Ending(decision, assignment, was), E::End(order)) if !was.remove && order.remove => {
            S::Ending(decision, assignment, order)
        }
        (S::Ending(_, _, order), E::Gone(at, continued_by)) => {
            S::Ended(EndOrder { confirmed_at: Some(at), continued_by, ..order })
        }

        (S::Held { was, hold: old }, E::Hold(hold)) if hold.code != old.code => S::Held { hold, was },
        (S::Held { was, .. }, E::Resume) => *was,
        (state @ S::Held { .. }, event @ (E::Hold(_) | E::Take)) => return Err(illegal(&state, &event)),
        (S::Held { was, .. }, event) => return apply(*was, event),
        (was, E::Hold(hold)) if !was.status().is_terminal() => S::Held { hold, was: Box::new(was) },

        (state, event) => return Err(illegal(&state, &event)),
    };
    Ok(next)
}

fn at_once(order: EndOrder) -> EndOrder {
    EndOrder { confirmed_at: Some(order.ordered_at), remove: false, ..order }
}

fn illegal(state: &State, event: &Event) -> IllegalMove {
    IllegalMove { status: state.status(), event: event.name() }
}

impl Effect {
    /// The effect's name, as operators see it counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Assign => "assign",
            Self::Watch => "watch",
            Self::End => "end",
            Self::Nothing => "nothing",
        }
    }
}

impl Event {
    /// The event's name, as the audit log writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Take => "verifying",
            Self::Approve(_) => "approved",
            Self::Reject(_) => "rejected",
            Self::Begin(_) => "assigning",
            Self::Confirm(_) => "active",
            Self::Fail(_) => "failed",
            Self::Validated(_) => "validated",
            Self::End(order) => order.cause.as_str(),
            Self::Gone(..) => "ended",
            Self::Hold(_) => "held",
            Self::Resume => "resumed",
        }
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
