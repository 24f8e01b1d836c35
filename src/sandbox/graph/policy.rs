//! Role management policies: what a role's owner allows (`contracts/graph.md §4`).

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::query::Query;
use super::refusal::Refusal;
use super::state::{State, Tenant};
use super::{Asked, Graph, Outcome};

/// The two rules that bind an administrator who assigns the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicy {
    /// Longest assignment, as an ISO 8601 duration. `PT0S` refuses every duration.
    pub maximum_duration: String,
    /// Whether an assignment must end.
    pub expiration_required: bool,
    /// `Justification`, `Ticketing`, `MultiFactorAuthentication`.
    pub enabled_rules: Vec<String>,
}

impl Default for RolePolicy {
    fn default() -> Self {
        Self {
            maximum_duration: "P15D".to_owned(),
            expiration_required: true,
            enabled_rules: vec!["Justification".to_owned()],
        }
    }
}

impl RolePolicy {
    /// The rules an assignment breaks, as the service names them. An application never satisfies MFA.
    pub(super) fn broken(&self, justified: bool, ticketed: bool, length_seconds: Option<i64>) -> Vec<&'static str> {
        let enabled = |name: &str| self.enabled_rules.iter().any(|rule| rule == name);
        let maximum = duration_seconds(&self.maximum_duration).unwrap_or(0);
        let bad_length = match length_seconds {
            Some(seconds) => seconds < MINIMUM_SECONDS || (self.expiration_required && seconds > maximum),
            None => self.expiration_required,
        };
        let rules = [
            ("MfaRule", enabled("MultiFactorAuthentication")),
            ("JustificationRule", enabled("Justification") && !justified),
            ("TicketingRule", enabled("Ticketing") && !ticketed),
            ("ExpirationRule", bad_length),
        ];
        rules.into_iter().filter(|(_, broken)| *broken).map(|(name, _)| name).collect()
    }
}

/// No assignment is shorter, and none is removed earlier.
pub(super) const MINIMUM_SECONDS: i64 = 300;

/// An ISO 8601 duration of days, hours, minutes and seconds; years, months and weeks are not allowed.
pub(super) fn duration_seconds(text: &str) -> Option<i64> {
    let date = text.split('T').next()?;
    if !text.starts_with('P') || text.ends_with('T') || date.contains(['Y', 'M', 'W']) {
        return None;
    }
    let span: jiff::Span = text.parse().ok()?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(length.as_secs())
}

impl Graph {
    pub(super) fn policy_assignments(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        query.only(&["scopeId", "scopeType", "roleDefinitionId"])?;
        if query.wanted("scopeId").is_none() || query.wanted("scopeType").is_none() {
            return Err(Refusal::bad("A filter by scopeId and scopeType is required."));
        }
        let expanded = uri.query().is_some_and(|query| query.contains("rules"));
        let page_size = state.knobs.page_size;
        let tenant_id = asked.caller.tenant;
        let tenant = state.tenant(tenant_id);
        let rows = tenant.roles.keys().map(|role| assignment(tenant, tenant_id, role, expanded, asked.now)).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, page_size))))
    }

    pub(super) fn policy_rules(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let page_size = state.knobs.page_size;
        let tenant_id = asked.caller.tenant;
        let tenant = state.tenant(tenant_id);
        let role = tenant.roles.keys().find(|role| policy_id(tenant_id, role) == id);
        let role = role.ok_or_else(|| Refusal::pim_object(id))?;
        let rows = rules(&tenant.policy(role));
        let uri = asked.request.uri();
        Ok((200, Some(Query::of(uri)?.page(&self.url, uri, rows, page_size))))
    }
}

impl Tenant {
    pub(super) fn policy(&self, role: &str) -> RolePolicy {
        self.policies.get(role).cloned().unwrap_or_default()
    }
}

fn policy_id(tenant: Uuid, role: &str) -> String {
    // Any stable id that differs from the role's will do.
    let role = role.parse::<Uuid>().unwrap_or_default();
    format!("DirectoryRole_{tenant}_{}", Uuid::from_u128(!role.as_u128()))
}

fn assignment(tenant: &Tenant, tenant_id: Uuid, role: &str, expanded: bool, now: Timestamp) -> Value {
    let id = policy_id(tenant_id, role);
    let mut row = json!({
        "id": format!("{id}_{role}"),
        "policyId": id,
        "scopeId": "/",
        "scopeType": "DirectoryRole",
        "roleDefinitionId": role,
    });
    if expanded {
        let touched = tenant.policies.contains_key(role);
        row["policy"] = json!({
            "id": id,
            "displayName": "DirectoryRole",
            "description": "DirectoryRole",
            "isOrganizationDefault": false,
            "scopeId": "/",
            "scopeType": "DirectoryRole",
            "lastModifiedDateTime": touched.then(|| now.to_string()),
            "lastModifiedBy": {"displayName": null, "id": null},
            "rules": rules(&tenant.policy(role)),
        });
    }
    row
}

/// All seventeen rules, in the service's order.
fn rules(policy: &RolePolicy) -> Vec<Value> {
    let mut rules = vec![expiration("Admin", "Eligibility", false, "P365D"), enablement("Admin", "Eligibility", &[])];
    rules.extend(notifications("Admin", "Eligibility"));
    rules.push(expiration("Admin", "Assignment", policy.expiration_required, &policy.maximum_duration));
    rules.push(enablement("Admin", "Assignment", &policy.enabled_rules));
    rules.extend(notifications("Admin", "Assignment"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_seventeen_rules_with_distinct_ids() {
        let ids: std::collections::BTreeSet<String> =
            rules(&RolePolicy::default()).iter().map(|rule| rule["id"].to_string()).collect();
        assert_eq!(ids.len(), 17);
    }

    #[test]
    fn durations_know_days_but_not_months() {
        assert_eq!(duration_seconds("PT4H"), Some(14_400));
        assert_eq!(duration_seconds("P1DT1M"), Some(86_460));
        assert_eq!(duration_seconds("P1M"), None);
        assert_eq!(duration_seconds("8 hours"), None);
    }
}
