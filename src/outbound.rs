//! Calls to others: one HTTPS client, one set of limits, one place where a lost answer is told from a definite one.
//!
//! `tickets`, `graph` and the API's key sets each wrap a [`Wire`] in their own `send`. Redirects, proxies and retries
//! are off: a call is sent at most once, and only to where it was addressed.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

/// Everything but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Answers longer than this are refused unread.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// One call, before it has an address or a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// GET, POST, PATCH …
    pub method: Method,
    /// From the base URL's path on; segments already encoded with [`segment`].
    pub path: String,
    /// Query pairs, encoded when sent.
    pub query: Vec<(String, String)>,
    /// Further headers; never credentials.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent along.
    pub body: Body,
}

/// What a call carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Value),
    /// A plain text.
    Text(String),
}

/// A complete answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The call never left: no address, no connection, no TLS.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have been carried out: timeout, reset, cut or oversized answer.
    #[error("answer lost: {0}")]
    AnswerLost(String),
}

/// How a call proves who sends it.
#[derive(Clone, Debug)]
pub enum Credential {
    /// None.
    Nobody,
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// `Authorization: Basic`.
    Basic {
        /// The account.
        username: String,
        /// Its password or API token.
        password: SecretString,
    },
    /// A header of the system's own.
    Header {
        /// The header's name.
        name: &'static str,
        /// Its value.
        value: SecretString,
    },
}

/// The value of a header that is never shown, not even where a client logs its headers.
fn sensitive(value: &SecretString) -> Result<HeaderValue, Fault> {
    let mut header = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| Fault::NotSent("a credential that no header can carry".into()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To a connection.
    pub connect: Duration,
    /// To the end of the answer.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30) }
    }
}

/// The HTTPS client.
#[derive(Clone, Debug)]
pub struct Wire {
    client: reqwest::Client,
}

impl Wire {
    /// A client with these limits.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up.
    pub fn new(limits: Limits) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("stint/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// Sends the call once.
    ///
    /// # Errors
    /// [`Fault`], which says whether the call may have been carried out.
    pub async fn send(&self, base: &Url, call: &Call, credential: &Credential) -> Result<Answer, Fault> {
        let mut request = self.client.request(call.method.clone(), address(base, call)?);
        request = match credential {
            Credential::Nobody => request,
            Credential::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Credential::Basic { username, password } => request.basic_auth(username, Some(password.expose_secret())),
            Credential::Header { name, value } => request.header(*name, sensitive(value)?),
        };
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request = request.header(header::ACCEPT, "application/json");
        request = match &call.body {
            Body::Empty => request,
            Body::Json(document) => request.header(header::CONTENT_TYPE, "application/json").body(document.to_string()),
            Body::Text(text) => request.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").body(text.clone()),
        };
        collect(request).await
    }

    /// Posts a form whose values may be secret, to one exact address.
    ///
    /// # Errors
    /// [`Fault`] as for [`Wire::send`].
    pub async fn post_form(&self, address: Url, pairs: &[(&str, &str)]) -> Result<Answer, Fault> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = self.client.post(address).header(header::ACCEPT, "application/json");
        collect(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await
    }
}

impl Answer {
    /// The body as strict JSON.
    ///
    /// # Errors
    /// When it is something else: proxies answer HTML, some with status 200.
    pub fn json(&self) -> Result<Value, crate::json::Fault> {
        crate::json::parse(&self.body)
    }

    /// The bearer token in a token endpoint's good answer, and for how many seconds it lives by its word; `None` when there
    /// is none that a header can carry. Nothing of an unreadable answer is repeated: it may hold a token.
    #[must_use]
    pub fn bearer_token(&self) -> Option<(SecretString, u64)> {
        self.bearer(Value::as_u64)
    }

    /// As [`Answer::bearer_token`], where numbers arrive as texts (`contracts/graph.md` §9.3).
    #[must_use]
    pub fn bearer_token_by_text(&self) -> Option<(SecretString, u64)> {
        self.bearer(|seconds| seconds.as_str().map_or_else(|| seconds.as_u64(), |text| text.parse().ok()))
    }

    fn bearer(&self, seconds: impl FnOnce(&Value) -> Option<u64>) -> Option<(SecretString, u64)> {
        let body = self.json().ok()?;
        let text = |name| crate::json::text(&body, name).ok();
        let token =
            text("/access_token").filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()));
        let is_bearer = text("/token_type")?.eq_ignore_ascii_case("bearer");
        let seconds = body.pointer("/expires_in").and_then(seconds)?;
        token.filter(|_| is_bearer).map(|token| (token.into(), seconds))
    }

    /// `Retry-After` as seconds from `now`: given in seconds or as a date. Where it is absent, `X-RateLimit-Reset` as a
    /// moment (`contracts/tickets.md` A7). `None` when neither can be read.
    #[must_use]
    pub fn retry_after(&self, now: jiff::Timestamp) -> Option<crate::domain::duration::Duration> {
        let Some(text) = self.headers.get(header::RETRY_AFTER) else { return self.limit_reset(now) };
        let text = text.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(crate::domain::duration::Duration::seconds(seconds));
        }
        until(now, jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
    }

    /// The minute in which a limit is lifted is told without its seconds: only its end is certain.
    fn limit_reset(&self, now: jiff::Timestamp) -> Option<crate::domain::duration::Duration> {
        let text = self.headers.get("x-ratelimit-reset")?.to_str().ok()?.trim();
        let minute: jiff::Timestamp = text.parse().ok()?;
        until(now, minute.checked_add(jiff::SignedDuration::from_mins(1)).ok()?)
    }
}

