//! What stint says of itself: log lines and counters. Never a secret, a token, a body or a query.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::atomic::AtomicI64,
    time::Duration,
};

use http::{Method, StatusCode};
use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::domain::request::Status;

/// Logs to standard error: text on a terminal, JSON lines otherwise. `STINT_LOG` sets the level, `info` by default.
pub fn init() {
    let filter = EnvFilter::try_from_env("STINT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Clean);
    // Fails only where a subscriber is set already.
    let _ = if io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
}

/// Logs warnings only, for commands whose output is the story.
pub fn quiet() {
    let filter = EnvFilter::try_from_env("STINT_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Clean).try_init();
}

/// Standard error, with characters escaped that could rewrite a line before a reader's eyes.
struct Clean;

impl<'a> MakeWriter<'a> for Clean {
    type Writer = CleanLine;

    fn make_writer(&'a self) -> CleanLine {
        CleanLine
    }
}

struct CleanLine;

impl Write for CleanLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(clean(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Escapes C1 controls and the characters that turn or hide text. The formatter has escaped the C0 controls of every
/// field already, and writes line ends and colours of its own.
fn clean(line: &str) -> String {
    let dangerous = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut cleaned = String::with_capacity(line.len());
    for c in line.chars() {
        if dangerous(c) { cleaned.extend(c.escape_unicode()) } else { cleaned.push(c) }
    }
    cleaned
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Delivered {
    connection: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Served {
    route: String,
    method: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Standing {
    status: String,
}

/// Everything counted. Labels are configured names, matched routes and known words, so their number is bounded.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    deliveries: Family<Delivered, Counter>,
    requests: Family<Served, Counter>,
    seconds: Family<Route, Histogram>,
    open: Family<Standing, Gauge>,
    overdue: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("stint");
        let deliveries = Family::default();
        let requests = Family::default();
        let seconds =
            Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.5, 12)));
        let open = Family::default();
        let overdue = Gauge::default();
        registry.register("deliveries", "Webhooks by connection and what became of them", deliveries.clone());
        registry.register("http_requests", "HTTP requests by route, method and status", requests.clone());
        registry.register("http_request_seconds", "Time to answer, by route", seconds.clone());
        registry.register("open_requests", "Open requests by state", open.clone());
        registry.register("overdue_seconds", "How long the longest-waiting step has been due", overdue.clone());
        Self { registry, deliveries, requests, seconds, open, overdue }
    }

    /// Counts a webhook.
    pub fn delivery(&self, connection: &str, outcome: &str) {
        let labels = Delivered { connection: connection.to_owned(), outcome: outcome.to_owned() };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// Counts an answer.
    pub fn http(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let known = [Method::GET, Method::POST].contains(method);
        let method = if known { method.to_string() } else { "other".to_owned() };
        let labels = Served { route: route.to_owned(), method, status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Notes how much is open, and since when the oldest step has been due.
    pub fn backlog(&self, open: &[(Status, i64)], oldest: Option<Timestamp>, now: Timestamp) {
        for status in Status::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let count = open.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
            self.open.get_or_create(&Standing { status: status.to_string() }).set(count);
        }
        let overdue = oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs().max(0));
        self.overdue.set(overdue);
    }

    /// Everything as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_turn_or_hide_text_are_escaped() {
        assert_eq!(clean("a\u{202e}b\u{9b}c\u{200b}d\n"), "a\\u{202e}b\\u{9b}c\\u{200b}d\n");
        assert_eq!(clean("Grüße, 日本\n"), "Grüße, 日本\n");
    }

    #[test]
    fn what_is_counted_shows_with_its_labels() {
        let metrics = Metrics::new();
        metrics.delivery("jira-cloud", "accepted");
        metrics.http("/v1/requests", &Method::GET, StatusCode::OK, Duration::from_millis(3));
        metrics.http("none", &Method::from_bytes(b"BREW").expect("a method"), StatusCode::NOT_FOUND, Duration::ZERO);
        let text = metrics.text();
        assert!(text.contains(r#"stint_deliveries_total{connection="jira-cloud",outcome="accepted"} 1"#), "{text}");
        assert!(text.contains(r#"route="/v1/requests",method="GET",status="200"} 1"#), "{text}");
        assert!(text.contains(r#"method="other""#), "{text}");
    }
}
