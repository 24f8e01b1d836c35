//! Whether the ticket still stands: read again and again while a start is waited for and while an assignment is in force.
//!
//! Webhooks of withdrawals get lost like any others, so each request looks for itself, every poll interval and whenever a
//! delivery points at its ticket. A closed ticket ends it at once; what a stale answer could show too is looked at
//! again first. A ticket system that does not answer ends nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Desk, Engine, Ports, retry,
    step::{go_on, hold_until},
    verify::{ABSENT_FOR, MISSED, Trouble},
};
use crate::{
    domain::{
        approval::Outcome,
        lifecycle::Event,
        request::{Assignment, Decision, EndOrder, Hold, Request, State},
        ticket::{Field, Ticket},
        withdrawal::{Carried, Doubt, DoubtKind, carried},
    },
    store::{Change, NewFinding},
};

/// How long a ticket may read as if it did not stand before that is believed (`contracts/tickets.md` R9).
const DOUBT_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What a stale answer could show as well is believed after two readings so far apart.
const STALE: (DoubtKind, SignedDuration, u32) = (DoubtKind::Standing, DOUBT_FOR, 2);

/// A ticket is missed in so many readings in a row before it counts as deleted (`contracts/tickets.md` H3.1).
const ABSENT_TIMES: u32 = 3;

/// A slower reading is given up: an order to end must not wait for it.
const READ_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// The hold and the finding of an approval whose outcome stint does not know.
pub(super) const UNCLEAR: &str = "approval-unclear";

impl<P: Ports> Engine<P> {
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
        let reading = P::within(READ_WITHIN, self.read_ticket(request, connection)).await;
        let now = self.clock.now();
        let interval = connection.settings().poll_interval.signed();
        let change = match reading {
            Some(Ok(ticket)) => seen(request, decision, &ticket, now, interval),
            Some(Err(Trouble::Absent)) => missed(request, now, interval),
            Some(Err(Trouble::Hold(_, due_at) | Trouble::Directory(_, _, due_at))) => Change::later(now, due_at),
            Some(Err(Trouble::NoTenant(..))) => Change::later(now, now + interval),
            None => Change::later(now, retry::next_try(now, request.looks)),
        };
        // A webhook may arrive before what it tells can be read.
        let heard_until = (change.doubt == Some(None)).then_some(began - DOUBT_FOR);
        Change { heard_until, due_at: change.due_at.min(until), ..change }
    }
}

/// What a reading says.
fn seen(request: &Request, decision: &Decision, ticket: &Ticket, now: Timestamp, interval: SignedDuration) -> Change {
    let change = match carried(decision, ticket) {
        Carried::Yes => {
            let findings = edited(request, decision, ticket).into_iter().collect();
            Change { doubt: Some(None), findings, ..go_on(request, now, now + interval) }
        }
        Carried::No(why) => withdrawn(why, now),
        Carried::Doubtful(why) => {
            doubted(request, why, now, STALE, |doubt| Change::later(now, doubt.since + DOUBT_FOR))
        }
        Carried::Unclear => {
            let finding = NewFinding { kind: UNCLEAR, detail: json!({ "approval": decision.approval }) };
            Change { findings: vec![finding], ..Change::later(now, now + interval) }
        }
    };
    Change { another_approval: shows_another(decision, ticket), ..change }
}

/// Whether the ticket was approved anew: that is for another request to look at.
pub(super) fn shows_another(decision: &Decision, ticket: &Ticket) -> bool {
    let newest = ticket.newest_approval();
    newest.is_some_and(|newest| newest.id != decision.approval && newest.outcome == Outcome::Approved)
}

/// Somebody changed what was asked for after it was granted: it stays as approved, and somebody should know.
fn edited(request: &Request, decision: &Decision, ticket: &Ticket) -> Option<NewFinding> {
    let differs = |field: &Field, same: &dyn Fn(&str) -> bool| matches!(field, Field::Text(text) if !same(text));
    let entitlement = &decision.entitlement;
    let changed = differs(&ticket.duration, &|text| text.parse() == Ok(decision.requested))
        || differs(&ticket.entitlement, &|text| text == entitlement.key.as_str() || text == entitlement.title);
    let in_force = matches!(request.state.underlying(), State::Active(..));
    let detail = json!({ "entitlement": ticket.entitlement, "duration": ticket.duration });
    (changed && in_force).then_some(NewFinding { kind: "edited-after-grant", detail })
}

/// The ticket is not there. Several looks over a quarter of an hour make that a deletion.
fn missed(request: &Request, now: Timestamp, interval: SignedDuration) -> Change {
    let again = now + interval.min(SignedDuration::from_mins(5));
    doubted(request, MISSED, now, (DoubtKind::Absent, ABSENT_FOR, ABSENT_TIMES), |_| Change::later(now, again))
}

/// One more reading against the request: its end, once that has lasted so long over so many readings; until then it waits.
fn doubted(
    request: &Request,
    why: &str,
    now: Timestamp,
    (kind, time, times): (DoubtKind, SignedDuration, u32),
    wait: impl FnOnce(Doubt) -> Change,
) -> Change {
    let doubt = Doubt::again(request.doubt, kind, now);
    if doubt.has_lasted(now, time, times) {
        return withdrawn(why, now);
    }
    Change { doubt: Some(Some(doubt)), ..wait(doubt) }
}

/// The end of a request whose ticket no longer carries it.
pub(super) fn withdrawn(why: &str, now: Timestamp) -> Change {
    Change::to(Event::End(EndOrder::withdrawal(why, now)), now, now)
}

/// Before anything is sent: held while it is doubted, withdrawn once that is certain.
pub(super) fn doubt(request: &Request, hold: Hold, why: &str, now: Timestamp) -> Change {
    doubted(request, why, now, STALE, |doubt| hold_until(request, hold, now, doubt.since + DOUBT_FOR))
}
