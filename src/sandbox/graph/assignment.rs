//! What PIM gives for a while, and what time and knobs make of it.

use jiff::Timestamp;

use super::super::wire::{guid, opaque, plus_seconds, signed};
use super::knobs::Knobs;
use super::ledger::{Grant, Held};
use super::state::{Holding, Window};
use super::surface::{Level, What};

/// One assignment or eligibility.
pub(super) struct Assignment {
    pub(super) schedule_id: String,
    pub(super) instance_id: String,
    pub(super) request_id: Option<String>,
    /// The request that first made its schedule.
    pub(super) created_using: Option<String>,
    pub(super) holding: Holding,
    pub(super) held: Held,
    pub(super) created: Timestamp,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) scheduled: bool,
    /// May lie ahead, when the update that replaces it has not begun.
    pub(super) removed_at: Option<Timestamp>,
    pub(super) replaced: bool,
    pub(super) shown_from: Timestamp,
    pub(super) hidden_from: Option<Timestamp>,
    pub(super) foreign: bool,
    pub(super) justification: Option<String>,
}

impl Assignment {
    /// One that a request makes.
    pub(super) fn made(holding: &Holding, window: &Window, knobs: &Knobs, now: Timestamp, request_id: &str) -> Self {
        Self {
            schedule_id: holding.what.schedule_id(request_id),
            instance_id: instance_id(&holding.what),
            request_id: Some(request_id.to_owned()),
            created_using: Some(request_id.to_owned()),
            holding: holding.clone(),
            held: Held::Direct,
            created: now,
            start: window.start,
            // One that never starts must not look as if it had run and expired.
            end: window.start.and(window.end),
            scheduled: window.scheduled,
            removed_at: None,
            replaced: false,
            shown_from: plus_seconds(now, signed(knobs.read_lag_seconds)),
            hidden_from: None,
            foreign: false,
            justification: None,
        }
    }

    /// One that somebody else made. Without an end a direct one was made outside PIM: its schedule is the instance itself (§2.7).
    pub(super) fn foreign(holding: Holding, held: Held, end: Option<Timestamp>, now: Timestamp) -> Self {
        let instance_id = instance_id(&holding.what);
        let outside = end.is_none() && held == Held::Direct;
        let schedule_id = if outside { instance_id.clone() } else { holding.what.schedule_id(&guid()) };
        let request_id = (!outside).then(guid);
        Self {
            schedule_id,
            instance_id,
            created_using: request_id.clone(),
            request_id,
            holding,
            held,
            created: now,
            start: Some(now),
            end,
            scheduled: false,
            removed_at: None,
            replaced: false,
            shown_from: now,
            hidden_from: None,
            foreign: true,
            justification: None,
        }
    }

    pub(super) fn remove(&mut self, at: Timestamp, knobs: &Knobs) {
        self.removed_at = Some(at);
        self.hidden_from = Some(plus_seconds(at, signed(knobs.read_lag_seconds)));
    }

    pub(super) fn is_direct(&self) -> bool {
        self.held == Held::Direct
    }

    pub(super) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        [self.removed_at, self.end].into_iter().flatten().filter(|at| *at <= now).min()
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at(now).is_some()
    }

    pub(super) fn is_active(&self, now: Timestamp) -> bool {
        self.start.is_some_and(|start| start <= now) && !self.is_over(now)
    }

    /// Accepted for now, not yet provisioned.
    pub(super) fn is_in_flight(&self, now: Timestamp) -> bool {
        !self.scheduled && self.start.is_none_or(|start| now < start)
    }

    /// Whether reads show it; they lag behind writes, not behind the clock.
    pub(super) fn is_shown(&self, now: Timestamp) -> bool {
        let removed = self.hidden_from.is_some_and(|from| from <= now);
        let expired = self.end.is_some_and(|end| end <= now);
        self.shown_from <= now && !removed && !expired
    }

    /// Whether instances show it.
    pub(super) fn is_instance(&self, now: Timestamp) -> bool {
        self.is_shown(now) && self.start.is_some_and(|start| start <= now)
    }

    pub(super) fn grant(&self, now: Timestamp) -> Grant {
        let (role, scope, group, access) = self.holding.what.parts();
        Grant {
            surface: self.holding.what.surface(),
            principal: self.holding.principal.clone(),
            role,
            scope,
            group,
            access,
            held: self.held,
            start: self.start.filter(|start| *start <= now),
            end: self.end,
            ended_at: self.ended_at(now),
            replaced: self.replaced && self.removed_at.is_some_and(|at| at <= now),
            foreign: self.foreign,
            request_id: self.request_id.clone(),
            schedule_id: self.schedule_id.clone(),
            justification: self.justification.clone(),
        }
    }
}

/// Opaque for roles, with `-e` at the end of an eligibility; composite for groups (§2.7, §3).
fn instance_id(what: &What) -> String {
    match (what, what.surface().level()) {
        (What::Group { .. }, _) => what.schedule_id(&guid()),
        (_, Level::Assignment) => format!("{}-1", opaque()),
        (_, Level::Eligibility) => format!("{}-1-e", opaque()),
    }
}
