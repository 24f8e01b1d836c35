//! What directory roles ask, and how their rows read.

use serde_json::{Value, json};

use super::{ANA, ROLE, ana, assign_order, claimed, instance_row, remove_order, request_row, role_at, schedule_row};
use crate::{
    domain::assignment::{Progress, ScheduleAction},
    outbound::{Body, Call},
};

fn body(call: Call) -> Value {
    match call.body {
        Body::Json(body) => body,
        Body::Empty | Body::Text(_) => Value::Null,
    }
}

#[test]
fn an_assignment_is_asked_for_by_duration_with_ticket_and_marker() {
    let call = claimed(&role_at("/")).assign(&assign_order());
    assert_eq!(
        (call.method.as_str(), call.path.as_str()),
        ("POST", "/roleManagement/directory/roleAssignmentScheduleRequests")
    );
    let wanted = json!({
        "action": "adminAssign", "principalId": ANA, "roleDefinitionId": ROLE, "directoryScopeId": "/",
        "justification": "CHG0042117 stint:7b1e1f6a reset MFA",
        "scheduleInfo": {
            "startDateTime": "2026-11-03T09:15:00Z",
            "expiration": {"type": "afterDuration", "duration": "PT2H"},
        },
        "ticketInfo": {"ticketNumber": "CHG0042117", "ticketSystem": "servicenow"},
    });
    assert_eq!(body(call), wanted);
}

#[test]
fn a_removal_names_the_holding_and_carries_no_schedule() {
    let wanted = json!({
        "action": "adminRemove", "principalId": ANA, "roleDefinitionId": ROLE, "directoryScopeId": "/",
        "justification": "CHG0042117 stint:7b1e1f6a",
    });
    assert_eq!(body(claimed(&role_at("/")).remove(&remove_order())), wanted);
}

#[test]
fn a_long_justification_is_cut_to_500_characters() {
    let mut order = assign_order();
    order.justification = "ä".repeat(900);
    let sent = body(claimed(&role_at("/")).assign(&order));
    assert_eq!(sent["justification"].as_str().expect("a text").chars().count(), 500);
}

#[test]
fn a_cancellation_names_the_schedule_request_in_its_path() {
    let call = claimed(&role_at("/")).cancel("a4d8/..");
    let path = "/roleManagement/directory/roleAssignmentScheduleRequests/a4d8%2F../cancel";
    assert_eq!((call.path.as_str(), call.body), (path, Body::Empty));
}

#[test]
fn lists_are_filtered_by_principal_and_role() {
    let role = claimed(&role_at("/"));
    for (call, name) in [
        (role.list_requests(ana()), "roleAssignmentScheduleRequests"),
        (role.list_schedules(ana()), "roleAssignmentSchedules"),
        (role.list_instances(ana()), "roleAssignmentScheduleInstances"),
    ] {
        assert_eq!(call.path, format!("/roleManagement/directory/{name}"));
        let filter = format!("principalId eq '{ANA}' and roleDefinitionId eq '{ROLE}'");
        assert_eq!(call.query, [("$filter".to_owned(), filter)]);
    }
}

#[test]
fn a_schedule_request_is_read_with_its_time_cut_to_microseconds() {
    let read = claimed(&role_at("/")).read_request(ana(), &request_row(&json!({})));
    let request = read.expect("readable").expect("about this holding");
    assert_eq!((request.action, request.progress), (ScheduleAction::Assign, Progress::Done));
    assert_eq!(request.created_at.expect("a time").to_string(), "2026-11-03T09:15:01.203417Z");
    assert_eq!(request.schedule_id.as_deref(), Some("a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01"));
}

#[test]
fn each_status_word_means_one_progress_in_any_case() {
    let words = [
        (Progress::Done, "Provisioned ScheduleCreated"),
        (Progress::Granted, "Granted"),
        (Progress::Underway, "PendingScheduleCreation PendingProvisioning Accepted ProvisioningStarted"),
        (Progress::Underway, "PendingEvaluation PendingExternalProvisioning AdminApproved PendingRevocation"),
        (Progress::Underway, "PendingApproval PendingApprovalProvisioning PendingAdminDecision"),
        (Progress::Revoked, "Revoked"),
        (Progress::Over, "Canceled Denied AdminDenied Failed FailedAsResourceIsLocked Invalid TimedOut"),
        (Progress::Unknown, "Provisionedish Expired unknownFutureValue"),
    ];
    let read = |word: &str| {
        let row = request_row(&json!({"status": word}));
        let request = claimed(&role_at("/")).read_request(ana(), &row);
        request.expect("readable").expect("about this holding").progress
    };
    for (progress, words) in words {
        for word in words.split(' ') {
            assert_eq!((read(word), read(&word.to_uppercase())), (progress, progress), "{word}");
        }
    }
}

#[test]
fn direct_means_assigned_to_the_principal_itself_in_any_case() {
    for (member, assignment, direct) in [
        ("Direct", "Assigned", true),
        ("direct", "assigned", true),
        ("Group", "Assigned", false),
        ("Inherited", "Assigned", false),
        ("Direct", "Activated", false),
    ] {
        let row = json!({"memberType": member, "assignmentType": assignment});
        let role = claimed(&role_at("/"));
        let instance = role.read_instance(ana(), &instance_row(&row)).expect("readable").expect("ours");
        let schedule = role.read_schedule(ana(), &schedule_row(&row)).expect("readable").expect("ours");
        assert_eq!((instance.direct, schedule.direct), (direct, direct), "{row}");
    }
}

#[test]
fn an_instance_shows_when_it_ends_and_a_standing_one_that_it_does_not() {
    let role = claimed(&role_at("/"));
    let instance = role.read_instance(ana(), &instance_row(&json!({}))).expect("readable").expect("ours");
    assert_eq!(instance.ends_at.expect("an end").to_string(), "2026-11-03T11:15:03.613123Z");
    let standing = instance_row(&json!({"startDateTime": null, "endDateTime": null}));
    let instance = role.read_instance(ana(), &standing).expect("readable").expect("ours");
    assert_eq!((instance.starts_at, instance.ends_at), (None, None));
}

#[test]
fn rows_about_another_principal_role_or_scope_are_left_out() {
    let other = "7d5b90e2-1c34-4a8f-b6d7-e0f1a2b3c4d5";
    for changes in [
        json!({"principalId": other}),
        json!({"roleDefinitionId": other}),
        json!({"directoryScopeId": "/administrativeUnits/7D5B90E2-1C34-4A8F-B6D7-E0F1A2B3C4D5"}),
        json!({"directoryScopeId": null, "appScopeId": "/x"}),
    ] {
        let unit = format!("/administrativeUnits/{other}");
        let read = claimed(&role_at(&unit)).read_instance(ana(), &instance_row(&changes));
        assert_eq!(read, Ok(None), "{changes}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_a_fault_and_never_left_out() {
    for changes in [
        json!({"id": null}),
        json!({"principalId": null}),
        json!({"principalId": "ana"}),
        json!({"roleDefinitionId": ["x"]}),
        json!({"directoryScopeId": null}),
        json!({"appScopeId": 1}),
        json!({"memberType": null}),
        json!({"assignmentType": 2}),
        json!({"endDateTime": "soon"}),
        json!({"startDateTime": 0}),
        json!({"roleAssignmentScheduleId": {}}),
    ] {
        let read = claimed(&role_at("/")).read_instance(ana(), &instance_row(&changes));
        assert!(read.is_err(), "{changes}");
    }
    for row in [json!([]), json!("x"), json!(null)] {
        assert!(claimed(&role_at("/")).read_schedule(ana(), &row).is_err());
    }
}
