//! The folder as a whole: pure tables for what answers mean, and the sender against a small server over real HTTP.

mod answers;
mod calls;
mod credentials;
mod kinds;
mod people;
mod policies;
mod rows;
mod server;
mod tokens;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AssignmentTarget, TARGETS, Target};
use crate::domain::{
    assignment::{AssignOrder, Holding, RemoveOrder},
    duration::Duration,
    id::ObjectId,
    target::AssignmentKind,
};

const ANA: &str = "2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32";
const ROLE: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";
const CALL_ID: &str = "3f6f6c1b-8a54-4a0e-9a0b-0d6c2b7e9f11";

fn ana() -> ObjectId {
    ANA.parse().expect("an id")
}

fn role_at(scope: &str) -> Target {
    target("directory-role", AssignmentKind::Active, &[("role", ROLE), ("scope", scope)])
}

fn target(kind: &str, assignment: AssignmentKind, keys: &[(&str, &str)]) -> Target {
    let keys = keys.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Target { kind: kind.to_owned(), assignment, keys }
}

fn holding() -> Holding {
    Holding { principal: ana(), target: role_at("/") }
}

fn call_id() -> Uuid {
    CALL_ID.parse().expect("an id")
}

fn start() -> Timestamp {
    "2026-11-03T09:15:00Z".parse().expect("a time")
}

fn assign_order() -> AssignOrder {
    AssignOrder {
        holding: holding(),
        duration: Duration::hours(2),
        justification: "CHG0042117 stint:7b1e1f6a reset MFA".into(),
        ticket_number: "CHG0042117".into(),
        ticket_system: "servicenow".into(),
        start: start(),
        only_validate: false,
        call_id: call_id(),
    }
}

fn remove_order() -> RemoveOrder {
    RemoveOrder { holding: holding(), justification: "CHG0042117 stint:7b1e1f6a".into(), call_id: call_id() }
}

fn claimed(target: &Target) -> Box<dyn AssignmentTarget> {
    let kinds: Vec<_> = TARGETS.iter().filter(|kind| kind.takes(target)).collect();
    assert_eq!(kinds.len(), 1, "each target belongs to exactly one entry");
    (kinds[0].make)(target).expect("good keys")
}

/// A schedule request as PIM answers it (`contracts/graph.md` §2.2), with changes.
fn request_row(changes: &Value) -> Value {
    let row = json!({
        "id": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01", "status": "Provisioned",
        "createdDateTime": "2026-11-03T09:15:01.2034178Z", "completedDateTime": "2026-11-03T09:15:03.6120044Z",
        "approvalId": null, "action": "adminAssign", "principalId": ANA, "roleDefinitionId": ROLE,
        "directoryScopeId": "/", "appScopeId": null, "isValidationOnly": false,
        "targetScheduleId": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01",
        "justification": "CHG0042117 stint:7b1e1f6a reset MFA",
    });
    changed(row, changes)
}

fn schedule_row(changes: &Value) -> Value {
    let row = json!({
        "id": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01", "principalId": ANA, "roleDefinitionId": ROLE,
        "directoryScopeId": "/", "appScopeId": null, "createdUsing": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01",
        "status": "Provisioned", "assignmentType": "Assigned", "memberType": "Direct",
    });
    changed(row, changes)
}

fn instance_row(changes: &Value) -> Value {
    let row = json!({
        "id": "5wuT_mJe20eRr5jDpJo4sRpLfizYkwVPimxbHQ6fejI-1", "principalId": ANA, "roleDefinitionId": ROLE,
        "directoryScopeId": "/", "appScopeId": null, "startDateTime": "2026-11-03T09:15:04.78Z",
        "endDateTime": "2026-11-03T11:15:03.6131239Z", "assignmentType": "Assigned", "memberType": "Direct",
        "roleAssignmentScheduleId": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01",
    });
    changed(row, changes)
}

fn user_row(changes: &Value) -> Value {
    let row = json!({
        "id": ANA, "userPrincipalName": "ana.ruiz@fabrikam.example", "mail": "ana@fabrikam.example",
        "accountEnabled": true, "userType": "Member", "externalUserState": null, "displayName": "Ana Ruiz",
    });
    changed(row, changes)
}

fn changed(mut row: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        row[name] = value.clone();
    }
    row
}

/// Graph's error document.
fn error_body(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "innerError": {"date": "2026-11-03T09:15:02"}}})
}
