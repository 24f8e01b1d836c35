//! Where each kind's policy is found, and what its rules say.

use serde_json::{Value, json};

use super::{ROLE, claimed, role_at, target};
use crate::{
    domain::{
        duration::Duration,
        pim_policy::{Demand, PimPolicy},
        target::{AssignmentKind, Target},
    },
    graph::{GraphError, policy},
};

const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";

fn group(assignment: AssignmentKind) -> Target {
    target("group", assignment, &[("group", GROUP), ("access", "owner")])
}

fn rule(kind: &str, id: &str, fields: Value) -> Value {
    let words: Vec<&str> = id.split('_').collect();
    let mut rule = fields;
    rule["@odata.type"] = json!(format!("#microsoft.graph.unifiedRoleManagementPolicy{kind}Rule"));
    rule["id"] = json!(id);
    rule["target"] = json!({"caller": words[words.len() - 2], "operations": ["all"], "level": words[words.len() - 1],
        "inheritableSettings": [], "enforcedSettings": []});
    rule
}

/// A role's policy as PIM answers it: months of eligibility without demands, eight hours of assignment with two.
fn role_row() -> Value {
    let rules = vec![
        rule(
            "Expiration",
            "Expiration_Admin_Eligibility",
            json!({"isExpirationRequired": false, "maximumDuration": "P365D"}),
        ),
        rule("Enablement", "Enablement_Admin_Eligibility", json!({"enabledRules": []})),
        rule("Notification", "Notification_Admin_Admin_Assignment", json!({"notificationType": "Email"})),
        rule(
            "Expiration",
            "Expiration_Admin_Assignment",
            json!({"isExpirationRequired": true, "maximumDuration": "PT8H"}),
        ),
        rule("Enablement", "Enablement_Admin_Assignment", json!({"enabledRules": ["Justification", "Ticketing"]})),
        rule(
            "Expiration",
            "Expiration_EndUser_Assignment",
            json!({"isExpirationRequired": true, "maximumDuration": "PT1H"}),
        ),
        rule("Enablement", "Enablement_EndUser_Assignment", json!({"enabledRules": ["MultiFactorAuthentication"]})),
        rule("Approval", "Approval_EndUser_Assignment", json!({"setting": {"isApprovalRequired": true}})),
    ];
    row("/", "DirectoryRole", ROLE, &rules)
}

fn row(scope: &str, scope_type: &str, role: &str, rules: &[Value]) -> Value {
    json!({"id": "x", "policyId": "y", "scopeId": scope, "scopeType": scope_type, "roleDefinitionId": role,
        "policy": {"id": "y", "scopeId": scope, "scopeType": scope_type, "rules": rules}})
}

/// The role's row with one field of a rule changed.
fn changed(rule: &str, field: &str, value: Value) -> Value {
    let mut row = role_row();
    let rules = row["policy"]["rules"].as_array_mut().expect("rules");
    rules.iter_mut().find(|found| found["id"] == rule).expect("the rule")[field] = value;
    row
}

fn find(target: &Target, rows: &[Value]) -> Result<Option<PimPolicy>, GraphError> {
    policy::find(rows, &*claimed(target), target.assignment)
}

fn active(row: Value) -> Result<PimPolicy, GraphError> {
    find(&role_at("/"), &[row]).map(|found| found.expect("a policy"))
}

#[test]
fn each_kinds_policy_is_asked_for_by_what_it_is_about() {
    let filter = |target: &Target| {
        let call = claimed(target).policy().read();
        assert_eq!(call.path, "/policies/roleManagementPolicyAssignments");
        assert_eq!(call.query[1], ("$expand".into(), "policy($expand=rules)".into()));
        call.query[0].1.clone()
    };
    let of_role = format!("scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '{ROLE}'");
    let unit = "/administrativeUnits/91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";
    let eligible = target("directory-role", AssignmentKind::Eligible, &[("role", ROLE), ("scope", "/")]);
    assert_eq!([filter(&role_at("/")), filter(&role_at(unit)), filter(&eligible)], [&of_role; 3].map(Clone::clone));
    let of_group = format!("scopeId eq '{GROUP}' and scopeType eq 'Group' and roleDefinitionId eq 'owner'");
    assert_eq!(filter(&group(AssignmentKind::Active)), of_group);
    assert_eq!(filter(&group(AssignmentKind::Eligible)), of_group);
}

#[test]
fn only_the_rules_for_administrators_at_the_targets_own_level_bind() {
    let wanted = PimPolicy {
        maximum: Some(Duration::hours(8)),
        expiration_required: true,
        demands: vec![Demand::Justification, Demand::Ticketing],
    };
    assert_eq!(active(role_row()), Ok(wanted));
    let eligible = target("directory-role", AssignmentKind::Eligible, &[("role", ROLE), ("scope", "/")]);
    let found = find(&eligible, &[role_row()]).expect("readable").expect("a policy");
    assert_eq!(found.maximum, Some(Duration::hours(365 * 24)));
    assert_eq!((found.expiration_required, found.demands), (false, vec![]));
}

