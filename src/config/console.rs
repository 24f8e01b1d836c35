//! `[console]`: how people sign in to the web page.

use super::{place::Place, raw, server::Api};

/// How people sign in to the web page; the tenant and the login service are the API's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// The application that they sign in to.
    pub client_id: String,
    /// What the page asks for in their name.
    pub scope: String,
}

pub(super) fn console(at: &Place, raw: raw::Console, api: Option<&Api>) -> Option<Console> {
    let client_id = at.optional(raw.client_id, |at, text| word(&at.down("client_id"), text));
    let scope = at.optional(raw.scope, |at, text| word(&at.down("scope"), text));
    let (client_id, scope) = (client_id.ok()?, scope.ok()?);
    let audience = &api?.audience;
    Some(Console {
        client_id: client_id.unwrap_or_else(|| audience.clone()),
        scope: scope.unwrap_or_else(|| format!("{audience}/.default")),
    })
}

/// One name: scopes are separated by spaces.
fn word(at: &Place, text: String) -> Option<String> {
    let good = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    at.hold(good, text, "one word, without spaces")
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Sample;

    const AUDIENCE: &str = "c7d1e5f0-2b4a-4c8e-9f60-1a2b3c4d5e70";

    #[test]
    fn people_sign_in_to_the_api_itself_unless_told_otherwise() {
        let console = Sample::new().good().console;
        assert_eq!((console.client_id.as_str(), console.scope), (AUDIENCE, format!("{AUDIENCE}/.default")));
        let apart = Sample::new().set("console.client_id", "'another'").set("console.scope", "'api://stint/read'");
        let console = apart.good().console;
        assert_eq!((console.client_id.as_str(), console.scope.as_str()), ("another", "api://stint/read"));
    }

    #[test]
    fn what_is_asked_for_is_one_word() {
        for (key, value) in [("client_id", "''"), ("scope", "'one two'")] {
            let fault = Sample::new().set(&format!("console.{key}"), value).fault();
            assert!(fault.starts_with(&format!("console.{key}: is not one word")), "{fault}");
        }
    }
}
