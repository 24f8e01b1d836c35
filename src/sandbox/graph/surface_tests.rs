//! Groups and eligibilities: the same engine behind other paths and names.

use serde_json::{Value, json};

use super::super::story::{self, TENANT};
use super::super::testing::{REQUESTS, ROLE, World, assignment};
use super::tests::{code, graph};
use super::{Access, Group, Held, ServicePrincipal, Surface, What};

pub(super) const GROUP: &str = "c3a9d2f8-7b16-4e05-a4c1-2d3e4f506172";
pub(super) const GROUP_REQUESTS: &str = "identityGovernance/privilegedAccess/group/assignmentScheduleRequests";
const GROUPS: &str = "identityGovernance/privilegedAccess/group";
const DIRECTORY: &str = "roleManagement/directory";

/// The story's world with one more group.
pub(super) async fn world() -> World {
    let world = World::story().await;
    graph(&world).add_group(TENANT, Group::security(GROUP, "Helpdesk tier 1"));
    world
}

pub(super) fn place(duration: &str) -> Value {
    let mut body = assignment(duration);
    let fields = body.as_object_mut().unwrap();
    fields.remove("roleDefinitionId");
    fields.remove("directoryScopeId");
    body["groupId"] = json!(GROUP);
    body["accessId"] = json!("member");
    body
}

async fn rows(world: &World, list: &str) -> Vec<Value> {
    let (status, body) = world.graph_get(&format!("{list}?$filter=principalId eq '{}'", story::NINA_ID)).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_array().unwrap().clone()
}

async fn is_member(world: &World) -> bool {
    let path = format!("users/{}/checkMemberGroups", story::NINA_ID);
    let (_, body) = world.graph_post(&path, &json!({"groupIds": [GROUP]})).await.unwrap();
    body["value"] == json!([GROUP])
}

#[tokio::test]
async fn an_eligible_role_has_an_instance_of_its_own_kind_and_grants_nothing() {
    let world = World::story().await;
    let path = format!("{DIRECTORY}/roleEligibilityScheduleRequests");
    let (status, body) = world.graph_post(&path, &assignment("P90D")).await.unwrap();
    assert_eq!((status, &body["targetScheduleId"]), (201, &body["id"]));

    let row = rows(&world, &format!("{DIRECTORY}/roleEligibilityScheduleInstances")).await.remove(0);
    assert_eq!(row["roleEligibilityScheduleId"], body["id"]);
    assert!(row["id"].as_str().unwrap().ends_with("-e"));
    assert_eq!(row["memberType"], "Direct");
    for absent in ["assignmentType", "roleAssignmentScheduleId", "roleAssignmentOriginId"] {
        assert!(row.get(absent).is_none(), "{absent}");
    }
    assert!(rows(&world, &format!("{DIRECTORY}/roleAssignmentScheduleInstances")).await.is_empty());
    assert!(rows(&world, REQUESTS).await.is_empty());
    assert_eq!(world.graph_get(&format!("{REQUESTS}/{}", body["id"].as_str().unwrap())).await.0, 404);
    assert_eq!(graph(&world).ledger()[0].surface, Surface::RoleEligibility);
}

#[tokio::test]
async fn eligible_and_active_stand_beside_each_other_but_each_only_once() {
    let world = World::story().await;
    let eligible = format!("{DIRECTORY}/roleEligibilityScheduleRequests");
    for path in [REQUESTS, &eligible] {
        assert_eq!(world.graph_post(path, &assignment("PT1H")).await.unwrap().0, 201);
        assert_eq!(code(&world.graph_post(path, &assignment("PT1H")).await.unwrap().1), "RoleAssignmentExists");
    }
    assert_eq!(graph(&world).active_grants(TENANT).len(), 2);
}

