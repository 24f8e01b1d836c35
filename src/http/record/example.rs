//! A request to show what one looks like.

use serde_json::{Value, json};

/// A request in a list.
pub(in crate::http) fn summary() -> Value {
    json!({
        "id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11",
        "tenant": "contoso",
        "connection": "jira-cloud",
        "status": "ended",
        "received_at": "2026-11-03T08:31:07.214913Z",
        "updated_at": "2026-11-03T12:31:24.5Z",
        "ticket": {
            "system": "jira-cloud",
            "number": "ITSEC-42",
            "id": "10042",
            "url": "https://contoso.atlassian.net/browse/ITSEC-42",
            "snapshot_digest": "sha256:3f0b1a6f6b1f7f5fd0c1b6f1f0a2c8c9a2a1a54cbb0bb9b1c4b8a1c1e9d0e3aa",
            "basis": "read-back"
        },
        "principal": { "id": "2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32", "name": "Nina Berg" },
        "entitlement": {
            "key": "exchange-admin",
            "title": "Exchange Administrator",
            "target": { "kind": "directory-role", "role": "29232cdf-9323-42fd-ade2-1d097af3e4de", "scope": "/" }
        },
        "requested_duration": "PT4H",
        "approval": {
            "id": "approval:7:1",
            "approved_at": "2026-11-03T08:30:40Z",
            "approvers": [
                { "id": "5b10a2844c20165700ede21g", "name": "Omar Haddad", "decided_at": "2026-11-03T08:30:40Z" }
            ]
        },
        "decision": {
            "decided_at": "2026-11-03T08:31:08.1Z",
            "duration": "PT4H",
            "bound_by": "requested",
            "catalog_version": "sha256:9b1c4b8a1c1e9d0e3aa3f0b1a6f6b1f7f5fd0c1b6f1f0a2c8c9a2a1a54cbb0bb",
            "snapshot_digest": "sha256:3f0b1a6f6b1f7f5fd0c1b6f1f0a2c8c9a2a1a54cbb0bb9b1c4b8a1c1e9d0e3aa",
            "reasons": []
        },
        "dry_run": false,
        "assignment": {
            "schedule_request_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
            "schedule_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
            "starts_at": "2026-11-03T08:31:10Z",
            "ends_at": "2026-11-03T12:31:10Z",
            "confirmed_at": "2026-11-03T08:31:13Z"
        },
        "end": {
            "cause": "expired",
            "ordered_at": "2026-11-03T12:31:10Z",
            "ordered_by": "stint",
            "reason": "its time was over",
            "confirmed_at": "2026-11-03T12:31:24Z",
            "lag_seconds": 14,
            "continued_by": [],
            "next_look_at": null
        },
        "failure": null,
        "hold": null
    })
}

/// A page of one.
pub(in crate::http) fn page() -> Value {
    json!({ "items": [summary()], "next": null })
}

/// The whole document of the same request.
pub(in crate::http) fn whole() -> Value {
    let mut document = summary();
    document["ticket"]["snapshot"] = json!({ "number": "ITSEC-42", "duration": { "text": "PT4H" } });
    document["attempts"] = json!([{
        "id": "019a48e1-7d2c-7b55-a0c1-9e4f2d1b6c3a",
        "kind": "assign",
        "recorded_at": "2026-11-03T08:31:09Z",
        "send_not_after": "2026-11-03T08:31:39Z",
        "duration": "PT4H",
        "ends_at": "2026-11-03T12:31:09Z",
        "outcome": "accepted",
        "code": null,
        "http_status": 201,
        "graph_request_id": "b1f0a2c8-0d3e-4c66-8f1d-5f0e7b6a9c21",
        "schedule_request_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
        "schedule_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
        "closed_at": "2026-11-03T08:31:10Z",
        "absent_reads": 0,
        "last_absent_at": null
    }]);
    document["notes"] = json!([{
        "step": "granted",
        "text": "Exchange Administrator granted to Nina Berg until 12:31 UTC.",
        "created_at": "2026-11-03T08:31:13Z",
        "written_at": "2026-11-03T08:31:14Z",
        "tries": 1,
        "last_error": null
    }]);
    document["timeline"] = json!([
        { "at": "2026-11-03T08:31:07.214913Z", "event": "received", "actor": "connection:jira-cloud", "detail": {} },
        { "at": "2026-11-03T12:31:24.5Z", "event": "gone", "actor": "stint",
          "detail": { "confirmed_at": "2026-11-03T12:31:24Z" } }
    ]);
    document["holders"] = json!([]);
    document
}
