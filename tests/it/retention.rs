//! What is kept no longer than its time: bodies, snapshots, facts. Records and their proof stay.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stint::{app, clock::Clock, domain::audit::digest, sandbox::jira::IssueDraft, verify::verify};

use crate::world::{It, minutes};

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// A world that keeps bodies for 30 days, snapshots for 60 and facts for 90.
async fn forgetful() -> It {
    It::with(|setup| {
        let keys = [("BODIES", "P30D"), ("SNAPSHOTS", "P60D"), ("DETAILS", "P90D")];
        setup.overrides.extend(keys.map(|(key, time)| (format!("STINT__RETENTION__{key}"), time.to_owned())));
    })
    .await
}

impl It {
    /// A request that was granted and is over.
    async fn over(&self) -> String {
        let ticket = self.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
        let id = self.taken_in(&ticket).await;
        self.until(&id, "ended").await;
        id
    }

    async fn drop_after_its_time(&self) {
        let clock = Clock::manual(Arc::clone(&self.world.clock));
        app::retention(self.world.config(), &clock).await.expect("dropped");
    }

    /// How many bodies, snapshots and facts are there.
    async fn kept(&self) -> (i64, i64, i64) {
        sqlx::query_as(
            "select (select count(*) from deliveries where body <> '' and headers <> '{}'), \
             (select count(*) from requests where snapshot is not null), (select count(*) from audit_details \
             join audit_events on id = event_id where request_id is not null and event <> 'history-read')",
        )
        .fetch_one(&mut self.sql().await)
        .await
        .expect("counts")
    }

    /// The sealed part of every event, and that the facts that are there are those of their records.
    async fn records(&self) -> Vec<(i64, String, Vec<u8>)> {
        let rows: Vec<(i64, String, Vec<u8>, Option<Value>)> = sqlx::query_as(
            "select id, event, detail_sha256, detail from audit_events left join audit_details on event_id = id \
             where event not in ('history-read', 'bodies-dropped', 'snapshots-dropped', 'details-dropped') order by id",
        )
        .fetch_all(&mut self.sql().await)
        .await
        .expect("the log");
        for (_, event, sha256, detail) in &rows {
            assert!(detail.as_ref().is_none_or(|detail| digest(detail)[..] == sha256[..]), "{event}");
        }
        rows.into_iter().map(|(id, event, sha256, _)| (id, event, sha256)).collect()
    }
}

#[tokio::test]
async fn bodies_go_first_then_snapshots_then_facts_and_records_never() {
    let it = forgetful().await;
    let id = it.over().await;
    let before = it.document(&id).await;
    let (records, all) = (it.records().await, it.kept().await);
    assert!(all.0 == 1 && all.1 == 1 && all.2 > 5, "{all:?}");
    for (day, expected) in [(29, all), (31, (0, 1, all.2)), (61, (0, 0, all.2)), (91, (0, 0, 0)), (400, (0, 0, 0))] {
        it.world.clock.set("2026-11-03T09:00:00Z".parse().expect("a moment"));
        it.world.clock.advance(days(day));
        it.drop_after_its_time().await;
        assert_eq!(it.kept().await, expected, "day {day}");
        assert_eq!(it.records().await, records, "day {day}");
    }
    let after = it.document(&id).await;
    assert_eq!(after["ticket"]["snapshot"], Value::Null);
    assert_eq!(after["ticket"]["snapshot_digest"], before["ticket"]["snapshot_digest"]);
    assert!(after["timeline"].as_array().expect("a list").iter().all(|entry| entry["detail"] == Value::Null));
    assert_eq!(after["decision"], before["decision"], "a record stays whole");
    it.ends().await;
}

#[tokio::test]
async fn a_pack_still_proves_a_request_of_which_facts_were_dropped() {
    let it = forgetful().await;
    let id = it.over().await;
    it.world.clock.advance(days(100));
    it.drop_after_its_time().await;
    let seen = it.get(&format!("/v1/requests/{id}/evidence"), &it.auditor()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evidence.json");
    std::fs::write(&path, seen.body.to_string()).expect("written");
    let report = verify(&[path], &it.keys()).expect("readable");
    assert!(report.holds() && report.to_string().contains("which were dropped after their time"), "{report}");
    it.ends().await;
}

#[tokio::test]
async fn the_log_says_what_was_dropped_and_a_second_run_drops_nothing() {
    let it = forgetful().await;
    it.over().await;
    it.world.clock.advance(days(100));
    it.drop_after_its_time().await;
    let told = async || -> Vec<(String, Value)> {
        let events = sqlx::query_as(
            "select event, detail from audit_events join audit_details on event_id = id where event like '%-dropped' order by id",
        );
        events.fetch_all(&mut it.sql().await).await.expect("the log")
    };
    let first = told().await;
    let names: Vec<_> = first.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(names, ["bodies-dropped", "snapshots-dropped", "details-dropped"]);
    let before = it.world.clock.now() - days(90);
    assert_eq!(first[2].1, json!({ "before": before }));
    it.drop_after_its_time().await;
    assert_eq!(told().await, first);
    it.ends().await;
}

#[tokio::test]
async fn what_an_open_request_needs_is_kept_however_old() {
    let it = forgetful().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let all = it.kept().await;
    let later = it.world.clock.now() + days(400);
    let store = &it.world.service.store;
    for dropped in [store.drop_bodies(later, later).await, store.drop_snapshots(later, later).await] {
        assert_eq!(dropped.expect("a working database"), 0);
    }
    assert_eq!(store.drop_details(later, later).await.expect("a working database"), 0);
    assert_eq!(it.kept().await, all);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn facts_cannot_be_dropped_before_the_log_says_so() {
    let it = forgetful().await;
    it.over().await;
    let early = "delete from audit_details";
    let refused = sqlx::query(early).execute(&mut it.sql().await).await.expect_err("refused").to_string();
    assert!(refused.contains("after their time"), "{refused}");
    it.world.clock.advance(days(100));
    it.drop_after_its_time().await;
    it.over().await;
    let told = "select id from audit_events where event = 'details-dropped'";
    // Neither another event, nor one that is not there, nor one that is older than what is to go lets it go.
    for says in ["select max(id) from audit_events", "select -1", told] {
        let ever =
            format!("insert into audit_drops select now() + interval '9 years' * random() + '9 years', ({says})");
        sqlx::query(sqlx::AssertSqlSafe(ever)).execute(&mut it.sql().await).await.expect("added");
        let refused = sqlx::query(early).execute(&mut it.sql().await).await.expect_err("refused").to_string();
        assert!(refused.contains("after their time"), "what is younger stays: {refused}");
    }
    it.pass(minutes(1)).await;
    it.ends().await;
}
