//! Answers that are lost, late, wrong or refused: exactly one assignment each, or none and said so.

use std::time::Duration;

use stint::{
    outbound::Limits,
    sandbox::{
        Retry,
        graph::{Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
};

use crate::world::{It, minutes, seconds};

/// A world in which this happens to the call that assigns.
async fn with_fault(kind: FaultKind) -> (It, String) {
    let it = It::with(|setup| {
        setup.surroundings.outbound = Limits { connect: Duration::from_secs(2), total: Duration::from_millis(800) };
    })
    .await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
    let id = it.taken_in(&ticket).await;
    (it, id)
}

/// Plays to the end: active once, one create, ended by itself at its own time.
async fn exactly_one(it: It, id: &str) {
    let active = it.until(id, "active").await;
    assert_eq!(it.creates().len(), 1);
    let ended = it.until(id, "ended").await;
    assert_eq!(ended["end"]["cause"], "expired");
    assert_eq!(it.creates().len(), 1);
    // A call that surely was not carried out fixed no end.
    let attempts = active["attempts"].as_array().expect("attempts");
    let first = attempts.iter().find(|a| a["outcome"] == "accepted" || a["outcome"] == "absent").expect("an attempt");
    let first = first["ends_at"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let end = active["assignment"]["ends_at"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let late = end.expect("an end").duration_since(first.expect("a plan"));
    assert!(late <= seconds(60), "the end slid by {late}");
    it.ends().await;
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_found_by_looking() {
    for kind in [
        FaultKind::DropAfterCommit,
        FaultKind::StatusAfterCommit(504),
        FaultKind::StatusAfterCommit(500),
        FaultKind::Truncated201,
        FaultKind::HtmlAfterCommit(502),
        FaultKind::HtmlAfterCommit(200),
        FaultKind::StallAfterCommit,
    ] {
        let (it, id) = with_fault(kind).await;
        exactly_one(it, &id).await;
    }
}

#[tokio::test]
async fn a_call_lost_before_the_commit_is_sent_again_after_the_settle_time_for_what_remains() {
    for kind in
        [FaultKind::DropBeforeCommit, FaultKind::Status(504), FaultKind::Html(503), FaultKind::StallBeforeCommit]
    {
        let (it, id) = with_fault(kind).await;
        let began = it.world.clock.now();
        it.work().await;
        assert_eq!(it.document(&id).await["status"], "assigning");
        it.until(&id, "active").await;
        assert!(it.world.clock.now().duration_since(began) >= seconds(180), "the settle time was cut short");
        let sent = it.creates()[0].duration.clone().expect("a duration");
        assert_ne!(sent, "PT4H", "only what remains is asked for");
        exactly_one(it, &id).await;
    }
}

#[tokio::test]
async fn lists_that_lag_hide_nothing_for_good() {
    for (lag, kind) in
        [(20, FaultKind::DropAfterCommit), (90, FaultKind::StatusAfterCommit(504)), (119, FaultKind::Truncated201)]
    {
        let (it, id) = with_fault(kind).await;
        it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = lag);
        it.until(&id, "active").await;
        it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 0);
        exactly_one(it, &id).await;
    }
}

#[tokio::test]
async fn throttling_waits_as_asked_and_grants_once() {
    for (retry, wait) in [(Retry::Seconds(7), 7), (Retry::HttpDate(40), 40), (Retry::Zero, 1), (Retry::Absent, 2)] {
        let (it, id) = with_fault(FaultKind::Throttle(retry)).await;
        let began = it.world.clock.now();
        it.work().await;
        let held = it.document(&id).await;
        assert_eq!(held["hold"]["reason"], "graph-throttled");
        let next: jiff::Timestamp = held["hold"]["next_look_at"].as_str().expect("a time").parse().expect("a time");
        let waited = next.duration_since(began).as_secs();
        assert!((wait..=wait + 1).contains(&waited), "{wait}: {waited}");
        let active = it.until(&id, "active").await;
        assert_eq!(it.creates()[0].duration.as_deref(), Some("PT4H"), "a refused call used no time up");
        assert_eq!(active["attempts"].as_array().map(Vec::len), Some(2));
        exactly_one(it, &id).await;
    }
}

#[tokio::test]
async fn a_rule_that_changed_after_it_was_read_fails_the_request_and_is_named() {
    let message = r#"The following policy rules failed: ["MfaRule"]"#.into();
    let code = "RoleAssignmentRequestPolicyValidationFailed".into();
    let (it, id) = with_fault(FaultKind::Code { status: 400, code, message }).await;
    let failed = it.until(&id, "failed").await;
    assert!(failed["failure"]["code"].as_str().expect("a code").contains("MfaRule"), "{failed}");
    assert_eq!(failed["attempts"].as_array().map(Vec::len), Some(1));
    it.work().await;
    assert!(it.notes(failed["ticket"]["id"].as_str().expect("a ticket")).iter().any(|note| note.contains("MfaRule")));
    it.ends().await;
}

#[tokio::test]
async fn a_missing_licence_or_permission_holds_and_raises_a_finding() {
    for (status, code, hold) in
        [(400, "AadPremiumLicenseRequired", "graph-licence"), (403, "PermissionScopeNotGranted", "graph-permission")]
    {
        let kind = FaultKind::WrappedCode { status, code: code.into(), message: "refused".into() };
        let (it, id) = with_fault(kind).await;
        let held = it.until(&id, "held").await;
        assert_eq!(held["hold"]["reason"], hold, "{code}");
        let kinds: Vec<String> =
            sqlx::query_scalar("select kind from findings").fetch_all(&mut it.sql().await).await.expect("findings");
        assert_eq!(kinds, [hold]);
        exactly_one(it, &id).await;
    }
}

#[tokio::test]
async fn a_principal_that_pim_does_not_know_yet_is_tried_again_for_three_minutes() {
    let kind = FaultKind::Code { status: 404, code: "SubjectNotFound".into(), message: "not found".into() };
    let (it, id) = with_fault(kind.clone()).await;
    exactly_one(it, &id).await;

    let (it, id) = with_fault(kind.clone()).await;
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind, times: 100 });
    let failed = it.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "SubjectNotFound");
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn somebody_elses_assignment_holds_and_is_left_alone() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    let ends = it.world.clock.now() + minutes(90);
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", Some(ends));
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "foreign-assignment");
    assert!(it.creates().is_empty());
    it.until(&id, "active").await;
    assert!(it.world.clock.now() >= ends);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn an_assignment_made_by_somebody_between_look_and_call_is_never_taken_for_ours() {
    let kind = FaultKind::Code { status: 400, code: "RoleAssignmentExists".into(), message: "exists".into() };
    let (it, id) = with_fault(kind).await;
    it.work().await;
    it.world.sandbox.graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "foreign-assignment");
    it.pass(minutes(30)).await;
    assert!(it.creates().is_empty());
    it.world.sandbox.graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn granted_is_not_active_until_the_instance_shows() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_seconds = 45);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "assigning");
    let active = it.until(&id, "active").await;
    assert_eq!(active["attempts"].as_array().map(Vec::len), Some(1));
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_schedule_request_stuck_in_granted_is_shown_as_held_and_cancelled_when_its_time_is_over() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_forever = true);
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "not-in-force");
    let ended = it.until(&id, "ended").await;
    assert!(ended["assignment"].is_null(), "it was never active");
    assert_eq!(it.world.sandbox.graph.active_grants(story::TENANT).len(), 0);
    it.ends().await;
}

