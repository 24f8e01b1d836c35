//! Webhooks as they arrive: genuine, repeated, forged, malformed, not for us, and when nothing can be stored.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use stint::sandbox::{
    jira::{IssueDraft, Webhook, WebhookKind},
    story,
};

use crate::world::{It, minutes};

#[tokio::test]
async fn a_thousand_copies_over_many_connections_make_one_request_and_one_assignment() {
    let it = Arc::new(It::begins().await);
    let ticket = it.approved(IssueDraft::default());
    let webhook = it.world.webhook(&ticket, WebhookKind::Updated);
    let copies = stream::iter(0..1000).map(|_| {
        let (it, webhook) = (Arc::clone(&it), webhook.clone());
        async move { it.post(&webhook).await }
    });
    let answers: Vec<_> = copies.buffer_unordered(64).collect().await;
    assert!(answers.iter().all(|seen| (200..300).contains(&seen.status)));
    assert_eq!(answers.iter().filter(|seen| seen.status == 202).count(), 1);
    let id = answers[0].body["request_id"].as_str().expect("an id").to_owned();
    assert!(answers.iter().all(|seen| seen.body["request_id"] == id));
    it.until(&id, "ended").await;
    assert_eq!(it.creates().len(), 1);
    Arc::into_inner(it).expect("the last holder").ends().await;
}

#[tokio::test]
async fn a_repeat_gets_the_same_body_marked_as_a_repeat() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let webhook = it.world.webhook(&ticket, WebhookKind::Updated);
    let first = it.post(&webhook).await;
    let again = it.post(&webhook.retry()).await;
    assert_eq!((first.status, again.status), (202, 200));
    assert_eq!((&first.body["repeat"], &again.body["repeat"]), (&false.into(), &true.into()));
    assert_eq!(first.body["request_id"], again.body["request_id"]);
    assert_eq!(first.body["status_url"], again.body["status_url"]);
    let id = first.body["request_id"].as_str().expect("an id");
    assert!(first.body["status_url"].as_str().expect("a url").ends_with(&format!("/v1/requests/{id}")));
    it.until(id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn several_hooks_about_one_approval_join_one_request() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let first = it.taken_in(&ticket).await;
    for _ in 0..4 {
        assert_eq!(it.deliver(&ticket).await.body["request_id"], first);
    }
    it.until(&first, "ended").await;
    assert_eq!(it.deliver(&ticket).await.body["request_id"], first);
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn what_proves_nothing_learns_nothing_and_leaves_nothing() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let genuine = it.world.webhook(&ticket, WebhookKind::Updated);
    let signature = genuine.header("X-Hub-Signature").expect("a signature").to_owned();
    let with = |value: &str| {
        let mut webhook = genuine.clone();
        webhook.set_header("X-Hub-Signature", value);
        webhook
    };
    let mut missing = genuine.clone();
    missing.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-hub-signature"));
    let mut doubled = genuine.clone();
    doubled.headers.push(("X-Hub-Signature".into(), signature.clone()));
    let mut bearer = missing.clone();
    bearer.headers.push(("Authorization".into(), format!("Bearer {}", story::WEBHOOK_SECRET)));
    let mut other_body = genuine.clone();
    other_body.body.push(b' ');
    let mut unknown_ticket: Webhook = genuine.clone();
    unknown_ticket.body = b"{}".to_vec();
    let forged = [
        missing,
        doubled,
        bearer,
        other_body,
        unknown_ticket,
        with(""),
        with("sha256="),
        with("sha256=00"),
        with(&signature.replace("sha256", "sha1")),
        with(&signature.replace("sha256", "md5")),
        with(&signature[..signature.len() - 1]),
        with(&format!("{signature}0")),
        with(&"sha256=".repeat(20)),
    ];
    for webhook in forged {
        let (status, body, headers) = webhook.deliver(&it.world.webhook_url("jira-cloud")).await.expect("an answer");
        assert_eq!((status, body.len()), (401, 0), "{:?}", webhook.headers);
        assert!(headers.get("content-type").is_none());
    }
    let stored: i64 =
        sqlx::query_scalar("select count(*) from deliveries").fetch_one(&mut it.sql().await).await.expect("a count");
    assert_eq!(stored, 0);
    it.ends().await;
}

