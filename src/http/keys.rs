//! Entra's signing keys for one tenant: fetched when first needed, kept a day, asked for again on an unknown key id.
//!
//! One fetch at a time, in a task of its own: a caller who hangs up cannot break off what others wait for. Callers whose
//! key is known never wait. A failed fetch leaves the keys that are there.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonwebtoken::DecodingKey;
use serde_json::Value;
use tokio::sync::watch;
use tracing::{info, warn};
use url::Url;
use uuid::Uuid;

use crate::{
    clock::Clock,
    json,
    outbound::{Body, Call, Credential, Wire},
};

/// Keys older than this are fetched anew (`contracts/graph.md` §9.6).
const KEEP: Duration = Duration::from_hours(24);

/// Callers with invented key ids cannot make stint ask more often than this.
const COOL_DOWN: Duration = Duration::from_mins(1);

/// Nobody can be let in without any keys, so that is tried again sooner.
const COOL_DOWN_WITHOUT_KEYS: Duration = Duration::from_secs(5);

/// One published key.
pub(super) struct Key {
    pub decoding: DecodingKey,
    /// The issuer this key signs for, where Entra says so; `{tenantid}` already replaced.
    pub issuer: Option<String>,
}

/// A tenant's keys by their ids, and the issuer of its tokens.
pub(super) struct KeySet {
    pub issuer: String,
    pub keys: HashMap<String, Key>,
}

/// Keeps the key set of one tenant.
pub(super) struct Keys {
    source: Arc<Source>,
    clock: Clock,
    held: Arc<watch::Sender<Held>>,
}

/// Where the keys are published.
struct Source {
    tenant: Uuid,
    login_url: Url,
    wire: Wire,
}

/// What is known, and since when by the monotonic clock.
#[derive(Default)]
struct Held {
    set: Option<Arc<KeySet>>,
    fetched_at: Option<Duration>,
    tried_at: Option<Duration>,
    under_way: bool,
    failed: bool,
}

impl Keys {
    pub(super) fn new(tenant: Uuid, login_url: Url, wire: Wire, clock: Clock) -> Self {
        Self { source: Arc::new(Source { tenant, login_url, wire }), clock, held: Arc::default() }
    }

    /// The key set in which to look this key id up. `None` while that cannot be answered: there are no keys yet, or this
    /// one may be so new that only a fetch which failed would have shown it.
    pub(super) async fn knowing(&self, kid: &str) -> Option<Arc<KeySet>> {
        let mut held = self.held.subscribe();
        if self.begins(kid) {
            tokio::spawn(refresh(Arc::clone(&self.source), Arc::clone(&self.held), self.clock.monotonic()));
        }
        // The sender lives as long as this key set, so the wait ends only with the fetch.
        let held = held.wait_for(|held| held.knows(kid) || !held.under_way).await.ok()?;
        held.set.clone().filter(|_| held.knows(kid) || !held.failed)
    }

    /// Whether a fetch is due for this key id; from here on it is under way.
    fn begins(&self, kid: &str) -> bool {
        let now = self.clock.monotonic();
        self.held.send_if_modified(|held| {
            let due = held.is_due(kid, now);
            if due {
                held.under_way = true;
                held.tried_at = Some(now);
            }
            due
        })
    }
}

impl Held {
    fn knows(&self, kid: &str) -> bool {
        self.set.as_ref().is_some_and(|set| set.keys.contains_key(kid))
    }

    fn is_due(&self, kid: &str, now: Duration) -> bool {
        let passed = |since: Option<Duration>, time| since.is_none_or(|since| now.saturating_sub(since) >= time);
        let pause = if self.set.is_some() { COOL_DOWN } else { COOL_DOWN_WITHOUT_KEYS };
        let wanted = !self.knows(kid) || passed(self.fetched_at, KEEP);
        wanted && !self.under_way && passed(self.tried_at, pause)
    }
}

async fn refresh(source: Arc<Source>, held: Arc<watch::Sender<Held>>, now: Duration) {
    let fetched = source.fetch().await;
    held.send_modify(|held| {
        held.under_way = false;
        held.failed = fetched.is_err();
        match fetched {
            Ok(set) => {
                info!(keys = set.keys.len(), "signing keys fetched");
                held.set = Some(Arc::new(set));
                held.fetched_at = Some(now);
            }
            Err(why) => warn!(why, "signing keys could not be fetched"),
        }
    });
}

impl Source {
    async fn fetch(&self) -> Result<KeySet, String> {
        let path = format!("/{}/v2.0/.well-known/openid-configuration", self.tenant);
        let metadata = self.read(call(&path, vec![])).await?;
        let issuer = json::text(&metadata, "/issuer").map_err(|fault| fault.to_string())?;
        if !issuer.contains(&self.tenant.to_string()) {
            return Err("the metadata is another tenant's".into());
        }
        let address = json::text(&metadata, "/jwks_uri").map_err(|fault| fault.to_string())?;
        let document = self.read(self.keys_at(address)?).await?;
        let listed = json::array(&document, "/keys").map_err(|fault| fault.to_string())?;
        let keys: HashMap<_, _> = listed.iter().filter_map(|key| self.key(key)).collect();
        if keys.is_empty() {
            return Err("no key that signs tokens is published".into());
        }
        Ok(KeySet { issuer: issuer.to_owned(), keys })
    }

    /// The call that reads the keys; refused when they are said to be anywhere but at the login service.
    fn keys_at(&self, address: &str) -> Result<Call, String> {
        let address: Url = address.parse().map_err(|_| "jwks_uri is no address".to_owned())?;
        if address.origin() != self.login_url.origin() {
            return Err("jwks_uri leads to another origin".into());
        }
        Ok(call(address.path(), address.query_pairs().into_owned().collect()))
    }

    async fn read(&self, call: Call) -> Result<Value, String> {
        let answer = self.wire.send(&self.login_url, &call, &Credential::Nobody).await;
        let answer = answer.map_err(|fault| fault.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("{} answered {}", call.path, answer.status));
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

fn call(path: &str, query: Vec<(String, String)>) -> Call {
    Call { method: http::Method::GET, path: path.to_owned(), query, headers: vec![], body: Body::Empty }
}
