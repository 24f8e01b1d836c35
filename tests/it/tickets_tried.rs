//! Sequences by which somebody tried to get more out of a ticket than was approved, or to have less taken away.

use jiff::Timestamp;
use serde_json::Value;
use stint::{
    domain::{audit::Actor, id::ConnectionName},
    sandbox::{
        Webhook,
        jira::{IssueDraft, WebhookKind},
        servicenow::{ItemDraft, SnowEvent},
        story,
    },
};

use crate::{
    systems::{Happened, Item, Person, Standard, System as _, Wish, event, signed},
    world::{It, minutes, seconds},
};

fn code(document: &Value) -> &str {
    document["decision"]["reasons"][0]["code"].as_str().unwrap_or_default()
}

async fn posted(it: &It, connection: &str, webhook: &Webhook) -> String {
    let seen = it.post_to(connection, webhook).await;
    seen.body["request_id"].as_str().unwrap_or_else(|| panic!("{}", seen.body)).to_owned()
}

/// A webhook with the whole ticket that its sender dates so.
fn told_at(it: &It, ticket: &str, happened: Happened, at: Timestamp) -> Webhook {
    let webhook = it.world.sandbox.desk.whole_webhook_for(ticket, event(happened));
    let mut body: Value = serde_json::from_slice(&webhook.body).expect("JSON");
    body["timestamp"] = at.to_string().into();
    signed(it, Webhook { body: body.to_string().into_bytes(), ..webhook })
}

#[tokio::test]
async fn an_approval_withdrawn_before_it_was_looked_at_does_not_come_back_with_a_later_word() {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__SERVICE_DESK__READ_BACK".into(), "none".into()));
    })
    .await;
    let desk = &it.world.sandbox.desk;
    let ticket = Standard::file(&it, &Wish::default());
    Standard::ask(&it, &ticket, &[Person::Omar]);
    it.world.clock.advance(minutes(2));
    Standard::approve(&it, &ticket, Person::Omar);
    let now = it.world.clock.now();
    let first = posted(&it, Standard::CONNECTION, &told_at(&it, &ticket, Happened::Approved, now)).await;
    it.world.clock.advance(seconds(5));
    Standard::cancel(&it, &ticket);
    posted(&it, Standard::CONNECTION, &told_at(&it, &ticket, Happened::Withdrawn, it.world.clock.now())).await;
    assert_eq!(it.until(&first, "ended").await["end"]["cause"], "withdrawn");
    // The desk takes the cancellation back and tells of the same approval anew.
    it.world.clock.advance(minutes(1));
    desk.edit(&ticket, "status", "approved");
    let again = told_at(&it, &ticket, Happened::Approved, it.world.clock.now());
    let second = posted(&it, Standard::CONNECTION, &again).await;
    assert_eq!(code(&it.until(&second, "rejected").await), "approval-called-off");
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn an_approval_whose_rows_vanished_does_not_grant_again_as_one_by_nobody() {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__SERVICENOW__ALLOW_WITHOUT_APPROVER".into(), "true".into()));
    })
    .await;
    let servicenow = &it.world.sandbox.servicenow;
    let item = servicenow.create_item(ItemDraft { duration: "PT15M".into(), ..ItemDraft::default() });
    servicenow.request_approval(&item.sys_id, &[story::OMAR_SYS_ID]);
    let row = servicenow.newest_approval(&item.sys_id).expect("a row");
    it.world.clock.advance(minutes(1));
    servicenow.approve(&item.sys_id, story::OMAR_SYS_ID);
    let first = posted(&it, Item::CONNECTION, &Item::webhook(&it, &item.sys_id, Happened::Approved)).await;
    it.until(&first, "ended").await;
    servicenow.move_to_other_domain(&row);
    let second = posted(&it, Item::CONNECTION, &Item::webhook(&it, &item.sys_id, Happened::Approved)).await;
    assert_eq!(code(&it.until(&second, "rejected").await), "approval-used");
    it.pass(minutes(12)).await;
    assert_eq!(it.creates().len(), 1, "one approval granted twice");
    it.ends().await;
}

