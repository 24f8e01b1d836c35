//! What only ServiceNow has: catalog items, approvals on the request above, kinds of changes, changes on hold.

use serde_json::Value;
use stint::sandbox::{
    servicenow::{ChangeDraft, ItemDraft, SnowEvent},
    story,
};

use crate::{
    systems::Item,
    systems::System as _,
    world::{It, free_port, minutes},
};

async fn with(keys: &[(&str, &str)]) -> It {
    It::with(|setup| {
        let key = |(key, value): &(&str, &str)| (format!("STINT__CONNECTIONS__SERVICENOW__{key}"), (*value).to_owned());
        setup.overrides.extend(keys.iter().map(key));
    })
    .await
}

/// Posts the business rule's webhook and gives the request's id.
async fn taken_in(it: &It, ticket: &str) -> String {
    let mut webhook = it.world.sandbox.servicenow.webhook_for(ticket, SnowEvent::Approved);
    webhook.sign_standard(story::SNOW_WEBHOOK_SECRET, &it.fresh_id(), it.world.clock.now());
    let seen = it.post_to(Item::CONNECTION, &webhook).await;
    seen.body["request_id"].as_str().unwrap_or_else(|| panic!("{}", seen.body)).to_owned()
}

fn change(it: &It, kind: &str) -> ChangeDraft {
    let start = it.world.clock.now() - minutes(30);
    ChangeDraft {
        change_type: kind.into(),
        start: Some(start),
        end: Some(start + minutes(600)),
        duration: "PT15M".into(),
        ..ChangeDraft::default()
    }
}

fn approved_change(it: &It, draft: &ChangeDraft) -> String {
    let servicenow = &it.world.sandbox.servicenow;
    let record = servicenow.create_change(draft);
    servicenow.request_approval(&record.sys_id, &[story::OMAR_SYS_ID]);
    it.world.clock.advance(minutes(2));
    servicenow.approve(&record.sys_id, story::OMAR_SYS_ID);
    record.sys_id
}

fn codes(document: &Value) -> String {
    document["decision"]["reasons"].to_string()
}

#[tokio::test]
async fn an_item_without_rows_of_its_own_takes_the_approval_of_its_request() {
    for (counts, status) in [("true", "ended"), ("false", "rejected")] {
        let it = with(&[("PARENT_REQUEST_APPROVAL", counts)]).await;
        let servicenow = &it.world.sandbox.servicenow;
        let item = servicenow.create_item(ItemDraft { duration: "PT15M".into(), ..ItemDraft::default() });
        servicenow.request_parent_approval(&item.sys_id, &[story::OMAR_SYS_ID]);
        it.world.clock.advance(minutes(2));
        servicenow.approve(&item.sys_id, story::OMAR_SYS_ID);
        let id = taken_in(&it, &item.sys_id).await;
        let document = it.until(&id, status).await;
        assert!(status == "ended" || codes(&document).contains("no-approval-object"), "{document:#}");
        assert_eq!(it.creates().len(), usize::from(status == "ended"));
        it.ends().await;
    }
}

