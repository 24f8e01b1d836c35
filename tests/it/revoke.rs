//! Ending early, on an operator's word.

use stint::{
    domain::{audit::Actor, id::ObjectId},
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
    store::Ordered,
};
use uuid::Uuid;

use crate::world::{It, minutes};

async fn revoke(it: &It, id: &str) -> Ordered {
    let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
    let request = id.parse().expect("an id");
    it.world.service.engine.revoke(request, operator, "no longer needed").await.expect("a working database")
}

async fn active(it: &It) -> (String, String) {
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    (ticket, id)
}

#[tokio::test]
async fn in_the_first_minutes_the_removal_waits_as_long_as_pim_demands() {
    let it = It::begins().await;
    let (ticket, id) = active(&it).await;
    it.pass(minutes(1)).await;
    assert_eq!(revoke(&it, &id).await, Ordered::Recorded);
    it.work().await;
    let ending = it.document(&id).await;
    assert_eq!(ending["status"], "ending");
    assert_eq!(ending["end"]["cause"], "revoked");
    assert!(it.removals().is_empty());
    assert_eq!(revoke(&it, &id).await, Ordered::Already);
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["reason"], "no longer needed");
    assert_eq!(it.removals().len(), 1);
    it.work().await;
    assert!(it.notes(&ticket).last().expect("a note").contains("ended early"));
    it.ends().await;
}

#[tokio::test]
async fn after_five_minutes_it_is_removed_at_once_and_its_absence_proved_twice() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.work().await;
    assert_eq!(it.removals().len(), 1);
    assert_eq!(it.document(&id).await["status"], "ending");
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_request_that_has_sent_nothing_ends_at_once_and_never_becomes_active() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    revoke(&it, &id).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "ended");
    it.pass(minutes(60)).await;
    assert!(it.creates().is_empty());
    assert_eq!(revoke(&it, &id).await, Ordered::Over(stint::domain::request::Status::Ended));
    it.ends().await;
}

#[tokio::test]
async fn revoked_while_the_outcome_is_unclear_it_is_found_and_removed() {
    for kind in [FaultKind::DropAfterCommit, FaultKind::DropBeforeCommit] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
        it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
        let id = it.taken_in(&ticket).await;
        it.work().await;
        assert_eq!(it.document(&id).await["status"], "assigning");
        revoke(&it, &id).await;
        let ended = it.until(&id, "ended").await;
        assert!(ended["timeline"].as_array().expect("events").iter().all(|e| e["event"] != "active"));
        it.ends().await;
    }
}

#[tokio::test]
async fn a_stuck_schedule_request_is_cancelled() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_forever = true);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    it.pass(minutes(300)).await;
    assert!(it.world.sandbox.graph.active_grants(story::TENANT).is_empty());
    it.ends().await;
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_settled_by_reading() {
    for kind in [
        FaultKind::DropAfterCommit,
        FaultKind::DropBeforeCommit,
        FaultKind::StatusAfterCommit(504),
        FaultKind::Throttle(stint::sandbox::Retry::Absent),
    ] {
        let it = It::begins().await;
        let (_, id) = active(&it).await;
        it.pass(minutes(10)).await;
        it.world.sandbox.graph.fault(Fault::once(On::Remove, kind));
        revoke(&it, &id).await;
        it.until(&id, "ended").await;
        assert_eq!(it.removals().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn what_somebody_else_made_in_its_place_is_not_removed() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    it.pass(minutes(10)).await;
    let graph = &it.world.sandbox.graph;
    graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    assert!(it.removals().is_empty());
    assert_eq!(graph.active_grants(story::TENANT).len(), 1);
    it.ends().await;
}
