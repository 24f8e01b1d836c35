//! The rules of a policy as the service shows them (`contracts/graph.md §4`).

use serde_json::{Value, json};

use super::policy::RolePolicy;

/// All seventeen rules, in the service's order.
pub(super) fn rules(assignment: &RolePolicy, eligibility: &RolePolicy) -> Vec<Value> {
    let mut rules = Vec::new();
    for (level, policy) in [("Eligibility", eligibility), ("Assignment", assignment)] {
        rules.push(expiration("Admin", level, policy.expiration_required, &policy.maximum_duration));
        rules.push(enablement("Admin", level, &policy.enabled_rules));
        rules.extend(notifications("Admin", level));
    }
    rules.push(expiration("EndUser", "Assignment", true, "PT8H"));
    let on_activation = ["MultiFactorAuthentication".to_owned(), "Justification".to_owned()];
    rules.push(enablement("EndUser", "Assignment", &on_activation));
    rules.push(approval());
    rules.push(authentication_context());
    rules.extend(notifications("EndUser", "Assignment"));
    rules
}

fn rule(kind: &str, id: &str, caller: &str, level: &str, fields: Value) -> Value {
    let mut rule = fields;
    rule["@odata.type"] = json!(format!("#microsoft.graph.unifiedRoleManagementPolicy{kind}Rule"));
    rule["id"] = json!(id);
    rule["target"] = json!({
        "caller": caller, "operations": ["all"], "level": level, "inheritableSettings": [], "enforcedSettings": [],
    });
    rule
}

fn expiration(caller: &str, level: &str, required: bool, maximum: &str) -> Value {
    let fields = json!({"isExpirationRequired": required, "maximumDuration": maximum});
    rule("Expiration", &format!("Expiration_{caller}_{level}"), caller, level, fields)
}

fn enablement(caller: &str, level: &str, enabled: &[String]) -> Value {
    rule("Enablement", &format!("Enablement_{caller}_{level}"), caller, level, json!({"enabledRules": enabled}))
}

fn approval() -> Value {
    let fields = json!({"setting": {
        "isApprovalRequired": false, "isApprovalRequiredForExtension": false,
        "isRequestorJustificationRequired": true, "approvalMode": "SingleStage", "approvalStages": [],
    }});
    rule("Approval", "Approval_EndUser_Assignment", "EndUser", "Assignment", fields)
}

fn authentication_context() -> Value {
    let fields = json!({"isEnabled": false, "claimValue": null});
    let id = "AuthenticationContext_EndUser_Assignment";
    rule("AuthenticationContext", id, "EndUser", "Assignment", fields)
}

fn notifications(caller: &'static str, level: &'static str) -> impl Iterator<Item = Value> {
    ["Admin", "Requestor", "Approver"].into_iter().map(move |recipient| {
        let fields = json!({
            "notificationType": "Email", "recipientType": recipient, "notificationLevel": "All",
            "isDefaultRecipientsEnabled": true, "notificationRecipients": [],
        });
        rule("Notification", &format!("Notification_{recipient}_{caller}_{level}"), caller, level, fields)
    })
}

/// A rule that the documentation does not know.
pub(super) fn unknown() -> Value {
    rule("Quota", "Quota_Admin_Assignment", "Admin", "Assignment", json!({"maximumMembers": 5}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_seventeen_rules_with_distinct_ids() {
        let rules = rules(&RolePolicy::default(), &RolePolicy::of_eligibility());
        let ids: std::collections::BTreeSet<String> = rules.iter().map(|rule| rule["id"].to_string()).collect();
        assert_eq!((rules.len(), ids.len()), (17, 17));
    }
}
