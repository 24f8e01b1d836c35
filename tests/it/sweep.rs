//! The database and Graph compared, both ways: what somebody else took, what stayed, and what was never stint's.

use stint::sandbox::{
    graph::{Fault, FaultKind, On},
    jira::IssueDraft,
    story,
};

use crate::world::{It, minutes, seconds};

const NINA_EXCHANGE: (uuid::Uuid, &str, &str, &str) =
    (story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");

async fn active(it: &It) -> (String, String) {
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    (ticket, id)
}

/// Lets time pass until the tenant has just been compared.
async fn until_swept(it: &It) {
    it.work().await;
    let next = it.next_sweep().await.expect("a comparison is planned");
    it.pass(next.duration_since(it.world.clock.now())).await;
}

fn hide(it: &It, until: jiff::Timestamp) {
    let (tenant, principal, role, scope) = NINA_EXCHANGE;
    assert!(it.world.sandbox.graph.hide_grant(tenant, principal, role, scope, until), "an assignment");
}

async fn count(it: &It, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut it.sql().await).await.expect("a count")
}

/// Findings of this kind: all there ever were, and those that stand.
async fn findings(it: &It, kind: &str) -> (i64, i64) {
    let sql = "select count(*), count(*) filter (where cleared_at is null) from findings where kind = $1";
    sqlx::query_as(sql).bind(kind).fetch_one(&mut it.sql().await).await.expect("a count")
}

/// Reads of the list of everybody, each with the moment it was asked.
fn lists(it: &It) -> Vec<jiff::Timestamp> {
    let calls = it.world.sandbox.graph.calls();
    let of_everybody = |path: &str| path.contains("ScheduleInstances") && !path.contains("filter");
    calls.iter().filter(|call| of_everybody(&call.path)).map(|call| call.at).collect()
}

fn still_there(it: &It) -> usize {
    it.world.sandbox.graph.active_grants(story::TENANT).iter().filter(|grant| !grant.foreign).count()
}

#[tokio::test]
async fn what_somebody_else_removed_ends_here_too_and_is_told() {
    let it = It::begins().await;
    let (ticket, id) = active(&it).await;
    it.pass(minutes(5)).await;
    let (tenant, principal, role, scope) = NINA_EXCHANGE;
    assert!(it.world.sandbox.graph.remove_grant(tenant, principal, role, scope));
    let removed_at = it.world.clock.now();
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "revoked");
    assert_eq!(ended["end"]["reason"], "somebody else removed it in Microsoft Entra");
    assert!(it.world.clock.now() < removed_at + minutes(20), "noticed within twenty minutes");
    assert!(it.removals().is_empty(), "nothing was there to remove");
    assert_eq!(findings(&it, "removed-outside").await, (1, 1));
    it.work().await;
    assert!(it.notes(&ticket).last().expect("a note").contains("somebody else removed it"));
    it.ends().await;
}

#[tokio::test]
async fn a_list_that_lags_ends_nothing() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    it.pass(minutes(5)).await;
    let next = it.next_sweep().await.expect("planned");
    hide(&it, next + seconds(120));
    it.pass(minutes(60)).await;
    assert_eq!(it.document(&id).await["status"], "active");
    assert_eq!(findings(&it, "removed-outside").await, (0, 0));
    assert_eq!(count(&it, "select count(*) from requests where unseen_since is not null").await, 0);
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "expired");
    it.ends().await;
}

#[tokio::test]
async fn what_only_seemed_to_be_gone_keeps_its_time_and_is_not_removed() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    hide(&it, it.world.clock.now() + minutes(600));
    it.until(&id, "ending").await;
    hide(&it, it.world.clock.now());
    it.pass(minutes(60)).await;
    assert_eq!((it.document(&id).await["status"].as_str(), still_there(&it)), (Some("ending"), 1));
    assert!(it.removals().is_empty());
    it.until(&id, "ended").await;
    assert!(it.removals().is_empty(), "it ended by itself");
    it.ends().await;
}

