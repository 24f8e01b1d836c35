//! What the body of a schedule request asks for.

use jiff::Timestamp;
use serde_json::Value;

use super::super::wire::{guid, plus_seconds, signed};
use super::Asked;
use super::knobs::Knobs;
use super::policy::duration_seconds;
use super::refusal::Refusal;
use super::state::{Holding, ScheduleRequest, Window};
use super::surface::{Access, Surface, What};

/// A request's body, read.
pub(super) struct Wish {
    pub(super) action: &'static str,
    pub(super) holding: Holding,
    pub(super) justification: Option<String>,
    pub(super) ticket: (Option<String>, Option<String>),
    pub(super) only_validate: bool,
    schedule: Value,
}

const ACTIONS: [&str; 5] = ["adminAssign", "adminUpdate", "adminRemove", "adminExtend", "adminRenew"];

impl Wish {
    pub(super) fn read(body: &[u8], surface: Surface) -> Result<Self, Refusal> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::bad("Unable to read JSON request payload."))?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let action = action(&required(&body, "action")?)?;
        let schedule = body["scheduleInfo"].clone();
        if action != "adminRemove" && !schedule.is_object() {
            return Err(Refusal::bad("The property 'scheduleInfo' is required."));
        }
        Ok(Self {
            action,
            holding: Holding::new(&required(&body, "principalId")?, what(&body, surface)?),
            justification: text("/justification"),
            ticket: (text("/ticketInfo/ticketNumber"), text("/ticketInfo/ticketSystem")),
            only_validate: body["isValidationOnly"] == true,
            schedule,
        })
    }

    /// Whether it changes an assignment that must be there already.
    pub(super) fn changes_existing(&self) -> bool {
        matches!(self.action, "adminUpdate" | "adminExtend")
    }

    pub(super) fn request(&self, asked: &Asked, knobs: &Knobs) -> ScheduleRequest {
        ScheduleRequest {
            id: guid(),
            action: self.action,
            holding: self.holding.clone(),
            client_id: asked.caller.client_id.clone(),
            justification: self.justification.clone(),
            ticket: self.ticket.clone(),
            created: asked.now,
            shown_from: plus_seconds(asked.now, signed(knobs.read_lag_seconds)),
            window: None,
            target_schedule: None,
            canceled: false,
            revoked_from: None,
        }
    }

    /// The window as it will be, before the knobs bend its end. `None` for the length means "no end".
    pub(super) fn window(&self, knobs: &Knobs, now: Timestamp) -> Result<(Window, Option<i64>), Refusal> {
        let expiration = &self.schedule["expiration"];
        let asked_start = date(&self.schedule["startDateTime"])?.unwrap_or(now);
        let mut window = Window::beginning(asked_start, knobs, now);
        let begin = window.begin(now);
        window.end = match expiration["type"].as_str().unwrap_or("notSpecified").to_ascii_lowercase().as_str() {
            "afterduration" => {
                let text = expiration["duration"].as_str().ok_or_else(|| Refusal::policy(&["ExpirationRule"]))?;
                let seconds = duration_seconds(text).ok_or_else(|| Refusal::bad("The duration is not valid."))?;
                window.asked_type = "afterDuration";
                window.asked_duration = Some(text.to_owned());
                Some(plus_seconds(begin, seconds))
            }
            "afterdatetime" => {
                let end = date(&expiration["endDateTime"])?.ok_or_else(|| Refusal::policy(&["ExpirationRule"]))?;
                window.asked_type = "afterDateTime";
                window.asked_end = Some(end);
                Some(end)
            }
            "noexpiration" | "notspecified" => None,
            _ => return Err(Refusal::bad("The expiration type is not valid.")),
        };
        // An update's length counts from the update itself, not from a start that may lie ahead.
        let from = if self.action == "adminUpdate" { now } else { begin };
        let length = window.end.map(|end| end.duration_since(from).as_secs());
        Ok((window, length))
    }
}

impl Window {
    fn beginning(asked: Timestamp, knobs: &Knobs, now: Timestamp) -> Self {
        let scheduled = asked > now;
        let delay = signed(knobs.granted_seconds.max(knobs.provision_delay_seconds));
        let begin = plus_seconds(asked.max(now), delay);
        Self {
            start: (!knobs.granted_forever).then_some(begin),
            end: None,
            granted_until: if scheduled || knobs.granted_seconds > 0 { begin } else { now },
            scheduled,
            asked_type: "noExpiration",
            asked_duration: None,
            asked_end: None,
        }
    }

    /// Where its end is anchored; one that never starts counts from when it was asked for.
    fn begin(&self, now: Timestamp) -> Timestamp {
        self.start.unwrap_or(now)
    }

    pub(super) fn bend(&mut self, knobs: &Knobs) {
        self.end = self.end.map(|end| plus_seconds(end, signed(knobs.later_end_seconds)));
        if knobs.no_end {
            self.end = None;
        }
    }
}

fn required(body: &Value, name: &str) -> Result<String, Refusal> {
    let text = body[name].as_str().map(str::to_owned);
    text.ok_or_else(|| Refusal::bad(format!("The property '{name}' is required.")))
}

/// The actions of an administrator; an application has no eligibility of its own to activate.
fn action(text: &str) -> Result<&'static str, Refusal> {
    ACTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(text)).ok_or_else(|| {
        let message = "Attempted to perform an unauthorized operation.";
        Refusal::new(403, "UnauthorizedAccessException", message)
    })
}

fn what(body: &Value, surface: Surface) -> Result<What, Refusal> {
    if surface.is_of_groups() {
        let access = required(body, "accessId")?;
        let access = Access::parse(&access).ok_or_else(|| Refusal::bad("The property 'accessId' is not valid."))?;
        return Ok(What::group(&required(body, "groupId")?, access).at(surface.level()));
    }
    let (role, scope) = (required(body, "roleDefinitionId")?, required(body, "directoryScopeId")?);
    Ok(What::role(&role, &scope).at(surface.level()))
}

fn date(value: &Value) -> Result<Option<Timestamp>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| Refusal::bad("A date is not valid.")),
        _ => Err(Refusal::bad("A date is not valid.")),
    }
}
