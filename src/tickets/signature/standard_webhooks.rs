//! Standard Webhooks 1.0.0: `v1` (HMAC-SHA256 with a shared key) and `v1a` (Ed25519 with the sender's public key)
//! over `{id}.{timestamp}.{body}` (`contracts/tickets.md` C, H2).

use aws_lc_rs::{hmac, signature};
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

/// Checks the three headers against every key.
pub(super) fn check(
    settings: &WebhookSettings,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unverified> {
    let text = |name| only(headers, name)?.to_str().map_err(|_| Unverified::Malformed);
    let (id, timestamp, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    if id.contains('.') || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unverified::Malformed);
    }
    let seconds: i64 = timestamp.parse().map_err(|_| Unverified::Malformed)?;
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let fits =
        |secret: &SecretString| key(secret.expose_secret()).is_some_and(|key| fits_any(&key, signatures, &signed));
    // Each key is tried, so that the time does not tell which one fits.
    let verified = settings.secrets.iter().fold(false, |found, secret| found | fits(secret));
    if !verified {
        return Err(Unverified::Mismatch);
    }
    let off = now.as_second().abs_diff(seconds);
    if off > u64::from(settings.tolerance.as_secs()) { Err(Unverified::Untimely) } else { Ok(()) }
}

/// Whether any of the listed signatures was made with this key. Versions that are not known are passed over.
fn fits_any(key: &Key, signatures: &str, signed: &[u8]) -> bool {
    signatures.split(' ').fold(false, |found, token| found | fits(key, token, signed))
}

fn fits(key: &Key, token: &str, signed: &[u8]) -> bool {
    let Some((version, proof)) = token.split_once(',') else { return false };
    let Ok(proof) = STANDARD.decode(proof) else { return false };
    match (version, key) {
        ("v1", Key::Shared(key)) => hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), signed, &proof).is_ok(),
        ("v1a", Key::Public(key)) => {
            signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(signed, &proof).is_ok()
        }
        _ => false,
    }
}
