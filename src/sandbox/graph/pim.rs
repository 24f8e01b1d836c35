//! The engine of PIM: what an administrator's request does (`contracts/graph.md §2, §7`).
//!
//! One direct assignment per principal, role and scope; its end is anchored where it is provisioned; nothing is
//! shorter than five minutes or removed before that; a removal takes whatever direct assignment it finds, even one
//! that somebody else made.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::wire::{guid, opaque, plus_seconds, signed};
use super::knobs::Knobs;
use super::ledger::Entry;
use super::policy::{MINIMUM_SECONDS, duration_seconds};
use super::refusal::Refusal;
use super::state::{Assignment, ScheduleRequest, State, Tenant, Triple, Window};
use super::{Asked, Graph, Outcome};

/// A request's body, read.
struct Wish {
    action: &'static str,
    triple: Triple,
    justification: Option<String>,
    ticket: (Option<String>, Option<String>),
    schedule: Value,
    only_validate: bool,
}

const ACTIONS: [&str; 5] = ["adminAssign", "adminUpdate", "adminRemove", "adminExtend", "adminRenew"];

impl Graph {
    pub(super) fn create_request(&self, state: &mut State, asked: &Asked) -> Outcome {
        let wish = Wish::read(asked.request.body())?;
        let knobs = state.knobs.clone();
        let tenant = state.tenant(asked.caller.tenant);
        tenant.check_target(&wish, &knobs, asked.now)?;

        let mut request = wish.request(asked, &knobs);
        let mut entry = Entry::of_body(asked);
        wish.action.clone_into(&mut entry.action);
        if wish.action == "adminRemove" {
            tenant.remove(&wish, &knobs, asked.now, &mut entry)?;
        } else {
            request.window = Some(tenant.assign(&wish, &knobs, asked.now, &request.id, &mut entry)?);
        }
        let body = self.request_row(&request, asked.now, &knobs, true);
        if wish.only_validate {
            return Ok((201, Some(Self::validated(body))));
        }
        entry.committed = true;
        entry.request_id = Some(request.id.clone());
        tenant.requests.push(request);
        state.ledger.push(entry);
        Ok((201, Some(body)))
    }

    /// Only what is granted and has not started can be cancelled.
    pub(super) fn cancel_request(state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let now = asked.now;
        let tenant = state.tenant(asked.caller.tenant);
        let request = tenant.requests.iter_mut().find(|request| request.id == id && request.shown_from <= now);
        let request = request.ok_or_else(|| Refusal::pim_object(id))?;
        if request.true_status(now) != "Granted" {
            return Err(Refusal::bad("The request is not in a cancellable state."));
        }
        request.canceled = true;
        let mut entry = Entry { committed: true, ..Entry::of_cancel(asked, id, Some(request)) };
        let assignment = tenant.assignments.iter_mut().find(|row| row.request_id.as_deref() == Some(id));
        if let Some(assignment) = assignment {
            assignment.remove(now, &knobs);
            entry.schedule_id = Some(assignment.schedule_id.clone());
        }
        state.ledger.push(entry);
        Ok((204, None))
    }
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::bad("Unable to read JSON request payload."))?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| {
            text(&format!("/{name}")).ok_or_else(|| Refusal::bad(format!("The property '{name}' is required.")))
        };
        let action = required("action")?;
        let action = ACTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(&action)).ok_or_else(|| {
            let message = "Attempted to perform an unauthorized operation.";
            Refusal::new(403, "UnauthorizedAccessException", message)
        })?;
        let triple =
            Triple::new(&required("principalId")?, &required("roleDefinitionId")?, &required("directoryScopeId")?);
        let schedule = body["scheduleInfo"].clone();
        if action != "adminRemove" && !schedule.is_object() {
            return Err(Refusal::bad("The property 'scheduleInfo' is required."));
        }
        Ok(Self {
            action,
            triple,
            justification: text("/justification"),
            ticket: (text("/ticketInfo/ticketNumber"), text("/ticketInfo/ticketSystem")),
            schedule,
            only_validate: body["isValidationOnly"] == true,
        })
    }

    fn request(&self, asked: &Asked, knobs: &Knobs) -> ScheduleRequest {
        ScheduleRequest {
            id: guid(),
            action: self.action,
            triple: self.triple.clone(),
            client_id: asked.caller.client_id.clone(),
            justification: self.justification.clone(),
            ticket: self.ticket.clone(),
            created: asked.now,
            shown_from: plus_seconds(asked.now, signed(knobs.read_lag_seconds)),
            window: None,
            canceled: false,
            revoked_from: None,
        }
    }

    /// The window as it will be, before the knobs bend its end. `None` for the length means "no end".
    fn window(&self, knobs: &Knobs, now: Timestamp) -> Result<(Window, Option<i64>), Refusal> {
        let expiration = &self.schedule["expiration"];
        let kind = expiration["type"].as_str().unwrap_or("notSpecified").to_ascii_lowercase();
        let asked_start = date(&self.schedule["startDateTime"])?.unwrap_or(now);
        let scheduled = asked_start > now;
        let begin =
            plus_seconds(asked_start.max(now), signed(knobs.granted_seconds.max(knobs.provision_delay_seconds)));
        let mut window = Window {
            start: (!knobs.granted_forever).then_some(begin),
            end: None,
            granted_until: if scheduled || knobs.granted_seconds > 0 { begin } else { now },
            scheduled,
            asked_type: "noExpiration",
            asked_duration: None,
            asked_end: None,
        };
        let length = match kind.as_str() {
            "afterduration" => {
                let text = expiration["duration"].as_str().ok_or_else(|| Refusal::policy(&["ExpirationRule"]))?;
                let seconds = duration_seconds(text).ok_or_else(|| Refusal::bad("The duration is not valid."))?;
                window.asked_type = "afterDuration";
                window.asked_duration = Some(text.to_owned());
                Some(seconds)
            }
            "afterdatetime" => {
                let end = date(&expiration["endDateTime"])?.ok_or_else(|| Refusal::policy(&["ExpirationRule"]))?;
                window.asked_type = "afterDateTime";
                window.asked_end = Some(end);
                Some(end.duration_since(begin).as_secs())
            }
            "noexpiration" | "notspecified" => None,
            _ => return Err(Refusal::bad("The expiration type is not valid.")),
        };
        window.end = length.map(|seconds| plus_seconds(begin, seconds));
        Ok((window, length))
    }
}