fn until(now: jiff::Timestamp, then: jiff::Timestamp) -> Option<crate::domain::duration::Duration> {
    let seconds = then.duration_since(now).as_secs().max(0);
    u32::try_from(seconds).ok().map(crate::domain::duration::Duration::seconds)
}

/// One path segment, encoded down to unreserved characters.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn address(base: &Url, call: &Call) -> Result<Url, Fault> {
    let text = format!("{}{}", base.as_str().trim_end_matches('/'), call.path);
    let mut url = Url::parse(&text).map_err(|error| Fault::NotSent(error.to_string()))?;
    if url.origin() != base.origin() {
        return Err(Fault::NotSent("the address left its configured origin".into()));
    }
    if !call.query.is_empty() {
        // Graph reads `+` in a filter as a plus sign, so spaces must travel as %20.
        let pair = |(name, value): &(String, String)| format!("{}={}", query_name(name), segment(value));
        let query: Vec<_> = call.query.iter().map(pair).collect();
        url.set_query(Some(&query.join("&")));
    }
    Ok(url)
}

/// `OData`'s `$filter` and friends keep their dollar sign.
fn query_name(name: &str) -> String {
    name.strip_prefix('$').map_or_else(|| segment(name), |rest| format!("${}", segment(rest)))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
async fn collect(request: reqwest::RequestBuilder) -> Result<Answer, Fault> {
    let mut response = request.send().await.map_err(|error| sort(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::AnswerLost(chain(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Fault::AnswerLost(format!("longer than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status(), headers: response.headers().clone(), body })
}

fn sort(error: &reqwest::Error) -> Fault {
    if error.is_connect() || error.is_builder() {
        Fault::NotSent(chain(error))
    } else {
        Fault::AnswerLost(chain(error))
    }
}

/// An error with its causes, without the address: it may name people.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { "transport".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, query: &[(&str, &str)]) -> Call {
        Call {
            method: Method::GET,
            path: path.into(),
            query: query.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            headers: vec![],
            body: Body::Empty,
        }
    }

    #[test]
    fn segments_and_queries_are_encoded_to_unreserved_characters() {
        let base = Url::parse("https://graph.example/v1.0").expect("url");
        let path = format!("/users/{}", segment("kim#EXT#@x"));
        let url = address(&base, &get(&path, &[("$filter", "mail eq 'a+b@c'")])).expect("address");
        assert_eq!(
            url.as_str(),
            "https://graph.example/v1.0/users/kim%23EXT%23%40x?$filter=mail%20eq%20%27a%2Bb%40c%27"
        );
    }

    #[test]
    fn a_path_cannot_leave_the_configured_origin() {
        let base = Url::parse("https://graph.example").expect("url");
        assert!(matches!(address(&base, &get("@evil.example/", &[])), Err(Fault::NotSent(_))));
    }

    #[test]
    fn retry_after_is_read_as_seconds_zero_and_date() {
        let now: jiff::Timestamp = "2026-11-03T08:31:00Z".parse().expect("time");
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().expect("header"))]);
            let answer = Answer { status: StatusCode::TOO_MANY_REQUESTS, headers, body: vec![] };
            answer.retry_after(now).map(crate::domain::duration::Duration::as_secs)
        };
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("0"), Some(0));
        assert_eq!(wait("Tue, 03 Nov 2026 08:31:40 GMT"), Some(40));
        assert_eq!(wait("Tue, 03 Nov 2026 08:30:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn without_retry_after_the_end_of_the_minute_of_a_reset_is_awaited() {
        let now: jiff::Timestamp = "2026-11-03T08:30:20Z".parse().expect("time");
        let wait = |pairs: &[(&'static str, &str)]| {
            let pair = |(name, value): &(&'static str, &str)| {
                (http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("header"))
            };
            let headers = pairs.iter().map(pair).collect();
            let answer = Answer { status: StatusCode::TOO_MANY_REQUESTS, headers, body: vec![] };
            answer.retry_after(now).map(crate::domain::duration::Duration::as_secs)
        };
        assert_eq!(wait(&[("x-ratelimit-reset", "2026-11-03T08:31Z")]), Some(100));
        assert_eq!(wait(&[("x-ratelimit-reset", "2026-11-03T08:00Z")]), Some(0));
        assert_eq!(wait(&[("x-ratelimit-reset", "2026-11-03T08:31Z"), ("retry-after", "7")]), Some(7));
        assert_eq!(wait(&[("x-ratelimit-reset", "60")]), None, "of some other system");
        assert_eq!(wait(&[]), None);
    }
}
