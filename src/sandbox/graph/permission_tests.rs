//! What an application may do that was not given everything, and what a tenant may that has not paid.

use serde_json::{Value, json};

use super::super::story::{self, TENANT};
use super::super::testing::{INSTANCES, REQUESTS, ROLE, World, assignment};
use super::surface_tests::{GROUP, GROUP_REQUESTS, place, world};
use super::tests::{code, graph};
use super::{Held, ServicePrincipal, What};

fn limit(world: &World, names: &[&str]) {
    graph(world).set_permissions(TENANT, story::CLIENT_ID, names);
}

#[tokio::test]
async fn a_write_without_its_permission_names_what_would_do() {
    let world = World::story().await;
    limit(&world, &["User.Read.All"]);
    let (status, body) = world.assign("PT1H").await.unwrap();
    assert_eq!((status, code(&body)), (403, "PermissionScopeNotGranted"));
    assert_eq!(
        body["error"]["message"],
        "Authorization failed due to missing permission scope \
         RoleAssignmentSchedule.ReadWrite.Directory,RoleManagement.ReadWrite.Directory."
    );
    assert_eq!(graph(&world).ledger()[0].error.as_deref(), Some("PermissionScopeNotGranted"));
    graph(&world).set(|knobs| knobs.wrap_errors = true);
    assert_eq!(code(&world.assign("PT1H").await.unwrap().1), "UnknownError");
    for enough in ["RoleManagement.ReadWrite.Directory", "RoleAssignmentSchedule.ReadWrite.Directory"] {
        limit(&world, &[enough]);
        assert_ne!(world.assign("PT1H").await.unwrap().0, 403, "{enough}");
    }
}

#[tokio::test]
async fn reading_shows_instances_but_no_requests() {
    let world = World::story().await;
    world.assign("PT1H").await.unwrap();
    limit(&world, &["RoleAssignmentSchedule.Read.Directory"]);
    assert_eq!(world.rows(INSTANCES).await.len(), 1);
    assert_eq!(world.graph_get(REQUESTS).await.0, 403);
    assert_eq!(world.graph_get("roleManagement/directory/roleEligibilitySchedules").await.0, 403);
}

#[tokio::test]
async fn a_remover_can_do_nothing_else() {
    let world = World::story().await;
    graph(&world).add_foreign(TENANT, story::NINA_ID, What::role(ROLE, "/"), Held::Direct, None);
    world.pass(300);
    limit(&world, &["RoleAssignmentSchedule.Remove.Directory"]);
    assert_eq!(world.assign("PT1H").await.unwrap().0, 403);
    assert_eq!(world.graph_get(INSTANCES).await.0, 403);
    assert_eq!(world.remove().await.0, 201);
}

#[tokio::test]
async fn each_surface_has_permissions_of_its_own() {
    let world = world().await;
    limit(&world, &["RoleAssignmentSchedule.ReadWrite.Directory"]);
    assert_eq!(world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap().0, 403);
    let eligible = "roleManagement/directory/roleEligibilityScheduleRequests";
    assert_eq!(world.graph_post(eligible, &assignment("PT1H")).await.unwrap().0, 403);
    limit(&world, &["PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"]);
    assert_eq!(world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap().0, 201);
}

#[tokio::test]
async fn policies_and_directory_objects_need_theirs() {
    let world = world().await;
    let of_roles = "policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'";
    let of_group =
        format!("policies/roleManagementPolicyAssignments?$filter=scopeId eq '{GROUP}' and scopeType eq 'Group'");
    let calls = [
        (of_roles.to_owned(), "RoleManagement.Read.Directory", "PermissionScopeNotGranted"),
        (of_group, "RoleManagementPolicy.Read.AzureADGroup", "PermissionScopeNotGranted"),
        (format!("users/{}", story::NINA_ID), "User.Read.All", "Authorization_RequestDenied"),
        (format!("groups/{GROUP}"), "GroupMember.Read.All", "Authorization_RequestDenied"),
        ("servicePrincipals(appId='none')".to_owned(), "Application.Read.All", "Authorization_RequestDenied"),
        ("directory/administrativeUnits/none".to_owned(), "AdministrativeUnit.Read.All", "Authorization_RequestDenied"),
        (format!("directoryObjects/{GROUP}"), "Directory.Read.All", "Authorization_RequestDenied"),
    ];
    for (path, permission, refused) in calls {
        limit(&world, &[]);
        let (status, body) = world.graph_get(&path).await;
        assert_eq!((status, code(&body)), (403, refused), "{path}");
        limit(&world, &[permission]);
        assert_ne!(world.graph_get(&path).await.0, 403, "{path}");
    }
    let sessions = format!("users/{}/revokeSignInSessions", story::NINA_ID);
    assert_eq!(world.graph_post(&sessions, &Value::Null).await.unwrap().0, 403);
}

#[tokio::test]
async fn an_application_can_read_what_it_was_granted() {
    let world = World::story().await;
    let id = "0b9a8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d";
    graph(&world).add_service_principal(TENANT, ServicePrincipal::application(id, story::CLIENT_ID, "stint"));
    let path = format!("servicePrincipals/{id}/appRoleAssignments");
    let listed = async || {
        let (status, body) = world.graph_get(&path).await;
        assert_eq!(status, 200, "{body}");
        body["value"].as_array().unwrap().clone()
    };
    assert_eq!(listed().await.len(), super::permission::APP_ROLES.len());
    limit(&world, &["Application.Read.All", "RoleAssignmentSchedule.ReadWrite.Directory", "Unheard.Of"]);
    let rows = listed().await;
    let ids: Vec<_> = rows.iter().map(|row| row["appRoleId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["dd199f4a-f148-40a4-a2ec-f0069cc799ec", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"]);
    assert_eq!(rows[0]["principalId"], id);
    let (_, microsoft) = world.graph_get("servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await;
    assert_eq!(rows[0]["resourceId"], microsoft["id"]);
}

#[tokio::test]
async fn without_a_licence_pim_neither_reads_nor_writes() {
    let world = world().await;
    graph(&world).set_licensed(TENANT, false);
    let policies = "policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'";
    for answer in [
        world.assign("PT1H").await.unwrap(),
        world.graph_post(GROUP_REQUESTS, &place("PT1H")).await.unwrap(),
        world.graph_get(INSTANCES).await,
        world.graph_get(policies).await,
    ] {
        assert_eq!((answer.0, code(&answer.1)), (400, "AadPremiumLicenseRequired"));
    }
    assert_eq!(world.graph_get(&format!("groups/{GROUP}")).await.0, 200);
    assert_eq!(graph(&world).ledger().len(), 2);
    assert_eq!(json!(graph(&world).grants(TENANT).len()), json!(0));
}
