//! What is counted, and how it is handed out to Prometheus.
//!
//! Times go into buckets as they are recorded, so memory stays bounded when nobody reads them.

use std::{hash::Hash, sync::atomic::AtomicI64, time::Duration};

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
    registry::{Metric, Registry},
};

use crate::domain::request::Status;

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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stepped {
    step: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Written {
    outcome: &'static str,
}

/// Everything counted. Labels are configured names, matched routes and known words, so their number is bounded.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    deliveries: Family<Delivered, Counter>,
    requests: Family<Served, Counter>,
    seconds: Family<Route, Histogram>,
    moves: Family<Standing, Counter>,
    steps: Family<Stepped, Counter>,
    step_seconds: Family<Step, Histogram>,
    notes: Family<Written, Counter>,
    open: Family<Standing, Gauge>,
    overdue: Gauge<i64, AtomicI64>,
    findings: Gauge<i64, AtomicI64>,
    unsealed: Gauge<i64, AtomicI64>,
    sealed: Gauge<i64, AtomicI64>,
    sealed_at: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut r = Registry::with_prefix("stint");
        Self {
            deliveries: add(&mut r, "deliveries", "Webhooks by connection and what became of them", Family::default()),
            requests: add(&mut r, "http_requests", "HTTP requests by route, method and status", Family::default()),
            seconds: add(&mut r, "http_request_seconds", "Time to answer, by route", timed()),
            moves: add(&mut r, "request_states", "Moves of requests, by the state they came to", Family::default()),
            steps: add(&mut r, "steps", "Steps by name and outcome", Family::default()),
            step_seconds: add(&mut r, "step_seconds", "Time a step took, by name", timed()),
            notes: add(&mut r, "notes", "Notes on tickets by outcome", Family::default()),
            open: add(&mut r, "open_requests", "Open requests by state", Family::default()),
            overdue: add(&mut r, "overdue_seconds", "How long the longest-waiting step is due", Gauge::default()),
            findings: add(&mut r, "findings_open", "Findings nobody has acknowledged", Gauge::default()),
            unsealed: add(&mut r, "audit_pending_events", "Audit events that are not sealed yet", Gauge::default()),
            sealed: add(&mut r, "audit_tree_size", "Audit events that are sealed", Gauge::default()),
            sealed_at: add(
                &mut r,
                "audit_checkpoint_timestamp_seconds",
                "When the audit log was last sealed",
                Gauge::default(),
            ),
            registry: r,
        }
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

    /// Counts a request's move to this state.
    pub fn moved(&self, to: Status) {
        self.moves.get_or_create(&Standing { status: to.to_string() }).inc();
    }

    /// Counts a step.
    pub fn step(&self, step: &'static str, outcome: &'static str, took: Duration) {
        self.steps.get_or_create(&Stepped { step, outcome }).inc();
        self.step_seconds.get_or_create(&Step { step }).observe(took.as_secs_f64());
    }

    /// Counts a note.
    pub fn note(&self, outcome: &'static str) {
        self.notes.get_or_create(&Written { outcome }).inc();
    }

    /// Notes how many findings are open.
    pub fn findings(&self, open: i64) {
        self.findings.set(open);
    }

    /// Notes how far the audit log is sealed, and since when.
    pub fn sealing(&self, pending: u64, size: u64, sealed_at: Option<Timestamp>) {
        self.unsealed.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.sealed.set(i64::try_from(size).unwrap_or(i64::MAX));
        self.sealed_at.set(sealed_at.map_or(0, Timestamp::as_second));
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

/// Registers a metric and gives it back.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// From a millisecond to about half a minute.
fn timed<L: Clone + Hash + Eq>() -> Family<L, Histogram> {
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.5, 12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_shows_with_its_labels() {
        let metrics = Metrics::new();
        metrics.delivery("jira-cloud", "accepted");
        metrics.http("/v1/requests", &Method::GET, StatusCode::OK, Duration::from_millis(3));
        metrics.http("none", &Method::from_bytes(b"BREW").expect("a method"), StatusCode::NOT_FOUND, Duration::ZERO);
        metrics.moved(Status::Active);
        metrics.step("verify", "done", Duration::from_millis(40));
        metrics.note("written");
        metrics.findings(2);
        metrics.sealing(3, 40, Timestamp::from_second(1_793_000_000).ok());
        let text = metrics.text();
        assert!(text.contains(r#"stint_deliveries_total{connection="jira-cloud",outcome="accepted"} 1"#), "{text}");
        assert!(text.contains(r#"route="/v1/requests",method="GET",status="200"} 1"#), "{text}");
        assert!(text.contains(r#"method="other""#), "{text}");
        assert!(text.contains(r#"stint_request_states_total{status="active"} 1"#), "{text}");
        assert!(text.contains(r#"stint_steps_total{step="verify",outcome="done"} 1"#), "{text}");
        assert!(text.contains(r#"stint_notes_total{outcome="written"} 1"#), "{text}");
        assert!(text.contains("stint_findings_open 2"), "{text}");
        assert!(text.contains("stint_audit_pending_events 3"), "{text}");
        assert!(text.contains("stint_audit_tree_size 40"), "{text}");
        assert!(text.contains("stint_audit_checkpoint_timestamp_seconds 1793000000"), "{text}");
    }
}
