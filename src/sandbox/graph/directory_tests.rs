//! Groups, service principals and sessions.

use serde_json::{Value, json};

use super::super::story::{self, TENANT};
use super::super::testing::World;
use super::surface_tests::{GROUP, world};
use super::tests::{code, graph};
use super::{Group, ServicePrincipal};

#[tokio::test]
async fn a_group_shows_what_pim_asks_about_and_null_for_false() {
    let world = world().await;
    let select = "$select=id,displayName,isAssignableToRole,groupTypes,onPremisesSyncEnabled";
    let (status, body) = world.graph_get(&format!("groups/{GROUP}?{select}")).await;
    assert_eq!((status, &body["isAssignableToRole"]), (200, &Value::Null));
    assert!(body.get("securityEnabled").is_none());
    let group = Group { role_assignable: true, dynamic: true, ..Group::security(GROUP, "Helpdesk tier 1") };
    graph(&world).add_group(TENANT, group);
    let (_, body) = world.graph_get(&format!("groups/{GROUP}?{select}")).await;
    assert_eq!((&body["isAssignableToRole"], &body["groupTypes"]), (&json!(true), &json!(["DynamicMembership"])));
    let (status, body) = world.graph_get("groups/00000000-0000-4000-8000-000000000000").await;
    assert_eq!((status, code(&body)), (404, "Request_ResourceNotFound"));
}

#[tokio::test]
async fn a_service_principal_is_found_by_its_application_and_by_itself() {
    let world = World::story().await;
    let id = "0b9a8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d";
    graph(&world).add_service_principal(TENANT, ServicePrincipal::application(id, story::CLIENT_ID, "stint"));
    for path in [format!("servicePrincipals(appId='{}')", story::CLIENT_ID), format!("servicePrincipals/{id}")] {
        let (status, body) = world.graph_get(&path).await;
        assert_eq!((status, body["id"].as_str(), body["appId"].as_str()), (200, Some(id), Some(story::CLIENT_ID)));
    }
    assert_eq!(world.graph_get("servicePrincipals(appId='nobody')").await.0, 404);
}

#[tokio::test]
async fn an_object_is_found_by_its_id_alone_and_says_what_it_is() {
    let world = world().await;
    let (unit, robot) = ("4f1b2c3d-0a9e-4d8c-b7a6-958473625140", "0b9a8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d");
    graph(&world).add_administrative_unit(TENANT, unit);
    graph(&world).add_service_principal(TENANT, ServicePrincipal::application(robot, story::CLIENT_ID, "stint"));
    for (id, kind) in
        [(story::NINA_ID, "user"), (GROUP, "group"), (robot, "servicePrincipal"), (unit, "administrativeUnit")]
    {
        let (status, body) = world.graph_get(&format!("directoryObjects/{id}")).await;
        assert_eq!((status, body["id"].as_str()), (200, Some(id)));
        assert_eq!(body["@odata.type"], format!("#microsoft.graph.{kind}"));
    }
    assert_eq!(world.graph_get(&format!("directory/administrativeUnits/{unit}")).await.0, 200);
    let nobody = "00000000-0000-4000-8000-000000000000";
    for path in [format!("directoryObjects/{nobody}"), format!("directory/administrativeUnits/{nobody}")] {
        let (status, body) = world.graph_get(&path).await;
        assert_eq!((status, code(&body)), (404, "Request_ResourceNotFound"), "{path}");
    }
}

#[tokio::test]
async fn every_kind_of_principal_is_asked_for_its_groups_in_its_own_place() {
    let world = world().await;
    let robot = "0b9a8c7d-6e5f-4a3b-9c2d-1e0f9a8b7c6d";
    graph(&world).add_service_principal(TENANT, ServicePrincipal::application(robot, story::CLIENT_ID, "stint"));
    let other = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";
    for (place, who) in [("users", story::NINA_ID), ("groups", GROUP), ("servicePrincipals", robot)] {
        let check = async |place: &str| {
            let path = format!("{place}/{who}/checkMemberGroups");
            world.graph_post(&path, &json!({"groupIds": [other]})).await.unwrap()
        };
        assert_eq!(check(place).await.1["value"], json!([]));
        graph(&world).add_to_group(TENANT, other, who);
        assert_eq!(check(place).await.1["value"], json!([other]));
        let elsewhere = if place == "users" { "groups" } else { "users" };
        assert_eq!(check(elsewhere).await.0, 404);
    }
}

#[tokio::test]
async fn ended_sessions_stand_in_the_ledger() {
    let world = World::story().await;
    let path = format!("users/{}/revokeSignInSessions", story::NINA_ID);
    let (status, body) = world.graph_post(&path, &Value::Null).await.unwrap();
    assert_eq!((status, &body["value"]), (200, &json!(true)));
    assert_eq!(world.graph_post("users/nobody/revokeSignInSessions", &Value::Null).await.unwrap().0, 404);
    let ledger = graph(&world).ledger();
    assert_eq!((ledger[0].action.as_str(), ledger[0].committed), ("revokeSignInSessions", true));
    assert_eq!(ledger[0].principal, story::NINA_ID);
    assert_eq!((ledger[1].committed, ledger[1].error.as_deref()), (false, Some("Request_ResourceNotFound")));
}