#[tokio::test]
async fn two_secrets_are_good_while_one_takes_over_from_the_other() {
    let old = "the-secret-that-is-on-its-way-out";
    let it = It::with(|setup| {
        let secrets = format!("[{:?}, {old:?}]", story::WEBHOOK_SECRET);
        setup.overrides.push(("STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK__SECRETS".into(), secrets));
    })
    .await;
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let mut by_old = it.world.sandbox.jira.webhook_for(&ticket, WebhookKind::Updated);
    by_old.sign_jira_hub(old);
    assert_eq!(it.post(&by_old).await.status, 202);
    let by_new = it.deliver(&ticket).await;
    assert_eq!(by_new.status, 202);
    let mut by_neither = it.world.sandbox.jira.webhook_for(&ticket, WebhookKind::Updated);
    by_neither.sign_jira_hub("a-secret-that-was-never-configured");
    assert_eq!(it.post(&by_neither).await.status, 401);
    it.until(by_new.body["request_id"].as_str().expect("an id"), "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_bearer_connection_takes_the_automations_web_request() {
    let static_token = "the-static-token-of-an-automation-rule";
    let it = It::with(|setup| {
        let webhook = format!("{{ scheme = \"bearer\", secrets = [{static_token:?}] }}");
        setup.overrides.push(("STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK".into(), webhook));
    })
    .await;
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let mut webhook = it.world.sandbox.jira.webhook_for(&ticket, WebhookKind::Automation);
    assert_eq!(it.post(&webhook).await.status, 401);
    webhook.set_header("Authorization", format!("Bearer {static_token}"));
    let taken = it.post(&webhook).await;
    assert_eq!(taken.status, 202, "{}", taken.body);
    assert_eq!(it.post(&webhook).await.status, 200, "a repeat is known by its body");
    it.until(taken.body["request_id"].as_str().expect("an id"), "active").await;
    it.until(taken.body["request_id"].as_str().expect("an id"), "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn what_is_not_for_stint_is_recorded_and_answered_well() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.jira.comment(&ticket, story::OMAR_ACCOUNT, "looks good to me");
    let elsewhere = it.approved(IssueDraft { project: "ARCH".into(), ..IssueDraft::default() });
    for webhook in [
        it.world.webhook(&ticket, WebhookKind::CommentCreated),
        it.world.webhook(&ticket, WebhookKind::Created),
        it.world.webhook(&elsewhere, WebhookKind::Updated),
    ] {
        let seen = it.post(&webhook).await;
        assert_eq!(seen.status, 202, "{}", seen.body);
        assert!(seen.body["ignored"].is_string(), "{}", seen.body);
    }
    let outcomes: Vec<String> =
        sqlx::query_scalar("select outcome from deliveries").fetch_all(&mut it.sql().await).await.expect("rows");
    assert_eq!(outcomes, ["ignored", "ignored", "ignored"]);
    it.ends().await;
}

/// A genuine delivery with this body.
fn signed(body: &[u8], content_type: &str) -> Webhook {
    let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    let mut webhook = Webhook { headers, body: body.to_vec() };
    webhook.sign_jira_hub(story::WEBHOOK_SECRET);
    webhook
}

#[tokio::test]
async fn malformed_bodies_get_a_problem_that_says_why() {
    let it = It::begins().await;
    let json = "application/json";
    let not_a_number =
        br#"{"webhookEvent":"jira:issue_updated","issue":{"id":"10482","key":"not a key"},"changelog":{"items":[]}}"#;
    for (body, kind, status) in [
        (&b"not json"[..], json, 400),
        (b"", json, 400),
        (b"[]", json, 400),
        (b"{\"a\":1,\"a\":2}", json, 400),
        (b"{\"a\":\"\\u0000\"}", json, 400),
        (&[b'['; 5000], json, 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (not_a_number, json, 422),
    ] {
        let seen = it.post(&signed(body, kind)).await;
        assert_eq!(seen.status, status, "{:?}: {}", String::from_utf8_lossy(body), seen.body);
        assert_eq!(seen.body["status"], status);
        assert!(seen.body["type"].as_str().expect("a type").starts_with("/problems/"));
    }
    let large = vec![b' '; 1_048_577];
    assert_eq!(it.post(&signed(&large, json)).await.status, 413);
    it.ends().await;
}

#[tokio::test]
async fn an_unknown_connection_and_another_method_are_told_apart_from_a_refusal() {
    let it = It::begins().await;
    let webhook = signed(b"{}", "application/json");
    let (status, ..) = webhook.deliver(&format!("{}/webhooks/nobody", it.world.running.url)).await.expect("an answer");
    assert_eq!(status, 404);
    let seen = it.get("/webhooks/jira-cloud", "x").await;
    assert_eq!((seen.status, &seen.body["code"]), (405, &"method-not-allowed".into()));
    it.ends().await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_to_be_sent_again() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let webhook = it.world.webhook(&ticket, WebhookKind::Updated);
    let mut sql = it.sql().await;
    sqlx::query("alter table deliveries rename to deliveries_gone").execute(&mut sql).await.expect("renamed");
    let (status, _, headers) = webhook.deliver(&it.world.webhook_url("jira-cloud")).await.expect("an answer");
    assert_eq!(status, 503);
    assert_eq!(headers["retry-after"], "30");
    sqlx::query("alter table deliveries_gone rename to deliveries").execute(&mut sql).await.expect("renamed");
    let taken = it.post(&webhook.retry()).await;
    assert_eq!(taken.status, 202, "{}", taken.body);
    it.until(taken.body["request_id"].as_str().expect("an id"), "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_late_word_about_an_open_request_only_makes_it_look_again() {
    let it = It::begins().await;
    let jira = &it.world.sandbox.jira;
    let ticket = jira.create_issue(IssueDraft::default());
    jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    jira.transition(&ticket.id, story::STATUS_APPROVED, story::NINA_ACCOUNT);
    let id = it.taken_in(&ticket.id).await;
    it.until(&id, "held").await;
    it.pass(minutes(10)).await;
    jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    let seen = it.deliver(&ticket.id).await;
    assert_eq!(seen.body["request_id"], id);
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "active");
    it.until(&id, "ended").await;
    it.ends().await;
}
