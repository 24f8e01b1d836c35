//! An operator, who ends what must end, with hands on the keyboard alone.

use fantoccini::key::Key;
use stint::sandbox::{jira::IssueDraft, story};

use super::{Console, browser::hook};

/// Nothing is further away than so many presses.
const MOST_TABS: usize = 60;

fn key(key: Key) -> String {
    char::from(key).to_string()
}

impl Console {
    /// Moves the focus on until it is there, and sees that it shows.
    async fn tabs_to(&self, what: &str) {
        self.browser.sees(what).await;
        for _ in 0..MOST_TABS {
            self.browser.presses(key(Key::Tab)).await;
            if self.is_focused(what).await {
                let ring = "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && \
                            parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none'";
                assert_eq!(self.browser.runs(ring).await, true, "{what} has the focus, and nobody sees it");
                return;
            }
        }
        panic!("{what} is not to be reached by the keyboard");
    }

    async fn is_focused(&self, what: &str) -> bool {
        let what = serde_json::Value::from(what);
        self.browser.runs(&format!("return document.activeElement.matches({what})")).await == true
    }

    async fn enters(&self, what: &str) {
        self.tabs_to(what).await;
        self.browser.presses(key(Key::Enter)).await;
    }
}

#[tokio::test]
async fn an_operator_ends_an_assignment_by_keyboard_and_is_told_when_it_can_end() {
    let console = Console::begins().await;
    let (it, browser) = (&console.it, &console.browser);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;

    browser.goes(&format!("{}/console/#/now", it.world.running.url)).await;
    console.shows("sign-in").await;
    console.is_usable("sign-in").await;
    console.enters(&hook("action", "sign-in")).await;
    console.enters(&hook("person", "operator")).await;
    console.shows("now").await;
    assert_eq!(browser.reads(&hook("field", "role")).await, "Operator");

    // Called off first: nothing happens, and the focus is where it was.
    console.enters(&hook("action", "revoke")).await;
    browser.until("document.activeElement.matches('dialog[open] textarea[name=\"reason\"]')").await;
    console.is_usable("ending").await;
    browser.presses(key(Key::Escape)).await;
    browser.until("!document.querySelector('dialog[open]')").await;
    assert!(console.is_focused(&hook("action", "revoke")).await, "the focus is lost");
    assert_eq!(it.document(&id).await["end"], serde_json::Value::Null);

    browser.presses(key(Key::Enter)).await;
    browser.until("document.activeElement.matches('dialog[open] textarea[name=\"reason\"]')").await;
    browser.presses("The migration is done.").await;
    console.enters("dialog[open] [data-action=\"confirm\"]").await;
    browser.until("!document.querySelector('dialog[open]')").await;
    browser.sees("[data-field=\"ending\"]:not([hidden])").await;
    it.work().await;
    // PIM removes nothing in its first five minutes, and the page says until when.
    let told = it.document(&id).await;
    assert_eq!(told["status"], "ending", "{told:#}");
    assert_eq!((&told["end"]["reason"], &told["end"]["cause"]), (&"The migration is done.".into(), &"revoked".into()));
    assert!(told["end"]["ordered_by"].as_str().is_some_and(|by| by.contains(story::OMAR_ID)), "{told:#}");
    browser.until(r"/\d\d:\d\d/.test(document.querySelector('[data-field=\'ending\']').textContent)").await;
    console.is_usable("ordered").await;

    browser.goes("about:blank").await;
    it.until(&id, "ended").await;
    console.opens_as("operator", "#/now").await;
    console.shows("now").await;
    assert_eq!(browser.counts(&hook("field", "holding")).await, 0);
    console.is_usable("nobody").await;
    console.goes("request", &format!("#/requests/{id}")).await;
    assert_eq!(browser.counts(&hook("action", "revoke")).await, 0, "what is over cannot be ended");
    console.ends().await;
}

#[tokio::test]
async fn an_operator_finds_what_is_held_with_what_to_do_about_it() {
    let console = Console::begins().await;
    let (it, browser) = (&console.it, &console.browser);
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    it.world.sandbox.jira.revoke_logins();
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    console.opens_as("operator", "#/health").await;
    console.shows("health").await;
    let row = format!("[data-field=\"held\"] [data-field=\"row\"][data-id=\"{id}\"]");
    assert!(!browser.reads(&format!("{row} [data-field=\"advice\"]")).await.is_empty());
    console.is_usable("held").await;
    let findings = browser.counts(&hook("field", "finding")).await;
    assert!(findings > 0, "a refused credential is a finding");
    browser.clicks("[data-field=\"finding\"] [data-action=\"acknowledge\"]").await;
    browser.writes("dialog[open] textarea", "Asked for a new token.").await;
    browser.clicks("dialog[open] [data-action=\"confirm\"]").await;
    browser.until("!document.querySelector('dialog[open]')").await;
    let open = it.get("/v1/findings?state=acknowledged", &it.auditor()).await;
    assert_eq!(open.body["items"][0]["acknowledged"]["reason"], "Asked for a new token.");

    it.world.sandbox.jira.allow_basic(story::JIRA_USER, story::JIRA_TOKEN);
    browser.clicks(&format!("{row} [data-action=\"retry\"]")).await;
    browser.writes("dialog[open] textarea", "The token is new.").await;
    browser.clicks("dialog[open] [data-action=\"confirm\"]").await;
    browser.until("!document.querySelector('dialog[open]')").await;
    browser.goes("about:blank").await;
    it.until(&id, "ended").await;
    console.ends().await;
}
