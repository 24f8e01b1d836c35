//! Who had what at a moment: asked of the past, of now and of what is to come.

use jiff::Timestamp;
use serde_json::Value;
use stint::{
    domain::{audit::Actor, id::ObjectId},
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
};
use uuid::Uuid;

use crate::world::{It, minutes, seconds};

async fn active(it: &It, duration: &str) -> String {
    let ticket = it.approved(IssueDraft { duration: duration.into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    id
}

async fn revoke(it: &It, id: &str) {
    let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
    let request = id.parse().expect("an id");
    it.world.service.engine.revoke(request, operator, "no longer needed").await.expect("a working database");
}

/// Everything the route says of a moment.
async fn asked(it: &It, query: &str) -> Value {
    let seen = it.get(&format!("/v1/assignments?{query}"), &it.auditor()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    seen.body
}

/// Which requests are listed at a moment, each with the ground on which it is; newest first.
async fn held(it: &It, at: Timestamp) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let body = asked(it, &format!("at={at}")).await;
    assert_eq!(body["at"].as_str().expect("a moment").parse().ok(), Some(at));
    let items = body["items"].as_array().expect("items");
    items.iter().map(|item| (text(&item["request_id"]), text(&item["basis"]))).collect()
}

fn moment(document: &Value, path: &str) -> Timestamp {
    let text = document.pointer(path).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{path} in {document:#}")).parse().expect("a moment")
}

#[tokio::test]
async fn a_life_with_a_join_and_an_early_end_is_told_at_each_of_its_moments() {
    let it = It::begins().await;
    let before = it.world.clock.now();
    let first = active(&it, "PT90M").await;
    it.pass(minutes(10)).await;
    let second = active(&it, "PT100M").await;
    it.pass(minutes(8)).await;
    let proof = |id: &String| (id.clone(), "proof".to_owned());
    let plan = |id: &String| (id.clone(), "plan".to_owned());

    // While both hold it.
    let now = it.world.clock.now();
    assert_eq!(held(&it, now).await, [proof(&second), proof(&first)]);
    assert_eq!(held(&it, now + minutes(5)).await, [plan(&second), plan(&first)], "what is to come is planned");
    let ends_at = moment(&it.document(&first).await, "/assignment/ends_at");
    assert_eq!(held(&it, ends_at + minutes(1)).await, [plan(&second)], "its own approval ends before the other one");
    assert_eq!(held(&it, now + minutes(600)).await, []);

    revoke(&it, &second).await;
    let ordered_at = it.world.clock.now();
    assert_eq!(held(&it, ordered_at).await, [plan(&second), proof(&first)], "ordered, and nothing done yet");
    let two = it.until(&second, "ended").await;
    let one = it.until(&first, "ended").await;
    it.pass(minutes(60)).await;

    // Known at the end of it all.
    let starts_at = moment(&one, "/assignment/starts_at");
    let joined_at = moment(&two, "/assignment/starts_at");
    let left_at = moment(&two, "/end/confirmed_at");
    let gone_at = moment(&one, "/end/confirmed_at");
    assert!(ordered_at < left_at && left_at < ends_at && ends_at < gone_at);
    let a_little = seconds(1);
    for (at, expected) in [
        (before, vec![]),
        (starts_at - a_little, vec![]),
        (starts_at, vec![proof(&first)]),
        (starts_at + minutes(5), vec![proof(&first)]),
        (joined_at + a_little, vec![proof(&second), proof(&first)]),
        (ordered_at - a_little, vec![proof(&second), proof(&first)]),
        (ordered_at, vec![plan(&second), proof(&first)]),
        (left_at, vec![proof(&first)]),
        (ends_at - a_little, vec![proof(&first)]),
        (ends_at, vec![plan(&first)]),
        (gone_at - a_little, vec![plan(&first)]),
        (gone_at, vec![]),
        (it.world.clock.now(), vec![]),
    ] {
        assert_eq!(held(&it, at).await, expected, "at {at}");
    }
    let item = asked(&it, &format!("at={}", ordered_at - a_little)).await["items"][0].clone();
    assert_eq!(item["shared_with"][0], first.as_str());
    assert_eq!((&item["until"]["basis"], moment(&item, "/until/at")), (&"proof".into(), left_at));
    assert_eq!(item["status"], "ended");
    assert_eq!(item["schedule_id"], two["assignment"]["schedule_id"]);
    assert_eq!(item["principal"]["id"], story::NINA_ID);
    assert_eq!(item["entitlement"]["key"], "exchange-admin");
    assert_eq!(item["ticket"]["number"], two["ticket"]["number"]);
    it.ends().await;
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_listed_and_said_why() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "assigning");
    let body = asked(&it, "").await;
    let item = &body["items"][0];
    assert_eq!((&item["request_id"], &item["basis"]), (&id.as_str().into(), &"plan".into()));
    assert!(item["why"].as_str().expect("words").contains("order to assign"), "{item:#}");
    let sent_at = it.world.clock.now();
    it.until(&id, "active").await;
    assert_eq!(held(&it, it.world.clock.now()).await, [(id.clone(), "proof".into())]);
    it.until(&id, "ended").await;
    // PIM's own start is believed once it was read.
    assert_eq!(held(&it, sent_at + seconds(30)).await, [(id.clone(), "proof".into())]);
    it.ends().await;
}

#[tokio::test]
async fn what_was_removed_by_hand_before_its_outcome_was_known_is_not_left_out() {
    for shows_first in [false, true] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
        it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
        let id = it.taken_in(&ticket).await;
        it.work().await;
        let sent_at = moment(&it.document(&id).await, "/attempts/0/recorded_at");
        if shows_first {
            revoke(&it, &id).await;
            // It shows, and PIM would not remove it yet.
            it.pass(minutes(4)).await;
            assert_eq!(it.document(&id).await["status"], "ending");
        }
        let graph = &it.world.sandbox.graph;
        assert!(graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/"));
        let over = it.until(&id, "ended").await;
        assert_eq!(over["attempts"][0]["outcome"], "accepted", "{over:#}");
        assert_eq!(held(&it, sent_at + seconds(1)).await, [(id.clone(), "plan".into())]);
        assert_eq!(held(&it, it.world.clock.now() + seconds(1)).await, []);
        it.ends().await;
    }
}

#[tokio::test]
async fn what_was_never_carried_out_is_listed_nowhere() {
    let it = It::begins().await;
    let refused = it.approved(IssueDraft { duration: "never".into(), ..IssueDraft::default() });
    let refused = it.taken_in(&refused).await;
    it.until(&refused, "rejected").await;
    let code = "RoleAssignmentRequestPolicyValidationFailed".to_owned();
    let kind = FaultKind::Code { status: 400, code, message: "[\"ExpirationRule\"]".into() };
    it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
    let failed = it.approved(IssueDraft::default());
    let failed = it.taken_in(&failed).await;
    let failed = it.until(&failed, "failed").await;
    let sent_at = moment(&failed, "/attempts/0/recorded_at");
    for at in [sent_at, sent_at + seconds(1), it.world.clock.now()] {
        assert_eq!(held(&it, at).await, [], "at {at}");
    }
    it.ends().await;
}

#[tokio::test]
async fn what_somebody_removed_outside_is_not_proved_from_the_first_look_that_missed_it() {
    let it = It::begins().await;
    let id = active(&it, "PT4H").await;
    it.pass(minutes(6)).await;
    let graph = &it.world.sandbox.graph;
    assert!(graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/"));
    let ended = it.until(&id, "ended").await;
    let mut sql = it.sql().await;
    let missed = sqlx::query_scalar("select detail->>'unseen_since' from findings where kind = 'removed-outside'");
    let missed: String = missed.fetch_one(&mut sql).await.expect("a finding");
    let missed: Timestamp = missed.parse().expect("a moment");
    assert_eq!(held(&it, missed - seconds(1)).await, [(id.clone(), "proof".into())]);
    assert_eq!(held(&it, missed).await, [(id.clone(), "plan".into())]);
    assert_eq!(held(&it, moment(&ended, "/end/confirmed_at")).await, []);
    it.ends().await;
}

#[tokio::test]
async fn what_shows_again_after_its_end_is_listed_until_it_is_gone() {
    let it = It::begins().await;
    let id = active(&it, "PT4H").await;
    let graph = &it.world.sandbox.graph;
    let until = it.world.clock.now() + minutes(60);
    assert!(graph.hide_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", until));
    let ended = it.until(&id, "ended").await;
    let believed = moment(&ended, "/end/confirmed_at");
    assert_eq!(held(&it, believed + minutes(5)).await, []);
    it.pass(minutes(60)).await;
    assert_eq!(it.removals().len(), 1, "a comparison found it");
    it.pass(minutes(40)).await;
    let seen = asked(&it, &format!("at={}", believed + minutes(5))).await;
    assert_eq!(seen["items"][0]["request_id"], id.as_str(), "{seen:#}");
    assert_eq!(seen["items"][0]["basis"], "plan");
    assert_eq!(seen["items"][0]["until"]["basis"], "proof", "{seen:#}");
    assert_eq!(held(&it, it.world.clock.now()).await, []);
    it.ends().await;
}

#[tokio::test]
async fn pages_keep_to_their_moment_and_filters_hold() {
    let it = It::begins().await;
    let (first, second) = (active(&it, "PT60M").await, active(&it, "PT80M").await);
    let page = asked(&it, "limit=1&entitlement=exchange-admin").await;
    assert_eq!(page["items"][0]["request_id"], second.as_str());
    let next = page["next"].as_str().expect("a further page").to_owned();
    it.world.clock.advance(seconds(7));
    let last = asked(&it, &format!("limit=1&entitlement=exchange-admin&cursor={next}")).await;
    assert_eq!((&last["at"], &last["next"]), (&page["at"], &Value::Null));
    assert_eq!(last["items"][0]["request_id"], first.as_str());
    let other = it.get(&format!("/v1/assignments?limit=1&cursor={next}"), &it.auditor()).await;
    assert_eq!(other.status, 400, "a cursor belongs to its filter");

    let count = async |query: &str| asked(&it, query).await["items"].as_array().expect("items").len();
    assert_eq!(count("principal=nina&tenant=contoso").await, 2);
    assert_eq!(count(&format!("principal={}", story::NINA_ID)).await, 2);
    assert_eq!(count("principal=omar").await, 0);
    assert_eq!(count("tenant=fabrikam").await, 0);
    assert_eq!(count("entitlement=other").await, 0);
    for (query, name) in [("at=yesterday", "at"), ("limit=0", "limit"), ("cursor=x", "cursor"), ("when=now", "when")] {
        let seen = it.get(&format!("/v1/assignments?{query}"), &it.auditor()).await;
        assert!(seen.status == 400 && seen.body["detail"].as_str().expect("words").contains(name), "{}", seen.body);
    }
    let as_role = async |role: &str| {
        let seen = it.get("/v1/assignments", &it.world.token(story::NINA_ID, "Somebody", &[role])).await;
        (seen.status, seen.body["items"].as_array().map(Vec::len))
    };
    assert_eq!(as_role("Stint.Auditor.contoso").await, (200, Some(2)));
    assert_eq!(as_role("Stint.Operator.contoso").await, (200, Some(2)));
    assert_eq!(as_role("Stint.Auditor.fabrikam").await, (200, Some(0)));
    assert_eq!(as_role("Stint.Requester").await.0, 403);
    let noted = "select count(*) from audit_events join audit_details on event_id = id where event = 'history-read' \
                 and detail->>'what' = 'assignments' and detail->'filter'->>'at' is not null";
    let noted: i64 = sqlx::query_scalar(noted).fetch_one(&mut it.sql().await).await.expect("a count");
    assert!(noted >= 10, "{noted}");
    it.until(&first, "ended").await;
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_moment_is_found_by_its_index() {
    let it = It::begins().await;
    let mut sql = it.sql().await;
    sqlx::query("set enable_seqscan = off").execute(&mut sql).await.expect("set");
    let plan: Vec<String> = sqlx::query_scalar(
        "explain select id from requests where in_force_from is not null \
         and tstzrange(in_force_from, in_force_until, '[]') @> now()",
    )
    .fetch_all(&mut sql)
    .await
    .expect("a plan");
    assert!(plan.iter().any(|line| line.contains("requests_in_force")), "{plan:#?}");
    it.ends().await;
}
