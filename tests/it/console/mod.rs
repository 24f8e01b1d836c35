//! The web page in a real browser, on a real stint, signed in by the sandbox's Entra.
//!
//! The stories find everything by hooks: `data-view` and `data-state` say what is shown and whether all of it is,
//! `data-action` what may be done, `data-field` what is told.

mod auditor;
mod browser;
mod hostile;
mod long;
mod operator;
mod requester;

use serde_json::Value;

use self::browser::{Browser, hook};
use crate::world::It;

/// A story with a browser in it.
struct Console {
    it: It,
    browser: Browser,
}

impl Console {
    async fn begins() -> Self {
        Self::of(It::begins().await).await
    }

    async fn of(it: It) -> Self {
        Self { it, browser: Browser::starts().await }
    }

    async fn ends(self) {
        self.browser.ends().await;
        self.it.ends().await;
    }

    /// Opens a view as somebody who has not signed in yet, and signs in.
    async fn opens_as(&self, person: &str, view: &str) {
        // Another fragment alone would not load the page anew.
        self.browser.goes("about:blank").await;
        self.browser.goes(&format!("{}/console/{view}", self.it.world.running.url)).await;
        self.signs_in_as(person).await;
    }

    /// Signs in from the page that asks for it.
    async fn signs_in_as(&self, person: &str) {
        self.shows("sign-in").await;
        self.browser.clicks(&hook("action", "sign-in")).await;
        self.browser.clicks(&hook("person", person)).await;
    }

    /// Waits until all of this view shows.
    async fn shows(&self, view: &str) {
        let whole = ":is([data-state=\"ready\"], [data-state=\"empty\"])";
        self.browser.sees(&format!("main[data-view=\"{view}\"]{whole}")).await;
    }

    /// Goes to a view by its fragment, as whoever follows a colleague's link in an open page.
    async fn goes(&self, view: &str, fragment: &str) {
        // A state of before would be taken for the new one.
        self.browser.runs("document.querySelector('main').dataset.state = 'before'").await;
        self.browser.runs(&format!("location.hash = {}", Value::from(fragment))).await;
        self.shows(view).await;
    }

    /// Texts of all that are there now.
    async fn texts(&self, what: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll({})].map((one) => one.textContent.trim())",
            Value::from(what)
        );
        let texts = self.browser.runs(&script).await;
        texts.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    }

    /// That anybody can use what shows now, light and dark, narrow and wide, and keeps a picture of each.
    async fn is_usable(&self, name: &str) {
        for (width, theme) in [(1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")] {
            self.browser.wears(width, theme).await;
            let too_wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let too_wide = self.browser.runs(too_wide).await.as_i64();
            assert!(too_wide <= Some(0), "{name} does not fit into {width} pixels: {too_wide:?}");
            assert_eq!(self.browser.barriers().await, Vec::<String>::new(), "{name}, {width}, {theme}");
            self.browser.pictures(&format!("{name}-{width}-{theme}")).await;
        }
        self.browser.wears(1280, "light").await;
    }

    /// That no token is kept where a later page could find it.
    async fn keeps_no_token(&self) {
        let kept =
            self.browser.runs("return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])").await;
        let kept = kept.as_str().expect("a text");
        assert!(!kept.contains("eyJ") && !kept.contains("verifier"), "{kept}");
    }
}
