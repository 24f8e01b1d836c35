//! PIM's objects as JSON (`contracts/graph.md §2.2, §2.7, §3`).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::wire::graph_date;
use super::Graph;
use super::assignment::Assignment;
use super::knobs::{Casing, Knobs};
use super::ledger::Held;
use super::state::ScheduleRequest;
use super::surface::{Level, Surface};

impl Graph {
    /// The POST's own answer and later reads disagree about `createdDateTime` by the jitter (§7.3).
    pub(super) fn request_row(&self, request: &ScheduleRequest, now: Timestamp, knobs: &Knobs, fresh: bool) -> Value {
        let jitter = SignedDuration::from_millis(if fresh { 0 } else { knobs.created_jitter_ms });
        let created = request.created.saturating_add(jitter).unwrap_or(request.created);
        let completed = request.window.as_ref().and_then(|window| window.start);
        let surface = request.holding.what.surface();
        let mut row = request.holding.what.fields(&request.holding.principal);
        row["id"] = json!(request.id);
        row["status"] = json!(request.status(now, knobs));
        row["createdDateTime"] = json!(graph_date(created));
        row["completedDateTime"] = json!(completed.map(graph_date));
        row["approvalId"] = Value::Null;
        row["customData"] = Value::Null;
        row["action"] = json!(cased(request.action, knobs));
        row["isValidationOnly"] = json!(false);
        row["targetScheduleId"] = json!(request.target_schedule);
        row["justification"] = json!(request.justification);
        row["createdBy"] = created_by(surface, &request.client_id);
        row["scheduleInfo"] = request.schedule_info(knobs);
        row["ticketInfo"] = json!({"ticketNumber": request.ticket.0, "ticketSystem": request.ticket.1});
        self.entity(surface, "ScheduleRequests", row)
    }

    /// What `isValidationOnly` answers when nothing stands in the way (§2.6, assumed).
    pub(super) fn validated(row: &mut Value) {
        row["status"] = json!("Granted");
        row["isValidationOnly"] = json!(true);
        row["completedDateTime"] = Value::Null;
        row["targetScheduleId"] = Value::Null;
    }

    pub(super) fn entity(&self, surface: Surface, kind: &str, mut row: Value) -> Value {
        let (base, prefix) = (surface.base(), surface.prefix());
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#{base}/{prefix}{kind}/$entity", self.url));
        row
    }
}

fn created_by(surface: Surface, client_id: &str) -> Value {
    if surface.is_of_groups() {
        return json!({"user": {"id": client_id}});
    }
    json!({
        "application": {"displayName": null, "id": client_id},
        "device": null,
        "user": {"displayName": null, "id": client_id},
    })
}

impl ScheduleRequest {
    fn schedule_info(&self, knobs: &Knobs) -> Value {
        let Some(window) = &self.window else {
            return Value::Null;
        };
        json!({
            "startDateTime": window.start.map(graph_date),
            "recurrence": null,
            "expiration": {
                "type": cased(window.asked_type, knobs),
                "endDateTime": window.asked_end.map(graph_date),
                "duration": window.asked_duration,
            },
        })
    }
}

impl Assignment {
    pub(super) fn is_of(&self, surface: Surface) -> bool {
        self.holding.what.surface() == surface
    }

    /// Made outside PIM: no dates, and the schedule is the instance itself (§2.7).
    fn is_outside_pim(&self) -> bool {
        self.schedule_id == self.instance_id
    }

    pub(super) fn schedule_row(&self, now: Timestamp, knobs: &Knobs) -> Value {
        let kind = if self.end.is_some() { "afterDateTime" } else { "noExpiration" };
        let status = if self.is_instance(now) { "Provisioned" } else { "Granted" };
        let mut row = self.fields(knobs);
        row["id"] = json!(self.schedule_id);
        row["createdUsing"] = json!(self.created_using);
        row["createdDateTime"] = json!(graph_date(self.created));
        row["modifiedDateTime"] = Value::Null;
        row["status"] = json!(status);
        row["scheduleInfo"] = json!({
            "startDateTime": self.start.map(graph_date),
            "recurrence": null,
            "expiration": {"type": cased(kind, knobs), "endDateTime": self.end.map(graph_date), "duration": null},
        });
        row
    }

    pub(super) fn instance_row(&self, knobs: &Knobs) -> Value {
        let surface = self.holding.what.surface();
        let start = self.start.filter(|_| !self.is_outside_pim());
        let mut row = self.fields(knobs);
        row["id"] = json!(self.instance_id);
        row["startDateTime"] = json!(start.map(graph_date));
        row["endDateTime"] = json!(self.end.map(graph_date));
        row[surface.schedule_field()] = json!(self.schedule_id);
        if surface == Surface::RoleAssignment {
            row["roleAssignmentOriginId"] = json!(self.instance_id);
        }
        row
    }

    /// What schedule and instance have in common. Eligibilities have no assignment type; groups write small.
    fn fields(&self, knobs: &Knobs) -> Value {
        let surface = self.holding.what.surface();
        let member = |word: &str| if surface.is_of_groups() { cased(word, knobs) } else { capital(word) };
        let (assigned, direct) = match self.held {
            Held::Direct => ("assigned", "direct"),
            Held::Activated => ("activated", "direct"),
            Held::Inherited => ("assigned", "group"),
        };
        let mut row = self.holding.what.fields(&self.holding.principal);
        row["memberType"] = json!(member(direct));
        if surface.level() == Level::Assignment {
            row["assignmentType"] = json!(member(assigned));
        }
        row
    }
}

pub(super) fn plain(mut row: Value) -> Value {
    if let Some(row) = row.as_object_mut() {
        row.remove("@odata.context");
    }
    row
}

fn cased(member: &str, knobs: &Knobs) -> String {
    match knobs.casing {
        Casing::Pascal => capital(member),
        Casing::Camel => member.to_owned(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
