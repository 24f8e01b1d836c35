//! What each kind of target asks for and where, and how it reads its own rows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ANA, ROLE, ana, assign_order, call_id, claimed, remove_order, start, target};
use crate::{
    domain::{
        assignment::{Holding, UpdateOrder},
        target::{AssignmentKind, Target},
    },
    graph::TARGETS,
    outbound::{Body, Call},
};

const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";

/// Each kind once, with its folder's path, its word for it in paths, and what names it.
fn kinds() -> [(Target, &'static str, &'static str, Value); 4] {
    let role = json!({"roleDefinitionId": ROLE, "directoryScopeId": "/"});
    let group = json!({"groupId": GROUP, "accessId": "owner"});
    let (directory, groups) = ("/roleManagement/directory", "/identityGovernance/privilegedAccess/group");
    let (active, eligible) = (AssignmentKind::Active, AssignmentKind::Eligible);
    let role_target = |assignment| target("directory-role", assignment, &[("role", ROLE), ("scope", "/")]);
    let group_target = |assignment| target("group", assignment, &[("group", GROUP), ("access", "owner")]);
    [
        (role_target(active), directory, "roleAssignment", role.clone()),
        (role_target(eligible), directory, "roleEligibility", role),
        (group_target(active), groups, "assignment", group.clone()),
        (group_target(eligible), groups, "eligibility", group),
    ]
}

fn body(call: Call) -> Value {
    match call.body {
        Body::Json(body) => body,
        Body::Empty | Body::Text(_) => Value::Null,
    }
}

fn changed(mut body: Value, names: &Value) -> Value {
    for (name, value) in names.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn every_kind_in_the_list_is_tried_here() {
    let tried = kinds();
    assert_eq!(TARGETS.len(), tried.len());
    for (target, ..) in &tried {
        claimed(target);
    }
}

#[test]
fn orders_go_to_the_kinds_own_list_and_name_what_is_given() {
    for (target, folder, word, names) in kinds() {
        let path = format!("{folder}/{word}ScheduleRequests");
        let made = claimed(&target);
        let call = made.assign(&assign_order());
        assert_eq!(call.path, path);
        let wanted = json!({
            "action": "adminAssign", "principalId": ANA, "justification": "CHG0042117 stint:7b1e1f6a reset MFA",
            "scheduleInfo": {
                "startDateTime": "2026-11-03T09:15:00Z", "expiration": {"type": "afterDuration", "duration": "PT2H"},
            },
            "ticketInfo": {"ticketNumber": "CHG0042117", "ticketSystem": "servicenow"},
        });
        assert_eq!(body(call), changed(wanted, &names));
        let removal = made.remove(&remove_order());
        let wanted = json!({
            "action": "adminRemove", "principalId": ANA, "justification": "CHG0042117 stint:7b1e1f6a",
        });
        assert_eq!((removal.path.clone(), body(removal)), (path.clone(), changed(wanted, &names)));
        assert_eq!(made.cancel("a b").path, format!("{path}/a%20b/cancel"));
    }
}

#[test]
fn another_end_is_absolute_so_that_a_repeat_changes_nothing() {
    let ends_at: Timestamp = "2026-11-03T12:00:00Z".parse().expect("a time");
    for (target, _, _, names) in kinds() {
        let order = UpdateOrder {
            holding: Holding { principal: ana(), target: target.clone() },
            ends_at,
            justification: "CHG0042117 stint:7b1e1f6a".into(),
            ticket_number: "CHG0042117".into(),
            ticket_system: "servicenow".into(),
            start: start(),
            call_id: call_id(),
        };
        let wanted = json!({
            "action": "adminUpdate", "principalId": ANA, "justification": "CHG0042117 stint:7b1e1f6a",
            "scheduleInfo": {
                "startDateTime": "2026-11-03T09:15:00Z",
                "expiration": {"type": "afterDateTime", "endDateTime": "2026-11-03T12:00:00Z"},
            },
            "ticketInfo": {"ticketNumber": "CHG0042117", "ticketSystem": "servicenow"},
        });
        assert_eq!(body(claimed(&target).update(&order)), changed(wanted, &names));
    }
}

#[test]
fn an_order_that_is_only_to_be_checked_says_so() {
    let mut order = assign_order();
    order.only_validate = true;
    for (target, ..) in kinds() {
        assert_eq!(body(claimed(&target).assign(&order))["isValidationOnly"], json!(true));
    }
}

#[test]
fn lists_are_narrowed_to_the_target_as_far_as_each_may_be() {
    for (target, folder, word, names) in kinds() {
        let made = claimed(&target);
        for (call, list) in [
            (made.list_requests(ana()), "ScheduleRequests"),
            (made.list_schedules(ana()), "Schedules"),
            (made.list_instances(ana()), "ScheduleInstances"),
        ] {
            assert_eq!(call.path, format!("{folder}/{word}{list}"));
            let filter = &call.query[0].1;
            assert!(filter.contains(&format!("principalId eq '{ANA}'")), "{filter}");
            let of_group = names.get("groupId").is_some();
            assert_eq!(filter.contains(&format!("groupId eq '{GROUP}'")), of_group, "lists of groups demand it");
        }
        let all = made.list_all_instances();
        assert_eq!(all.path, format!("{folder}/{word}ScheduleInstances"));
        assert_eq!(all.query.is_empty(), names.get("groupId").is_none());
    }
}

#[test]
fn each_kind_reads_its_own_instances_and_leaves_others() {
    for (target, _, word, names) in kinds() {
        let row = json!({
            "id": "i", "principalId": ANA, "startDateTime": null, "endDateTime": "2026-11-03T11:15:03Z",
            "memberType": "direct", "assignmentType": "assigned", "appScopeId": null,
        });
        let mut row = changed(row, &names);
        row[format!("{word}ScheduleId")] = json!("s1");
        let made = claimed(&target);
        let read = made.read_instance(ana(), &row).expect("readable").expect("ours");
        assert_eq!((read.schedule_id.as_deref(), read.direct), (Some("s1"), true));
        assert_eq!(made.holder(&row), Ok(Some(ana())));
        for name in names.as_object().expect("an object").keys() {
            let mut other = row.clone();
            other[name] = json!("7d5b90e2-1c34-4a8f-b6d7-e0f1a2b3c4d5");
            assert_eq!(made.read_instance(ana(), &other), Ok(None), "{name}");
            other[name] = Value::Null;
            assert!(made.read_instance(ana(), &other).is_err(), "{name}");
        }
    }
}

#[test]
fn what_was_activated_is_not_direct_and_what_is_eligible_never_was() {
    for (target, _, word, names) in kinds() {
        let row = json!({
            "id": "i", "principalId": ANA, "memberType": "Direct", "assignmentType": "Activated",
        });
        let read = claimed(&target).read_instance(ana(), &changed(row, &names)).expect("readable").expect("ours");
        assert_eq!(read.direct, word.ends_with("ligibility"), "{word}");
    }
}
