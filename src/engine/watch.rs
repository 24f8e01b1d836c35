//! Whether the ticket still stands: read again and again while a start is waited for and while an assignment is in force.
//!
//! Webhooks of withdrawals get lost like any others, so each request looks for itself, every poll interval and whenever a
//! delivery points at its ticket. A closed ticket ends it at once; what a stale answer could show too is looked at
//! again first. A ticket system that does not answer ends nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Engine, retry,
    step::{go_on, hold_until},
    verify::{ABSENT_FOR, MISSED, Trouble},
};
use crate::{
    domain::{
        lifecycle::Event,
        request::{Assignment, Decision, EndOrder, Hold, Request, State},
        ticket::Ticket,
        withdrawal::{Carried, carried},
    },
    store::{Change, NewFinding},
};

/// How long a ticket may read as if it did not stand before that is believed (`contracts/tickets.md` R9).
const DOUBT_FOR: SignedDuration = SignedDuration::from_secs(60);

impl Engine {
    /// What an assignment in force comes to next: its time is over, or its ticket is looked at.
    pub(super) async fn in_force(&self, request: &Request, decision: &Decision, assignment: &Assignment) -> Change {
        if self.clock.now() >= assignment.ends_at {
            return self.expire(assignment);
        }
        self.watch(request, decision, assignment.ends_at).await
    }

    /// Reads the ticket and ends the request if it no longer stands; otherwise looks again after the poll interval, or
    /// goes on at `until`.
    pub(super) async fn watch(&self, request: &Request, decision: &Decision, until: Timestamp) -> Change {
        let Some(connection) = self.connections.get(&request.connection) else {
            // Nothing can be asked; the end comes by itself.
            let now = self.clock.now();
            return Change::later(now, until.min(retry::parked(now)));
        };
        let began = self.clock.now();
        let ticket = self.read_ticket(request, connection).await;
        let now = self.clock.now();
        let interval = connection.settings().poll_interval.signed();
        let change = match ticket {
            Ok(ticket) => seen(request, decision, &ticket, now, interval),
            Err(Trouble::Absent) => missed(request, now, interval),
            Err(Trouble::Hold(_, due_at)) => Change::later(now, due_at),
            Err(Trouble::NoTenant(..)) => Change::later(now, now + interval),
        };
        let heard_until = (change.doubted == Some(None)).then_some(began);
        Change { heard_until, due_at: change.due_at.min(until), ..change }
    }
}

/// What a reading says.
fn seen(request: &Request, decision: &Decision, ticket: &Ticket, now: Timestamp, interval: SignedDuration) -> Change {
    match carried(decision, ticket) {
        Carried::Yes => {
            let findings = edited(request, decision, ticket).into_iter().collect();
            Change { doubted: Some(None), findings, ..go_on(request, now, now + interval) }
        }
        Carried::No(why) => withdrawn(why, now),
        Carried::Doubtful(why) => match doubted_for(request, now) {
            Some(time) if time >= DOUBT_FOR => withdrawn(why, now),
            _ => Change {
                doubted: Some(Some(since(request, now))),
                ..Change::later(now, since(request, now) + DOUBT_FOR)
            },
        },
    }
}

/// Somebody changed what was asked for after it was granted: it stays as approved, and somebody should know.
fn edited(request: &Request, decision: &Decision, ticket: &Ticket) -> Option<NewFinding> {
    let changed_at = ticket.fields_changed_at.filter(|at| *at > decision.decided_at)?;
    matches!(request.state.underlying(), State::Active(..))
        .then(|| NewFinding { kind: "edited-after-grant", detail: json!({ "changed_at": changed_at }) })
}

/// The ticket is not there. A quarter of an hour of that is a deletion.
fn missed(request: &Request, now: Timestamp, interval: SignedDuration) -> Change {
    match doubted_for(request, now) {
        Some(time) if time >= ABSENT_FOR => withdrawn(MISSED, now),
        _ => {
            let again = now + interval.min(SignedDuration::from_mins(5));
            Change { doubted: Some(Some(since(request, now))), ..Change::later(now, again) }
        }
    }
}

/// The end of a request whose ticket no longer carries it.
pub(super) fn withdrawn(why: &str, now: Timestamp) -> Change {
    Change::to(Event::End(EndOrder::withdrawal(why, now)), now, now)
}

/// Before anything is sent: held while it is doubted, withdrawn once that is certain.
pub(super) fn doubt(request: &Request, hold: Hold, why: &str, now: Timestamp) -> Change {
    match doubted_for(request, now) {
        Some(time) if time >= DOUBT_FOR => withdrawn(why, now),
        _ => {
            let since = since(request, now);
            Change { doubted: Some(Some(since)), ..hold_until(request, hold, now, since + DOUBT_FOR) }
        }
    }
}

fn since(request: &Request, now: Timestamp) -> Timestamp {
    request.doubted_at.map_or(now, |at| at.min(now))
}

fn doubted_for(request: &Request, now: Timestamp) -> Option<SignedDuration> {
    request.doubted_at.map(|at| now.duration_since(at))
}
