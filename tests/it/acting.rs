//! Operators end a request, or have it looked at again: once for each key, and only those who may.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stint::sandbox::{
    Retry,
    graph::{Fault, FaultKind, On},
    jira::IssueDraft,
    story,
};

use crate::{
    posted::{Posted, post},
    world::{It, minutes, seconds},
};

const KEY: Option<&str> = Some("5f0c9a52");

#[expect(clippy::unnecessary_wraps, reason = "as `post` takes it")]
fn why() -> Option<Value> {
    Some(json!({ "reason": "no longer needed" }))
}

fn operator(it: &It) -> String {
    it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Operator.contoso"])
}

async fn taken_in(it: &It) -> String {
    let ticket = it.approved(IssueDraft::default());
    it.taken_in(&ticket).await
}

async fn active(it: &It) -> String {
    let id = taken_in(it).await;
    it.until(&id, "active").await;
    id
}

async fn revoke(it: &It, id: &str, key: &str) -> Posted {
    post(it, &format!("/v1/requests/{id}/revoke"), &operator(it), Some(key), why()).await
}

async fn retry(it: &It, id: &str, key: &str) -> Posted {
    post(it, &format!("/v1/requests/{id}/retry"), &operator(it), Some(key), why()).await
}

async fn events(it: &It, event: &str) -> i64 {
    let count = sqlx::query_scalar("select count(*) from audit_events where event = $1").bind(event);
    count.fetch_one(&mut it.sql().await).await.expect("a count")
}

async fn keys(it: &It) -> i64 {
    let count = sqlx::query_scalar("select count(*) from idempotency_keys");
    count.fetch_one(&mut it.sql().await).await.expect("a count")
}

#[tokio::test]
async fn an_operator_ends_a_request_and_its_reason_is_told() {
    let it = It::begins().await;
    let id = active(&it).await;
    it.pass(minutes(6)).await;
    let answer = revoke(&it, &id, "a").await;
    assert_eq!((answer.status, &*answer.kind), (202, "application/json"));
    assert_eq!(answer.body(), json!({ "request_id": id, "order": "recorded", "status": "active" }));
    it.work().await;
    assert_eq!(it.removals().len(), 1);
    let again = revoke(&it, &id, "b").await;
    assert_eq!(
        (again.status, &again.body()["order"], &again.body()["status"]),
        (202, &json!("already"), &json!("ending"))
    );
    let ended = it.until(&id, "ended").await;
    assert_eq!((&ended["end"]["cause"], &ended["end"]["reason"]), (&json!("revoked"), &json!("no longer needed")));
    let by = format!("caller:{}/{}", story::TENANT, story::LENA_ID);
    assert_eq!(ended["end"]["ordered_by"], by.as_str());
    let over = revoke(&it, &id, "c").await;
    assert_eq!((over.status, &*over.kind), (409, "application/problem+json"));
    assert_eq!(over.body()["code"], "over");
    assert_eq!(revoke(&it, &id, "a").await, answer, "the first key is answered as it was then");
    assert_eq!(events(&it, "end-ordered").await, 1);
    it.ends().await;
}

