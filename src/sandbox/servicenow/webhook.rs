//! What a customer's business rule sends (`contracts/tickets.md B1, B2`).
//!
//! There is no built-in approval webhook. The bodies are `stint.servicenow.v1`, or what a rule sends that somebody
//! wrote without reading on: display values. They are unsigned until they are signed.

use serde_json::{Map, Value, json};

use super::super::delivery::Webhook;
use super::ServiceNow;
use super::approvals::APPROVED;
use super::model::{Row, State};
use super::render::{display, title};
use super::schema::{self, CHANGE};

/// Which event of a ticket is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnowEvent {
    /// `approval.approved`, for items and changes.
    Approved,
    /// `approval.rejected`, for items and changes.
    Rejected,
    /// `request.cancelled`, or `change.canceled` for a change.
    Cancelled,
    /// `change.reverted`
    Reverted,
    /// `request.updated`, or `change.updated` for a change.
    Edited,
    /// `approver.approved`: the body is about the newest approved row, not about the ticket.
    ApproverApproved,
    /// `approval.<approval>` with ids alone, as the script sends that stint ships.
    Thin,
    /// No schema, display values in the sender's language and time zone.
    DisplayValues,
}

impl ServiceNow {
    /// A fresh delivery about the item or change as it is now.
    #[must_use]
    pub fn webhook_for(&self, id: &str, event: SnowEvent) -> Webhook {
        let body = self.with(id, |state, id, _| {
            let row = state.row(id)?;
            match event {
                SnowEvent::ApproverApproved => self.approver_body(state, id),
                SnowEvent::Thin => Some(thin(row)),
                SnowEvent::DisplayValues => Some(display_values(state, row)),
                _ => Some(self.ticket_body(state, row, event)),
            }
        });
        let headers = [("Content-Type", "application/json"), ("User-Agent", "ServiceNow/1.0")];
        Webhook {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: body.unwrap_or_default().to_string().into_bytes(),
        }
    }

    fn ticket_body(&self, state: &State, row: &Row, event: SnowEvent) -> Value {
        let mut body = json!({
            "schema": "stint.servicenow.v1",
            "event": name(event, row.table),
            "event_id": event_id(row),
            "instance": &*self.url,
            "table": row.table,
            "previous_approval": row.previous("approval"),
        });
        copy(&mut body, row, &["sys_id", "number", "short_description", "approval", "state", "active"]);
        copy(&mut body, row, &["sys_updated_on", "sys_updated_by", "sys_mod_count"]);
        body["opened_by"] = person(state, row.get("opened_by"));
        if row.table == CHANGE {
            change_members(state, row, &mut body);
        } else {
            item_members(state, row, &mut body);
        }
        body
    }

    fn approver_body(&self, state: &State, ticket: &str) -> Option<Value> {
        let row = state.newest_approver(ticket, |row| row.get("state") == APPROVED)?;
        let task = row.get("sysapproval");
        let mut body = json!({
            "schema": "stint.servicenow.v1",
            "event": "approver.approved",
            "event_id": event_id(row),
            "instance": &*self.url,
            "table": row.table,
            "previous_state": row.previous("state"),
            "sysapproval": {"sys_id": task, "number": state.value(task, "number")},
            "approver": person(state, row.get("approver")),
        });
        copy(&mut body, row, &["sys_id", "state", "source_table", "document_id", "comments"]);
        copy(&mut body, row, &["sys_updated_on", "sys_updated_by", "sys_mod_count"]);
        Some(body)
    }
}

fn name(event: SnowEvent, table: &str) -> &'static str {
    match (event, table) {
        (SnowEvent::Rejected, _) => "approval.rejected",
        (SnowEvent::Cancelled, CHANGE) => "change.canceled",
        (SnowEvent::Cancelled, _) => "request.cancelled",
        (SnowEvent::Reverted, _) => "change.reverted",
        (SnowEvent::Edited, CHANGE) => "change.updated",
        (SnowEvent::Edited, _) => "request.updated",
        _ => "approval.approved",
    }
}

fn event_id(row: &Row) -> String {
    format!("{}:{}:{}", row.table, row.get("sys_id"), row.get("sys_mod_count"))
}

fn copy(body: &mut Value, row: &Row, columns: &[&str]) {
    for column in columns {
        body[*column] = json!(row.get(column));
    }
}

fn change_members(state: &State, row: &Row, body: &mut Value) {
    copy(body, row, &["type", "phase", "start_date", "end_date", "entitlement", "target_upn", "duration"]);
    body["previous_state"] = json!(row.previous("state"));
    for column in ["requested_by", "assigned_to"] {
        body[column] = person(state, row.get(column));
    }
}

fn item_members(state: &State, row: &Row, body: &mut Value) {
    let id = row.get("sys_id");
    copy(body, row, &["stage"]);
    for column in ["request", "cat_item"] {
        body[column] = json!(state.row(row.get(column)).map(title));
    }
    body["requested_for"] = person(state, row.get("requested_for"));
    let approver = state.newest_approver(id, voted);
    body["approver"] = approver.map_or(Value::Null, |row| person(state, row.get("approver")));
    body["variables"] = Value::Object(variables(state, id));
}

fn voted(row: &Row) -> bool {
    matches!(row.get("state"), "approved" | "rejected")
}

fn variables(state: &State, item: &str) -> Map<String, Value> {
    let variables = state.variables(item).into_iter();
    variables.map(|(name, option)| (name, json!(state.value(&option, "value")))).collect()
}

fn person(state: &State, user: &str) -> Value {
    state.row(user).map_or(
        json!(user),
        |row| json!({"sys_id": user, "user_name": row.get("user_name"), "email": row.get("email")}),
    )
}

fn thin(row: &Row) -> Value {
    let event = format!("approval.{}", row.get("approval"));
    let mut body = json!({"schema": "stint.servicenow.v1", "event": event, "table": row.table});
    copy(&mut body, row, &["sys_id", "number", "sys_mod_count"]);
    body
}

fn display_values(state: &State, row: &Row) -> Value {
    let zone = state.zone(&state.user_name(row.get("opened_by")));
    let mut body = json!({"number": row.get("number"), "sys_id": row.get("sys_id")});
    for column in ["approval", "state", "stage", "short_description", "sys_updated_on"] {
        if let Some(kind) = schema::kind(row.table, column) {
            body[column] = json!(display(row.table, column, kind, row.get(column), &zone));
        }
    }
    for column in ["requested_for", "opened_by"] {
        body[column] = json!(state.row(row.get(column)).map(title));
    }
    for (name, value) in variables(state, row.get("sys_id")) {
        body[name] = value;
    }
    body
}
