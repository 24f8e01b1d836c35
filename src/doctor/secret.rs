//! How hard a webhook secret is to guess, as far as its shape tells. It is never shown.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

use super::report::Said;

/// Shorter secrets are not refused, but a generated one is longer.
const GENERATED: usize = 32;

/// Fewer different characters than this are no random text of that length.
const VARIED: usize = 10;

/// What is to be said about each secret of a connection, the current one first. Length and sharing are the
/// configuration's own demands.
pub(super) fn strengths(secrets: &[SecretString]) -> Vec<Said> {
    let names = ["the current secret", "the previous secret"];
    names.iter().zip(secrets).map(|(name, secret)| strength(name, secret.expose_secret())).collect()
}

fn strength(name: &str, secret: &str) -> Said {
    if secret.starts_with("whpk_") {
        return Said::ok("a public key, which is no secret");
    }
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let different = text.bytes().collect::<BTreeSet<_>>().len();
    let replace = "have one generated, such as by `openssl rand -base64 32`";
    if repeats(text) {
        Said::fail(format!("{name} repeats one short piece: {replace}"))
    } else if different < VARIED {
        Said::fail(format!("{name} has only {different} different characters: {replace}"))
    } else if text.len() < GENERATED {
        Said::warn(format!("{name} is shorter than {GENERATED} characters: {replace}"))
    } else {
        Said::ok(format!("{name} is long and varied"))
    }
}

/// Whether the text is one piece of at most half its length, over and over.
fn repeats(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(one, other)| one == other))
}
