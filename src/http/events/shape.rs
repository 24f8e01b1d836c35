//! What an event looks like, told in the OpenAPI document.

#![expect(dead_code, reason = "a shape to be described, not a value to be made")]

use jiff::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An event of the audit log. Its leaf in the tree is the canonical JSON (RFC 8785) of all members but `leaf_index` and
/// `detail`.
#[derive(ToSchema)]
#[schema(as = AuditEvent)]
pub(in crate::http) struct Shape {
    /// Who: `stint`, `connection:<name>` or `caller:<tenant>/<object id>`.
    actor: String,
    /// When, by stint's clock.
    at: Timestamp,
    /// The connection it concerns.
    #[schema(required)]
    connection: Option<String>,
    /// sha256 of the canonical JSON of its detail, in lower-case hex.
    detail_sha256: String,
    /// What.
    event: String,
    /// Its number; numbers may be missing.
    id: i64,
    /// The request it concerns.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// The status it moved the request from.
    #[schema(required)]
    state_from: Option<String>,
    /// The status it moved the request to.
    #[schema(required)]
    state_to: Option<String>,
    /// The tenant it concerns.
    #[schema(required)]
    tenant: Option<String>,
    /// Its place in the log, from 0; null while it is not sealed.
    #[schema(required)]
    leaf_index: Option<u64>,
    /// Its facts, an object; null once they were dropped after their time.
    #[schema(value_type = Option<Object>, required)]
    detail: Option<Value>,
}

/// Events to show what they look like.
pub(in crate::http) mod example {
    use serde_json::{Value, json};

    /// An event.
    pub fn event() -> Value {
        json!({
            "actor": "connection:jira-cloud",
            "at": "2026-11-03T08:31:07.214913Z",
            "connection": "jira-cloud",
            "detail_sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "event": "received",
            "id": 1041,
            "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11",
            "state_from": null,
            "state_to": "received",
            "tenant": null,
            "leaf_index": 1040,
            "detail": {}
        })
    }

    /// A page.
    pub fn page() -> Value {
        json!({ "items": [event()], "next": 1040 })
    }

    /// The whole log, where that is one event.
    pub fn ndjson() -> String {
        let closing = json!({ "end_of_export": {
            "format": "ndjson", "what": "audit-events", "filter": {}, "from": null, "to": null, "count": 1,
            "sha256": "9b1c4b8a1c1e9d0e3aa3f0b1a6f6b1f7f5fd0c1b6f1f0a2c8c9a2a1a54cbb0bb",
            "at": "2026-11-03T09:00:00Z",
            "by": "caller:9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60/2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32",
            "note": null
        } });
        format!("{}\n{closing}\n", event())
    }
}
