//! A model of the ticket systems: each ticket with everything that it ever was, and what a reading shows of that.

use std::time::Duration as Elapsed;

use jiff::{SignedDuration, Timestamp};
use stint::{
    clock::Clock,
    domain::{
        approval::Outcome,
        duration::Duration,
        id::TicketId,
        ticket::{Field, Reading, Standing, Ticket},
    },
    engine::Desk,
    tickets::{Listed, Lookback, Note, Source, TicketError, settings::Common},
};

use crate::{
    fault::Fault,
    ledger::TicketRead,
    people,
    plan::TicketPlan,
    scene::{At, Scene, World},
};

/// Every ticket of every system.
#[derive(Debug, Default)]
pub struct Desks {
    pub tickets: Vec<Kept>,
    /// Notes by ticket and key, as often as they are there.
    pub notes: Vec<(TicketId, String)>,
}

/// A ticket through all its life.
#[derive(Debug)]
pub struct Kept {
    pub connection: usize,
    pub plan: TicketPlan,
    /// What it was, and since when; `None`: deleted.
    pub versions: Vec<(Timestamp, Option<Ticket>)>,
    /// How many rounds of approval it has had.
    pub rounds: usize,
}

impl Kept {
    /// The place of what it was at that moment; `None` before it was there.
    fn version_at(&self, moment: Timestamp) -> Option<usize> {
        self.versions.iter().rposition(|(since, _)| *since <= moment)
    }

    pub fn newest(&self) -> Option<&Ticket> {
        self.versions.last().and_then(|(_, ticket)| ticket.as_ref())
    }

    /// Makes another version of it; whether there was anything to change.
    pub fn turn(&mut self, into: Fault, now: Timestamp) -> bool {
        let Some(mut ticket) = self.newest().cloned() else { return false };
        match into {
            Fault::Edited => {
                ticket.duration = Field::Text("PT25M".into());
                ticket.fields_changed_at = Some(now);
            }
            Fault::Withdrawn => ticket.standing = Standing::Closed,
            Fault::Reopened => ticket.standing = Standing::Open,
            Fault::Moved => ticket.in_scope = false,
            Fault::Declined => {
                if let Some(round) = ticket.approvals.last_mut() {
                    (round.outcome, round.decided_at) = (Outcome::Declined, Some(now));
                    round.votes.iter_mut().for_each(|vote| vote.outcome = Outcome::Declined);
                }
            }
            Fault::Reapproved => {
                self.rounds += 1;
                ticket.standing = Standing::Approved;
                ticket.approvals.push(people::approval(self.rounds, &self.plan, now, Outcome::Approved));
            }
            _ => {
                self.versions.push((now, None));
                return true;
            }
        }
        self.versions.push((now, Some(ticket)));
        true
    }
}

/// One connection, as a worker reaches it.
#[derive(Debug)]
pub struct ModelDesk {
    pub scene: Scene,
    pub place: usize,
    pub clock: Clock,
    pub common: Common,
}

impl ModelDesk {
    fn refused(fault: Option<Fault>) -> Result<(), TicketError> {
        Err(match fault {
            Some(Fault::TicketDown | Fault::NoteLost) => {
                TicketError::Unavailable { reason: "the connection broke".into(), after: None }
            }
            Some(Fault::TicketUnreadable) => TicketError::BadAnswer { reason: "another ticket".into() },
            Some(Fault::TicketThrottled) => TicketError::Throttled { after: Some(Duration::seconds(20)) },
            Some(Fault::TicketForbidden) => TicketError::NotPermitted { detail: "not you".into() },
            Some(Fault::TicketCredential) => TicketError::Credential,
            _ => return Ok(()),
        })
    }
}

impl Desk for ModelDesk {
    async fn read(&self, ticket: &TicketId) -> Result<Reading, TicketError> {
        let fault = self.scene.pass(At::TicketRead).await;
        Self::refused(fault)?;
        let world = &mut *self.scene.world();
        Ok(shown(world, self.place, ticket, fault))
    }

    async fn changed(&self, window: &Lookback) -> Result<Vec<Listed>, TicketError> {
        Self::refused(self.scene.pass(At::TicketList).await)?;
        let world = self.scene.world();
        // Relative times: what counts is how long ago it was, by the system's own clock.
        let since = world.now - window.now.duration_since(window.since);
        let listed = world.desks.tickets.iter().filter(|kept| kept.connection == self.place).filter_map(|kept| {
            let ticket = kept.newest().filter(|ticket| ticket.standing == Standing::Approved)?;
            let changed = kept.versions.last().is_some_and(|(at, _)| *at >= since);
            changed.then(|| Listed { ticket: ticket.id.clone(), number: ticket.number.clone() })
        });
        Ok(listed.collect())
    }

    async fn write_note(&self, note: &Note, maybe_written: bool, not_after: Elapsed) -> Result<(), TicketError> {
        let fault = self.scene.pass(At::Note).await;
        if self.clock.monotonic() > not_after {
            return Err(TicketError::Unavailable { reason: "too late to write".into(), after: None });
        }
        Self::refused(fault)?;
        let mut world = self.scene.world();
        let key = (note.ticket.clone(), note.key.clone());
        if !(maybe_written && world.desks.notes.contains(&key)) {
            world.desks.notes.push(key);
        }
        match fault {
            Some(Fault::NoteUnanswered) => Err(TicketError::OutcomeUnknown { reason: "no answer".into(), after: None }),
            _ => Ok(()),
        }
    }

    fn settings(&self) -> &Common {
        &self.common
    }

    fn source(&self) -> Source {
        Source::ReadBack
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn takes_notes(&self) -> bool {
        true
    }
}

/// What a reading shows.
fn shown(world: &mut World, connection: usize, ticket: &TicketId, fault: Option<Fault>) -> Reading {
    let stale = if fault == Some(Fault::TicketStale) { world.rng.between(1, 50) } else { 0 };
    let moment = world.now - SignedDuration::from_secs(stale);
    let of = |kept: &Kept| {
        kept.connection == connection && kept.versions.iter().any(|(_, t)| t.as_ref().is_some_and(|t| t.id == *ticket))
    };
    let Some(place) = world.desks.tickets.iter().position(of) else { return Reading::Absent };
    let kept = &world.desks.tickets[place];
    let Some(version) = kept.version_at(moment) else { return Reading::Absent };
    let Some(mut found) = kept.versions[version].1.clone() else { return Reading::Absent };
    let spoilt = matches!(fault, Some(Fault::TicketHidden | Fault::TicketAnonymous));
    match fault {
        Some(Fault::TicketHidden) => found.principal = Field::Hidden,
        Some(Fault::TicketAnonymous) => {
            (found.requester, found.creator) = (None, None);
            found.approvals.iter_mut().flat_map(|round| &mut round.votes).for_each(|vote| vote.approver = None);
        }
        _ => {}
    }
    let ((worker, task), at) = (world.polled, world.now);
    world.ledger.read.retain(|read| (read.worker, read.task) != (worker, task));
    world.ledger.read.push(TicketRead { worker, task, ticket: place, version, spoilt, at });
    Reading::Found(Box::new(found))
}