#[tokio::test]
async fn what_a_request_left_behind_is_removed_whatever_becomes_of_the_call() {
    let faults = [None, Some(FaultKind::DropBeforeCommit), Some(FaultKind::DropAfterCommit)];
    for fault in faults {
        let it = It::begins().await;
        let (_, id) = active(&it).await;
        // As long as reads show nothing, stint can only believe that it is gone.
        hide(&it, it.world.clock.now() + minutes(60));
        it.until(&id, "ended").await;
        assert_eq!((still_there(&it), it.removals().len()), (1, 0));
        if let Some(kind) = fault.clone() {
            it.world.sandbox.graph.fault(Fault::once(On::Remove, kind));
        }
        it.pass(minutes(100)).await;
        assert_eq!((still_there(&it), it.removals().len()), (0, 1), "{fault:?}");
        assert_eq!(findings(&it, "past-its-end").await, (1, 1), "{fault:?}");
        assert_eq!(count(&it, "select count(*) from attempts where outcome = 'open'").await, 0, "{fault:?}");
        it.ends().await;
    }
}

#[tokio::test]
async fn what_is_left_behind_beside_somebody_elses_is_told_and_not_removed() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    hide(&it, it.world.clock.now() + minutes(60));
    it.until(&id, "ended").await;
    let (tenant, principal, role, scope) = NINA_EXCHANGE;
    it.world.sandbox.graph.add_foreign_grant(tenant, principal, role, scope, None);
    it.pass(minutes(100)).await;
    assert_eq!((still_there(&it), it.removals().len()), (1, 0));
    assert_eq!(findings(&it, "past-its-end").await, (1, 1));
    assert_eq!(count(&it, "select count(*) from requests where in_force_until is null").await, 1);
    it.world.sandbox.graph.remove_grant(tenant, principal, role, scope);
    it.ends().await;
}

#[tokio::test]
async fn what_is_left_behind_is_removed_although_another_request_waits_for_the_same_holding() {
    let it = It::begins().await;
    let (_, first) = active(&it).await;
    hide(&it, it.world.clock.now() + minutes(40));
    it.until(&first, "ended").await;
    let second = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let second = it.taken_in(&second).await;
    it.until(&second, "active").await;
    assert_eq!((it.removals().len(), it.creates().len()), (1, 2), "the second has an assignment of its own");
    assert_eq!(findings(&it, "past-its-end").await.0, 1);
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn an_assignment_by_somebody_elses_hand_is_told_once_never_touched_and_cleared_when_it_is_gone() {
    let it = It::begins().await;
    it.work().await;
    let graph = &it.world.sandbox.graph;
    let end = it.world.clock.now() + minutes(600);
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    graph.add_foreign_grant(story::TENANT, story::LENA_ID, story::HELPDESK_ADMINISTRATOR, "/", Some(end));
    graph.add_foreign_grant(story::TENANT, story::OMAR_ID, "11111111-2222-4333-8444-555555555555", "/", None);
    it.pass(minutes(70)).await;
    assert_eq!(findings(&it, "out-of-band").await, (2, 2), "what the catalog does not give is nobody's business");
    let facts: serde_json::Value =
        sqlx::query_scalar("select detail from findings where kind = 'out-of-band' and detail->>'principal' = $1")
            .bind(story::LENA_ID)
            .fetch_one(&mut it.sql().await)
            .await
            .expect("a finding");
    assert!(facts["target"].as_str().is_some_and(|target| target.contains(story::HELPDESK_ADMINISTRATOR)), "{facts}");
    assert!(facts["ends_at"].is_string() && facts["instance"].is_string(), "{facts}");
    assert_eq!(graph.active_grants(story::TENANT).len(), 3);
    let (tenant, principal, role, scope) = NINA_EXCHANGE;
    graph.remove_grant(tenant, principal, role, scope);
    it.pass(minutes(16)).await;
    assert_eq!(findings(&it, "out-of-band").await, (2, 1));
    assert!(graph.ledger().is_empty(), "stint changed something");
    it.ends().await;
}

#[tokio::test]
async fn a_marker_of_a_request_that_the_database_has_lost_is_told_and_nothing_is_touched() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    let mut sql = it.sql().await;
    for statement in [
        "alter table audit_events disable trigger user",
        "alter table requests disable trigger user",
        "delete from audit_events",
        "delete from attempts",
        "delete from notes",
        "delete from deliveries",
        "delete from findings",
        "delete from requests",
        "update polls set due_at = due_at + interval '1 day'",
    ] {
        sqlx::query(statement).execute(&mut sql).await.expect("an older copy");
    }
    it.pass(minutes(40)).await;
    assert_eq!(findings(&it, "unknown-marker").await, (1, 1));
    assert_eq!(findings(&it, "out-of-band").await, (0, 0));
    let told: String = sqlx::query_scalar("select detail->>'request' from findings where kind = 'unknown-marker'")
        .fetch_one(&mut sql)
        .await
        .expect("a finding");
    assert_eq!(told, id);
    assert_eq!((still_there(&it), it.removals().len()), (1, 0));
}

