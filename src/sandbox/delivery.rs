//! Deliveries of webhooks: headers, raw body, and the POST itself.

use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_counts_up_and_keeps_everything_else() {
        let first =
            Webhook { headers: vec![("X-Atlassian-Webhook-Identifier".to_owned(), "i".to_owned())], body: vec![1] };
        let third = first.retry().retry();
        assert_eq!(third.header(RETRY), Some("2"));
        assert_eq!(third.header("X-Atlassian-Webhook-Identifier"), Some("i"));
    }
}
