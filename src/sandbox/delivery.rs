//! Deliveries of webhooks: headers, raw body, signatures, and the POST itself.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

/// One delivery, unsigned until it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Header names and values, in the order they are sent.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// How a delivery was answered: status, raw body, headers.
pub type Delivered = (u16, Bytes, HeaderMap);

const SIGNATURE: &str = "X-Hub-Signature";
const RETRY: &str = "X-Atlassian-Webhook-Retry";

/// One client for all deliveries, since building one is slow. It keeps no idle connections, so it may be shared by
/// the runtimes of many tests.
fn sender() -> reqwest::Result<reqwest::Client> {
    static SENDER: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = SENDER.get() {
        return Ok(client.clone());
    }
    let policy = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(policy).pool_max_idle_per_host(0).build()?;
    Ok(SENDER.get_or_init(|| client).clone())
}

impl Webhook {
    /// Signs the raw body with the secret; an earlier signature is replaced.
    pub fn sign_jira_hub(&mut self, secret: &str) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = format!("sha256={}", hex::encode(hmac::sign(&key, &self.body)));
        self.set_header(SIGNATURE, signature);
    }

    /// Signs as Standard Webhooks v1 does: id, time and raw body. Earlier signing headers are replaced.
    pub fn sign_standard(&mut self, secret: &str, id: &str, at: Timestamp) {
        self.sign_standard_with(&[secret], id, at);
    }

    /// The same with several secrets, as a sender does whose secret is being changed: one signature for each.
    pub fn sign_standard_with(&mut self, secrets: &[&str], id: &str, at: Timestamp) {
        let seconds = at.as_second().to_string();
        let content = [id.as_bytes(), b".", seconds.as_bytes(), b".", &self.body].concat();
        let sign = |secret: &&str| format!("v1,{}", STANDARD.encode(hmac::sign(&standard_key(secret), &content)));
        let signatures = secrets.iter().map(sign).collect::<Vec<_>>().join(" ");
        self.set_header("webhook-id", id);
        self.set_header("webhook-timestamp", seconds);
        self.set_header("webhook-signature", signatures);
    }

    /// Authenticates with a static token, as an automation rule does that cannot sign.
    pub fn bearer(&mut self, token: &str) {
        self.set_header("Authorization", format!("Bearer {token}"));
    }

    /// Authenticates with a user and a password.
    pub fn basic(&mut self, user: &str, password: &str) {
        self.set_header("Authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    }

    /// Posts the delivery once and reads the answer. Redirects are not followed, proxies not used, nothing repeated.
    ///
    /// # Errors
    ///
    /// No whole answer came.
    pub async fn deliver(&self, url: &str) -> reqwest::Result<Delivered> {
        let mut request = sender()?.post(url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok((status, response.bytes().await?, headers))
    }

    /// The same delivery once more: same identifier, same body, and a count of retries.
    #[must_use]
    pub fn retry(&self) -> Self {
        let count = self.header(RETRY).and_then(|count| count.parse::<u32>().ok()).unwrap_or(0) + 1;
        let mut again = self.clone();
        again.set_header(RETRY, count.to_string());
        again
    }

    /// A header's value, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a header, replacing an earlier one.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }
}

/// The key in a `whsec_` secret. Whatever is no Base64 is taken as it is, as a sender does that got it wrong.
fn standard_key(secret: &str) -> hmac::Key {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_signature_vector_holds() {
        let mut webhook = Webhook { headers: Vec::new(), body: b"Hello World!".to_vec() };
        webhook.sign_jira_hub("It's a Secret to Everybody");
        let expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
        assert_eq!(webhook.header("x-hub-signature"), Some(expected));
    }

    #[test]
    fn the_standard_webhooks_vector_holds_and_a_second_secret_adds_a_signature() {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#.to_vec();
        let mut webhook = Webhook { headers: Vec::new(), body };
        let (secret, id) = ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        let at = Timestamp::from_second(1_649_367_553).unwrap();
        webhook.sign_standard(secret, id, at);
        let expected = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(webhook.header("webhook-signature"), Some(expected));
        assert_eq!(webhook.header("webhook-timestamp"), Some("1649367553"));

        webhook.sign_standard_with(&[secret, "whsec_YW5vdGhlci1zZWNyZXQtb2YtZW5vdWdoLWJ5dGVz"], id, at);
        let signatures: Vec<&str> = webhook.header("webhook-signature").unwrap().split(' ').collect();
        assert_eq!((signatures.len(), signatures[0]), (2, expected));
    }

    #[test]
    fn the_key_of_a_servicenow_script_is_the_decoded_secret() {
        let key = standard_key(&STANDARD.encode("sample_key"));
        let mac = STANDARD.encode(hmac::sign(&key, b"sample_data"));
        assert_eq!(mac, "4VWUI48lJvmGSF6MYmOVWA9c0hfu55Ur+3e+fUFFFr4=");
    }

    #[test]
    fn a_retry_counts_up_and_keeps_everything_else() {
        let first =
            Webhook { headers: vec![("X-Atlassian-Webhook-Identifier".to_owned(), "i".to_owned())], body: vec![1] };
        let third = first.retry().retry();
        assert_eq!(third.header(RETRY), Some("2"));
        assert_eq!(third.header("X-Atlassian-Webhook-Identifier"), Some("i"));
    }
}
