//! Sign-in sessions after an early end.

use serde_json::Value;
use stint::{
    domain::{audit::Actor, id::ObjectId},
    sandbox::{
        graph::{Entry, Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
};
use uuid::Uuid;

use crate::world::{It, minutes};

const CATALOG: &str = r#"
[entitlements.exchange-admin]
title = "Exchange Administrator"
target = { kind = "directory-role", role = "29232cdf-9323-42fd-ade2-1d097af3e4de", scope = "/" }
max_duration = "PT8H"
revoke_sessions = true
"#;

/// A world whose entitlement revokes sessions; its folder holds the catalog.
async fn begins() -> (It, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.toml");
    std::fs::write(&path, CATALOG).expect("a file");
    let path = path.to_str().expect("a path").to_owned();
    let it = It::with(|setup| setup.overrides.push(("STINT__TENANTS__CONTOSO__CATALOG".into(), path))).await;
    (it, folder)
}

async fn active(it: &It) -> (String, String) {
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    (ticket, id)
}

async fn revoke(it: &It, id: &str) {
    let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
    let order = it.world.service.engine.revoke(id.parse().expect("an id"), operator, "no longer needed");
    order.await.expect("a working database");
}

/// Every revocation of sessions that took effect.
fn revocations(it: &It) -> Vec<Entry> {
    let revoked = |entry: &Entry| entry.committed && entry.action == "revokeSignInSessions";
    it.world.sandbox.graph.ledger().into_iter().filter(revoked).collect()
}

async fn findings(it: &It) -> Vec<String> {
    sqlx::query_scalar("select kind from findings").fetch_all(&mut it.sql().await).await.expect("findings")
}

fn tries(document: &Value) -> Vec<&str> {
    let attempts = document["attempts"].as_array().expect("attempts").iter();
    let tries = attempts.filter(|attempt| attempt["kind"] == "revoke-sessions");
    tries.map(|attempt| attempt["outcome"].as_str().expect("an outcome")).collect()
}

#[tokio::test]
async fn an_early_end_revokes_sessions_once_after_the_assignment_is_gone_and_tells_the_token_tail() {
    for withdrawn in [false, true] {
        let (it, _folder) = begins().await;
        let (ticket, id) = active(&it).await;
        if withdrawn {
            it.world.sandbox.jira.cancel(&ticket);
            it.deliver(&ticket).await;
        } else {
            revoke(&it, &id).await;
        }
        let ended = it.until(&id, "ended").await;
        assert_eq!(tries(&ended), ["accepted"]);
        let revoked = revocations(&it);
        assert_eq!(revoked.len(), 1);
        assert_eq!(revoked[0].principal, story::NINA_ID);
        assert!(revoked[0].at >= it.removals()[0].at + jiff::SignedDuration::from_secs(30), "absence was proved first");
        let last = ended["timeline"].as_array().expect("events").last().expect("an event");
        assert!(last["detail"]["token_tail"].as_str().expect("words").contains("about an hour"));
        it.work().await;
        let note = it.notes(&ticket).pop().expect("a note");
        assert!(note.contains("sessions of who held it were revoked") && note.contains("about an hour"), "{note}");
        it.ends().await;
    }
}

#[tokio::test]
async fn an_end_on_time_revokes_none() {
    let (it, _folder) = begins().await;
    let (_, id) = active(&it).await;
    let ended = it.until(&id, "ended").await;
    assert_eq!((ended["end"]["cause"].as_str(), revocations(&it).len()), (Some("expired"), 0));
    it.ends().await;
}

#[tokio::test]
async fn what_was_never_in_force_revokes_none() {
    let (it, _folder) = begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_forever = true);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    assert!(revocations(&it).is_empty());
    it.ends().await;
}

#[tokio::test]
async fn without_the_key_none_are_revoked_and_the_token_tail_is_told() {
    let it = It::begins().await;
    let (ticket, id) = active(&it).await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    it.work().await;
    assert!(revocations(&it).is_empty());
    let note = it.notes(&ticket).pop().expect("a note");
    assert!(note.contains("about an hour") && !note.contains("were revoked"), "{note}");
    it.ends().await;
}

#[tokio::test]
async fn an_unclear_answer_is_asked_for_again() {
    for kind in [FaultKind::DropBeforeCommit, FaultKind::Status(504), FaultKind::Html(200)] {
        let (it, _folder) = begins().await;
        let (_, id) = active(&it).await;
        it.world.sandbox.graph.fault(Fault { on: On::RevokeSessions, kind, times: 2 });
        revoke(&it, &id).await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(tries(&ended), ["absent", "absent", "accepted"]);
        assert_eq!((revocations(&it).len(), findings(&it).await.len()), (1, 0));
        it.ends().await;
    }
}

#[tokio::test]
async fn it_is_given_up_after_five_tries_and_the_request_ends_all_the_same() {
    let (it, _folder) = begins().await;
    let (ticket, id) = active(&it).await;
    it.world.sandbox.graph.fault(Fault { on: On::RevokeSessions, kind: FaultKind::Status(504), times: 9 });
    revoke(&it, &id).await;
    let ended = it.until(&id, "ended").await;
    assert_eq!(tries(&ended).len(), 5);
    assert_eq!(findings(&it).await, ["sessions-not-revoked"]);
    it.work().await;
    assert!(it.notes(&ticket).pop().expect("a note").contains("could not be revoked"));
    it.ends().await;
}

#[tokio::test]
async fn a_missing_permission_is_a_finding_at_once() {
    let (it, _folder) = begins().await;
    let (_, id) = active(&it).await;
    it.world.sandbox.graph.fault(Fault { on: On::RevokeSessions, kind: FaultKind::Status(403), times: 9 });
    revoke(&it, &id).await;
    let ended = it.until(&id, "ended").await;
    assert_eq!(tries(&ended), ["refused"]);
    assert_eq!(findings(&it).await, ["sessions-not-revoked"]);
    it.ends().await;
}
