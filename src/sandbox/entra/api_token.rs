//! Discovery, keys, and v2.0 access tokens for stint's own API (`contracts/graph.md §9.6`).

use std::io;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::wire::{guid, json as json_answer, lock, opaque};
use super::Entra;

/// What an access token for stint's API says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// The tenant that issues it.
    pub tenant: Uuid,
    /// The API's client id.
    pub audience: String,
    /// Object id of the bearer.
    pub oid: String,
    /// App roles.
    pub roles: Vec<String>,
    /// Display name; absent for an application.
    pub name: Option<String>,
    /// Delegated scope; absent for an application.
    pub scope: Option<String>,
    /// Lifetime in seconds from the sandbox's now; negative makes a token that has already expired.
    pub expires_in: i64,
}

impl ApiToken {
    /// A signed-in user's token with an hour to live.
    #[must_use]
    pub fn user(tenant: Uuid, audience: &str, oid: &str, name: &str, roles: &[&str]) -> Self {
        Self {
            tenant,
            audience: audience.to_owned(),
            oid: oid.to_owned(),
            roles: roles.iter().map(ToString::to_string).collect(),
            name: Some(name.to_owned()),
            scope: Some("access_as_user".to_owned()),
            expires_in: 3600,
        }
    }

    /// An application's own token: no name, no scope.
    #[must_use]
    pub fn app(tenant: Uuid, audience: &str, oid: &str, roles: &[&str]) -> Self {
        Self { name: None, scope: None, ..Self::user(tenant, audience, oid, "", roles) }
    }
}

/// The RSA key that signs API tokens, and the name it is published under.
pub(super) struct SigningKey {
    id: String,
    pair: KeyPair,
}

impl SigningKey {
    pub(super) fn generate() -> io::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
        Ok(Self { id: opaque(), pair })
    }

    /// A token signed RS256. Members of `header` go over the honest ones.
    pub(super) fn jwt(&self, header: &Value, claims: &Value) -> String {
        let mut honest = json!({"typ": "JWT", "alg": "RS256", "kid": self.id});
        for (name, value) in header.as_object().into_iter().flatten() {
            honest[name] = value.clone();
        }
        let signed = format!("{}.{}", encoded(&honest), encoded(claims));
        let signature = self.sign(&signed).unwrap_or_default();
        format!("{signed}.{signature}")
    }

    /// The public half, for whoever trusts it.
    pub(super) fn public(&self) -> DecodingKey {
        let public = self.pair.public_key();
        let (modulus, exponent) = (public.modulus(), public.exponent());
        DecodingKey::from_rsa_raw_components(
            modulus.big_endian_without_leading_zero(),
            exponent.big_endian_without_leading_zero(),
        )
    }

    /// `None` only when the machine has no randomness.
    fn sign(&self, text: &str) -> Option<String> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public half. Entra's keys carry no `alg`; `issuer` names the tenant by a placeholder.
    fn published(&self, url: &str) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.id,
            "x5t": self.id,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "issuer": format!("{url}/{{tenantid}}/v2.0"),
        })
    }
}

impl Entra {
    /// A token as Entra would issue it.
    #[must_use]
    pub fn issue_api_token(&self, token: &ApiToken) -> String {
        self.issue_api_token_with(json!({}), self.api_claims(token))
    }

    /// The claims that [`Self::issue_api_token`] would sign, for a test to bend before it passes them to
    /// [`Self::issue_api_token_with`].
    #[must_use]
    pub fn api_claims(&self, token: &ApiToken) -> Value {
        let now = (self.now)().as_second();
        let mut claims = json!({
            "aud": token.audience,
            "iss": format!("{}/{}/v2.0", self.url, token.tenant),
            "tid": token.tenant,
            "iat": now,
            "nbf": now,
            "exp": now + token.expires_in,
            "azp": "0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f",
            "azpacr": if token.scope.is_some() { "0" } else { "2" },
            "oid": token.oid,
            "sub": token.oid,
            "roles": token.roles,
            "uti": guid(),
            "ver": "2.0",
        });
        match &token.scope {
            Some(scope) => claims["scp"] = json!(scope),
            None => claims["idtyp"] = json!("app"),
        }
        if let Some(name) = &token.name {
            claims["name"] = json!(name);
        }
        claims
    }

    /// Signs whatever it is given with the current key. Members of `header` go over the honest ones, so a test can
    /// name another key or algorithm; the signature is RS256 all the same.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers build both on the spot with json!")]
    pub fn issue_api_token_with(&self, header: Value, claims: Value) -> String {
        lock(&self.state).key.jwt(&header, &claims)
    }

    /// From now on another key signs; the old one is no longer published.
    ///
    /// # Panics
    ///
    /// The machine could not make a key.
    #[expect(clippy::expect_used, reason = "a machine without randomness cannot run the sandbox at all")]
    pub fn rotate_api_key(&self) {
        let key = SigningKey::generate().expect("an RSA key");
        lock(&self.state).key = key;
    }

    pub(super) fn discovery(&self, tenant: &str) -> Response<Bytes> {
        let url = &self.url;
        let body = json!({
            "issuer": format!("{url}/{tenant}/v2.0"),
            "jwks_uri": format!("{url}/{tenant}/discovery/v2.0/keys"),
            "token_endpoint": format!("{url}/{tenant}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{url}/{tenant}/oauth2/v2.0/authorize"),
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        json_answer(200, &body)
    }

    pub(super) fn published_keys(&self) -> Response<Bytes> {
        let key = lock(&self.state).key.published(&self.url);
        json_answer(200, &json!({"keys": [key]}))
    }
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}
