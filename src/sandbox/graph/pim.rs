//! The engine of PIM: what an administrator's request does (`contracts/graph.md §2, §3, §7`).
//!
//! One direct assignment per principal and what they hold; its end is anchored where it is provisioned; nothing is
//! shorter than five minutes or removed before that; a removal takes whatever direct assignment it finds, even one
//! that somebody else made. All four surfaces work alike.

use jiff::Timestamp;

use super::assignment::Assignment;
use super::knobs::Knobs;
use super::ledger::{Entry, Held};
use super::policy::MINIMUM_SECONDS;
use super::refusal::Refusal;
use super::state::{ScheduleRequest, State, Tenant};
use super::surface::Surface;
use super::wish::Wish;
use super::{Asked, Graph, Outcome};

impl Graph {
    pub(super) fn create_request(&self, state: &mut State, asked: &Asked, surface: Surface) -> Outcome {
        let wish = Wish::read(asked.request.body(), surface)?;
        let mut knobs = state.knobs.clone();
        let tenant = state.tenant(asked.caller.tenant);
        tenant.check_target(&wish.holding, &knobs, asked.now)?;
        knobs.granted_forever |= tenant.hangs(&wish.holding);

        let mut request = wish.request(asked, &knobs);
        let mut entry = Entry { action: wish.action.to_owned(), ..Entry::of_body(asked, surface) };
        entry.about(&wish.holding.principal, &wish.holding.what);
        if wish.action == "adminRemove" {
            tenant.remove(&wish, &knobs, asked.now, &mut entry)?;
        } else {
            tenant.assign(&wish, &knobs, asked.now, &mut request, &mut entry)?;
        }
        let mut body = self.request_row(&request, asked.now, &knobs, true);
        if wish.only_validate {
            Self::validated(&mut body);
        } else {
            entry.committed = true;
            entry.request_id = Some(request.id.clone());
            tenant.requests.push(request);
        }
        state.ledger.push(entry);
        Ok((201, Some(body)))
    }

    /// Only what is granted and has not started can be cancelled.
    pub(super) fn cancel_request(state: &mut State, asked: &Asked, surface: Surface, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let now = asked.now;
        let tenant = state.tenant(asked.caller.tenant);
        let request = tenant.requests.iter_mut().find(|request| request.is_shown_as(surface, id, now));
        let request = request.ok_or_else(|| Refusal::pim_object(id))?;
        if request.true_status(now) != "Granted" {
            return Err(Refusal::bad("The request is not in a cancellable state."));
        }
        request.canceled = true;
        let mut entry = Entry { committed: true, ..Entry::of_cancel(asked, id, Some(request)) };
        entry.schedule_id = tenant.withdraw(id, &knobs, now);
        state.ledger.push(entry);
        Ok((204, None))
    }
}

impl Tenant {
    fn assign(
        &mut self,
        wish: &Wish,
        knobs: &Knobs,
        now: Timestamp,
        request: &mut ScheduleRequest,
        entry: &mut Entry,
    ) -> Result<(), Refusal> {
        self.check_existing(wish, knobs, now)?;
        let (mut window, length) = wish.window(knobs, now)?;
        self.check_policy(wish, length, knobs)?;
        window.bend(knobs);
        (entry.start, entry.end) = (window.start, window.end);
        if !wish.only_validate {
            self.make(wish, &window, knobs, now, &request.id, entry);
            request.target_schedule.clone_from(&entry.schedule_id);
        }
        request.window = Some(window);
        Ok(())
    }

    fn check_existing(&mut self, wish: &Wish, knobs: &Knobs, now: Timestamp) -> Result<(), Refusal> {
        let activated =
            |row: &Assignment| row.held == Held::Activated && row.holding == wish.holding && !row.is_over(now);
        let blocked = knobs.activation_blocks_assign && self.assignments.iter().any(activated);
        match self.live(&wish.holding, now) {
            Some(existing) if existing.is_in_flight(now) => Err(Refusal::pending()),
            Some(existing) if wish.changes_existing() => {
                let too_early = existing.is_active(now) && existing.is_young(now);
                let refused = knobs.early_updates_refused && wish.action == "adminUpdate" && too_early;
                if refused { Err(Refusal::too_short()) } else { Ok(()) }
            }
            Some(_) => Err(Refusal::exists()),
            None if wish.changes_existing() => Err(Refusal::does_not_exist()),
            None if blocked => Err(Refusal::exists()),
            None => Ok(()),
        }
    }

    fn check_policy(&self, wish: &Wish, length: Option<i64>, knobs: &Knobs) -> Result<(), Refusal> {
        let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let minimum = if knobs.short_updates && wish.action == "adminUpdate" { 1 } else { MINIMUM_SECONDS };
        let policy = self.policy_for(&wish.holding.what);
        let broken = policy.broken(said(&wish.justification), said(&wish.ticket.0), length, minimum);
        if broken.is_empty() { Ok(()) } else { Err(Refusal::policy(&broken)) }
    }

    fn remove(&mut self, wish: &Wish, knobs: &Knobs, now: Timestamp, entry: &mut Entry) -> Result<(), Refusal> {
        let newest = self.live(&wish.holding, now).ok_or_else(Refusal::does_not_exist)?;
        if !newest.is_active(now) {
            let of_update = newest.is_in_flight(now) && self.is_active(&wish.holding, now);
            return Err(if of_update { Refusal::pending() } else { Refusal::does_not_exist() });
        }
        if newest.is_young(now) {
            return Err(Refusal::too_short());
        }
        if wish.only_validate {
            return Ok(());
        }
        newest.remove(now, knobs);
        (entry.start, entry.end) = (newest.start, newest.end);
        entry.schedule_id = Some(newest.schedule_id.clone());
        entry.removed_foreign = newest.foreign;
        let (request_id, hidden_from) = (newest.request_id.clone(), newest.hidden_from);
        if let Some(request) = self.requests.iter_mut().find(|request| Some(&request.id) == request_id.as_ref()) {
            request.revoked_from = hidden_from;
        }
        Ok(())
    }
}

impl ScheduleRequest {
    pub(super) fn is_shown_as(&self, surface: Surface, id: &str, now: Timestamp) -> bool {
        self.id == id && self.is_shown(surface, now)
    }

    pub(super) fn is_shown(&self, surface: Surface, now: Timestamp) -> bool {
        self.holding.what.surface() == surface && self.shown_from <= now
    }

    /// What is reported; see [`Knobs::status`] and [`Knobs::pending_status`].
    pub(super) fn status(&self, now: Timestamp, knobs: &Knobs) -> String {
        let truth = self.true_status(now);
        match (&knobs.status, &knobs.pending_status) {
            (Some(status), _) if self.window.is_some() && !self.canceled => status.clone(),
            (_, Some(status)) if truth == "Granted" => status.clone(),
            _ => truth.to_owned(),
        }
    }

    fn true_status(&self, now: Timestamp) -> &'static str {
        let Some(window) = &self.window else {
            return "Revoked";
        };
        let is_revoked = self.revoked_from.is_some_and(|from| from <= now);
        let is_provisioned = window.start.is_some() && window.granted_until <= now;
        match (self.canceled, is_revoked, is_provisioned) {
            (true, _, _) => "Canceled",
            (_, true, _) => "Revoked",
            (_, _, true) => "Provisioned",
            _ => "Granted",
        }
    }
}