#[tokio::test]
async fn twins_are_all_answered_the_same_and_one_order_is_recorded() {
    let it = It::begins().await;
    let id = active(&it).await;
    let answers = join_all((0..20).map(|_| revoke(&it, &id, "the-same"))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!((answers[0].status, &answers[0].body()["order"]), (202, &json!("recorded")));
    assert_eq!((events(&it, "end-ordered").await, keys(&it).await), (1, 1));
    let others = join_all((0..20).map(|n| {
        let it = &it;
        let id = &id;
        async move { retry(it, id, &format!("key-{n}")).await.status }
    }))
    .await;
    assert_eq!(others, [202; 20]);
    assert_eq!((events(&it, "retry-ordered").await, keys(&it).await), (20, 21));
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_key_belongs_to_its_body_its_caller_its_route_and_its_request() {
    let it = It::begins().await;
    let (id, path) = (active(&it).await, |id: &str| format!("/v1/requests/{id}/retry"));
    let first = retry(&it, &id, "k").await;
    assert_eq!(first.status, 202);
    let other_body = Some(json!({ "reason": "another reason" }));
    let refused = post(&it, &path(&id), &operator(&it), Some("k"), other_body).await;
    assert_eq!((refused.status, &refused.body()["code"]), (409, &json!("idempotency-conflict")));
    assert_eq!(events(&it, "retry-ordered").await, 1);
    let omar = it.world.token(story::OMAR_ID, "Omar", &["Stint.Operator"]);
    assert_eq!(post(&it, &path(&id), &omar, Some("k"), why()).await.status, 202);
    assert_eq!(revoke(&it, &id, "k").await.body()["order"], "recorded", "another route");
    let mut draft = IssueDraft { principal: story::LENA_UPN.into(), ..IssueDraft::default() };
    draft.reporter = story::LENA_ACCOUNT.into();
    draft.creator = story::LENA_ACCOUNT.into();
    let other = it.approved(draft);
    let other = it.taken_in(&other).await;
    assert_eq!(retry(&it, &other, "k").await.body()["request_id"], other.as_str());
    assert_eq!(events(&it, "retry-ordered").await, 3);
    it.until(&id, "ended").await;
    it.until(&other, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn keys_are_forgotten_after_a_week() {
    let it = It::begins().await;
    let id = active(&it).await;
    revoke(&it, &id, "old").await;
    it.until(&id, "ended").await;
    it.world.clock.advance(minutes(7 * 24 * 60 + 1));
    it.work().await;
    let next = active(&it).await;
    assert_eq!(revoke(&it, &next, "new").await.status, 202);
    assert_eq!(keys(&it).await, 1);
    assert_eq!(revoke(&it, &id, "old").await.body()["code"], "over");
    it.until(&next, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn only_operators_of_its_tenant_act_on_a_request() {
    let it = It::begins().await;
    let id = active(&it).await;
    for deed in ["revoke", "retry"] {
        let path = format!("/v1/requests/{id}/{deed}");
        for (oid, roles, status) in [
            (story::LENA_ID, &["Stint.Auditor"][..], 403),
            (story::LENA_ID, &["Stint.Auditor.contoso"], 403),
            (story::NINA_ID, &["Stint.Requester"], 403),
            (story::LENA_ID, &["Directory.Read"], 403),
            (story::LENA_ID, &["Stint.Operator.fabrikam"], 404),
            (story::LENA_ID, &["Stint.Auditor.contoso", "Stint.Operator.fabrikam"], 403),
        ] {
            let answer = post(&it, &path, &it.world.token(oid, "Somebody", roles), KEY, why()).await;
            assert_eq!(answer.status, status, "{deed} {roles:?}: {}", answer.text);
        }
        assert_eq!(post(&it, &path, "nonsense", KEY, why()).await.status, 401);
        for unknown in ["01890000-0000-7000-8000-000000000000", "x"] {
            let path = format!("/v1/requests/{unknown}/{deed}");
            assert_eq!(post(&it, &path, &operator(&it), KEY, why()).await.status, 404);
        }
    }
    // A request whose tenant is not known yet is nobody's but theirs who act for every tenant.
    let unknown = taken_in(&it).await;
    let mut sql = it.sql().await;
    let forget = sqlx::query("update requests set tenant = null where id = $1::uuid").bind(&unknown);
    forget.execute(&mut sql).await.expect("an update");
    assert_eq!(revoke(&it, &unknown, "k").await.status, 404);
    assert_eq!((events(&it, "end-ordered").await, events(&it, "retry-ordered").await, keys(&it).await), (0, 0, 0));
    let everywhere = it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Operator"]);
    let path = format!("/v1/requests/{unknown}/revoke");
    assert_eq!(post(&it, &path, &everywhere, KEY, why()).await.status, 202);
    it.until(&unknown, "ended").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_call_without_a_key_or_with_another_body_does_nothing() {
    let it = It::begins().await;
    let id = active(&it).await;
    let path = format!("/v1/requests/{id}/revoke");
    let long = "x".repeat(256);
    for key in [None, Some(""), Some("a b"), Some("\u{fc}"), Some(&*long)] {
        let refused = post(&it, &path, &operator(&it), key, why()).await;
        assert_eq!(refused.status, 400, "{key:?}");
    }
    let long = json!({ "reason": "x".repeat(501) });
    for body in [json!({}), json!({ "reason": "" }), json!({ "reason": 7 }), json!(["no longer needed"]), long] {
        let refused = post(&it, &path, &operator(&it), KEY, Some(body.clone())).await;
        assert_eq!((refused.status, &refused.body()["code"]), (400, &json!("bad-request")), "{body}");
    }
    assert_eq!(post(&it, &path, &operator(&it), KEY, None).await.status, 400);
    assert_eq!(keys(&it).await, 0);
    assert_eq!(it.document(&id).await["status"], "active");
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn what_is_held_is_looked_at_again_at_once() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    let id = taken_in(&it).await;
    let held = it.until(&id, "held").await;
    it.pass(minutes(1)).await;
    let answer = retry(&it, &id, "now").await;
    assert_eq!(answer.body(), json!({ "request_id": id, "retry": "recorded", "status": "held" }));
    let due = it.next_event().await.expect("due");
    assert!(due <= it.world.clock.now(), "{due} {held:#}");
    let told = it.document(&id).await["timeline"].clone();
    let told = told.as_array().expect("events").iter().find(|event| event["event"] == "retry-ordered").cloned();
    assert_eq!(told.expect("an event")["detail"]["reason"], "no longer needed");
    revoke(&it, &id, "enough").await;
    it.until(&id, "ended").await;
    assert_eq!(retry(&it, &id, "again").await.body()["code"], "over");
    it.ends().await;
}

#[tokio::test]
async fn looking_again_shortens_no_wait_that_protects() {
    for kind in [
        FaultKind::DropBeforeCommit,
        FaultKind::DropAfterCommit,
        FaultKind::Status(504),
        FaultKind::Throttle(Retry::Seconds(60)),
    ] {
        let throttled = matches!(kind, FaultKind::Throttle(_));
        let it = It::begins().await;
        it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 100);
        it.world.sandbox.graph.fault(Fault::once(On::Create, kind.clone()));
        let id = taken_in(&it).await;
        it.work().await;
        let sent = it.world.sandbox.graph.ledger().len();
        let began = it.world.clock.now();
        // An impatient operator, every five seconds.
        while it.world.clock.now() < began + seconds(if throttled { 55 } else { 175 }) {
            assert_eq!(retry(&it, &id, &it.fresh_id()).await.status, 202);
            it.work().await;
            it.world.clock.advance(seconds(5));
            let again = it.world.sandbox.graph.ledger().len();
            assert_eq!(
                again,
                sent,
                "{kind:?}: sent again {:?} after the first",
                it.world.clock.now().duration_since(began)
            );
        }
        it.until(&id, "active").await;
        assert_eq!(it.creates().len(), 1, "{kind:?}");
        let revoked = revoke(&it, &id, "end").await;
        assert_eq!(revoked.status, 202);
        // The removal waits five minutes, whoever asks.
        for _ in 0..20 {
            retry(&it, &id, &it.fresh_id()).await;
            it.work().await;
            it.world.clock.advance(seconds(10));
        }
        assert!(it.removals().is_empty() || it.world.clock.now() > began + minutes(5));
        it.until(&id, "ended").await;
        assert_eq!(it.removals().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_dry_run_ends_like_any_other() {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__JIRA_CLOUD__DRY_RUN".into(), "true".into()));
    })
    .await;
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind: FaultKind::Status(503), times: 100 });
    let id = taken_in(&it).await;
    it.work().await;
    let answer = revoke(&it, &id, "k").await;
    assert_eq!((answer.status, &answer.body()["order"]), (202, &json!("recorded")), "{}", answer.text);
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "revoked");
    assert!(it.creates().is_empty());
    it.ends().await;
}
