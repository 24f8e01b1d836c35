//! PIM's objects as JSON, and the calls that read them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::wire::graph_date;
use super::knobs::{Casing, Knobs};
use super::query::Query;
use super::refusal::Refusal;
use super::state::{Assignment, ScheduleRequest, State, Triple};
use super::{Asked, Graph, Outcome};

const BASE: &str = "roleManagement/directory";

impl Graph {
    pub(super) fn schedule_request(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let knobs = state.knobs.clone();
        let requests = &state.tenant(asked.caller.tenant).requests;
        let request = requests.iter().find(|request| request.id == id && request.shown_from <= asked.now);
        let request = request.ok_or_else(|| Refusal::pim_object(id))?;
        Ok((200, Some(query.select(self.request_row(request, asked.now, &knobs, false)))))
    }

    pub(super) fn schedule_requests(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        query.only(&[
            "id",
            "status",
            "principalId",
            "roleDefinitionId",
            "directoryScopeId",
            "appScopeId",
            "targetScheduleId",
            "createdBy",
        ])?;
        let knobs = state.knobs.clone();
        let shown = state.tenant(asked.caller.tenant).requests.iter().filter(|row| row.shown_from <= asked.now);
        let rows = shown.map(|request| plain(self.request_row(request, asked.now, &knobs, false))).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, knobs.page_size))))
    }

    pub(super) fn schedule(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let assignments = &state.tenant(asked.caller.tenant).assignments;
        let found = assignments.iter().find(|row| row.schedule_id == id && row.is_shown(asked.now));
        let row = found.ok_or_else(|| Refusal::pim_object(id))?.schedule_row(asked.now, &knobs);
        Ok((200, Some(self.entity("roleAssignmentSchedules", row))))
    }

    pub(super) fn schedules(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        let knobs = state.knobs.clone();
        let shown = state.tenant(asked.caller.tenant).assignments.iter().filter(|row| row.is_shown(asked.now));
        let rows = shown.map(|row| row.schedule_row(asked.now, &knobs)).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, knobs.page_size))))
    }

    pub(super) fn instance(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let assignments = &state.tenant(asked.caller.tenant).assignments;
        let found = assignments.iter().find(|row| row.instance_id == id && row.is_instance(asked.now));
        let row = found.ok_or_else(|| Refusal::pim_object(id))?.instance_row();
        Ok((200, Some(self.entity("roleAssignmentScheduleInstances", row))))
    }

    pub(super) fn instances(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        let page_size = state.knobs.page_size;
        let shown = state.tenant(asked.caller.tenant).assignments.iter().filter(|row| row.is_instance(asked.now));
        let rows = shown.map(Assignment::instance_row).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, page_size))))
    }

    /// The POST's own answer and later reads disagree about `createdDateTime` by the jitter (§7.3).
    pub(super) fn request_row(&self, request: &ScheduleRequest, now: Timestamp, knobs: &Knobs, fresh: bool) -> Value {
        let jitter = SignedDuration::from_millis(if fresh { 0 } else { knobs.created_jitter_ms });
        let created = request.created.saturating_add(jitter).unwrap_or(request.created);
        let completed = request.window.as_ref().and_then(|window| window.start);
        let row = json!({
            "id": request.id,
            "status": request.status(now, knobs),
            "createdDateTime": graph_date(created),
            "completedDateTime": completed.map(graph_date),
            "approvalId": null,
            "customData": null,
            "action": cased(request.action, knobs),
            "principalId": request.triple.principal,
            "roleDefinitionId": request.triple.role,
            "directoryScopeId": request.triple.scope,
            "appScopeId": null,
            "isValidationOnly": false,
            "targetScheduleId": request.window.as_ref().map(|_| &request.id),
            "justification": request.justification,
            "createdBy": {
                "application": {"displayName": null, "id": request.client_id},
                "device": null,
                "user": {"displayName": null, "id": request.client_id},
            },
            "scheduleInfo": request.schedule_info(knobs),
            "ticketInfo": {"ticketNumber": request.ticket.0, "ticketSystem": request.ticket.1},
        });
        self.entity("roleAssignmentScheduleRequests", row)
    }

    /// What `isValidationOnly` answers when nothing stands in the way (§2.6, assumed).
    pub(super) fn validated(mut row: Value) -> Value {
        row["status"] = json!("Granted");
        row["isValidationOnly"] = json!(true);
        row["completedDateTime"] = Value::Null;
        row["targetScheduleId"] = Value::Null;
        row
    }

    fn entity(&self, set: &str, mut row: Value) -> Value {
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#{BASE}/{set}/$entity", self.url));
        row
    }
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
    fn is_instance(&self, now: Timestamp) -> bool {
        self.is_shown(now) && self.start.is_some_and(|start| start <= now)
    }

    /// Made outside PIM: no dates, and the schedule is the instance itself (§2.7).
    fn is_outside_pim(&self) -> bool {
        self.schedule_id == self.instance_id
    }

    fn schedule_row(&self, now: Timestamp, knobs: &Knobs) -> Value {
        let kind = if self.end.is_some() { "afterDateTime" } else { "noExpiration" };
        let status = if self.is_instance(now) { "Provisioned" } else { "Granted" };
        let mut row = target(&self.triple);
        row["id"] = json!(self.schedule_id);
        row["createdUsing"] = json!(self.request_id);
        row["createdDateTime"] = json!(graph_date(self.created));
        row["modifiedDateTime"] = Value::Null;
        row["status"] = json!(status);
        row["assignmentType"] = json!("Assigned");
        row["memberType"] = json!("Direct");
        row["scheduleInfo"] = json!({
            "startDateTime": self.start.map(graph_date),
            "recurrence": null,
            "expiration": {"type": cased(kind, knobs), "endDateTime": self.end.map(graph_date), "duration": null},
        });
        row
    }

    fn instance_row(&self) -> Value {
        let start = self.start.filter(|_| !self.is_outside_pim());
        let mut row = target(&self.triple);
        row["id"] = json!(self.instance_id);
        row["startDateTime"] = json!(start.map(graph_date));
        row["endDateTime"] = json!(self.end.map(graph_date));
        row["assignmentType"] = json!("Assigned");
        row["memberType"] = json!("Direct");
        row["roleAssignmentOriginId"] = json!(self.instance_id);
        row["roleAssignmentScheduleId"] = json!(self.schedule_id);
        row
    }
}

fn target(triple: &Triple) -> Value {
    json!({
        "principalId": triple.principal,
        "roleDefinitionId": triple.role,
        "directoryScopeId": triple.scope,
        "appScopeId": null,
    })
}

fn plain(mut row: Value) -> Value {
    if let Some(row) = row.as_object_mut() {
        row.remove("@odata.context");
    }
    row
}

fn cased(member: &str, knobs: &Knobs) -> String {
    let mut letters = member.chars();
    match (knobs.casing, letters.next()) {
        (Casing::Pascal, Some(first)) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        _ => member.to_owned(),
    }
}