#[tokio::test]
async fn only_listed_catalog_items_may_ask() {
    let items = format!("[\"{}\"]", story::SNOW_CATALOG_ITEM);
    let it = with(&[("CATALOG_ITEMS", &items)]).await;
    let servicenow = &it.world.sandbox.servicenow;
    let draft = ItemDraft { cat_item: story::SNOW_OTHER_ITEM.into(), ..ItemDraft::default() };
    let item = servicenow.create_item(draft);
    servicenow.request_approval(&item.sys_id, &[story::OMAR_SYS_ID]);
    it.world.clock.advance(minutes(2));
    servicenow.approve(&item.sys_id, story::OMAR_SYS_ID);
    let id = taken_in(&it, &item.sys_id).await;
    it.pass(minutes(40)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn a_change_on_hold_is_waited_for_and_one_put_on_hold_loses_its_access() {
    let it = It::begins().await;
    let ticket = approved_change(&it, &ChangeDraft { duration: "PT2H".into(), ..change(&it, "normal") });
    it.world.sandbox.servicenow.hold(&ticket, true);
    let id = taken_in(&it, &ticket).await;
    it.pass(minutes(4)).await;
    assert_eq!(it.document(&id).await["status"], "held");
    it.world.sandbox.servicenow.hold(&ticket, false);
    it.pass(minutes(6)).await;
    let document = it.document(&id).await;
    // Whoever took it off hold wrote to the record after its approval, and columns bear no date of their own.
    assert!(document["status"] == "active" || codes(&document).contains("edited-after-approval"), "{document:#}");
    it.world.sandbox.servicenow.hold(&ticket, true);
    it.pass(minutes(30)).await;
    let active = it.world.sandbox.graph.active_grants(story::TENANT);
    assert!(active.is_empty(), "{active:?}");
    it.pass(minutes(120)).await;
    it.ends().await;
}

#[tokio::test]
async fn emergency_changes_ask_only_where_the_connection_lets_them() {
    for (types, granted) in [("[\"normal\"]", 0), ("[\"normal\", \"emergency\"]", 1)] {
        let it = with(&[("CHANGE_TYPES", types)]).await;
        let ticket = approved_change(&it, &change(&it, "emergency"));
        taken_in(&it, &ticket).await;
        it.pass(minutes(45)).await;
        assert_eq!(it.creates().len(), granted, "{types}");
        it.ends().await;
    }
}

#[tokio::test]
async fn a_standard_change_needs_a_listed_template_and_its_note_says_that_nobody_was_asked() {
    let template = "5b0c7d1e2f3a48b96c7d8e9f0a1b2c3d";
    let it =
        with(&[("CHANGE_TYPES", "[\"normal\", \"standard\"]"), ("STANDARD_TEMPLATES", &format!("[\"{template}\"]"))])
            .await;
    let servicenow = &it.world.sandbox.servicenow;
    for (version, notes) in [(template, 2), ("00000000000000000000000000000001", 1)] {
        let draft = ChangeDraft { std_change_producer_version: version.into(), ..change(&it, "standard") };
        let record = servicenow.create_change(&draft);
        it.world.clock.advance(minutes(1));
        servicenow.auto_approve(&record.sys_id);
        let id = taken_in(&it, &record.sys_id).await;
        it.pass(minutes(45)).await;
        let written = Item::notes(&it, &record.sys_id);
        assert_eq!(written.len(), notes, "{written:?} {:#}", it.document(&id).await);
        assert_eq!(written.iter().any(|note| note.contains("Nobody was asked")), version == template, "{written:?}");
    }
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn an_oauth_client_and_an_api_key_sign_in_as_well_as_a_password() {
    let port = free_port();
    let oauth = format!(
        "{{ kind = 'oauth-client', client_id = '{}', secret_file = 'secret', \
         token_url = 'http://127.0.0.1:{port}/oauth_token.do' }}",
        story::SNOW_OAUTH_CLIENT
    );
    let secrets = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let oauth = oauth.replace("'secret'", &format!("'{}'", file("client", story::SNOW_OAUTH_SECRET)));
    let key = format!("{{ kind = 'api-key', token_file = '{}' }}", file("key", story::SNOW_API_KEY));
    for auth in [oauth, key] {
        let it = It::with(|setup| {
            setup.ports.servicenow = port;
            setup.overrides.push(("STINT__CONNECTIONS__SERVICENOW__AUTH".into(), auth));
        })
        .await;
        let servicenow = &it.world.sandbox.servicenow;
        let item = servicenow.create_item(ItemDraft { duration: "PT45M".into(), ..ItemDraft::default() });
        servicenow.request_approval(&item.sys_id, &[story::OMAR_SYS_ID]);
        it.world.clock.advance(minutes(2));
        servicenow.approve(&item.sys_id, story::OMAR_SYS_ID);
        let id = taken_in(&it, &item.sys_id).await;
        it.until(&id, "active").await;
        it.work().await;
        // A token that is revoked before its time is replaced, and stops nobody.
        servicenow.revoke_tokens();
        it.until(&id, "ended").await;
        it.work().await;
        assert_eq!(Item::notes(&it, &item.sys_id).len(), 2);
        let stopped: i64 = sqlx::query_scalar("select count(*) from findings where connection is not null")
            .fetch_one(&mut it.sql().await)
            .await
            .expect("a count");
        assert_eq!(stopped, 0, "one revoked token stopped the connection");
        // Tokens live for half an hour and are kept: a few for the whole story.
        let fetched = servicenow.calls().iter().filter(|call| call.path.ends_with("oauth_token.do")).count();
        assert!(fetched <= 4, "{fetched} tokens");
        it.ends().await;
    }
}
