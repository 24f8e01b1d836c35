//! `adminUpdate`: what it replaces, and when it is refused.

use serde_json::{Value, json};

use super::super::story::{self, TENANT};
use super::super::testing::{INSTANCES, REQUESTS, ROLE, SCHEDULES, World, assignment};
use super::tests::{code, graph};

fn until(end: &str) -> Value {
    let mut body = assignment("PT1H");
    body["action"] = json!("adminUpdate");
    body["scheduleInfo"]["expiration"] = json!({"type": "afterDateTime", "endDateTime": end});
    body
}

async fn update(world: &World, end: &str) -> (u16, Value) {
    world.graph_post(REQUESTS, &until(end)).await.unwrap()
}

#[tokio::test]
async fn an_update_replaces_the_window_and_gets_ids_of_its_own() {
    let world = World::story().await;
    let (_, first) = world.assign("PT4H").await.unwrap();
    world.pass(1800);
    let (status, second) = update(&world, "2026-11-03T10:00:00Z").await;
    assert_eq!((status, second["status"].as_str()), (201, Some("Provisioned")));
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["targetScheduleId"], second["id"]);

    let rows = world.rows(INSTANCES).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["endDateTime"], "2026-11-03T10:00:00.0000000Z");
    assert_eq!(rows[0]["roleAssignmentScheduleId"], second["id"]);
    assert_eq!(world.rows(REQUESTS).await.len(), 2);

    let entry = graph(&world).ledger().pop().unwrap();
    assert_eq!(entry.old_end, Some("2026-11-03T13:00:00Z".parse().unwrap()));
    assert_eq!(entry.end, Some("2026-11-03T10:00:00Z".parse().unwrap()));
    let old = graph(&world).grants(TENANT).remove(0);
    assert!(old.replaced && old.ended_at == Some(world.now()));
    assert_eq!(graph(&world).active_grants(TENANT).len(), 1);
}

#[tokio::test]
async fn a_repeated_update_changes_nothing_more() {
    let world = World::story().await;
    world.assign("PT4H").await.unwrap();
    for _ in 0..2 {
        world.pass(600);
        assert_eq!(update(&world, "2026-11-03T11:00:00.25Z").await.0, 201);
        let rows = world.rows(INSTANCES).await;
        assert_eq!((rows.len(), &rows[0]["endDateTime"]), (1, &json!("2026-11-03T11:00:00.2500000Z")));
    }
}

#[tokio::test]
async fn the_schedule_may_keep_its_id() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.update_keeps_schedule = true);
    let (_, first) = world.assign("PT4H").await.unwrap();
    let (_, second) = update(&world, "2026-11-03T10:00:00Z").await;
    assert_eq!(second["targetScheduleId"], first["targetScheduleId"]);
    let schedules = world.rows(SCHEDULES).await;
    assert_eq!(schedules.len(), 1);
    assert_eq!((&schedules[0]["id"], &schedules[0]["createdUsing"]), (&first["id"], &first["id"]));
}

#[tokio::test]
async fn without_an_assignment_there_is_nothing_to_update() {
    let world = World::story().await;
    assert_eq!(code(&update(&world, "2026-11-03T10:00:00Z").await.1), "RoleAssignmentDoesNotExist");
    world.assign("PT30M").await.unwrap();
    world.pass(1800);
    assert_eq!(code(&update(&world, "2026-11-03T10:00:00Z").await.1), "RoleAssignmentDoesNotExist");
}

#[tokio::test]
async fn an_update_keeps_to_the_policy_and_to_five_minutes() {
    let world = World::story().await;
    world.assign("P10D").await.unwrap();
    for end in ["2026-11-18T09:00:01Z", "2026-11-03T09:04:59Z", "2026-11-03T08:00:00Z"] {
        let (status, body) = update(&world, end).await;
        assert_eq!((status, code(&body)), (400, "RoleAssignmentRequestPolicyValidationFailed"), "{end}");
    }
    assert_eq!(update(&world, "2026-11-18T09:00:00Z").await.0, 201);
    graph(&world).set(|knobs| knobs.short_updates = true);
    assert_eq!(update(&world, "2026-11-03T09:00:30Z").await.0, 201);
    assert_eq!(update(&world, "2026-11-03T08:00:00Z").await.0, 400);
}

#[tokio::test]
async fn an_early_update_may_be_refused_as_a_removal_is() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.early_updates_refused = true);
    world.assign("PT4H").await.unwrap();
    world.pass(299);
    assert_eq!(code(&update(&world, "2026-11-03T10:00:00Z").await.1), "ActiveDurationTooShort");
    world.pass(1);
    assert_eq!(update(&world, "2026-11-03T10:00:00Z").await.0, 201);
}

#[tokio::test]
async fn access_goes_on_while_an_update_is_in_flight() {
    let world = World::story().await;
    let (_, first) = world.assign("PT4H").await.unwrap();
    world.pass(600);
    graph(&world).set(|knobs| knobs.granted_seconds = 40);
    let (_, second) = update(&world, "2026-11-03T10:00:00Z").await;
    assert_eq!(second["status"], "Granted");
    assert_eq!(world.rows(INSTANCES).await[0]["roleAssignmentScheduleId"], first["id"]);
    assert_eq!(code(&update(&world, "2026-11-03T10:00:00Z").await.1), "PendingRoleAssignmentRequest");
    assert_eq!(code(&world.remove().await.1), "PendingRoleAssignmentRequest");
    world.pass(40);
    let rows = world.rows(INSTANCES).await;
    assert_eq!((rows.len(), &rows[0]["roleAssignmentScheduleId"]), (1, &second["id"]));
    assert_eq!(rows[0]["endDateTime"], "2026-11-03T10:00:00.0000000Z");
}

#[tokio::test]
async fn an_update_that_is_cancelled_gives_the_old_window_back() {
    let world = World::story().await;
    world.assign("PT4H").await.unwrap();
    world.pass(600);
    graph(&world).set(|knobs| knobs.granted_seconds = 40);
    let (_, second) = update(&world, "2026-11-03T10:00:00Z").await;
    let cancel = format!("{REQUESTS}/{}/cancel", second["id"].as_str().unwrap());
    assert_eq!(world.graph_post(&cancel, &Value::Null).await.unwrap().0, 204);
    world.pass(7200);
    let rows = world.rows(INSTANCES).await;
    assert_eq!((rows.len(), &rows[0]["endDateTime"]), (1, &json!("2026-11-03T13:00:00.0000000Z")));
}

#[tokio::test]
async fn an_update_takes_over_what_somebody_else_made() {
    let world = World::story().await;
    graph(&world).add_foreign_grant(TENANT, story::NINA_ID, ROLE, "/", None);
    assert_eq!(update(&world, "2026-11-03T10:00:00Z").await.0, 201);
    let entry = graph(&world).ledger().pop().unwrap();
    assert_eq!((entry.updated_foreign, entry.old_end), (true, None));
}

#[tokio::test]
async fn a_validated_update_changes_nothing() {
    let world = World::story().await;
    world.assign("PT4H").await.unwrap();
    let mut body = until("2026-11-03T10:00:00Z");
    body["isValidationOnly"] = json!(true);
    assert_eq!(world.graph_post(REQUESTS, &body).await.unwrap().0, 201);
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], "2026-11-03T13:00:00.0000000Z");
    assert_eq!(graph(&world).grants(TENANT).len(), 1);
}
