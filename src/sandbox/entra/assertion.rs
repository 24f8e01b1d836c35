//! Checking a client's certificate assertion (`contracts/graph.md §9.2`): PS256 only, matched by thumbprint.

use std::io;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;

/// A clock may be off by this much before an assertion is outside its window.
const SKEW_SECONDS: i64 = 300;

/// A certificate registered on an application.
pub(super) struct Certificate {
    thumbprint: String,
    key: DecodingKey,
    pub(super) standing: Standing,
}

/// How Entra regards a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Expired,
    Revoked,
}

impl Certificate {
    pub(super) fn from_pem(pem: &str) -> io::Result<Self> {
        let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(io::Error::other)?;
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = STANDARD.decode(base64).map_err(io::Error::other)?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &der));
        Ok(Self { thumbprint, key, standing: Standing::Good })
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    jti: String,
    nbf: i64,
    exp: i64,
}

/// The assertion's `jti`, once everything about it holds. Whether the `jti` was used before is the caller's business.
pub(super) fn check(
    certificates: &[Certificate],
    assertion: &str,
    audience: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let header = header_of(assertion).ok_or_else(unreadable)?;
    if header["alg"] != "PS256" {
        return Err(Refusal::client(700_027, "The assertion is not signed with PS256."));
    }
    let certificate = certificates.iter().find(|known| header["x5t#S256"] == known.thumbprint.as_str());
    let certificate = certificate.ok_or_else(|| Refusal::of(700_027))?;
    match certificate.standing {
        Standing::Good => {}
        Standing::Expired => return Err(Refusal::of(1_000_502)),
        Standing::Revoked => return Err(Refusal::of(7_000_214)),
    }
    let claims = verified_claims(certificate, assertion)?;
    if claims.aud != audience || claims.iss != client_id || claims.sub != client_id {
        return Err(Refusal::client(700_023, "The assertion's audience, issuer or subject is wrong."));
    }
    check_time(claims.nbf, claims.exp, now)?;
    Ok(claims.jti)
}

pub(super) fn check_time(nbf: i64, exp: i64, now: Timestamp) -> Result<(), Refusal> {
    let now = now.as_second();
    if now + SKEW_SECONDS < nbf || now - SKEW_SECONDS >= exp {
        return Err(Refusal::of(700_024));
    }
    Ok(())
}

/// Who an assertion says it is from, before anything about it was checked.
pub(super) fn claimed_issuer(assertion: &str) -> Result<String, Refusal> {
    let claims: Value = claims_unchecked(assertion)?;
    Ok(claims["iss"].as_str().unwrap_or_default().to_owned())
}

/// What an assertion says, before anything about it was checked.
pub(super) fn claims_unchecked<T: DeserializeOwned>(assertion: &str) -> Result<T, Refusal> {
    let encoded = assertion.split('.').nth(1).ok_or_else(unreadable)?;
    let claims = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| unreadable())?;
    serde_json::from_slice(&claims).map_err(|_| unreadable())
}

fn verified_claims(certificate: &Certificate, assertion: &str) -> Result<Claims, Refusal> {
    let mut validation = Validation::new(Algorithm::PS256);
    // Times are checked against the sandbox's clock and the audience by hand: this library knows only the real clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode(assertion, &certificate.key, &validation)
        .map(|token| token.claims)
        .map_err(|_| Refusal::client(700_027, "The assertion's signature is not valid."))
}

fn header_of(assertion: &str) -> Option<Value> {
    let encoded = assertion.split('.').next()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

fn unreadable() -> Refusal {
    Refusal::client(50027, "The assertion is malformed.")
}
