//! What all of PIM's surfaces share: three lists, the same actions, and rows that read alike (`contracts/graph.md` §2, §3).
//!
//! Pure. A target's own file says where its lists lie, which fields name what it gives, and how its schedule's id is called;
//! everything else is written once, here. A row that cannot be read fails the whole reading: it might be the one that matters.

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{AssignmentTarget, Row, permission::Permissions};
use crate::{
    domain::{
        assignment::{
            AssignOrder, Instance, Progress, RemoveOrder, Schedule, ScheduleAction, ScheduleRequest, UpdateOrder,
        },
        id::ObjectId,
    },
    json,
    outbound::{Body, Call, segment},
};

/// Graph documents no limit; this one is safe (`contracts/graph.md` §2.2).
const MAX_JUSTIFICATION: usize = 500;

/// Where one of PIM's surfaces lies, and what is its own in the rows.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// The list of schedule requests; orders are posted there.
    pub requests: &'static str,
    /// The list of schedules.
    pub schedules: &'static str,
    /// The list of instances.
    pub instances: &'static str,
    /// The instance's field with the id of its schedule.
    pub schedule_field: &'static str,
    /// Whether rows say if they were assigned or activated; what is eligible is never activated (§2.8).
    pub tells_activated: bool,
    /// What assigning here needs.
    pub permissions: Permissions,
}

/// Reads one object.
pub(super) fn object(path: String) -> Call {
    Call { method: Method::GET, path, query: vec![], headers: vec![], body: Body::Empty }
}

/// Reads one of the surface's lists.
pub(super) fn list(path: &str, filter: Option<String>) -> Call {
    Call {
        method: Method::GET,
        path: path.to_owned(),
        query: filter.map(|filter| ("$filter".to_owned(), filter)).into_iter().collect(),
        headers: vec![],
        body: Body::Empty,
    }
}

impl dyn AssignmentTarget + '_ {
    /// Lists the schedule requests for this principal.
    pub(super) fn list_requests(&self, principal: ObjectId) -> Call {
        list(self.surface().requests, Some(self.filter(principal)))
    }

    /// Lists the current and coming schedules for this principal.
    pub(super) fn list_schedules(&self, principal: ObjectId) -> Call {
        list(self.surface().schedules, Some(self.filter(principal)))
    }

    /// Lists what is in force now for this principal.
    pub(super) fn list_instances(&self, principal: ObjectId) -> Call {
        list(self.surface().instances, Some(self.filter(principal)))
    }

    /// Reads a schedule request: a row, or the answer to an order.
    pub(super) fn read_request(&self, principal: ObjectId, row: &Value) -> Row<ScheduleRequest> {
        self.read(principal, row, |_, row| read_request(row))
    }

    /// Reads a schedule.
    pub(super) fn read_schedule(&self, principal: ObjectId, row: &Value) -> Row<Schedule> {
        self.read(principal, row, Surface::read_schedule)
    }

    /// Reads an instance.
    pub(super) fn read_instance(&self, principal: ObjectId, row: &Value) -> Row<Instance> {
        self.read(principal, row, Surface::read_instance)
    }

    fn read<T>(
        &self,
        principal: ObjectId,
        row: &Value,
        read: impl Fn(&Surface, &Value) -> Result<T, json::Fault>,
    ) -> Row<T> {
        let about = self.holder(row)? == Some(principal);
        about.then(|| read(self.surface(), row)).transpose()
    }

    /// Asks for an assignment.
    pub(super) fn assign(&self, order: &AssignOrder) -> Call {
        let expiration = json!({"type": "afterDuration", "duration": order.duration.to_string()});
        let mut body = self.window("adminAssign", order.start, &expiration, &order.justification);
        body.insert("ticketInfo".into(), ticket(&order.ticket_number, &order.ticket_system));
        if order.only_validate {
            body.insert("isValidationOnly".into(), Value::Bool(true));
        }
        self.post(body, order.holding.principal)
    }

    /// Asks for another end. It is absolute, so that a repeat is harmless (§2.5).
    pub(super) fn update(&self, order: &UpdateOrder) -> Call {
        let expiration = json!({"type": "afterDateTime", "endDateTime": order.ends_at.to_string()});
        let mut body = self.window("adminUpdate", order.start, &expiration, &order.justification);
        body.insert("ticketInfo".into(), ticket(&order.ticket_number, &order.ticket_system));
        self.post(body, order.holding.principal)
    }

    /// Asks for the removal of whatever direct assignment there is.
    pub(super) fn remove(&self, order: &RemoveOrder) -> Call {
        let body = self.order("adminRemove", &order.justification);
        self.post(body, order.holding.principal)
    }

    /// Asks to cancel a schedule request that has not been provisioned; no body (§2.1).
    pub(super) fn cancel(&self, schedule_request_id: &str) -> Call {
        Call {
            method: Method::POST,
            path: format!("{}/{}/cancel", self.surface().requests, segment(schedule_request_id)),
            query: vec![],
            headers: vec![],
            body: Body::Empty,
        }
    }

    fn window(&self, action: &str, start: Timestamp, expiration: &Value, text: &str) -> Map<String, Value> {
        let mut body = self.order(action, text);
        body.insert("scheduleInfo".into(), json!({"startDateTime": start.to_string(), "expiration": expiration}));
        body
    }

    fn order(&self, action: &str, text: &str) -> Map<String, Value> {
        let mut body = self.fields();
        body.insert("action".into(), json!(action));
        body.insert("justification".into(), json!(justification(text)));
        body
    }

    fn post(&self, mut body: Map<String, Value>, principal: ObjectId) -> Call {
        body.insert("principalId".into(), json!(principal));
        let (path, body) = (self.surface().requests.to_owned(), Body::Json(Value::Object(body)));
        Call { method: Method::POST, path, query: vec![], headers: vec![], body }
    }
}

