//! Standard Webhooks 1.0.0: `v1` (HMAC-SHA256 with a shared key) and `v1a` (Ed25519 with the sender's public key)
//! over `{id}.{timestamp}.{body}` (`contracts/tickets.md` C, H2).

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac, signature};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{Unverified, WebhookSettings, only};

/// The sender's id for the event, the same in every repeat.
pub(super) const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// What a public key begins with; a shared one may begin with `whsec_`.
const PUBLIC: &str = "whpk_";
const SHARED: &str = "whsec_";

/// A sender that changes its key lists two; each one listed costs whoever must check it.
const MAX_SIGNATURES: usize = 16;

/// A key as its sender hands it out, decoded.
pub(crate) enum Key {
    /// For `v1`.
    Shared(Vec<u8>),
    /// For `v1a`.
    Public(Vec<u8>),
}

/// Reads a key: Base64 of 24 to 64 bytes for `v1`, of 32 bytes for `v1a`; `None` when it is neither.
pub(crate) fn key(text: &str) -> Option<Key> {
    if let Some(public) = text.strip_prefix(PUBLIC) {
        return STANDARD.decode(public).ok().filter(|key| key.len() == 32).map(Key::Public);
    }
    let shared = STANDARD.decode(text.strip_prefix(SHARED).unwrap_or(text)).ok()?;
    (24..=64).contains(&shared.len()).then_some(Key::Shared(shared))
}

/// Checks the three headers against every key. The time is judged last: whoever has no key learns nothing from it.
pub(super) fn check(
    settings: &WebhookSettings,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unverified> {
    let text = |name| only(headers, name)?.to_str().map_err(|_| Unverified::Malformed);
    let (id, timestamp, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    // With a dot in the id, one signature would fit two pairs of id and timestamp.
    if id.contains('.') || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unverified::Malformed);
    }
    let seconds: i64 = timestamp.parse().map_err(|_| Unverified::Malformed)?;
    let proofs = proofs(signatures)?;
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let fits = |secret: &SecretString| key(secret.expose_secret()).is_some_and(|key| fits_any(&key, &proofs, &signed));
    // Each key is tried, so that the time does not tell which one fits.
    let verified = settings.secrets.iter().fold(false, |found, secret| found | fits(secret));
    if !verified {
        return Err(Unverified::Mismatch);
    }
    let off = now.as_second().abs_diff(seconds);
    if off > u64::from(settings.tolerance.as_secs()) { Err(Unverified::Untimely) } else { Ok(()) }
}

/// One listed signature.
enum Proof {
    /// `v1`.
    Hmac(Vec<u8>),
    /// `v1a`.
    Ed25519(Vec<u8>),
}

/// The listed signatures. Versions that are not known, and what cannot be read, are passed over.
fn proofs(signatures: &str) -> Result<Vec<Proof>, Unverified> {
    let mut proofs = Vec::new();
    for (n, token) in signatures.split(' ').filter(|token| !token.is_empty()).enumerate() {
        if n == MAX_SIGNATURES {
            return Err(Unverified::Malformed);
        }
        proofs.extend(proof(token));
    }
    Ok(proofs)
}

fn proof(token: &str) -> Option<Proof> {
    let (version, proof) = token.split_once(',')?;
    let proof = STANDARD.decode(proof).ok()?;
    match version {
        "v1" => Some(Proof::Hmac(proof)),
        "v1a" => Some(Proof::Ed25519(proof)),
        _ => None,
    }
}

/// Whether any proof was made with this key. A key serves its own version only: a public key is known to everybody, and
/// taken for a shared one it would prove anything.
fn fits_any(key: &Key, proofs: &[Proof], signed: &[u8]) -> bool {
    match key {
        Key::Shared(key) => {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed);
            let fits = |proof: &Proof| matches!(proof, Proof::Hmac(proof) if verify_slices_are_equal(tag.as_ref(), proof).is_ok());
            proofs.iter().fold(false, |found, proof| found | fits(proof))
        }
        Key::Public(key) => {
            let key = signature::UnparsedPublicKey::new(&signature::ED25519, key);
            let fits = |proof: &Proof| matches!(proof, Proof::Ed25519(proof) if key.verify(signed, proof).is_ok());
            proofs.iter().fold(false, |found, proof| found | fits(proof))
        }
    }
}

#[cfg(test)]
#[path = "standard_webhooks_tests.rs"]
mod tests;
