//! The proof that a delivery comes from its connection's ticket system.
//!
//! Everything that reads a delivery takes a [`VerifiedBody`], and only [`verify`] makes one: reading an unproved body
//! does not compile. The scheme is the connection's, never the delivery's: leaving a header out, or sending another
//! kind of proof, selects nothing. Every secret of the connection is tried, whichever fits, and comparisons take the
//! same time whatever they find.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::settings::{WebhookScheme, WebhookSettings};

pub(crate) mod standard_webhooks;

/// Jira's header, without the `-256` that GitHub's has (`contracts/tickets.md` A2, C).
const HUB_SIGNATURE: &str = "x-hub-signature";

/// Longer headers are not kept.
const MAX_HEADER: usize = 200;

/// The body of a genuine delivery.
#[derive(Clone)]
pub struct VerifiedBody {
    bytes: Bytes,
    headers: DeliveryHeaders,
}

/// What is kept of a delivery's headers; never a credential or a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryHeaders {
    /// The sender's own id for the delivery, the same in every repeat. `None` where the sender gives none.
    pub identifier: Option<String>,
    /// How often it was sent before; absent the first time.
    pub retry: Option<String>,
    /// Jira's `Primary`, or `Secondary` for what may come late.
    pub flow: Option<String>,
}

/// Why a delivery is not proved; for the log, not for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The header that should prove it is not there.
    #[error("the proof is missing")]
    Missing,
    /// The header is there more than once.
    #[error("the proof is there more than once")]
    Doubled,
    /// The header cannot be read.
    #[error("the proof cannot be read")]
    Malformed,
    /// The header names a method that is not accepted.
    #[error("the proof is of another method")]
    Method,
    /// The signed time is too far from the present.
    #[error("the proof was made too long ago, or for a time to come")]
    Untimely,
    /// No secret of the connection fits.
    #[error("the proof fits no secret")]
    Mismatch,
}

impl VerifiedBody {
    /// The raw bytes, as signed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The headers worth keeping.
    #[must_use]
    pub fn headers(&self) -> &DeliveryHeaders {
        &self.headers
    }

    /// What a repeat of this delivery carries too, within its connection: its sender's identifier, else a digest of the
    /// body (`contracts/tickets.md` H1.5).
    #[must_use]
    pub fn delivery_key(&self) -> String {
        match &self.headers.identifier {
            Some(identifier) => format!("id:{identifier}"),
            None => format!("sha256:{}", self.sha256()),
        }
    }

    /// SHA-256 of the raw bytes, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, &self.bytes))
    }
}

/// Without the body, which names people.
impl fmt::Debug for VerifiedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, headers } = self;
        f.debug_struct("VerifiedBody").field("length", &bytes.len()).field("headers", headers).finish()
    }
}

/// Proves a delivery by the connection's scheme (`contracts/tickets.md` H2).
///
/// # Errors
/// [`Unverified`] for anything but exactly one readable proof that fits one of the secrets.
pub fn verify(
    settings: &WebhookSettings,
    headers: &HeaderMap,
    body: Bytes,
    now: Timestamp,
) -> Result<VerifiedBody, Unverified> {
    match &settings.scheme {
        WebhookScheme::JiraHub => hub(settings, headers, &body)?,
        WebhookScheme::StandardWebhooks => standard_webhooks::check(settings, headers, &body, now)?,
        WebhookScheme::Bearer => bearer(settings, headers)?,
        WebhookScheme::Basic { username } => basic(settings, headers, username)?,
    }
    Ok(VerifiedBody { bytes: body, headers: kept(&settings.scheme, headers) })
}

fn hub(settings: &WebhookSettings, headers: &HeaderMap, body: &[u8]) -> Result<(), Unverified> {
    let given = only(headers, HUB_SIGNATURE)?.to_str().map_err(|_| Unverified::Malformed)?;
    let (method, digits) = given.split_once('=').ok_or(Unverified::Malformed)?;
    if method != "sha256" {
        return Err(Unverified::Method);
    }
    let mut tag = [0; digest::SHA256_OUTPUT_LEN];
    hex::decode_to_slice(digits, &mut tag).map_err(|_| Unverified::Malformed)?;
    any_secret(settings, |secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, body, &tag).is_ok()
    })
}

/// Digests are compared, not the tokens, so that not even a length shows.
fn bearer(settings: &WebhookSettings, headers: &HeaderMap) -> Result<(), Unverified> {
    let token = digest::digest(&digest::SHA256, authorization(headers, "bearer")?);
    any_secret(settings, |secret| {
        let secret = digest::digest(&digest::SHA256, secret);
        constant_time::verify_slices_are_equal(secret.as_ref(), token.as_ref()).is_ok()
    })
}

/// As [`bearer`], over the name and the password together.
fn basic(settings: &WebhookSettings, headers: &HeaderMap, username: &str) -> Result<(), Unverified> {
    let given = STANDARD.decode(authorization(headers, "basic")?).map_err(|_| Unverified::Malformed)?;
    let given = digest::digest(&digest::SHA256, &given);
    any_secret(settings, |secret| {
        let pair = [username.as_bytes(), b":", secret].concat();
        let pair = digest::digest(&digest::SHA256, &pair);
        constant_time::verify_slices_are_equal(pair.as_ref(), given.as_ref()).is_ok()
    })
}

/// What follows the scheme's name in the `Authorization` header.
fn authorization<'a>(headers: &'a HeaderMap, wanted: &str) -> Result<&'a [u8], Unverified> {
    let given = only(headers, header::AUTHORIZATION.as_str())?.as_bytes();
    let space = given.iter().position(|byte| *byte == b' ').ok_or(Unverified::Malformed)?;
    let (scheme, proof) = given.split_at(space);
    if !scheme.eq_ignore_ascii_case(wanted.as_bytes()) {
        return Err(Unverified::Method);
    }
    let proof = proof.trim_ascii_start();
    if proof.is_empty() { Err(Unverified::Malformed) } else { Ok(proof) }
}

/// Whether any secret fits; all are tried, so that the time does not tell which one did.
fn any_secret(settings: &WebhookSettings, fits: impl Fn(&[u8]) -> bool) -> Result<(), Unverified> {
    let secrets = settings.secrets.iter().map(|secret| secret.expose_secret().as_bytes());
    // Anybody can sign with an empty key.
    let verified = secrets.filter(|secret| !secret.is_empty()).fold(false, |found, secret| found | fits(secret));
    if verified { Ok(()) } else { Err(Unverified::Mismatch) }
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a HeaderValue, Unverified> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().filter(|value| !value.is_empty()).ok_or(Unverified::Missing)?;
    if values.next().is_some() { Err(Unverified::Doubled) } else { Ok(first) }
}

/// The identifier is the scheme's own: a header of another scheme names nothing here.
fn kept(scheme: &WebhookScheme, headers: &HeaderMap) -> DeliveryHeaders {
    let text = |name| {
        let text = only(headers, name).ok()?.to_str().ok()?;
        (text.len() <= MAX_HEADER).then(|| text.to_owned())
    };
    let identifier = match scheme {
        WebhookScheme::StandardWebhooks => standard_webhooks::ID,
        _ => "x-atlassian-webhook-identifier",
    };
    DeliveryHeaders {
        identifier: text(identifier),
        retry: text("x-atlassian-webhook-retry"),
        flow: text("x-atlassian-webhook-flow"),
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