#[tokio::test]
async fn odd_words_for_a_status_are_decided_by_reading() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| {
        knobs.status = Some("SomethingNew".into());
        knobs.casing = stint::sandbox::graph::Casing::Pascal;
    });
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    exactly_one(it, &id).await;
}

#[tokio::test]
async fn a_schedule_request_that_failed_in_pim_fails_the_request() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| {
        knobs.status = Some("Failed".into());
        knobs.granted_forever = true;
    });
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let failed = it.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "schedule-request-over");
    it.work().await;
    it.ends().await;
}

#[tokio::test]
async fn an_end_later_than_asked_or_none_at_all_is_removed_and_found() {
    for (late, finding) in [(true, "end-late"), (false, "end-missing")] {
        let it = It::begins().await;
        it.world.sandbox.graph.set(|knobs| {
            knobs.later_end_seconds = if late { 3600 } else { 0 };
            knobs.no_end = !late;
        });
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "revoked");
        assert!(ended["timeline"].as_array().expect("events").iter().all(|e| e["event"] != "active"));
        let kinds: Vec<String> =
            sqlx::query_scalar("select kind from findings").fetch_all(&mut it.sql().await).await.expect("findings");
        assert_eq!(kinds, [finding]);
        assert_eq!(it.removals().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_token_that_went_stale_is_renewed_without_a_second_assignment() {
    let (it, id) = with_fault(FaultKind::DropBeforeCommit).await;
    it.work().await;
    it.world.sandbox.entra.revoke_tokens();
    exactly_one(it, &id).await;
}

#[tokio::test]
async fn entra_out_of_reach_holds_before_anything_is_sent() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.entra.fail_next(4, 503);
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-unavailable");
    exactly_one(it, &id).await;
}
