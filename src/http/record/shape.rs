//! What the parts of a request look like that are handed on as the database keeps them. Nothing is ever made of these:
//! they are there to be told in the OpenAPI document.

#![expect(dead_code, reason = "shapes to be described, not values to be made")]

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

use crate::domain::request::Status;

/// A status by its name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::http) struct StatusName(pub Status);

impl PartialSchema for StatusName {
    fn schema() -> RefOr<Schema> {
        let names = Status::ALL.map(Status::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for StatusName {
    fn name() -> Cow<'static, str> {
        "Status".into()
    }
}

/// Who receives it.
#[derive(ToSchema)]
pub(in crate::http) struct Principal {
    /// The Entra object id.
    id: Uuid,
    /// For display.
    name: String,
    /// What it is besides an enabled member of the tenant: `guest`, `service-principal` or `group`.
    kind: Option<String>,
    /// As the ticket named it then.
    named: Option<String>,
}

/// What is granted, as the catalog described it then.
#[derive(ToSchema)]
pub(in crate::http) struct Entitlement {
    /// Its key in the catalog.
    key: String,
    /// Its title.
    title: String,
    /// What it gives.
    target: Target,
    /// Whether an early end also revokes the principal's sign-in sessions.
    #[schema(required = false)]
    revoke_sessions: bool,
}

/// What an entitlement gives: its kind, and the further keys of the catalog's `target`.
#[derive(ToSchema)]
pub(in crate::http) struct Target {
    /// Such as `directory-role` or `group`.
    kind: String,
    /// Absent when it is in force at once; `eligible` when it only may be activated.
    assignment: Option<String>,
    #[serde(flatten)]
    keys: BTreeMap<String, String>,
}

/// A counted approver.
#[derive(ToSchema)]
pub(in crate::http) struct Approver {
    /// Immutable id in the ticket system.
    id: String,
    /// For display.
    #[schema(required)]
    name: Option<String>,
    /// When they said yes, where the ticket system tells.
    #[schema(required)]
    decided_at: Option<Timestamp>,
}

/// A reason why not.
#[derive(ToSchema)]
pub(in crate::http) struct Reason {
    /// Stable, kebab-case.
    code: String,
    /// What to know or do about it.
    detail: String,
}

/// Why a request failed at Graph.
#[derive(ToSchema)]
pub(in crate::http) struct Failure {
    /// Graph's code or stint's own.
    code: String,
    /// What to know or do about it.
    detail: String,
}

/// An assignment as it was read back.
#[derive(ToSchema)]
pub(in crate::http) struct Assignment {
    /// PIM's id of the schedule request; null when only the schedule could be read.
    #[schema(required)]
    schedule_request_id: Option<String>,
    /// PIM's id of the schedule.
    schedule_id: String,
    /// When PIM started it.
    starts_at: Timestamp,
    /// When PIM ends it.
    ends_at: Timestamp,
    /// When this was read.
    confirmed_at: Timestamp,
    /// Whose assignment it joined; absent when it is its own.
    #[schema(required = false)]
    joined: Vec<CoHolder>,
}

/// Another request that holds the same assignment.
#[derive(ToSchema)]
pub(in crate::http) struct CoHolder {
    /// The request.
    request: Uuid,
    /// Its ticket.
    ticket: String,
}

/// The ticket as it was read back; its members differ from one ticket system to the next.
#[derive(ToSchema)]
pub(in crate::http) struct Snapshot {
    #[serde(flatten)]
    members: BTreeMap<String, serde_json::Value>,
}

/// One try at a call that changes something in Graph.
#[derive(ToSchema)]
pub(in crate::http) struct Attempt {
    /// Its id; also sent as `client-request-id`.
    id: Uuid,
    /// `assign`, `update`, `remove`, `cancel`, `validate` or `revoke-sessions`.
    kind: String,
    /// When it was committed, before anything was sent.
    recorded_at: Timestamp,
    /// It is never sent after this moment.
    send_not_after: Timestamp,
    /// How long the request may have it, where it asks for access.
    #[schema(required)]
    duration: Option<String>,
    /// When the assignment is to end at the latest by plan.
    #[schema(required)]
    ends_at: Option<Timestamp>,
    /// `open`, `accepted`, `refused`, `not-sent` or `absent`.
    outcome: String,
    /// Graph's code or stint's own word for what was seen.
    #[schema(required)]
    code: Option<String>,
    /// The HTTP status, where one was seen.
    #[schema(required)]
    http_status: Option<u16>,
    /// Graph's `request-id`, for Microsoft's support.
    #[schema(required)]
    graph_request_id: Option<String>,
    /// PIM's id of the schedule request it made.
    #[schema(required)]
    schedule_request_id: Option<String>,
    /// PIM's id of the schedule it made.
    #[schema(required)]
    schedule_id: Option<String>,
    /// When its outcome was known.
    #[schema(required)]
    closed_at: Option<Timestamp>,
    /// Reads that showed nothing of it.
    absent_reads: u32,
    /// The last read counted in `absent_reads`.
    #[schema(required)]
    last_absent_at: Option<Timestamp>,
}

/// One thing that happened.
#[derive(ToSchema)]
#[schema(as = TimelineEntry)]
pub(in crate::http) struct Entry {
    /// When.
    at: Timestamp,
    /// What, in kebab-case.
    event: String,
    /// Who: `stint`, `connection:<name>` or `caller:<tenant>/<object id>`.
    actor: String,
    /// Its facts; null once they were dropped after their time.
    #[schema(required)]
    detail: Option<serde_json::Value>,
}
