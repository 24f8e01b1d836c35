//! Two doors to one site: its own address, and the gateway where scoped tokens are at home (`contracts/tickets.md A7`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::super::story;
use super::super::wire::{bearer, header_text, lock};
use super::model::State;
use super::{Flavour, Jira};

/// What may log in through one of the doors.
#[derive(Default)]
pub(super) struct Logins {
    basic: Vec<(String, String)>,
    bearer: Vec<String>,
}

/// Where a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Site,
    Gateway,
}

impl Logins {
    /// Basic logins are off by default on Data Center.
    fn know(&self, headers: &HeaderMap, flavour: Flavour) -> bool {
        let given = header_text(headers, "authorization");
        let header = |(user, token): &(String, String)| format!("Basic {}", STANDARD.encode(format!("{user}:{token}")));
        let basic = flavour == Flavour::Cloud && self.basic.iter().any(|pair| given == Some(&header(pair)));
        basic || bearer(headers).is_some_and(|given| self.bearer.iter().any(|token| token == given))
    }
}

impl State {
    pub(super) fn knows(&self, headers: &HeaderMap, door: Door) -> bool {
        match door {
            Door::Site => self.site.know(headers, self.flavour),
            Door::Gateway => self.scoped.know(headers, self.flavour),
        }
    }
}

impl Jira {
    /// From now on this login may use the API at the site's address.
    pub fn allow_basic(&self, email: &str, token: &str) {
        lock(&self.state).site.basic.push((email.to_owned(), token.to_owned()));
    }

    /// From now on this bearer token may use the API at the site's address.
    pub fn allow_bearer(&self, token: &str) {
        lock(&self.state).site.bearer.push(token.to_owned());
    }

    /// From now on this login with a scoped token may use the API, through the gateway only.
    pub fn allow_scoped_basic(&self, email: &str, token: &str) {
        lock(&self.state).scoped.basic.push((email.to_owned(), token.to_owned()));
    }

    /// From now on this scoped bearer token may use the API, through the gateway only.
    pub fn allow_scoped_bearer(&self, token: &str) {
        lock(&self.state).scoped.bearer.push(token.to_owned());
    }

    /// All logins are refused from now on.
    pub fn revoke_logins(&self) {
        let mut state = lock(&self.state);
        state.site = Logins::default();
        state.scoped = Logins::default();
    }

    /// The base of this site's API at the gateway.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("{}/ex/jira/{}", self.url, story::CLOUD_ID)
    }

    /// The door, the site as its links look from there, and the path behind it.
    pub(super) fn enter<'a>(&self, path: &'a [&'a str]) -> (Door, Self, &'a [&'a str]) {
        let ["ex", "jira", cloud_id, rest @ ..] = path else { return (Door::Site, self.clone(), path) };
        let rest = if *cloud_id == story::CLOUD_ID { rest } else { &[] };
        (Door::Gateway, Self { url: self.gateway_url().into(), ..self.clone() }, rest)
    }
}