#[tokio::test]
async fn a_place_in_a_group_has_composite_ids_and_makes_a_member_for_its_time() {
    let world = world().await;
    assert!(!is_member(&world).await);
    let (status, body) = world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap();
    assert_eq!(
        (status, body["status"].as_str(), body["accessId"].as_str()),
        (201, Some("Provisioned"), Some("member"))
    );
    let id = body["id"].as_str().unwrap();
    assert!(id.parse::<uuid::Uuid>().is_ok());
    assert_eq!(body["targetScheduleId"], format!("{GROUP}_member_{id}"));
    assert_eq!(body["ticketInfo"]["ticketNumber"], "ITSEC-482");
    assert!(body.get("roleDefinitionId").is_none());

    let row = rows(&world, &format!("{GROUPS}/assignmentScheduleInstances")).await.remove(0);
    assert_eq!(row["assignmentScheduleId"], body["targetScheduleId"]);
    assert_eq!((&row["assignmentType"], &row["memberType"]), (&json!("assigned"), &json!("direct")));
    assert!(row["id"].as_str().unwrap().starts_with(&format!("{GROUP}_member_")));
    let schedule = rows(&world, &format!("{GROUPS}/assignmentSchedules")).await.remove(0);
    assert_eq!((&schedule["id"], &schedule["createdUsing"]), (&body["targetScheduleId"], &body["id"]));

    assert!(is_member(&world).await);
    world.pass(3600);
    assert!(!is_member(&world).await);
}

#[tokio::test]
async fn a_place_in_a_group_is_removed_as_a_role_is_and_not_earlier() {
    let world = world().await;
    world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap();
    let mut body = place("PT1H");
    body["action"] = json!("adminRemove");
    body["scheduleInfo"] = Value::Null;
    assert_eq!(code(&world.graph_post(GROUP_REQUESTS, &body).await.unwrap().1), "ActiveDurationTooShort");
    world.pass(300);
    let (status, answer) = world.graph_post(GROUP_REQUESTS, &body).await.unwrap();
    assert_eq!((status, &answer["status"], &answer["targetScheduleId"]), (201, &json!("Revoked"), &Value::Null));
    assert!(!is_member(&world).await);
    let removed = graph(&world).ledger().pop().unwrap();
    assert_eq!((removed.group.as_deref(), removed.access), (Some(GROUP), Some(Access::Member)));
    assert_eq!(code(&world.graph_post(GROUP_REQUESTS, &body).await.unwrap().1), "RoleAssignmentDoesNotExist");
}

#[tokio::test]
async fn a_scheduled_place_can_be_cancelled() {
    let world = world().await;
    let mut body = place("PT1H");
    body["scheduleInfo"]["startDateTime"] = json!("2026-11-03T12:00:00Z");
    let (_, answer) = world.graph_post(GROUP_REQUESTS, &body).await.unwrap();
    let cancel = format!("{GROUP_REQUESTS}/{}/cancel", answer["id"].as_str().unwrap());
    assert_eq!(world.graph_post(&cancel, &Value::Null).await.unwrap().0, 204);
    assert!(rows(&world, &format!("{GROUPS}/assignmentSchedules")).await.is_empty());
}

#[tokio::test]
async fn nobody_lists_all_groups_at_once() {
    let world = world().await;
    for list in ["assignmentScheduleRequests", "assignmentSchedules", "eligibilityScheduleInstances"] {
        assert_eq!(world.graph_get(&format!("{GROUPS}/{list}")).await.0, 400, "{list}");
        let by_group = format!("{GROUPS}/{list}?$filter=groupId eq '{GROUP}'");
        assert_eq!(world.graph_get(&by_group).await.0, 200, "{list}");
    }
}

#[tokio::test]
async fn groups_that_pim_cannot_manage_are_refused() {
    let world = world().await;
    graph(&world).set(|knobs| knobs.young_group_seconds = 30);
    let mut group = Group { created_at: world.now(), ..Group::security(GROUP, "Helpdesk tier 1") };
    graph(&world).add_group(TENANT, group.clone());
    let ask = || async { world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap() };
    let (status, body) = ask().await;
    assert_eq!((status, code(&body)), (404, "ResourceNotFound"));
    world.pass(30);
    for (dynamic, on_premises) in [(true, false), (false, true)] {
        (group.dynamic, group.on_premises) = (dynamic, on_premises);
        graph(&world).add_group(TENANT, group.clone());
        assert_eq!(ask().await.0, 400);
    }
    (group.dynamic, group.on_premises) = (false, false);
    graph(&world).add_group(TENANT, group);
    assert_eq!(ask().await.0, 201);
}

