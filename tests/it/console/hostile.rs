//! Texts that want to be more than text, in every place where somebody outside can write one.

use serde_json::Value;
use stint::sandbox::{
    desk::{DeskEvent, Person, TicketDraft},
    graph::User,
    jira::{Account, IssueDraft},
    story,
};

use super::Console;
use crate::{
    tried::revoke,
    world::{It, minutes},
};

/// Each sets `window.__xss`, opens a dialog, or leads away, once it is taken for more than a text.
const CORPUS: [&str; 12] = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=2>",
    "\"><svg onload=window.__xss=3>",
    "'><iframe srcdoc=\"<script>parent.__xss=4</script>\"></iframe>",
    "javascript:window.__xss=5",
    "</textarea><script>alert(6)</script>",
    "{{constructor.constructor('window.__xss=7')()}}",
    "${window.__xss=8}",
    "<a href=\"javascript:alert(9)\">go</a>",
    "<style>@import'//evil.example'</style><meta http-equiv=refresh content=0;url=//evil.example>",
    "</title><body onload=window.__xss=11>",
    "\u{202e}<b>gnp.exe\u{2066}</b>&lt;img src=x onerror=alert(12)&gt;",
];

/// What no text may have become.
const MARKUP: &str = "main :is(script, img, iframe, style, meta, object, embed, link, base, [onerror], [onload], [onclick], \
                      [srcdoc], [style], a[href^='javascript'])";

/// A ticket that says the same text wherever somebody may write.
async fn refused(it: &It, text: &str) -> String {
    let text = text.to_owned();
    let draft = IssueDraft {
        summary: text.clone(),
        entitlement: text.clone(),
        principal: text.clone(),
        duration: text,
        ..IssueDraft::default()
    };
    let ticket = it.approved(draft);
    let id = it.taken_in(&ticket).await;
    it.until(&id, "rejected").await;
    id
}

/// A request of people whose names are such texts, in force.
async fn granted(it: &It) -> String {
    it.world.sandbox.graph.add_user(story::TENANT, User::member(story::NINA_ID, story::NINA_UPN, CORPUS[1]));
    it.world.sandbox.jira.set_account(Account::person(story::OMAR_ACCOUNT, CORPUS[2], story::OMAR_UPN));
    let ticket = it.approved(IssueDraft { principal: story::NINA_UPN.into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    id
}

/// A request whose ticket leads to a script, by its own word.
async fn leading_astray(it: &It) -> String {
    let desk = &it.world.sandbox.desk;
    desk.set_person(Person::new(story::NINA_DESK, CORPUS[0], story::NINA_UPN));
    let ticket = desk.create(TicketDraft { entitlement: "helpdesk-admin".into(), ..TicketDraft::default() }).id;
    desk.edit(&ticket, "url", "javascript:window.__xss=13");
    desk.request_approvals(&ticket, &[story::OMAR_DESK], 1);
    it.world.clock.advance(minutes(3));
    desk.approve(&ticket, story::OMAR_DESK);
    let mut webhook = desk.webhook_for(&ticket, DeskEvent::Approved);
    webhook.sign_standard(story::DESK_WEBHOOK_SECRET, &it.fresh_id(), it.world.clock.now());
    let seen = it.post_to("service-desk", &webhook).await;
    assert_eq!(seen.status, 202, "{}", seen.body);
    let id = seen.body["request_id"].as_str().expect("an id").to_owned();
    it.until_true(&id, "is decided", |told| {
        ["active", "rejected"].contains(&told["status"].as_str().unwrap_or_default())
    })
    .await;
    id
}

impl Console {
    /// That nothing that shows is more than a text.
    async fn is_harmless(&self, what: &str) {
        let browser = &self.browser;
        assert!(!browser.is_alerted().await, "{what} opened a dialog");
        assert_eq!(browser.runs("return window.__xss ?? null").await, Value::Null, "{what} ran");
        assert_eq!(browser.counts(MARKUP).await, 0, "{what} became markup");
        assert!(browser.address().await.as_str().starts_with(&self.it.world.running.url), "{what} led away");
    }
}

#[tokio::test]
async fn no_text_of_a_ticket_becomes_more_than_a_text() {
    let console = Console::begins().await;
    let (it, browser) = (&console.it, &console.browser);
    let mut refusals = Vec::new();
    for text in CORPUS {
        refusals.push((text, refused(it, text).await));
    }
    let astray = leading_astray(it).await;
    let granted = granted(it).await;

    console.opens_as("operator", "#/history").await;
    console.shows("history").await;
    console.is_harmless("the history").await;
    for (text, id) in &refusals {
        console.goes("request", &format!("#/requests/{id}")).await;
        browser.runs("document.querySelectorAll('main details').forEach((part) => part.open = true)").await;
        console.is_harmless(text).await;
        let told = browser.runs("return document.querySelector('main').textContent").await;
        // What would turn the direction of reading is shown by its name instead.
        let kept = text.split(['\u{202e}', '\u{2066}']).all(|part| told.as_str().expect("a text").contains(part));
        assert!(kept, "{text} is not told as it is: {told}");
    }
    browser.pictures("hostile").await;
    for (view, fragment) in [("now", "#/now"), ("health", "#/health"), ("summary", "#/summary")] {
        console.goes(view, fragment).await;
        console.is_harmless(view).await;
    }
    for id in [&astray, &granted] {
        console.goes("request", &format!("#/requests/{id}")).await;
        console.is_harmless("a name or an address").await;
    }
    assert!(browser.reads("main").await.contains(CORPUS[1]), "a name is told as it is");

    // A search for such a text, and a reason that is one.
    console.goes("history", &format!("#/history?q={}", urlencoded(CORPUS[1]))).await;
    console.is_harmless("what was searched for").await;
    console.goes("now", "#/now").await;
    browser.clicks(&format!("[data-field=\"holding\"][data-id=\"{granted}\"] [data-action=\"revoke\"]")).await;
    browser.writes("dialog[open] textarea[name=\"reason\"]", CORPUS[5]).await;
    browser.clicks("dialog[open] [data-action=\"confirm\"]").await;
    browser.until("!document.querySelector('dialog[open]')").await;
    it.until(&granted, "ended").await;
    console.goes("request", &format!("#/requests/{granted}")).await;
    assert!(browser.reads("main").await.contains(CORPUS[5]), "the reason is told as it is");
    console.is_harmless("a reason").await;
    browser.goes("about:blank").await;
    revoke(it, &astray).await;
    it.until_true(&astray, "is over", |told| {
        ["ended", "rejected"].contains(&told["status"].as_str().unwrap_or_default())
    })
    .await;
    console.ends().await;
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
