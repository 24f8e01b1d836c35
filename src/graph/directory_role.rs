//! Entra directory roles as a target (`contracts/graph.md` §2).
//!
//! Pure: orders become calls, rows become what the domain calls them. Rows are filtered once more here, by principal,
//! role and scope byte for byte, so that a filter that Graph ignored changes nothing. A row that cannot be read fails
//! the whole reading: it might be the one that matters.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AssignmentTarget, Row};
use crate::{
    domain::{
        assignment::{AssignOrder, Instance, Progress, RemoveOrder, Schedule, ScheduleAction, ScheduleRequest},
        entitlement::Target,
        id::ObjectId,
    },
    json,
    outbound::{Body, Call, segment},
};

const REQUESTS: &str = "/roleManagement/directory/roleAssignmentScheduleRequests";
const SCHEDULES: &str = "/roleManagement/directory/roleAssignmentSchedules";
const INSTANCES: &str = "/roleManagement/directory/roleAssignmentScheduleInstances";

/// Graph documents no limit; this one is safe (`contracts/graph.md` §2.2).
const MAX_JUSTIFICATION: usize = 500;

/// One directory role at one scope.
struct DirectoryRole {
    role: Uuid,
    scope: String,
}

/// Takes directory roles.
#[expect(clippy::unnecessary_wraps, reason = "a target of another kind is left to its own file")]
pub(super) fn claim(target: &Target) -> Option<Box<dyn AssignmentTarget>> {
    match target {
        Target::DirectoryRole { role, scope } => Some(Box::new(DirectoryRole { role: *role, scope: scope.clone() })),
    }
}

impl AssignmentTarget for DirectoryRole {
    fn list_requests(&self, principal: ObjectId) -> Call {
        self.list(REQUESTS, principal)
    }

    fn list_schedules(&self, principal: ObjectId) -> Call {
        self.list(SCHEDULES, principal)
    }

    fn list_instances(&self, principal: ObjectId) -> Call {
        self.list(INSTANCES, principal)
    }

    fn read_request(&self, principal: ObjectId, row: &Value) -> Row<ScheduleRequest> {
        let only_validated = row.pointer("/isValidationOnly") == Some(&Value::Bool(true));
        if !self.is_about(principal, row)? || only_validated {
            return Ok(None);
        }
        let status = json::text(row, "/status")?;
        Ok(Some(ScheduleRequest {
            id: id(row)?,
            action: action(json::text(row, "/action")?),
            progress: progress(status),
            status: status.to_owned(),
            justification: owned(row, "/justification")?,
            schedule_id: owned(row, "/targetScheduleId")?,
            created_at: moment(row, "/createdDateTime")?,
        }))
    }

    fn read_schedule(&self, principal: ObjectId, row: &Value) -> Row<Schedule> {
        if !self.is_about(principal, row)? {
            return Ok(None);
        }
        Ok(Some(Schedule { id: id(row)?, created_using: owned(row, "/createdUsing")?, direct: is_direct(row)? }))
    }

    fn read_instance(&self, principal: ObjectId, row: &Value) -> Row<Instance> {
        if !self.is_about(principal, row)? {
            return Ok(None);
        }
        Ok(Some(Instance {
            id: id(row)?,
            schedule_id: owned(row, "/roleAssignmentScheduleId")?,
            direct: is_direct(row)?,
            starts_at: moment(row, "/startDateTime")?,
            ends_at: moment(row, "/endDateTime")?,
        }))
    }

    fn assign(&self, order: &AssignOrder) -> Call {
        post(json!({
            "action": "adminAssign",
            "principalId": order.holding.principal,
            "roleDefinitionId": self.role,
            "directoryScopeId": self.scope,
            "justification": justification(&order.justification),
            "scheduleInfo": {
                "startDateTime": order.start.to_string(),
                "expiration": {"type": "afterDuration", "duration": order.duration.to_string()},
            },
            "ticketInfo": {"ticketNumber": order.ticket_number, "ticketSystem": order.ticket_system},
        }))
    }

    fn remove(&self, order: &RemoveOrder) -> Call {
        post(json!({
            "action": "adminRemove",
            "principalId": order.holding.principal,
            "roleDefinitionId": self.role,
            "directoryScopeId": self.scope,
            "justification": justification(&order.justification),
        }))
    }

