//! What makes readers of PIM careful.

use super::super::story::{self, TENANT};
use super::super::testing::{INSTANCES, REQUESTS, ROLE, World};
use super::tests::{code, graph};
use super::{Fault, FaultKind, Held, On, What};

fn later() -> jiff::Timestamp {
    "2026-11-03T17:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn an_activation_is_neither_removed_nor_updated_by_an_administrator() {
    let world = World::story().await;
    graph(&world).add_foreign(TENANT, story::NINA_ID, What::role(ROLE, "/"), Held::Activated, Some(later()));
    assert_eq!(world.rows(INSTANCES).await[0]["assignmentType"], "Activated");
    world.pass(600);
    assert_eq!(code(&world.remove().await.1), "RoleAssignmentDoesNotExist");
    assert_eq!(graph(&world).active_grants(TENANT).len(), 1);
}

#[tokio::test]
async fn an_assignment_over_an_activation_is_refused_or_stands_beside_it() {
    for (blocks, status, rows) in [(true, 400, 1), (false, 201, 2)] {
        let world = World::story().await;
        graph(&world).set(|knobs| knobs.activation_blocks_assign = blocks);
        graph(&world).add_foreign(TENANT, story::NINA_ID, What::role(ROLE, "/"), Held::Activated, Some(later()));
        let (answered, body) = world.assign("PT1H").await.unwrap();
        assert_eq!(answered, status);
        assert!(!blocks || code(&body) == "RoleAssignmentExists");
        assert_eq!(world.rows(INSTANCES).await.len(), rows);
    }
}

#[tokio::test]
async fn what_comes_through_a_group_says_so_and_is_not_in_the_way() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.activation_blocks_assign = true);
    graph(&world).add_foreign(TENANT, story::NINA_ID, What::role(ROLE, "/"), Held::Inherited, None);
    let row = world.rows(INSTANCES).await.remove(0);
    assert_eq!((row["memberType"].as_str(), row["assignmentType"].as_str()), (Some("Group"), Some("Assigned")));
    world.assign("PT1H").await.unwrap();
    world.pass(300);
    assert_eq!(world.remove().await.0, 201);
    assert_eq!(graph(&world).active_grants(TENANT)[0].held, Held::Inherited);
}

#[tokio::test]
async fn a_removal_that_worked_can_be_denied() {
    let world = World::story().await;
    world.assign("PT1H").await.unwrap();
    world.pass(300);
    let kind = FaultKind::CodeAfterCommit {
        status: 400,
        code: "RoleAssignmentDoesNotExist".to_owned(),
        message: "The Role assignment does not exist.".to_owned(),
    };
    graph(&world).fault(Fault::once(On::Remove, kind));
    assert_eq!(code(&world.remove().await.1), "RoleAssignmentDoesNotExist");
    assert!(graph(&world).active_grants(TENANT).is_empty());
    assert!(graph(&world).ledger()[1].committed);
}

#[tokio::test]
async fn a_request_can_be_pending_under_any_name() {
    let world = World::story().await;
    graph(&world).set(|knobs| {
        knobs.granted_seconds = 20;
        knobs.pending_status = Some("PendingProvisioning".to_owned());
    });
    assert_eq!(world.assign("PT1H").await.unwrap().1["status"], "PendingProvisioning");
    assert_eq!(world.rows(REQUESTS).await[0]["status"], "PendingProvisioning");
    world.pass(20);
    assert_eq!(world.rows(REQUESTS).await[0]["status"], "Provisioned");
}
