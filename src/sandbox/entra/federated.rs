//! Tokens of another issuer, shown as a client assertion (`contracts/graph.md §9.3`): the application pins issuer,
//! subject and audience, and the issuer's key vouches for them.

use std::io;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::json;

use super::super::wire::guid;
use super::api_token::SigningKey;
use super::assertion::{check_time, claims_unchecked};
use super::refusal::Refusal;

/// An issuer of tokens that is not Entra, such as a Kubernetes cluster.
pub struct Issuer {
    name: String,
    key: SigningKey,
}

/// What an application trusts.
pub(super) struct Trust {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) key: DecodingKey,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_list")]
    aud: Vec<String>,
    #[serde(default)]
    nbf: i64,
    exp: i64,
}

impl Issuer {
    /// An issuer of this name with a key of its own.
    ///
    /// # Errors
    /// The machine could not make a key.
    pub fn new(name: &str) -> io::Result<Self> {
        Ok(Self { name: name.to_owned(), key: SigningKey::generate()? })
    }

    /// A token about this subject for this audience, good for so many seconds.
    #[must_use]
    pub fn token(&self, subject: &str, audience: &str, now: Timestamp, seconds: i64) -> String {
        let now = now.as_second();
        let claims = json!({
            "iss": self.name, "sub": subject, "aud": [audience], "jti": guid(),
            "iat": now, "nbf": now, "exp": now + seconds,
        });
        self.key.jwt(&json!({}), &claims)
    }

    pub(super) fn trust(&self, subject: &str, audience: &str) -> Trust {
        Trust {
            issuer: self.name.clone(),
            subject: subject.to_owned(),
            audience: audience.to_owned(),
            key: self.key.public(),
        }
    }
}

/// Whether anything trusted vouches for it.
pub(super) fn check(trusts: &[Trust], token: &str, now: Timestamp) -> Result<(), Refusal> {
    let claimed: Claims = claims_unchecked(token)?;
    let matches = |trust: &&Trust| {
        trust.issuer == claimed.iss && trust.subject == claimed.sub && claimed.aud.contains(&trust.audience)
    };
    let trust = trusts.iter().find(matches).ok_or_else(|| Refusal::of(70_021))?;
    let mut validation = Validation::new(Algorithm::RS256);
    // Times are checked against the sandbox's clock and the rest by hand, above.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let verified = jsonwebtoken::decode::<serde_json::Value>(token, &trust.key, &validation);
    verified.map_err(|_| Refusal::of(700_027))?;
    check_time(claimed.nbf, claimed.exp, now)
}

fn one_or_list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}