    fn cancel(&self, schedule_request_id: &str) -> Call {
        Call {
            method: Method::POST,
            path: format!("{REQUESTS}/{}/cancel", segment(schedule_request_id)),
            query: vec![],
            headers: vec![],
            body: Body::Empty,
        }
    }
}

impl DirectoryRole {
    fn list(&self, path: &str, principal: ObjectId) -> Call {
        let filter = format!("principalId eq '{principal}' and roleDefinitionId eq '{}'", self.role);
        Call {
            method: Method::GET,
            path: path.to_owned(),
            query: vec![("$filter".to_owned(), filter)],
            headers: vec![],
            body: Body::Empty,
        }
    }

    /// Whether the row speaks of this principal, role and scope. App-specific scopes are never ours.
    fn is_about(&self, principal: ObjectId, row: &Value) -> Result<bool, json::Fault> {
        let same = guid(row, "/principalId")? == principal.0 && guid(row, "/roleDefinitionId")? == self.role;
        let app_scope = json::optional_text(row, "/appScopeId")?;
        if app_scope.is_some_and(|scope| !scope.is_empty()) {
            return Ok(false);
        }
        Ok(same && json::text(row, "/directoryScopeId")? == self.scope)
    }
}

fn post(body: Value) -> Call {
    Call { method: Method::POST, path: REQUESTS.to_owned(), query: vec![], headers: vec![], body: Body::Json(body) }
}

/// The text as far as PIM surely keeps it; number and marker come first and are never cut.
fn justification(text: &str) -> String {
    text.chars().take(MAX_JUSTIFICATION).collect()
}

/// Graph answers enum members in any case (`contracts/graph.md` §1).
fn action(word: &str) -> ScheduleAction {
    match word.to_ascii_lowercase().as_str() {
        "adminassign" => ScheduleAction::Assign,
        "adminremove" => ScheduleAction::Remove,
        _ => ScheduleAction::Other,
    }
}

/// The table of `contracts/graph.md` §2.4.
fn progress(status: &str) -> Progress {
    match status.to_ascii_lowercase().as_str() {
        "provisioned" | "schedulecreated" => Progress::Done,
        "granted" => Progress::Granted,
        "pendingschedulecreation"
        | "pendingprovisioning"
        | "accepted"
        | "provisioningstarted"
        | "pendingevaluation"
        | "pendingexternalprovisioning"
        | "adminapproved"
        | "pendingapproval"
        | "pendingapprovalprovisioning"
        | "pendingadmindecision"
        | "pendingrevocation" => Progress::Underway,
        "revoked" => Progress::Revoked,
        "canceled" | "denied" | "admindenied" | "failed" | "failedasresourceislocked" | "invalid" | "timedout" => {
            Progress::Over
        }
        _ => Progress::Unknown,
    }
}

/// Neither activated from an eligibility nor inherited through a group.
fn is_direct(row: &Value) -> Result<bool, json::Fault> {
    let member = json::text(row, "/memberType")?;
    let assignment = json::text(row, "/assignmentType")?;
    Ok(member.eq_ignore_ascii_case("Direct") && assignment.eq_ignore_ascii_case("Assigned"))
}

fn id(row: &Value) -> Result<String, json::Fault> {
    match json::text(row, "/id")? {
        "" => Err(json::not("/id", "an id")),
        id => Ok(id.to_owned()),
    }
}

fn owned(row: &Value, path: &str) -> Result<Option<String>, json::Fault> {
    Ok(json::optional_text(row, path)?.map(str::to_owned))
}

fn guid(row: &Value, path: &str) -> Result<Uuid, json::Fault> {
    json::text(row, path)?.parse().map_err(|_| json::not(path, "a GUID"))
}

/// A moment, cut to the microseconds that Postgres keeps; Graph sends up to seven digits.
fn moment(row: &Value, path: &str) -> Result<Option<Timestamp>, json::Fault> {
    let not_a_time = || json::not(path, "a time");
    let Some(text) = json::optional_text(row, path)? else {
        return Ok(None);
    };
    let moment: Timestamp = text.parse().map_err(|_| not_a_time())?;
    let cut = Timestamp::from_microsecond(moment.as_microsecond());
    cut.map(Some).map_err(|_| not_a_time())
}
