//! An auditor, who sees all of it and changes nothing.

use serde_json::Value;
use stint::{sandbox::jira::IssueDraft, verify::verify};

use super::{Console, browser::hook};
use crate::world::minutes;

/// What an auditor would find on an ordinary day, newest first.
struct Day {
    active: String,
    rejected: String,
    ended: String,
}

impl Console {
    async fn ordinary_day(&self) -> Day {
        let it = &self.it;
        let short = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
        let ended = it.taken_in(&short).await;
        it.until(&ended, "ended").await;
        let never = it.approved(IssueDraft { duration: "never".into(), ..IssueDraft::default() });
        let rejected = it.taken_in(&never).await;
        it.until(&rejected, "rejected").await;
        let helpdesk = it.approved(IssueDraft { entitlement: "helpdesk-admin".into(), ..IssueDraft::default() });
        let active = it.taken_in(&helpdesk).await;
        it.until(&active, "active").await;
        it.pass(minutes(6)).await;
        Day { active, rejected, ended }
    }

    async fn rows(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('[data-field=\"row\"]')].map((row) => row.dataset.id)";
        let ids = self.browser.runs(script).await;
        ids.as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
    }
}

#[tokio::test]
async fn an_auditor_finds_what_was_asked_for_and_sends_the_view_on() {
    let console = Console::begins().await;
    let day = console.ordinary_day().await;
    let browser = &console.browser;
    // A colleague's link, opened by somebody who has not signed in yet.
    console.opens_as("auditor", "#/history?status=rejected").await;
    console.shows("history").await;
    assert_eq!(browser.address().await.fragment(), Some("/history?status=rejected"));
    assert_eq!(console.rows().await, [day.rejected.as_str()]);
    assert_eq!(browser.reads(&hook("field", "who")).await, "Lena Vogt");
    assert_eq!(browser.reads(&hook("field", "role")).await, "Auditor");
    console.keeps_no_token().await;

    console.goes("history", "#/history").await;
    assert_eq!(console.rows().await, [day.active.as_str(), &day.rejected, &day.ended]);
    console.is_usable("history").await;
    let number = console.it.document(&day.ended).await["ticket"]["number"].as_str().expect("a number").to_owned();
    browser.writes("[name=\"q\"]", &number).await;
    browser.clicks(&hook("action", "apply")).await;
    browser.until("location.hash.includes('q=')").await;
    console.shows("history").await;
    browser.until("document.querySelectorAll('[data-field=\"row\"]').length === 1").await;
    assert_eq!(console.rows().await, [day.ended.as_str()]);

    browser.clicks(&hook("action", "export-csv")).await;
    let exported = browser.saves(".csv").await;
    let text = std::fs::read_to_string(exported).expect("a file");
    assert!(text.contains(&day.ended) && !text.contains(&day.rejected), "what is shown is what is exported: {text}");

    console.goes("history", "#/history?q=nobody-has-this").await;
    assert_eq!(console.rows().await, Vec::<String>::new());
    console.is_usable("nothing-found").await;
    browser.goes("about:blank").await;
    console.it.until(&day.active, "ended").await;
    console.ends().await;
}

