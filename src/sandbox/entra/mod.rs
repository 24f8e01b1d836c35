//! Entra, small: the login endpoint that hands out Graph tokens, and the keys that vouch for callers of stint's
//! own API. People sign in to a page by code and proof key (RFC 6749 §4.1, RFC 7636), as whoever of them they choose.
//!
//! An application proves itself by secret, by certificate, by another issuer's token, or as the identity of the machine
//! that asks. Graph tokens are opaque here as they are to a real client; [`Graph`](super::Graph) asks this module whether one
//! is still good. API tokens are real RS256 JWTs, checked by whoever reads the published keys.

mod api_token;
mod app;
mod assertion;
mod code;
mod control;
mod cors;
mod federated;
mod managed_identity;
mod refusal;
mod sign_in;
mod token;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use uuid::Uuid;

use self::api_token::SigningKey;
use self::app::App;
use self::code::Code;
use self::managed_identity::Assigned;
use self::refusal::Planned;
use self::sign_in::Page;
use super::Now;
use super::server::Answer;
use super::wire::{empty, lock, segments};

pub use self::api_token::ApiToken;
pub use self::federated::Issuer;
pub use self::sign_in::Member;

/// How long a Graph token lives.
const LIFETIME_SECONDS: i64 = 3599;

/// The simulated login service. Clones share one state.
#[derive(Clone)]
pub struct Entra {
    url: Arc<str>,
    now: Now,
    state: Arc<Mutex<State>>,
}

struct State {
    graph_scope: String,
    apps: HashMap<(Uuid, String), App>,
    pages: HashMap<(Uuid, String), Page>,
    members: Vec<(Uuid, Member)>,
    codes: HashMap<String, Code>,
    issued: HashMap<String, Caller>,
    issued_count: usize,
    used_assertions: HashSet<String>,
    fail: Option<(usize, Planned)>,
    identities: Vec<Assigned>,
    fail_identity: Option<(usize, u16)>,
    key: SigningKey,
}

/// Who a Graph token was issued to.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) tenant: Uuid,
    pub(super) client_id: String,
    expires_at: Timestamp,
}

impl Entra {
    pub(super) fn new(url: String, graph_url: &str, now: Now) -> std::io::Result<Self> {
        let state = State {
            graph_scope: format!("{graph_url}/.default"),
            apps: HashMap::new(),
            pages: HashMap::new(),
            members: Vec::new(),
            codes: HashMap::new(),
            issued: HashMap::new(),
            issued_count: 0,
            used_assertions: HashSet::new(),
            fail: None,
            identities: Vec::new(),
            fail_identity: None,
            key: SigningKey::generate()?,
        };
        Ok(Self { url: url.into(), now, state: Arc::new(Mutex::new(state)) })
    }

    /// The origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Who holds this Graph token, if it was issued here and has not expired.
    pub(super) fn caller(&self, token: &str) -> Option<Caller> {
        let now = (self.now)();
        let state = lock(&self.state);
        state.issued.get(token).filter(|caller| now < caller.expires_at).cloned()
    }

    pub(super) fn handle(&self, request: &Request<Bytes>) -> Answer {
        let path = segments(request.uri().path());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Answer::Reply(match (request.method(), path.as_slice()) {
            (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => self.token(tenant, request),
            (&Method::OPTIONS, [_, "oauth2", "v2.0", "token"]) => cors::preflight(request.headers()),
            (&Method::GET, [tenant, "oauth2", "v2.0", "authorize"]) => {
                self.authorize(tenant, request.uri().query().unwrap_or_default())
            }
            (&Method::GET, ["metadata", "identity", "oauth2", "token"]) => self.identity_token(request),
            (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => self.discovery(tenant),
            (&Method::GET, [_, "discovery", "v2.0", "keys"]) => self.published_keys(),
            _ => empty(404),
        })
    }
}

#[cfg(test)]
mod credential_tests;
#[cfg(test)]
mod sign_in_tests;
#[cfg(test)]
mod tests;
