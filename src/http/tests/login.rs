//! A login service like Entra's: discovery, keys, and the tokens they sign (`contracts/graph.md` §9.6).

use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding},
};
use axum::{Json, Router, extract::Path, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use url::Url;
use uuid::Uuid;

use super::super::auth::{TokenSettings, Tokens};
use crate::{
    clock::{Clock, ManualClock},
    outbound::{Limits, Wire},
};

pub(super) const TENANT: Uuid = Uuid::from_u128(0x6f1c_0c1e_4b6a_4f6e_9d53_0a7b_1c2d_3e4f);
pub(super) const AUDIENCE: &str = "5d0a7a4e-1b1f-4f7d-8a53-7b6d9c1e2f30";
pub(super) const OID: Uuid = Uuid::from_u128(0x2c7e_4b1a_93d8_4f05_8a6c_5b1d_0e9f_7a32);

/// A login service, stint's checks against it, and the clock by which they are made.
pub(super) struct Login {
    pub url: Url,
    pub clock: Arc<ManualClock>,
    pub tokens: Arc<Tokens>,
    /// What it publishes and how it answers; a test changes either.
    pub says: Arc<Mutex<Says>>,
    /// How often its keys were asked for.
    pub asked: watch::Receiver<u32>,
    /// Answers about keys wait for a permit.
    pub gate: Arc<Semaphore>,
}

pub(super) struct Says {
    pub keys: Vec<Value>,
    pub issuer: String,
    pub jwks_uri: String,
    pub down: bool,
}

pub(super) struct SigningKey {
    pub id: &'static str,
    pub pair: KeyPair,
}

/// The key that signs unless a test says otherwise.
pub(super) fn first_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("k1"))
}

/// Another one, published only by tests that rotate.
pub(super) fn second_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("k2"))
}

impl SigningKey {
    fn generate(id: &'static str) -> Self {
        Self { id, pair: KeyPair::generate(KeySize::Rsa2048).expect("an RSA key") }
    }

    /// As Entra publishes it: without `alg`.
    pub fn published(&self) -> Value {
        let public = self.pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        json!({"kty": "RSA", "use": "sig", "kid": self.id, "n": n, "e": e})
    }

    /// The public key in the forms that a confused verifier might take for a shared secret.
    pub fn public_forms(&self) -> Vec<Vec<u8>> {
        let public = self.pair.public_key();
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(public).expect("DER").as_ref().to_vec();
        let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
        vec![public.as_ref().to_vec(), der, modulus, self.published().to_string().into_bytes()]
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"typ": "JWT", "alg": "RS256", "kid": self.id}), claims)
    }

    pub fn token_with(&self, head: &Value, claims: &Value) -> String {
        self.signed(&RSA_PKCS1_SHA256, &head.to_string(), &claims.to_string())
    }

    pub fn pss_token(&self, head: &Value, claims: &Value) -> String {
        self.signed(&RSA_PSS_SHA256, &head.to_string(), &claims.to_string())
    }

    pub fn signed(&self, padding: &'static dyn RsaEncoding, head: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(padding, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Login {
    /// A login service that publishes the first key.
    pub async fn starts() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url: Url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a url");
        let says = Arc::new(Mutex::new(Says::of(&url)));
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (count, asked) = watch::channel(0);
        let app = app(Arc::clone(&says), Arc::clone(&gate), Arc::new(count));
        tokio::spawn(async { axum::serve(listener, app).await });
        let clock = ManualClock::at("2026-11-03T08:31:00Z".parse().expect("a moment"));
        let tokens = Arc::new(tokens(&url, &clock));
        Self { url, clock, tokens, says, asked, gate }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub fn publishes(&self, keys: &[Value]) {
        self.says.lock().expect("not poisoned").keys = keys.to_vec();
    }

    pub fn is_down(&self, down: bool) {
        self.says.lock().expect("not poisoned").down = down;
    }

    /// How often its keys were asked for.
    pub fn times_asked(&self) -> u32 {
        *self.asked.borrow()
    }

    /// What a signed-in auditor's token says, valid for an hour.
    pub fn claims(&self) -> Value {
        let now = self.now().as_second();
        json!({
            "aud": AUDIENCE,
            "iss": format!("{}{TENANT}/v2.0", self.url),
            "tid": TENANT,
            "azp": "e8f71a20-3b4c-4d5e-9f60-718293a4b5c6",
            "oid": OID,
            "sub": "pairwise",
            "name": "Lena Vogt",
            "scp": "access_as_user",
            "roles": ["Stint.Auditor"],
            "ver": "2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
        })
    }
}

impl Says {
    fn of(url: &Url) -> Self {
        Self {
            keys: vec![first_key().published()],
            issuer: format!("{url}{TENANT}/v2.0"),
            jwks_uri: format!("{url}{TENANT}/discovery/v2.0/keys"),
            down: false,
        }
    }
}

/// stint's checks against the login service at this address.
pub(super) fn tokens(url: &Url, clock: &Arc<ManualClock>) -> Tokens {
    let settings = TokenSettings { tenant_id: TENANT, audience: AUDIENCE.into(), login_url: url.clone() };
    let wire = Wire::new(Limits::default()).expect("a client");
    Tokens::new(settings, wire, Clock::manual(Arc::clone(clock)))
}

fn app(says: Arc<Mutex<Says>>, gate: Arc<Semaphore>, count: Arc<watch::Sender<u32>>) -> Router {
    let metadata = {
        let says = Arc::clone(&says);
        async move |Path(tenant): Path<Uuid>| {
            let says = says.lock().expect("not poisoned");
            let found = tenant == TENANT && !says.down;
            let status = if found { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, Json(json!({"issuer": says.issuer, "jwks_uri": says.jwks_uri})))
        }
    };
    let keys = async move || {
        count.send_modify(|count| *count += 1);
        gate.acquire().await.expect("an open gate").forget();
        Json(json!({"keys": says.lock().expect("not poisoned").keys}))
    };
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(metadata))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
}

/// One Authorization header with this token.
pub(super) fn bearing(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}
