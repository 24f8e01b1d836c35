//! Entra's signing keys for one tenant: fetched when first needed, kept a day, asked for again on an unknown key id.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonwebtoken::DecodingKey;
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{info, warn};
use url::Url;
use uuid::Uuid;

use crate::{
    clock::Clock,
    json,
    outbound::{Answer, Body, Call, Credential, Wire},
};

/// Keys older than this are fetched anew (`contracts/graph.md` §9.6).
const KEEP: Duration = Duration::from_hours(24);

/// Callers with invented key ids cannot make stint ask more often than this.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// One published key.
#[derive(Clone)]
pub(super) struct Key {
    pub decoding: DecodingKey,
    /// Issuers this key may sign for, where Entra says so; `{tenantid}` already replaced.
    pub issuer: Option<String>,
}

/// A tenant's keys and the issuer of its tokens.
#[derive(Clone)]
pub(super) struct KeySet {
    pub issuer: String,
    pub keys: HashMap<String, Key>,
}

/// Keeps the key set of one tenant.
pub(super) struct Keys {
    tenant: Uuid,
    login_url: Url,
    wire: Wire,
    clock: Clock,
    state: Mutex<Fetched>,
}

#[derive(Default)]
struct Fetched {
    set: Option<Arc<KeySet>>,
    fetched_at: Option<Duration>,
    tried_at: Option<Duration>,
}

impl Keys {
    pub(super) fn new(tenant: Uuid, login_url: Url, wire: Wire, clock: Clock) -> Self {
        Self { tenant, login_url, wire, clock, state: Mutex::default() }
    }

    /// The key set that knows this key id if any does; `None` when no set could be fetched yet. One fetch at a time; a
    /// failed one leaves the keys that are there.
    pub(super) async fn knowing(&self, kid: &str) -> Option<Arc<KeySet>> {
        let mut state = self.state.lock().await;
        let now = self.clock.monotonic();
        let age = |since: Option<Duration>| since.map_or(Duration::MAX, |at| now.saturating_sub(at));
        let known = state.set.as_ref().is_some_and(|set| set.keys.contains_key(kid));
        let wanted = !known || age(state.fetched_at) >= KEEP;
        if wanted && age(state.tried_at) >= COOL_DOWN {
            state.tried_at = Some(now);
            match self.fetch().await {
                Ok(set) => {
                    info!(keys = set.keys.len(), "signing keys fetched");
                    state.set = Some(Arc::new(set));
                    state.fetched_at = Some(now);
                }
                Err(why) => warn!(why, "signing keys could not be fetched"),
            }
        }
        state.set.clone()
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let path = format!("/{}/v2.0/.well-known/openid-configuration", self.tenant);
        let metadata = self.get(&path).await?;
        let issuer = json::text(&metadata, "/issuer").map_err(|fault| fault.to_string())?;
        let address = json::text(&metadata, "/jwks_uri").map_err(|fault| fault.to_string())?;
        let address: Url = address.parse().map_err(|_| "jwks_uri is no address".to_owned())?;
        if address.origin() != self.login_url.origin() || !issuer.contains(&self.tenant.to_string()) {
            return Err("the metadata leads to another origin or tenant".into());
        }
        let document = self.get(address.path()).await?;
        let listed = json::array(&document, "/keys").map_err(|fault| fault.to_string())?;
        let keys = listed.iter().filter_map(|key| self.key(key)).collect();
        Ok(KeySet { issuer: issuer.to_owned(), keys })
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let call = Call {
            method: http::Method::GET,
            path: path.to_owned(),
            query: vec![],
            headers: vec![],
            body: Body::Empty,
        };
        let answer: Answer =
            self.wire.send(&self.login_url, &call, &Credential::Nobody).await.map_err(|fault| fault.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("{path} answered {}", answer.status));
        }
        answer.json().map_err(|fault| fault.to_string())
    }

    /// An RSA signing key with its id; anything else is not for us.
    fn key(&self, key: &Value) -> Option<(String, Key)> {
        let text = |path| json::text(key, path).ok();
        let signs = text("/use").is_none_or(|purpose| purpose == "sig");
        let rsa = text("/kty") == Some("RSA") && signs;
        let decoding = DecodingKey::from_rsa_components(text("/n")?, text("/e")?).ok().filter(|_| rsa)?;
        let issuer = text("/issuer").map(|issuer| issuer.replace("{tenantid}", &self.tenant.to_string()));
        Some((text("/kid")?.to_owned(), Key { decoding, issuer }))
    }
}
