//! What is due and how it is begun: steps, notes, searches and comparisons, each leased before it is performed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, Ports, Records, sweep::SWEEP_WITHIN};
use crate::store::{DueNote, Lease, Poll, Room, StoreError, Sweep};

/// One thing to do, leased.
#[derive(Debug)]
pub enum Due {
    /// The next step of a request.
    Step(Lease),
    /// A note for a ticket, and until when of [`crate::clock::Clock::monotonic`] it may be sent.
    Note(DueNote, Duration),
    /// A search for approvals whose webhook never came.
    Poll(Poll),
    /// A comparison of a tenant with Graph.
    Sweep(Sweep),
}

impl Due {
    /// Whether it only brings something to its end.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Step(lease) if lease.is_end())
    }

    /// How long it may take before it is dropped and repeated; `step` for what has no limit of its own.
    #[must_use]
    pub fn limit(&self, step: Duration) -> Duration {
        if matches!(self, Self::Sweep(_)) { SWEEP_WITHIN } else { step }
    }
}

impl<P: Ports> Engine<P> {
    /// Leases the steps that are due for so long, ends first.
    ///
    /// # Errors
    /// When nothing can be leased.
    pub async fn lease_steps(&self, lasting: SignedDuration, room: Room) -> Result<Vec<Due>, StoreError> {
        let now = self.clock.now();
        let leases = self.store.lease_due(now, now + lasting, room).await?;
        Ok(leases.into_iter().map(Due::Step).collect())
    }

    /// Leases notes, searches and comparisons for the room that steps left to others.
    ///
    /// # Errors
    /// When nothing can be leased.
    pub async fn lease_others(&self, lasting: SignedDuration, room: Room) -> Result<Vec<Due>, StoreError> {
        let (now, began) = (self.clock.now(), self.clock.monotonic());
        let until = now + lasting;
        // Whoever takes it over may go by another clock: the second half of the lease is left to that.
        let not_after = began + lasting.unsigned_abs() / 2;
        let mut left = room.others;
        let notes = self.store.lease_notes(now, until, left, room.per_connection).await?;
        left = self::left(left, notes.len());
        let mut due: Vec<_> = notes.into_iter().map(|note| Due::Note(note, not_after)).collect();
        let polls = self.due_polls(until, left).await;
        left = self::left(left, polls.len());
        due.extend(polls.into_iter().map(Due::Poll));
        due.extend(self.due_sweeps(left).await.into_iter().map(Due::Sweep));
        Ok(due)
    }

    /// Performs it. Whatever goes wrong, the row says when to come back.
    pub async fn perform(&self, due: Due) {
        match due {
            Due::Step(lease) => self.step(lease).await,
            Due::Note(note, not_after) => self.write_note(note, not_after).await,
            Due::Poll(poll) => self.poll(poll).await,
            Due::Sweep(sweep) => self.sweep(sweep).await,
        }
    }

    /// When something falls due next, as far as this process and the database know; `None` when nothing is open.
    pub async fn next_due(&self) -> Option<Timestamp> {
        let due = self.store.next_due().await.ok().flatten();
        [due, self.next_poll(), self.next_sweep()].into_iter().flatten().min()
    }
}

/// What so many leave of the room.
fn left(room: u32, taken: usize) -> u32 {
    room.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
}
