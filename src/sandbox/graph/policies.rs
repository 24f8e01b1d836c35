//! Reading policies (`contracts/graph.md §4`).

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::wire::graph_date;
use super::knobs::Knobs;
use super::policy::PolicyKey;
use super::query::Query;
use super::refusal::Refusal;
use super::rules::{rules, unknown};
use super::state::{State, Tenant};
use super::surface::{Access, Level, What};
use super::{Asked, Graph, Outcome};

impl Graph {
    pub(super) fn policy_assignments(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        query.only(&["scopeId", "scopeType", "roleDefinitionId"])?;
        let (Some(scope), Some(kind)) = (query.wanted("scopeId"), query.wanted("scopeType")) else {
            return Err(Refusal::bad("A filter by scopeId and scopeType is required."));
        };
        let knobs = state.knobs.clone();
        let tenant = state.tenant(asked.caller.tenant);
        if kind.eq_ignore_ascii_case("Group") {
            tenant.pim_group(scope, &knobs, asked.now)?;
        }
        let expanded = uri.query().is_some_and(|query| query.contains("rules"));
        let policies = tenant.policies_of(asked.caller.tenant, kind);
        let rows = policies.iter().map(|policy| policy.assignment(tenant, expanded, &knobs)).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, knobs.page_size))))
    }

    pub(super) fn policy_rules(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let tenant = state.tenant(asked.caller.tenant);
        let kinds = ["DirectoryRole", "Group"].into_iter();
        let mut policies = kinds.flat_map(|kind| tenant.policies_of(asked.caller.tenant, kind));
        let policy = policies.find(|policy| policy.id == id).ok_or_else(|| Refusal::pim_object(id))?;
        let rows = policy.rules(tenant, &knobs);
        let uri = asked.request.uri();
        Ok((200, Some(Query::of(uri)?.page(&self.url, uri, rows, knobs.page_size))))
    }
}

/// Where a policy is found, and what it is about.
struct Policy {
    id: String,
    scope_id: String,
    scope_type: String,
    role_definition: String,
    what: What,
}

impl Tenant {
    fn policies_of(&self, tenant_id: Uuid, kind: &str) -> Vec<Policy> {
        if kind.eq_ignore_ascii_case("Group") {
            let places = self.groups.keys().flat_map(|group| Access::ALL.map(|access| (group, access)));
            return places.map(|(group, access)| self.policy_of_group(group, access)).collect();
        }
        self.roles.keys().map(|role| policy_of_role(tenant_id, role, kind)).collect()
    }

    /// Onboarding a group, by its first request or policy edit, changes the ids of its policies (§3).
    fn policy_of_group(&self, group: &str, access: Access) -> Policy {
        let about = |what: &What| matches!(what, What::Group { group: known, .. } if known == group);
        let edited = |key: &PolicyKey| matches!(key, PolicyKey::Group(known, ..) if known == group);
        let onboarded =
            self.requests.iter().any(|request| about(&request.holding.what)) || self.policies.keys().any(edited);
        let salt = u128::from(onboarded) << 1 | u128::from(access == Access::Owner);
        let guid = Uuid::from_u128(!group.parse::<Uuid>().unwrap_or_default().as_u128() ^ salt);
        Policy {
            id: format!("Group_{group}_{guid}"),
            scope_id: group.to_owned(),
            scope_type: "Group".to_owned(),
            role_definition: access.as_str().to_owned(),
            what: What::group(group, access),
        }
    }

    fn edited_at(&self, what: &What) -> Option<Timestamp> {
        let levels = [Level::Assignment, Level::Eligibility].into_iter();
        let edits = levels.filter_map(|level| self.policies.get(&PolicyKey::of(&what.clone().at(level))));
        edits.map(|(_, at)| *at).max()
    }
}

fn policy_of_role(tenant: Uuid, role: &str, kind: &str) -> Policy {
    // Any stable id that differs from the role's will do.
    let guid = Uuid::from_u128(!role.parse::<Uuid>().unwrap_or_default().as_u128());
    let scope_type = if kind.eq_ignore_ascii_case("Directory") { "Directory" } else { "DirectoryRole" };
    Policy {
        id: format!("DirectoryRole_{tenant}_{guid}"),
        scope_id: "/".to_owned(),
        scope_type: scope_type.to_owned(),
        role_definition: role.to_owned(),
        what: What::role(role, "/"),
    }
}

impl Policy {
    fn assignment(&self, tenant: &Tenant, expanded: bool, knobs: &Knobs) -> Value {
        let mut row = json!({
            "id": format!("{}_{}", self.id, self.role_definition),
            "policyId": self.id,
            "scopeId": self.scope_id,
            "scopeType": self.scope_type,
            "roleDefinitionId": self.role_definition,
        });
        if expanded {
            row["policy"] = json!({
                "id": self.id,
                "displayName": self.scope_type,
                "description": self.scope_type,
                "isOrganizationDefault": false,
                "scopeId": self.scope_id,
                "scopeType": self.scope_type,
                "lastModifiedDateTime": tenant.edited_at(&self.what).map(graph_date),
                "lastModifiedBy": {"displayName": null, "id": null},
                "rules": self.rules(tenant, knobs),
            });
        }
        row
    }

    fn rules(&self, tenant: &Tenant, knobs: &Knobs) -> Vec<Value> {
        let eligibility = self.what.clone().at(Level::Eligibility);
        let mut rules = rules(&tenant.policy_for(&self.what), &tenant.policy_for(&eligibility));
        rules.extend(knobs.unknown_rule.then(unknown));
        rules
    }
}