#[tokio::test]
async fn an_eligible_owner_is_neither_member_nor_in_the_other_lists() {
    let world = world().await;
    let mut body = place("P30D");
    body["accessId"] = json!("owner");
    let (status, answer) = world.graph_post(&format!("{GROUPS}/eligibilityScheduleRequests"), &body).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let row = rows(&world, &format!("{GROUPS}/eligibilityScheduleInstances")).await.remove(0);
    assert_eq!(row["eligibilityScheduleId"], answer["targetScheduleId"]);
    assert!(!is_member(&world).await);
    assert!(rows(&world, &format!("{GROUPS}/assignmentScheduleInstances")).await.is_empty());
    let what = What::eligible_group(GROUP, Access::Owner);
    assert!(graph(&world).remove_what(TENANT, story::NINA_ID, &what));
    assert!(rows(&world, &format!("{GROUPS}/eligibilityScheduleInstances")).await.is_empty());
}

#[tokio::test]
async fn groups_and_service_principals_hold_roles() {
    let world = world().await;
    let robot = "0b9a8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d";
    graph(&world).add_service_principal(TENANT, ServicePrincipal::application(robot, "app", "robot"));
    let mut body = assignment("PT1H");
    body["principalId"] = json!(robot);
    assert_eq!(world.graph_post(REQUESTS, &body).await.unwrap().1["status"], "Provisioned");

    body["principalId"] = json!(GROUP);
    assert_eq!(world.graph_post(REQUESTS, &body).await.unwrap().1["status"], "Granted");
    world.pass(86_400);
    let never = graph(&world).grants(TENANT).pop().unwrap();
    assert_eq!((never.principal.as_str(), never.start), (GROUP, None), "a group that cannot hold roles hangs");
}

#[tokio::test]
async fn a_role_is_given_within_what_exists() {
    let world = world().await;
    let unit = "4f1b2c3d-0a9e-4d8c-b7a6-958473625140";
    let mut body = assignment("PT1H");
    let mut ask = async |scope: &str| {
        body["directoryScopeId"] = json!(scope);
        let (status, answer) = world.graph_post(REQUESTS, &body).await.unwrap();
        if status == 201 { answer["directoryScopeId"].as_str().unwrap().to_owned() } else { code(&answer).to_owned() }
    };
    let in_unit = format!("/administrativeUnits/{unit}");
    assert_eq!(ask(&in_unit).await, "InvalidScope");
    graph(&world).add_administrative_unit(TENANT, unit);
    assert_eq!(ask(&in_unit).await, in_unit);
    assert_eq!(ask(&format!("/{GROUP}")).await, format!("/{GROUP}"));
    assert_eq!(ask("/00000000-0000-4000-8000-000000000000").await, "InvalidScope");
    assert_eq!(ask("directory").await, "InvalidScope");
    graph(&world).refuse_scopes(TENANT, ROLE);
    assert_eq!(ask(&format!("/{}", story::OMAR_ID)).await, "Request_BadRequest");
    assert_eq!(ask("/").await, "/");
}

#[tokio::test]
async fn what_others_give_shows_on_every_surface() {
    let world = world().await;
    let end = Some("2026-11-03T12:00:00Z".parse().unwrap());
    let lists = [
        (What::role(ROLE, "/"), "roleManagement/directory/roleAssignmentScheduleInstances"),
        (What::eligible_role(ROLE, "/"), "roleManagement/directory/roleEligibilityScheduleInstances"),
        (What::group(GROUP, Access::Member), "identityGovernance/privilegedAccess/group/assignmentScheduleInstances"),
        (
            What::eligible_group(GROUP, Access::Owner),
            "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances",
        ),
    ];
    for ((what, list), surface) in lists.into_iter().zip(Surface::ALL) {
        assert_eq!(what.surface(), surface);
        graph(&world).add_foreign(TENANT, story::NINA_ID, what, Held::Direct, end);
        assert_eq!(rows(&world, list).await.len(), 1, "{list}");
    }
    assert!(graph(&world).active_grants(TENANT).iter().all(|grant| grant.foreign));
}
