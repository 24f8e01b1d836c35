//! Tickets that cannot be read back: what a signed webhook's word alone may do, and what it may not.

use serde_json::Value;
use stint::sandbox::{Webhook, story};

use crate::{
    systems::{Happened, Person, Standard, System as _, Wish, event, signed},
    world::{It, minutes, seconds},
};

/// A world whose desk stint never asks anything.
async fn begins() -> It {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__SERVICE_DESK__READ_BACK".into(), "none".into()));
    })
    .await;
    // Whoever asks all the same is refused.
    it.world.sandbox.desk.offer_listing(false);
    it
}

fn approved(it: &It, wish: &Wish) -> String {
    let ticket = Standard::file(it, wish);
    Standard::ask(it, &ticket, &[Person::Omar]);
    it.world.clock.advance(minutes(2));
    Standard::approve(it, &ticket, Person::Omar);
    it.world.clock.advance(seconds(1));
    ticket
}

/// A webhook that carries the whole ticket as it is now.
fn whole(it: &It, ticket: &str, happened: Happened) -> Webhook {
    signed(it, it.world.sandbox.desk.whole_webhook_for(ticket, event(happened)))
}

async fn post(it: &It, webhook: &Webhook) -> (u16, Value) {
    let seen = it.post_to(Standard::CONNECTION, webhook).await;
    (seen.status, seen.body)
}

/// No ticket was asked for: only notes were written.
fn nothing_was_read(it: &It) {
    let read: Vec<_> = it.world.sandbox.desk.calls().into_iter().filter(|call| call.method == "GET").collect();
    assert!(read.is_empty(), "{read:?}");
}

#[tokio::test]
async fn an_unprotected_entitlement_is_granted_and_every_record_says_on_what() {
    let it = begins().await;
    let ticket = approved(&it, &Wish::default());
    let (status, body) = post(&it, &whole(&it, &ticket, Happened::Approved)).await;
    assert_eq!(status, 202, "{body}");
    let id = body["request_id"].as_str().expect("an id").to_owned();
    let document = it.until(&id, "ended").await;
    assert_eq!(document["ticket"]["basis"], "webhook");
    let listed = it.get("/v1/requests", &it.auditor()).await;
    assert_eq!(listed.body["items"][0]["ticket"]["basis"], "webhook");
    it.work().await;
    let notes = Standard::notes(&it, &ticket);
    assert!(notes.iter().any(|note| note.contains("signed webhook alone")), "{notes:?}");
    nothing_was_read(&it);
    it.ends().await;
}

#[tokio::test]
async fn a_protected_entitlement_is_refused_on_a_webhooks_word() {
    let it = begins().await;
    let wish = Wish { entitlement: "global-admin".into(), duration: "PT30M".into(), ..Wish::default() };
    let ticket = approved(&it, &wish);
    let (_, body) = post(&it, &whole(&it, &ticket, Happened::Approved)).await;
    let document = it.until(body["request_id"].as_str().expect("an id"), "rejected").await;
    let reasons = document["decision"]["reasons"].to_string();
    assert!(reasons.contains("read-back-needed"), "{reasons}");
    assert!(it.creates().is_empty());
    let listed = &it.get("/v1/requests", &it.auditor()).await.body["items"][0];
    for path in ["/requested_duration", "/ticket/basis"] {
        assert!(document.pointer(path).is_some_and(Value::is_string), "{path}: {document:#}");
        assert_eq!(listed.pointer(path), document.pointer(path), "{path}");
    }
    it.ends().await;
}

#[tokio::test]
async fn a_withdrawal_ends_the_access_and_a_later_repeat_of_the_approval_does_not_bring_it_back() {
    let it = begins().await;
    let ticket = approved(&it, &Wish::default());
    let approval = whole(&it, &ticket, Happened::Approved);
    let (_, body) = post(&it, &approval).await;
    let id = body["request_id"].as_str().expect("an id").to_owned();
    it.until(&id, "active").await;
    it.world.clock.advance(minutes(1));
    Standard::cancel(&it, &ticket);
    post(&it, &whole(&it, &ticket, Happened::Withdrawn)).await;
    let document = it.until(&id, "ended").await;
    assert_eq!(document["end"]["cause"], "withdrawn");
    // Sent again under another id, as a confused sender might.
    let mut repeated = approval;
    repeated.sign_standard(story::DESK_WEBHOOK_SECRET, "msg_again", it.world.clock.now());
    post(&it, &repeated).await;
    it.pass(minutes(60)).await;
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn a_withdrawal_that_arrives_before_its_approval_is_not_forgotten() {
    let it = begins().await;
    let ticket = approved(&it, &Wish::default());
    let approval = whole(&it, &ticket, Happened::Approved);
    it.world.clock.advance(seconds(20));
    Standard::cancel(&it, &ticket);
    let (status, body) = post(&it, &whole(&it, &ticket, Happened::Withdrawn)).await;
    assert!(status == 202 && body["ignored"].is_string(), "{body}");
    let (_, body) = post(&it, &approval).await;
    let document = it.until(body["request_id"].as_str().expect("an id"), "ended").await;
    assert_eq!(document["end"]["cause"], "withdrawn");
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn nobody_approves_for_themselves_on_a_webhooks_word_either() {
    let it = begins().await;
    let ticket = approved(&it, &Wish { creator: Person::Omar, ..Wish::default() });
    let (_, body) = post(&it, &whole(&it, &ticket, Happened::Approved)).await;
    let document = it.until(body["request_id"].as_str().expect("an id"), "rejected").await;
    assert!(document["decision"]["reasons"].to_string().contains("self-approval"));
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_told_of_a_time_that_cannot_be_stored_is_refused_and_not_asked_for_again() {
    let it = begins().await;
    let ticket = approved(&it, &Wish::default());
    for time in ["-009999-01-02T01:59:59Z", "-004713-11-23T23:59:59Z", "-000001-12-31T23:59:59Z"] {
        let mut webhook = it.world.sandbox.desk.whole_webhook_for(&ticket, event(Happened::Approved));
        let mut body: Value = serde_json::from_slice(&webhook.body).expect("a document");
        body["timestamp"] = time.into();
        webhook.body = body.to_string().into_bytes();
        let (status, body) = post(&it, &signed(&it, webhook)).await;
        assert_eq!((status, &body["code"]), (400, &"bad-request".into()), "{time}: {body}");
    }
    assert_eq!(it.requests().await, 0);
    it.ends().await;
}
