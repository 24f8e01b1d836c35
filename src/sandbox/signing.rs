//! How senders prove their deliveries: signatures, tokens, passwords (`contracts/tickets.md` A2, B2, C).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::delivery::Webhook;

const HUB: &str = "X-Hub-Signature";
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

impl Webhook {
    /// Signs the raw body as Jira does; an earlier signature is replaced.
    pub fn sign_jira_hub(&mut self, secret: &str) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = format!("sha256={}", hex::encode(hmac::sign(&key, &self.body)));
        self.set_header(HUB, signature);
    }

    /// Signs as Standard Webhooks v1 does, with a shared secret (`whsec_…`), as this id, sent at this time.
    ///
    /// A delivery that already bears a signature for the same id and time gets another one, as a sender does while it
    /// changes secrets; otherwise the old one is replaced.
    pub fn sign_standard(&mut self, secret: &str, id: &str, at: Timestamp) {
        let tag = hmac::sign(&shared_key(secret), &self.signed_content(id, at));
        self.bear(&format!("v1,{}", STANDARD.encode(tag)), id, at);
    }

    /// Signs as Standard Webhooks v1a does, with a private key; otherwise like [`Webhook::sign_standard`].
    pub fn sign_standard_with_key(&mut self, key: &Ed25519KeyPair, id: &str, at: Timestamp) {
        let signature = key.sign(&self.signed_content(id, at));
        self.bear(&format!("v1a,{}", STANDARD.encode(signature)), id, at);
    }

    /// Authenticates with a static token, as an automation rule does that cannot sign.
    pub fn bearer(&mut self, token: &str) {
        self.set_header("Authorization", format!("Bearer {token}"));
    }

    /// Authenticates with a user and a password.
    pub fn basic(&mut self, user: &str, password: &str) {
        self.set_header("Authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    }

    fn signed_content(&self, id: &str, at: Timestamp) -> Vec<u8> {
        let seconds = at.as_second().to_string();
        [id.as_bytes(), b".", seconds.as_bytes(), b".", &self.body].concat()
    }

    fn bear(&mut self, token: &str, id: &str, at: Timestamp) {
        let at = at.as_second().to_string();
        let same = self.header(ID) == Some(id) && self.header(TIMESTAMP) == Some(&at);
        let before = self.header(SIGNATURE).filter(|_| same);
        let tokens = before.map_or_else(|| token.to_owned(), |before| format!("{before} {token}"));
        self.set_header(ID, id);
        self.set_header(TIMESTAMP, at);
        self.set_header(SIGNATURE, tokens);
    }
}

/// The public half of a key as a receiver is given it: `whpk_…`.
#[must_use]
pub fn public_key(key: &Ed25519KeyPair) -> String {
    format!("whpk_{}", STANDARD.encode(key.public_key()))
}

/// The key in a `whsec_` secret. Whatever is no Base64 is taken as it is, as a sender does that got it wrong.
fn shared_key(secret: &str) -> hmac::Key {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const MESSAGE: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";

    fn published() -> (Webhook, Timestamp) {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#.to_vec();
        (Webhook { headers: Vec::new(), body }, Timestamp::from_second(1_649_367_553).unwrap())
    }

    #[test]
    fn the_published_vectors_hold() {
        let mut webhook = Webhook { headers: Vec::new(), body: b"Hello World!".to_vec() };
        webhook.sign_jira_hub("It's a Secret to Everybody");
        let expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
        assert_eq!(webhook.header("x-hub-signature"), Some(expected));

        let (mut webhook, at) = published();
        webhook.sign_standard(SECRET, MESSAGE, at);
        assert_eq!(webhook.header(SIGNATURE), Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));
        assert_eq!((webhook.header(ID), webhook.header(TIMESTAMP)), (Some(MESSAGE), Some("1649367553")));
    }

    #[test]
    fn the_key_of_a_servicenow_script_is_the_decoded_secret() {
        let key = shared_key(&STANDARD.encode("sample_key"));
        let mac = STANDARD.encode(hmac::sign(&key, b"sample_data"));
        assert_eq!(mac, "4VWUI48lJvmGSF6MYmOVWA9c0hfu55Ur+3e+fUFFFr4=");
    }

    #[test]
    fn a_public_key_verifies_what_the_private_one_signed() {
        let (mut webhook, at) = published();
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        webhook.sign_standard_with_key(&key, MESSAGE, at);
        let signature = webhook.header(SIGNATURE).unwrap().strip_prefix("v1a,").unwrap();
        let public = STANDARD.decode(public_key(&key).strip_prefix("whpk_").unwrap()).unwrap();
        let content = webhook.signed_content(MESSAGE, at);
        UnparsedPublicKey::new(&ED25519, public).verify(&content, &STANDARD.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn two_secrets_sign_side_by_side_and_a_new_attempt_starts_anew() {
        let (mut webhook, at) = published();
        webhook.sign_standard(SECRET, MESSAGE, at);
        webhook.sign_standard("whsec_AAAA", MESSAGE, at);
        assert_eq!(webhook.header(SIGNATURE).unwrap().split(' ').count(), 2);
        webhook.sign_standard(SECRET, MESSAGE, Timestamp::from_second(1_649_367_853).unwrap());
        assert_eq!(webhook.header(SIGNATURE).unwrap().split(' ').count(), 1);
    }
}
