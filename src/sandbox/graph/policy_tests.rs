//! Policies of roles and groups, for assignments and for eligibilities.

use serde_json::Value;

use super::super::story::TENANT;
use super::super::testing::{REQUESTS, ROLE, World, assignment};
use super::surface_tests::{GROUP, GROUP_REQUESTS, place, world};
use super::tests::{code, graph};
use super::{Access, Level, RolePolicy};

const LIST: &str = "policies/roleManagementPolicyAssignments";
const REFUSED: &str = "RoleAssignmentRequestPolicyValidationFailed";

fn at_most(duration: &str) -> RolePolicy {
    RolePolicy { maximum_duration: duration.to_owned(), ..RolePolicy::default() }
}

async fn policies(world: &World, filter: &str) -> Vec<Value> {
    let (status, body) = world.graph_get(&format!("{LIST}?$filter={filter}&$expand=policy($expand=rules)")).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_array().unwrap().clone()
}

fn rule<'a>(row: &'a Value, id: &str) -> &'a Value {
    row["policy"]["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == id).unwrap()
}

#[tokio::test]
async fn eligibility_has_limits_of_its_own() {
    let world = World::story().await;
    graph(&world).set_policy(TENANT, ROLE, at_most("PT2H"));
    graph(&world).set_eligibility_policy(TENANT, ROLE, at_most("P30D"));
    let eligible = "roleManagement/directory/roleEligibilityScheduleRequests";
    assert_eq!(code(&world.graph_post(REQUESTS, &assignment("PT3H")).await.unwrap().1), REFUSED);
    assert_eq!(world.graph_post(eligible, &assignment("PT3H")).await.unwrap().0, 201);
    assert_eq!(code(&world.graph_post(eligible, &assignment("P31D")).await.unwrap().1), "RoleAssignmentExists");

    let filter = format!("scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '{ROLE}'");
    let row = policies(&world, &filter).await.remove(0);
    assert_eq!(rule(&row, "Expiration_Admin_Assignment")["maximumDuration"], "PT2H");
    assert_eq!(rule(&row, "Expiration_Admin_Eligibility")["maximumDuration"], "P30D");
    assert_eq!(row["policy"]["lastModifiedDateTime"], "2026-11-03T09:00:00.0000000Z");
    world.pass(60);
    assert_eq!(policies(&world, &filter).await[0], row, "reading is not editing");
}

#[tokio::test]
async fn a_group_has_a_policy_for_its_members_and_one_for_its_owners() {
    let world = world().await;
    let filter = format!("scopeId eq '{GROUP}' and scopeType eq 'Group'");
    let before = policies(&world, &filter).await;
    let whom: Vec<_> = before.iter().map(|row| row["roleDefinitionId"].as_str().unwrap()).collect();
    assert_eq!(whom, ["member", "owner"]);
    assert_eq!(before[0]["policy"]["lastModifiedDateTime"], Value::Null);

    graph(&world).set_group_policy(TENANT, GROUP, Access::Member, Level::Assignment, at_most("PT2H"));
    let row = policies(&world, &format!("{filter} and roleDefinitionId eq 'member'")).await.remove(0);
    assert_ne!(row["policyId"], before[0]["policyId"], "onboarding changes the ids");
    assert_eq!(rule(&row, "Expiration_Admin_Assignment")["maximumDuration"], "PT2H");
    let path = format!("policies/roleManagementPolicies/{}/rules", row["policyId"].as_str().unwrap());
    let (_, rules) = world.graph_get(&path).await;
    assert_eq!(rules["value"], row["policy"]["rules"]);

    assert_eq!(code(&world.graph_post(GROUP_REQUESTS, &place("PT3H")).await.unwrap().1), REFUSED);
    assert_eq!(world.graph_post(GROUP_REQUESTS, &place("PT2H")).await.unwrap().0, 201);
}

#[tokio::test]
async fn the_filters_are_mandatory_and_name_a_group_that_pim_knows() {
    let world = world().await;
    for filter in ["", "?$filter=scopeType eq 'Group'"] {
        assert_eq!(world.graph_get(&format!("{LIST}{filter}")).await.0, 400, "{filter}");
    }
    let strange = format!("{LIST}?$filter=scopeId eq '00000000-0000-4000-8000-000000000000' and scopeType eq 'Group'");
    assert_eq!(code(&world.graph_get(&strange).await.1), "ResourceNotFound");
    assert_eq!(policies(&world, "scopeId eq '/' and scopeType eq 'Directory'").await.len(), 3);
}

#[tokio::test]
async fn a_policy_can_hold_a_rule_nobody_has_heard_of() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.unknown_rule = true);
    let rows = policies(&world, "scopeId eq '/' and scopeType eq 'DirectoryRole'").await;
    assert_eq!(rows[0]["policy"]["rules"].as_array().unwrap().len(), 18);
}