#[tokio::test]
async fn an_account_that_lost_its_rights_in_servicenow_takes_nothing_away() {
    let it = It::begins().await;
    let servicenow = &it.world.sandbox.servicenow;
    let ticket = Item::file(&it, &Wish::default());
    Item::ask(&it, &ticket, &[Person::Omar]);
    it.world.clock.advance(minutes(2));
    Item::approve(&it, &ticket, Person::Omar);
    let id = posted(&it, Item::CONNECTION, &Item::webhook(&it, &ticket, Happened::Approved)).await;
    it.until(&id, "active").await;
    servicenow.hide_record(&ticket);
    servicenow.hide_table("sys_user");
    it.pass(minutes(40)).await;
    assert_eq!(it.document(&id).await["status"], "active", "hidden is not deleted");
    it.until(&id, "ended").await;
    servicenow.show_all();
    it.pass(minutes(20)).await;
    it.ends().await;
}

#[tokio::test]
async fn an_approver_row_answered_by_the_requester_does_not_count() {
    let it = It::begins().await;
    let servicenow = &it.world.sandbox.servicenow;
    let item = servicenow.create_item(ItemDraft::default());
    servicenow.request_approval(&item.sys_id, &[story::OMAR_SYS_ID]);
    it.world.clock.advance(minutes(1));
    servicenow.approve_on_behalf(&item.sys_id, story::OMAR_SYS_ID, story::NINA_SYS_ID);
    let mut webhook = servicenow.webhook_for(&item.sys_id, SnowEvent::ApproverApproved);
    webhook.sign_standard(story::SNOW_WEBHOOK_SECRET, &it.fresh_id(), it.world.clock.now());
    it.post_to(Item::CONNECTION, &webhook).await;
    it.pass(minutes(20)).await;
    assert!(it.creates().is_empty(), "somebody approved in another's name");
    servicenow.cancel(&item.sys_id);
    it.pass(minutes(10)).await;
    it.ends().await;
}

#[tokio::test]
async fn a_search_of_a_connection_that_is_gone_keeps_nobody_busy() {
    let it = It::begins().await;
    it.work().await;
    let stale = "insert into polls (connection, known_since, covered_until, due_at) \
                 values ('gone', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')";
    sqlx::query(stale).execute(&mut it.sql().await).await.expect("a row");
    let served = ["jira-cloud"].map(ConnectionName::new);
    let next = it.world.service.store.next_poll(&served).await.expect("readable").expect("a search");
    assert!(next > it.world.clock.now());
    it.ends().await;
}

#[tokio::test]
async fn a_revoke_is_not_undone_by_an_approval_given_before_it() {
    let it = It::begins().await;
    let ticket = Item::file(&it, &Wish::default());
    Item::ask(&it, &ticket, &[Person::Omar]);
    it.world.clock.advance(minutes(2));
    Item::approve(&it, &ticket, Person::Omar);
    let id = posted(&it, Item::CONNECTION, &Item::webhook(&it, &ticket, Happened::Approved)).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    // Approved anew, and its webhook tells so; then somebody says stop.
    Item::reopen(&it, &ticket);
    it.world.clock.advance(seconds(5));
    Item::ask(&it, &ticket, &[Person::Lena]);
    it.world.clock.advance(seconds(5));
    Item::approve(&it, &ticket, Person::Lena);
    posted(&it, Item::CONNECTION, &Item::webhook(&it, &ticket, Happened::Approved)).await;
    it.work().await;
    it.world.clock.advance(seconds(10));
    let (actor, request) = (Actor::stint(), id.parse().expect("an id"));
    it.world.service.engine.revoke(request, actor, "an incident").await.expect("recorded");
    it.pass(minutes(30)).await;
    assert_eq!(it.creates().len(), 1, "access came back after it was revoked");
    let codes = "select reasons->0->>'code' from requests where state = 'rejected'";
    let code: String = sqlx::query_scalar(codes).fetch_one(&mut it.sql().await).await.expect("a refusal");
    assert_eq!(code, "approval-called-off");
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_moved_away_takes_its_access_with_it() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    it.world.sandbox.jira.move_to_project(&ticket, "ARCH");
    // Its webhook is sent under the new key, and is for us all the same.
    let seen = it.post(&it.world.webhook(&ticket, WebhookKind::Moved)).await;
    assert_eq!(seen.body["request_id"], *id, "{}", seen.body);
    it.pass(minutes(2)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    it.until(&id, "ended").await;
    assert_eq!(it.removals().len(), 1);
    it.ends().await;
}