fn date(value: &Value) -> Result<Option<Timestamp>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| Refusal::bad("A date is not valid.")),
        _ => Err(Refusal::bad("A date is not valid.")),
    }
}

impl Window {
    fn bend(&mut self, knobs: &Knobs) {
        self.end = self.end.map(|end| plus_seconds(end, signed(knobs.later_end_seconds)));
        if knobs.no_end {
            self.end = None;
        }
    }
}

impl Tenant {
    fn check_target(&self, wish: &Wish, knobs: &Knobs, now: Timestamp) -> Result<(), Refusal> {
        if !wish.triple.scope.starts_with('/') {
            return Err(Refusal::new(400, "InvalidScope", "The scope is not valid."));
        }
        if !self.roles.contains_key(&wish.triple.role) {
            return Err(Refusal::new(404, "RoleNotFound", "The role is not found."));
        }
        let known = self.users.get(&wish.triple.principal).is_some_and(|user| {
            now.duration_since(user.created_at) >= SignedDuration::from_secs(signed(knobs.young_principal_seconds))
        });
        if !known {
            return Err(Refusal::new(404, "SubjectNotFound", "The subject is not found."));
        }
        Ok(())
    }

    fn assign(
        &mut self,
        wish: &Wish,
        knobs: &Knobs,
        now: Timestamp,
        request_id: &str,
        entry: &mut Entry,
    ) -> Result<Window, Refusal> {
        let changes_existing = matches!(wish.action, "adminUpdate" | "adminExtend");
        match self.live(&wish.triple, now) {
            Some(_) if changes_existing => {}
            Some(existing) if existing.is_in_flight(now) => return Err(Refusal::pending()),
            Some(_) => return Err(Refusal::exists()),
            None if changes_existing => return Err(Refusal::does_not_exist()),
            None => {}
        }
        let (mut window, length) = wish.window(knobs, now)?;
        self.check_policy(wish, length)?;
        window.bend(knobs);
        if wish.only_validate {
            return Ok(window);
        }
        if let Some(existing) = self.live(&wish.triple, now) {
            existing.remove(now, knobs);
        }
        (entry.start, entry.end) = (window.start, window.end);
        entry.schedule_id = Some(request_id.to_owned());
        self.assignments.push(Assignment::made(wish, &window, knobs, now, request_id));
        Ok(window)
    }

    fn check_policy(&self, wish: &Wish, length: Option<i64>) -> Result<(), Refusal> {
        let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let ticketed = said(&wish.ticket.0);
        let broken = self.policy(&wish.triple.role).broken(said(&wish.justification), ticketed, length);
        if broken.is_empty() { Ok(()) } else { Err(Refusal::policy(&broken)) }
    }

    fn remove(&mut self, wish: &Wish, knobs: &Knobs, now: Timestamp, entry: &mut Entry) -> Result<(), Refusal> {
        let existing = self.live(&wish.triple, now).filter(|existing| existing.is_active(now));
        let existing = existing.ok_or_else(Refusal::does_not_exist)?;
        let age = existing.start.map_or(0, |start| now.duration_since(start).as_secs());
        if age < MINIMUM_SECONDS {
            return Err(Refusal::too_short());
        }
        if wish.only_validate {
            return Ok(());
        }
        existing.remove(now, knobs);
        (entry.start, entry.end) = (existing.start, existing.end);
        entry.schedule_id = Some(existing.schedule_id.clone());
        entry.removed_foreign = existing.foreign;
        let (request_id, hidden_from) = (existing.request_id.clone(), existing.hidden_from);
        if let Some(request) = self.requests.iter_mut().find(|request| Some(&request.id) == request_id.as_ref()) {
            request.revoked_from = hidden_from;
        }
        Ok(())
    }
}

impl Assignment {
    fn made(wish: &Wish, window: &Window, knobs: &Knobs, now: Timestamp, request_id: &str) -> Self {
        Self {
            schedule_id: request_id.to_owned(),
            instance_id: format!("{}-1", opaque()),
            request_id: Some(request_id.to_owned()),
            triple: wish.triple.clone(),
            created: now,
            start: window.start,
            // One that never starts must not look as if it had run and expired.
            end: window.start.and(window.end),
            scheduled: window.scheduled,
            removed_at: None,
            shown_from: plus_seconds(now, signed(knobs.read_lag_seconds)),
            hidden_from: None,
            foreign: false,
            justification: wish.justification.clone(),
        }
    }

    pub(super) fn remove(&mut self, now: Timestamp, knobs: &Knobs) {
        self.removed_at = Some(now);
        self.hidden_from = Some(plus_seconds(now, signed(knobs.read_lag_seconds)));
    }
}

impl ScheduleRequest {
    /// What is reported; see [`Knobs::status`].
    pub(super) fn status(&self, now: Timestamp, knobs: &Knobs) -> String {
        match &knobs.status {
            Some(status) if self.window.is_some() && !self.canceled => status.clone(),
            _ => self.true_status(now).to_owned(),
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
