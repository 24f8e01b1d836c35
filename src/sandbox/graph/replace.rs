//! How a new assignment takes the place of an old one, and gives it back (`contracts/graph.md §2.3`).

use jiff::Timestamp;

use super::super::wire::{plus_seconds, signed};
use super::assignment::Assignment;
use super::knobs::Knobs;
use super::ledger::Entry;
use super::policy::MINIMUM_SECONDS;
use super::state::{Holding, Tenant, Window};
use super::wish::Wish;

impl Tenant {
    /// Makes the assignment; one that an update or extension finds goes on until the new one begins.
    pub(super) fn make(
        &mut self,
        wish: &Wish,
        window: &Window,
        knobs: &Knobs,
        now: Timestamp,
        request_id: &str,
        entry: &mut Entry,
    ) {
        let mut made = Assignment::made(&wish.holding, window, knobs, now, request_id);
        made.justification.clone_from(&wish.justification);
        if let Some(old) = self.live(&wish.holding, now) {
            made.replace(old, knobs, now);
            if knobs.update_keeps_schedule && wish.action == "adminUpdate" {
                made.schedule_id.clone_from(&old.schedule_id);
                made.created_using.clone_from(&old.created_using);
            }
            entry.old_end = old.end;
            entry.updated_foreign = old.foreign;
        }
        entry.schedule_id = Some(made.schedule_id.clone());
        self.assignments.push(made);
    }

    /// Takes back what the cancelled request would have given; what it would have replaced goes on.
    pub(super) fn withdraw(&mut self, request_id: &str, knobs: &Knobs, now: Timestamp) -> Option<String> {
        let row = self.assignments.iter_mut().find(|row| row.request_id.as_deref() == Some(request_id))?;
        row.remove(now, knobs);
        let (holding, schedule_id) = (row.holding.clone(), row.schedule_id.clone());
        let waits =
            |row: &&mut Assignment| row.replaced && row.holding == holding && row.removed_at.is_none_or(|at| at > now);
        if let Some(old) = self.assignments.iter_mut().find(waits) {
            (old.replaced, old.removed_at, old.hidden_from) = (false, None, None);
        }
        Some(schedule_id)
    }

    /// Whether it is held directly at this moment.
    pub(super) fn is_active(&self, holding: &Holding, now: Timestamp) -> bool {
        self.assignments.iter().any(|row| row.is_direct() && row.holding == *holding && row.is_active(now))
    }
}

impl Assignment {
    /// The old one stops where this one starts: never, when this one hangs; at once, when it is for later.
    fn replace(&mut self, old: &mut Self, knobs: &Knobs, now: Timestamp) {
        old.replaced = true;
        self.instance_id.clone_from(&old.instance_id);
        let at = if self.scheduled { Some(now) } else { self.start };
        if let Some(at) = at {
            old.remove(at, knobs);
            self.shown_from = plus_seconds(at, signed(knobs.read_lag_seconds));
        }
    }

    /// In its first five minutes.
    pub(super) fn is_young(&self, now: Timestamp) -> bool {
        self.start.map_or(0, |start| now.duration_since(start).as_secs()) < MINIMUM_SECONDS
    }
}