#[tokio::test]
async fn an_end_that_somebody_moved_is_told_and_access_still_ends_as_approved() {
    for (end, kind) in [(None, "end-missing"), (Some(minutes(600)), "end-late")] {
        let it = It::begins().await;
        let (_, id) = active(&it).await;
        let approved = it.document(&id).await["assignment"]["ends_at"].as_str().expect("an end").to_owned();
        let end = end.map(|later| it.world.clock.now() + later);
        let (tenant, principal, role, scope) = NINA_EXCHANGE;
        assert!(it.world.sandbox.graph.move_end(tenant, principal, role, scope, end));
        it.pass(minutes(20)).await;
        assert_eq!(findings(&it, kind).await, (1, 1));
        it.until(&id, "ended").await;
        let approved: jiff::Timestamp = approved.parse().expect("a moment");
        let removed = it.removals();
        assert!(removed.len() == 1 && removed[0].at < approved + minutes(5), "{removed:?}");
        it.ends().await;
    }
}

#[tokio::test]
async fn a_thousand_assignments_are_read_once_each_run_page_by_page() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    let graph = &it.world.sandbox.graph;
    for _ in 0..1000 {
        let somebody = uuid::Uuid::new_v4().to_string();
        graph.add_foreign_grant(story::TENANT, &somebody, story::EXCHANGE_ADMINISTRATOR, "/", None);
    }
    let before = lists(&it).len();
    until_swept(&it).await;
    let pages = lists(&it).len() - before;
    assert_eq!(pages, 11, "three roles share one list, a hundred rows on each page");
    assert_eq!(findings(&it, "out-of-band").await, (1000, 1000));
    until_swept(&it).await;
    assert_eq!(lists(&it).len() - before, 22);
    assert_eq!(findings(&it, "out-of-band").await, (1000, 1000));
    assert_eq!(it.document(&id).await["status"], "active");
}

#[tokio::test]
async fn a_list_that_breaks_off_proves_nothing_and_is_told_after_a_while() {
    let it = It::begins().await;
    let (_, id) = active(&it).await;
    let graph = &it.world.sandbox.graph;
    let standing = graph.add_foreign_grant(story::TENANT, story::LENA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    until_swept(&it).await;
    assert_eq!(findings(&it, "out-of-band").await, (1, 1), "{standing}");
    let (tenant, principal, role, scope) = NINA_EXCHANGE;
    graph.remove_grant(tenant, principal, role, scope);
    graph.remove_grant(tenant, story::LENA_ID, role, scope);
    // The first page of two is whole and shows neither.
    for _ in 0..150 {
        let somebody = uuid::Uuid::new_v4().to_string();
        graph.add_foreign_grant(tenant, &somebody, "11111111-2222-4333-8444-555555555555", "/", None);
    }
    graph.fault(Fault { on: On::ReadInstances, kind: FaultKind::Html(200), times: 100_000 });
    it.pass(minutes(61)).await;
    assert_eq!(it.document(&id).await["status"], "active");
    assert_eq!(findings(&it, "out-of-band").await, (1, 1));
    assert_eq!(findings(&it, "sweep-failed").await, (1, 1));
    assert_eq!(count(&it, "select count(*) from requests where unseen_since is not null").await, 0);
    graph.clear_faults();
    it.until(&id, "ended").await;
    assert_eq!(findings(&it, "out-of-band").await, (1, 0));
    assert_eq!(findings(&it, "sweep-failed").await, (1, 0));
    it.ends().await;
}

#[tokio::test]
async fn several_workers_make_one_comparison() {
    let it = It::begins().await;
    it.work().await;
    let next = it.next_sweep().await.expect("planned");
    let before = lists(&it).len();
    it.world.clock.set(next);
    tokio::join!(it.work(), it.work(), it.work());
    assert_eq!(lists(&it).len() - before, 1);
    assert_eq!(it.next_sweep().await, Some(next + minutes(15)));
    it.ends().await;
}
