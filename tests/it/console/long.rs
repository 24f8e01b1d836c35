//! A history of ten thousand requests, in a page that stays small.

use super::{Console, browser::hook};
use crate::world::It;

const MANY: i64 = 10_000;

/// More rows than this are never in the page.
const MOST_ROWS: i64 = 200;

/// Nor more elements of any kind.
const MOST_ELEMENTS: i64 = 4000;

/// Scrolls to the end of what there is until that is all of it.
const SCROLL: &str = "
    const done = arguments[0];
    let [rows, elements] = [0, 0];
    const look = () => {
        rows = Math.max(rows, document.querySelectorAll('[data-field=\"row\"]').length);
        elements = Math.max(elements, document.getElementsByTagName('*').length);
        if (document.querySelector('[data-field=\"end\"], [data-field=\"error\"]')) return done({rows, elements});
        scrollTo(0, document.documentElement.scrollHeight);
        requestAnimationFrame(look);
    };
    look();
";

async fn fill(it: &It) {
    let rows = "insert into requests (id, connection, tenant, ticket_id, ticket_number, state, reasons, received_at, \
                updated_at, state_since, hinted_at) select gen_random_uuid(), 'jira-cloud', 'contoso', n::text, \
                'ITSEC-' || n, 'rejected', '[{\"code\": \"self-approval\", \"detail\": \"one person asked and approved\"}]', \
                at, at, at, at from (select n, timestamptz '2026-10-01' + n * interval '1 minute' as at \
                from generate_series(1, $1) as n) as numbers";
    sqlx::query(rows).bind(MANY).execute(&mut it.sql().await).await.expect("rows");
}

#[tokio::test]
async fn ten_thousand_requests_scroll_in_a_page_that_stays_small() {
    let it = It::begins().await;
    fill(&it).await;
    let console = Console::of(it).await;
    let browser = &console.browser;
    console.opens_as("auditor", "#/history").await;
    console.shows("history").await;
    let most = browser.awaits(SCROLL).await;
    assert_eq!(
        browser.sees(&hook("field", "shown")).await.attr("data-count").await.expect("readable").as_deref(),
        Some("10000")
    );
    assert!(most["rows"].as_i64() <= Some(MOST_ROWS) && most["elements"].as_i64() <= Some(MOST_ELEMENTS), "{most}");
    browser.until("[...document.querySelectorAll('[data-field=\"ticket\"]')].some((one) => one.textContent.trim() === 'ITSEC-1')").await;
    browser.pictures("long-end").await;
    browser.runs("scrollTo(0, document.documentElement.scrollHeight / 2)").await;
    browser.until("[...document.querySelectorAll('[data-field=\"ticket\"]')].some((one) => /^ITSEC-5[01]/.test(one.textContent.trim()))").await;
    browser.runs("scrollTo(0, 0)").await;
    browser.until("[...document.querySelectorAll('[data-field=\"ticket\"]')].some((one) => one.textContent.trim() === 'ITSEC-10000')").await;
    browser.pictures("long-begin").await;
    console.ends().await;
}