impl Surface {
    /// Reads a schedule.
    fn read_schedule(&self, row: &Value) -> Result<Schedule, json::Fault> {
        Ok(Schedule { id: id(row)?, created_using: owned(row, "/createdUsing")?, direct: self.is_direct(row)? })
    }

    /// Reads an instance.
    fn read_instance(&self, row: &Value) -> Result<Instance, json::Fault> {
        Ok(Instance {
            id: id(row)?,
            schedule_id: owned(row, self.schedule_field)?,
            direct: self.is_direct(row)?,
            starts_at: moment(row, "/startDateTime")?,
            ends_at: moment(row, "/endDateTime")?,
        })
    }

    /// Neither activated from an eligibility nor inherited through a group.
    fn is_direct(&self, row: &Value) -> Result<bool, json::Fault> {
        let by_hand = json::text(row, "/memberType")?.eq_ignore_ascii_case("Direct");
        if !self.tells_activated {
            return Ok(by_hand);
        }
        Ok(by_hand && json::text(row, "/assignmentType")?.eq_ignore_ascii_case("Assigned"))
    }
}

fn ticket(number: &str, system: &str) -> Value {
    json!({"ticketNumber": number, "ticketSystem": system})
}

/// Reads a schedule request.
fn read_request(row: &Value) -> Result<ScheduleRequest, json::Fault> {
    let status = json::text(row, "/status")?;
    Ok(ScheduleRequest {
        id: id(row)?,
        action: action(json::text(row, "/action")?),
        progress: progress(status),
        status: status.to_owned(),
        justification: owned(row, "/justification")?,
        schedule_id: owned(row, "/targetScheduleId")?,
        created_at: moment(row, "/createdDateTime")?,
        only_validated: row.pointer("/isValidationOnly") == Some(&Value::Bool(true)),
    })
}

/// The text as far as PIM surely keeps it; number and marker come first and are never cut.
fn justification(text: &str) -> String {
    text.chars().take(MAX_JUSTIFICATION).collect()
}

/// Graph answers enum members in any case (`contracts/graph.md` §1).
fn action(word: &str) -> ScheduleAction {
    match word.to_ascii_lowercase().as_str() {
        "adminassign" => ScheduleAction::Assign,
        "adminupdate" => ScheduleAction::Update,
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

fn id(row: &Value) -> Result<String, json::Fault> {
    match json::text(row, "/id")? {
        "" => Err(json::not("/id", "an id")),
        id => Ok(id.to_owned()),
    }
}

fn owned(row: &Value, path: &str) -> Result<Option<String>, json::Fault> {
    Ok(json::optional_text(row, path)?.map(str::to_owned))
}

/// A GUID in a row.
pub(super) fn guid(row: &Value, path: &str) -> Result<Uuid, json::Fault> {
    json::text(row, path)?.parse().map_err(|_| json::not(path, "a GUID"))
}

/// A text in Graph's usual spelling of a GUID.
pub(super) fn as_guid(text: &str) -> Option<String> {
    let id: Uuid = text.parse().ok()?;
    Some(id.to_string())
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