#[tokio::test]
async fn an_auditor_follows_a_request_to_its_proof() {
    let console = Console::begins().await;
    let day = console.ordinary_day().await;
    let browser = &console.browser;
    console.opens_as("auditor", &format!("#/requests/{}", day.ended)).await;
    console.shows("request").await;
    assert_eq!(browser.reads(&hook("field", "status")).await, "ended");
    let events =
        "return [...document.querySelectorAll('[data-field=\"timeline\"] [data-event]')].map((e) => e.dataset.event)";
    let events = browser.runs(events).await;
    let told = console.it.document(&day.ended).await;
    for entry in told["timeline"].as_array().expect("a timeline") {
        assert!(
            events.as_array().expect("a list").contains(&entry["event"]),
            "{} is left out: {events}",
            entry["event"]
        );
    }
    let facts = browser.counts("[data-field=\"timeline\"] [data-field=\"fact\"]").await;
    assert_eq!(browser.counts("[data-field=\"timeline\"] [data-field=\"fact\"] [data-field=\"source\"]").await, facts);

    browser.clicks(&hook("action", "verify")).await;
    browser.sees("[data-field=\"proof\"][data-state=\"verified\"]").await;
    console.is_usable("request").await;
    browser.clicks(&hook("action", "evidence")).await;
    let saved = browser.saves(&format!("stint-evidence-{}.json", day.ended)).await;
    let report = verify(&[saved], &console.it.keys()).expect("a readable file");
    assert!(report.holds(), "{report:?}");

    console.goes("request", &format!("#/requests/{}", day.rejected)).await;
    let told = console.it.document(&day.rejected).await;
    let codes = "return [...document.querySelectorAll('[data-field=\"refusal\"]')].map((one) => one.dataset.code)";
    let reasons = told["decision"]["reasons"].as_array().expect("reasons").iter().map(|reason| reason["code"].clone());
    assert_eq!(browser.runs(codes).await, reasons.collect::<Value>());
    console.is_usable("refused").await;
    browser.goes("about:blank").await;
    console.it.until(&day.active, "ended").await;
    console.ends().await;
}

#[tokio::test]
async fn an_auditor_sees_how_things_stand_and_may_end_nothing() {
    let console = Console::begins().await;
    let day = console.ordinary_day().await;
    let browser = &console.browser;
    console.opens_as("auditor", "#/now").await;
    console.shows("now").await;
    let holding = format!("[data-field=\"holding\"][data-id=\"{}\"]", day.active);
    assert_eq!(browser.counts(&hook("field", "holding")).await, 1);
    assert_eq!(browser.reads(&format!("{holding} [data-field=\"principal\"]")).await, "Nina Keller");
    assert!(browser.reads(&format!("{holding} [data-field=\"entitlement\"]")).await.contains("Helpdesk Administrator"));
    let left = browser.reads(&format!("{holding} [data-field=\"left\"]")).await;
    browser
        .until(&format!(
            "document.querySelector('{holding} [data-field=\"left\"]').textContent.trim() !== {}",
            Value::from(left)
        ))
        .await;
    console.is_usable("now").await;

    console.goes("health", "#/health").await;
    let names = console.texts("[data-field=\"connection\"] b").await;
    assert!(names.iter().any(|name| name == "jira-cloud"), "{names:?}");
    assert_eq!(browser.counts("[data-field=\"tenant\"][data-name=\"contoso\"]").await, 1);
    assert_ne!(browser.reads("[data-field=\"audit-log\"] [data-field=\"events\"]").await, "0");
    console.is_usable("health").await;

    console.goes("summary", "#/summary").await;
    let charts = browser.counts("[data-field=\"chart\"]").await;
    assert!(charts >= 4, "{charts} charts");
    assert_eq!(browser.counts("[data-field=\"chart\"] svg").await, charts);
    assert_eq!(browser.counts("[data-field=\"chart\"] table").await, charts);
    console.is_usable("summary").await;

    for (view, fragment) in [("now", "#/now".to_owned()), ("request", format!("#/requests/{}", day.active))] {
        console.goes(view, &fragment).await;
        for action in ["revoke", "retry", "acknowledge"] {
            assert_eq!(browser.counts(&hook("action", action)).await, 0, "{action} in {view}");
        }
    }
    let asked = browser
        .runs("return [...performance.getEntriesByType('resource')].map((one) => new URL(one.name).origin)")
        .await;
    let known = [console.it.world.running.url.clone(), console.it.world.sandbox.entra.url()];
    for origin in asked.as_array().expect("a list") {
        assert!(known.iter().any(|url| origin == url), "something was loaded from {origin}");
    }
    browser.goes("about:blank").await;
    console.it.until(&day.active, "ended").await;
    console.ends().await;
}
