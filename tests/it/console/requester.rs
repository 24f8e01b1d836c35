//! A requester, who sees own requests and what each waits for; and whoever's token is over.

use stint::sandbox::{jira::IssueDraft, story};

use super::{Console, browser::hook};
use crate::world::minutes;

#[tokio::test]
async fn a_requester_sees_own_requests_and_no_more() {
    let console = Console::begins().await;
    let (it, browser) = (&console.it, &console.browser);
    let ticket = it.approved(IssueDraft::default());
    let own = it.taken_in(&ticket).await;
    it.until(&own, "active").await;
    let somebodys =
        IssueDraft { principal: story::LENA_UPN.into(), entitlement: "helpdesk-admin".into(), ..IssueDraft::default() };
    let somebodys = it.approved(somebodys);
    let anothers = it.taken_in(&somebodys).await;
    it.until(&anothers, "active").await;

    console.opens_as("requester", "").await;
    console.shows("history").await;
    assert_eq!(browser.reads(&hook("field", "who")).await, "Nina Keller");
    assert_eq!(browser.counts(&hook("field", "row")).await, 1);
    assert_eq!(browser.counts(&format!("[data-field=\"row\"][data-id=\"{own}\"]")).await, 1);
    assert!(!browser.reads("[data-field=\"row\"] [data-field=\"why\"]").await.is_empty());
    for view in ["now", "health", "summary"] {
        assert_eq!(browser.counts(&hook("action", &format!("open-{view}"))).await, 0, "{view}");
    }
    assert_eq!(browser.counts(&hook("action", "export-csv")).await, 0);
    console.is_usable("own-requests").await;

    // By hand where no link leads.
    console.goes("history", "#/now").await;
    assert_eq!(browser.counts(&hook("field", "row")).await, 1);
    console.goes("request", &format!("#/requests/{own}")).await;
    assert!(!browser.reads("main [data-field=\"why\"]").await.is_empty());
    for action in ["evidence", "verify", "revoke", "retry"] {
        assert_eq!(browser.counts(&hook("action", action)).await, 0, "{action}");
    }
    console.is_usable("own-request").await;
    browser.runs(&format!("location.hash = '#/requests/{anothers}'")).await;
    browser.sees("main[data-view=\"request\"][data-state=\"error\"] [data-field=\"error\"]").await;
    assert!(!browser.reads("main").await.contains("Lena"), "a requester reads of somebody else");
    console.is_usable("not-found").await;

    browser.clicks(&hook("action", "sign-out")).await;
    console.shows("sign-in").await;
    assert!(!browser.reads("body").await.contains("Nina"), "whoever comes next reads who was here");
    browser.goes("about:blank").await;
    it.until(&own, "ended").await;
    it.until(&anothers, "ended").await;
    console.ends().await;
}

#[tokio::test]
async fn whoever_stays_longer_than_the_token_signs_in_again_and_goes_on() {
    let console = Console::begins().await;
    let (it, browser) = (&console.it, &console.browser);
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    console.opens_as("auditor", "#/history?status=ended").await;
    console.shows("history").await;
    it.pass(minutes(62)).await;
    browser.clicks(&hook("action", "open-request")).await;
    console.shows("sign-in").await;
    assert!(!browser.reads(&hook("field", "notice")).await.is_empty());
    assert_eq!(browser.counts(&hook("field", "row")).await, 0, "what was read stays on the screen");
    console.is_usable("signed-out").await;
    console.signs_in_as("auditor").await;
    console.shows("request").await;
    assert_eq!(browser.reads(&hook("field", "status")).await, "ended");

    // Entra's refusal is told in its own words, and nobody is signed in.
    browser.goes("about:blank").await;
    browser
        .goes(&format!("{}/console/#error=access_denied&error_description=Not+today&state=x", it.world.running.url))
        .await;
    console.shows("sign-in").await;
    browser.goes("about:blank").await;
    browser.goes(&format!("{}/console/#code=stolen&state=x", it.world.running.url)).await;
    console.shows("sign-in").await;
    assert_eq!(browser.address().await.fragment().filter(|fragment| fragment.contains("stolen")), None);
    console.keeps_no_token().await;
    console.ends().await;
}
