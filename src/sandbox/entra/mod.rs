//! Entra, small: the login endpoint that hands out Graph tokens, and the keys that vouch for callers of stint's
//! own API.
//!
//! Graph tokens are opaque here as they are to a real client; [`Graph`](super::Graph) asks this module whether one
//! is still good. API tokens are real RS256 JWTs, checked by whoever reads the published keys.

mod api_token;
mod assertion;
mod token;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use uuid::Uuid;

use self::api_token::SigningKey;
use self::assertion::Certificate;
use super::Now;
use super::server::Answer;
use super::wire::{empty, lock, segments};

pub use self::api_token::ApiToken;

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
    issued: HashMap<String, Caller>,
    issued_count: usize,
    used_assertions: HashSet<String>,
    fail: Option<(usize, u16)>,
    key: SigningKey,
}

#[derive(Default)]
struct App {
    secret: Option<String>,
    certificate: Option<Certificate>,
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
            issued: HashMap::new(),
            issued_count: 0,
            used_assertions: HashSet::new(),
            fail: None,
            key: SigningKey::generate()?,
        };
        Ok(Self { url: url.into(), now, state: Arc::new(Mutex::new(state)) })
    }

    /// The origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// From now on the application may log in with what is given; an earlier registration is replaced.
    ///
    /// # Panics
    ///
    /// The certificate is not a PEM certificate with an RSA key.
    #[expect(clippy::expect_used, reason = "whoever registers an unreadable certificate must hear of it at once")]
    pub fn register_app(&self, tenant: Uuid, client_id: &str, secret: Option<&str>, certificate_pem: Option<&str>) {
        let certificate =
            certificate_pem.map(|pem| Certificate::from_pem(pem).expect("a PEM certificate with an RSA key"));
        let app = App { secret: secret.map(str::to_owned), certificate };
        lock(&self.state).apps.insert((tenant, client_id.to_owned()), app);
    }

    /// Rotates the application's secret: the old one is refused from now on, tokens already issued stay good.
    pub fn set_secret(&self, tenant: Uuid, client_id: &str, secret: &str) {
        let mut state = lock(&self.state);
        state.apps.entry((tenant, client_id.to_owned())).or_default().secret = Some(secret.to_owned());
    }

    /// The only scope that the token endpoint accepts; at first `{graph url}/.default`.
    pub fn set_graph_scope(&self, scope: &str) {
        scope.clone_into(&mut lock(&self.state).graph_scope);
    }

    /// How many Graph tokens were issued since the start.
    #[must_use]
    pub fn tokens_issued(&self) -> usize {
        lock(&self.state).issued_count
    }

    /// The next `n` calls of the token endpoint answer this status.
    pub fn fail_next(&self, n: usize, status: u16) {
        lock(&self.state).fail = (n > 0).then_some((n, status));
    }

    /// Every Graph token issued so far is refused from now on.
    pub fn revoke_tokens(&self) {
        lock(&self.state).issued.clear();
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
            (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => self.token(tenant, request.body()),
            (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => self.discovery(tenant),
            (&Method::GET, [_, "discovery", "v2.0", "keys"]) => self.published_keys(),
            _ => empty(404),
        })
    }
}

#[cfg(test)]
mod tests;
