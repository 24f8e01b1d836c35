//! Small things every simulated server needs: reading a request line, writing JSON, and the two date formats.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde_json::Value;
use uuid::Uuid;

/// Takes the lock; a test that panicked while holding it must not hide its own message behind a second panic.
pub(super) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer with a JSON body.
pub(super) fn json(status: u16, body: &Value) -> Response<Bytes> {
    answer(status, "application/json;charset=UTF-8", Bytes::from(body.to_string()))
}

/// What a proxy in front of the real service says when it answers by itself.
pub(super) fn html(status: u16) -> Response<Bytes> {
    let page = "<html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>";
    answer(status, "text/html;charset=UTF-8", Bytes::from_static(page.as_bytes()))
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status_code(status);
    response
}

/// A page of one's own.
pub(super) fn page(status: u16, html: String) -> Response<Bytes> {
    answer(status, "text/html;charset=UTF-8", Bytes::from(html))
}

fn answer(status: u16, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status_code(status);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Sets a header when the value can be one.
pub(super) fn set_header(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A header's text, or nothing.
pub(super) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, "authorization")?.strip_prefix("Bearer ")
}

/// The path's segments, percent-decoded, so that `%23EXT%23` is a plain guest name.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

/// A decoded query string or form body.
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.first(name)?.parse().ok()
    }
}

/// A fresh GUID as text.
pub(super) fn guid() -> String {
    Uuid::new_v4().to_string()
}

/// An unguessable opaque string.
pub(super) fn opaque() -> String {
    let halves = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    URL_SAFE_NO_PAD.encode(halves)
}

/// UTC with seven fractional digits, as Graph writes it.
pub(super) fn graph_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

/// Local time with milliseconds and an offset *without* a colon, as Jira writes it (`contracts/tickets.md A3`).
pub(super) fn jira_date(at: Timestamp) -> String {
    site_time(at).strftime("%Y-%m-%dT%H:%M:%S%.3f%z").to_string()
}

/// The same without milliseconds: the `iso8601` member of a JSM date.
pub(super) fn jsm_date(at: Timestamp) -> String {
    site_time(at).strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

/// The simulated site lives one hour east of UTC, all year, so that nobody can mistake its dates for UTC.
fn site_time(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(TimeZone::fixed(tz::offset(1)))
}

/// The date format of HTTP headers.
pub(super) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `at` moved by some seconds; saturates at the ends of time.
pub(super) fn plus_seconds(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// Seconds as the signed number that time arithmetic wants.
pub(super) fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