#[test]
fn several_factors_are_seen_in_any_spelling_and_unknown_demands_kept() {
    let demands = json!(["multifactorauthentication", "Fingerprint"]);
    let policy = active(changed("Enablement_Admin_Assignment", "enabledRules", demands)).expect("readable");
    assert_eq!(policy.demands, [Demand::Mfa, Demand::Unknown("Fingerprint".into())]);
    let mut row = role_row();
    let rules = row["policy"]["rules"].as_array_mut().expect("rules");
    rules.push(rule("Quota", "Quota_Admin_Assignment", json!({})));
    rules.push(rule("Quota", "Quota_Admin_Eligibility", json!({})));
    let demands = active(row).expect("readable").demands;
    assert_eq!(demands[2..], [Demand::Unknown("Quota_Admin_Assignment".into())]);
}

#[test]
fn lengths_count_days_of_24_hours_and_zero_is_a_length() {
    let seconds = |text: Value| {
        active(changed("Expiration_Admin_Assignment", "maximumDuration", text))
            .map(|p| p.maximum.map(Duration::as_secs))
    };
    for (text, length) in [
        ("PT0S", 0),
        ("P0D", 0),
        ("P15D", 15 * 86_400),
        ("P1DT1H30M", 86_400 + 5_400),
        ("PT4H59M59.999S", 17_999),
        ("P99999999999D", u32::MAX),
    ] {
        assert_eq!(seconds(json!(text)), Ok(Some(length)), "{text}");
    }
    assert_eq!(seconds(Value::Null), Ok(None));
    for text in
        ["", "P", "PT", "P1M", "P1Y", "P1W", "-PT1H", "PT-1H", "P1H", "PT1M1H", "PT1.5H", "PT1.S", "8 hours", "PT4Hx"]
    {
        assert_eq!(seconds(json!(text)).map_err(|e| e.code()), Err("graph-bad-answer"), "{text}");
    }
    assert_eq!(seconds(json!(8)).map_err(|e| e.code()), Err("graph-bad-answer"));
}

#[test]
fn without_both_rules_nothing_is_known() {
    for broken in [
        changed("Expiration_Admin_Assignment", "id", json!("Expiration_Admin_Other")),
        changed("Enablement_Admin_Assignment", "id", json!("Enablement_Admin_Other")),
        changed("Enablement_Admin_Assignment", "enabledRules", Value::Null),
        changed("Enablement_Admin_Assignment", "enabledRules", json!([1])),
        changed("Expiration_Admin_Assignment", "@odata.type", json!("#microsoft.graph.somethingElse")),
        row("/", "DirectoryRole", ROLE, &[]),
        json!({"scopeId": "/", "scopeType": "DirectoryRole", "roleDefinitionId": ROLE}),
    ] {
        assert_eq!(active(broken.clone()).map_err(|e| e.code()), Err("graph-bad-answer"), "{broken}");
    }
}

#[test]
fn policies_of_others_are_not_taken_and_two_of_ones_own_are_no_answer() {
    let other_role = row("/", "DirectoryRole", "29232cdf-9323-42fd-ade2-1d097af3e4de", &[]);
    let other_type = row("/", "Directory", ROLE, &[]);
    assert_eq!(find(&role_at("/"), &[other_role.clone(), other_type]), Ok(None));
    assert_eq!(find(&role_at("/"), &[]), Ok(None));
    assert!(matches!(find(&role_at("/"), &[other_role, role_row()]), Ok(Some(_))));
    let twice = find(&role_at("/"), &[role_row(), role_row()]);
    assert_eq!(twice.map_err(|e| e.code()), Err("graph-bad-answer"));
    let member = row(GROUP, "Group", "member", &[]);
    assert_eq!(find(&group(AssignmentKind::Active), &[member]), Ok(None));
    let rules = role_row()["policy"]["rules"].as_array().expect("rules").clone();
    let owner = row(&GROUP.to_uppercase(), "group", "Owner", &rules);
    assert!(matches!(find(&group(AssignmentKind::Active), &[owner]), Ok(Some(_))));
}

#[test]
fn a_target_names_what_it_is_made_of() {
    let names = |target: &Target| -> Vec<(String, String)> {
        claimed(target).parts().into_iter().map(|part| (part.name, part.call.path)).collect()
    };
    let role = (format!("role {ROLE}"), format!("/roleManagement/directory/roleDefinitions/{ROLE}"));
    assert_eq!(names(&role_at("/")), std::slice::from_ref(&role));
    let unit = (format!("administrative unit {GROUP}"), format!("/directory/administrativeUnits/{GROUP}"));
    assert_eq!(names(&role_at(&format!("/administrativeUnits/{GROUP}"))), [role.clone(), unit]);
    let object = (format!("object {GROUP}"), format!("/directoryObjects/{GROUP}"));
    assert_eq!(names(&role_at(&format!("/{GROUP}"))), [role, object]);
    let place = (format!("group {GROUP}"), format!("/groups/{GROUP}"));
    assert_eq!(names(&group(AssignmentKind::Eligible)), [place]);
}
