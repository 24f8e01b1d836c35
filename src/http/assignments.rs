//! `GET /v1/assignments`: who had what at a moment, by proof or by plan, now, then, or in time to come.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;

use super::{
    Api, answer,
    caller::{Admitted, Read},
    cursor::List,
    error::Problem,
    params::{Moment, Params, Text},
    record::shape::StatusName,
    refusals::{BadRequest, TooBroad},
    requests::Paging,
};
use crate::{
    domain::{
        in_force::{Ground, Had, had_at},
        request::Status,
        target::Target,
    },
    store::{Candidate, MomentFilter},
};

/// At which moment, and whose.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The moment, past or to come; now when it is not given. Later pages keep to the moment of the first one.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-03T09:00:00Z")]
    at: Option<Moment>,
    /// One tenant, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "contoso")]
    tenant: Text,
    /// The principal's object id, or part of its name.
    #[param(value_type = Option<String>, max_length = 200, example = "nina")]
    principal: Text,
    /// The entitlement's key in the catalog.
    #[param(value_type = Option<String>, max_length = 200, example = "exchange-admin")]
    entitlement: Text,
}

/// Who had what at a moment, and one page of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Assignments {
    /// The moment.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Up to when what is told here was known.
    #[schema(value_type = String, format = DateTime)]
    as_known_at: Timestamp,
    /// Newest requests first. Several requests may share one assignment; each is listed.
    items: Vec<Held>,
    /// Leads to the next page as `cursor`; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

/// That one request's principal had its entitlement at the moment.
#[derive(Debug, Serialize, ToSchema)]
struct Held {
    /// The request.
    request_id: Uuid,
    /// Its tenant.
    #[schema(required)]
    tenant: Option<String>,
    /// Its ticket.
    ticket: HeldTicket,
    /// Who had it.
    principal: HeldPrincipal,
    /// What was had.
    entitlement: HeldEntitlement,
    /// PIM's id of the schedule request; null where none was read.
    #[schema(required)]
    schedule_request_id: Option<String>,
    /// PIM's id of the schedule; null where none was read.
    #[schema(required)]
    schedule_id: Option<String>,
    /// Where the request stands now.
    #[schema(schema_with = StatusName::schema)]
    status: Status,
    /// From when: as PIM says, as it was first sent, or as it is planned.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Until when this request's own approval lets it.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// `proof`: a read-back showed it over that moment. `plan`: it may have been, or is to be.
    basis: Basis,
    /// Why it is listed, in words.
    why: &'static str,
    /// When it is over.
    until: Until,
    /// Other requests whose assignment this one joined.
    shared_with: Vec<Uuid>,
}

/// A ticket, by its connection and number.
#[derive(Debug, Serialize, ToSchema)]
struct HeldTicket {
    /// The connection it came by.
    system: String,
    /// Its number.
    number: String,
    /// Where a person opens it.
    #[schema(required)]
    url: Option<String>,
}

/// A principal.
#[derive(Debug, Serialize, ToSchema)]
struct HeldPrincipal {
    /// Object id in Entra.
    id: Uuid,
    /// For display, as decided on.
    name: String,
}

/// An entitlement, as the catalog described it when it was decided on.
#[derive(Debug, Serialize, ToSchema)]
struct HeldEntitlement {
    /// Its key.
    key: String,
    /// Its title.
    title: String,
    /// What it gives: its kind and the further keys of the catalog's target.
    #[schema(value_type = Object)]
    target: Target,
}

/// When it is over.
#[derive(Debug, Serialize, ToSchema)]
struct Until {
    /// The moment.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `proof`: nothing of it was left to be read then. `plan`: it is to end then, or was.
    basis: Basis,
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Basis {
    /// It was read back.
    Proof,
    /// It was decided, ordered or sent.
    Plan,
}

/// A place in the list: which moment it is about, what was known of it, and the last request that was looked at.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    at: Timestamp,
    after: Uuid,
}

/// Who had what at a moment
///
/// Every request whose principal had its assignment then, as far as is known now: by proof, where a reading of Microsoft
/// Entra covers the moment, or by plan, which is told and said why. What was proved gone by then, and what was never sent,
/// is left out. Dry runs are never listed. That it was read is put down in the audit log.
#[utoipa::path(
    get,
    path = "/v1/assignments",
    params(Asked, Paging),
    responses((status = 200, description = "A page.", body = Assignments, example = example), BadRequest, TooBroad)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(asked, paging): Params<Asked, Paging>,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let given_at = asked.at.map(|moment| moment.0);
    let filter = MomentFilter {
        visible_tenants: by.sees.tenants(),
        tenant: asked.tenant.given(),
        principal: asked.principal.given(),
        entitlement: asked.entitlement.given(),
    };
    let signed = (given_at, &filter);
    let list = List { name: "assignments", filter: &signed };
    let place: Option<Place> = paging.cursor.map(|cursor| api.cursors.place(list, &cursor)).transpose()?;
    let at = place.map(|place| place.at).or(given_at).unwrap_or(now);
    let wanted = paging.limit.0 as usize;
    let (items, goes_on_after) = gather(&api, &filter, (at, now), place.map(|place| place.after), wanted).await?;
    let next = goes_on_after.map(|after| api.cursors.give(list, &Place { at, after }));
    let read = Read { what: "assignments", request: None, filter: told(&filter, at), count: items.len() as u64 };
    api.note_reading(&by, read).await?;
    Ok(answer(&Assignments { at, as_known_at: now, items, next }))
}

/// So many candidates are looked at in one go, at least.
const BATCH: u32 = 200;

/// The next entries, and after which request a further page goes on; `None` when this one is the last.
async fn gather(
    api: &Api,
    filter: &MomentFilter,
    (at, now): (Timestamp, Timestamp),
    mut after: Option<Uuid>,
    wanted: usize,
) -> Result<(Vec<Held>, Option<Uuid>), Problem> {
    let mut items: Vec<Held> = vec![];
    // One more than wanted tells whether there is a further page. Many may have to be looked at for one that is listed.
    let batch = u32::try_from(wanted + 1).unwrap_or(BATCH).max(BATCH);
    loop {
        let found = api.store.at_moment(filter, at, after, batch).await.map_err(Problem::from_store)?;
        let is_last = found.len() < batch as usize;
        for candidate in found {
            after = Some(candidate.request.0);
            let Some(had) = had_at(&candidate.course, at, now) else { continue };
            if items.len() == wanted {
                let last = items.last().map(|item| item.request_id);
                return Ok((items, last));
            }
            items.push(Held::of(candidate, &had));
        }
        if is_last {
            return Ok((items, None));
        }
    }
}

fn told(filter: &MomentFilter, at: Timestamp) -> Value {
    json!({ "at": at, "tenant": filter.tenant, "principal": filter.principal, "entitlement": filter.entitlement })
}

impl Held {
    fn of(candidate: Candidate, had: &Had) -> Self {
        let Candidate { request, tenant, connection, ticket_number, ticket_url, status, course } = candidate;
        let (decision, assignment) = (course.decision, course.assignment);
        let (until, until_basis) = had.until;
        let shared_with = assignment.iter().flat_map(|assignment| &assignment.joined).map(|other| other.request.0);
        Self {
            request_id: request.0,
            tenant,
            ticket: HeldTicket { system: connection, number: ticket_number, url: ticket_url },
            principal: HeldPrincipal { id: decision.principal.id.0, name: decision.principal.name },
            entitlement: HeldEntitlement {
                key: decision.entitlement.key.to_string(),
                title: decision.entitlement.title,
                target: decision.entitlement.target,
            },
            shared_with: shared_with.collect(),
            schedule_request_id: assignment.as_ref().and_then(|assignment| assignment.schedule_request_id.clone()),
            schedule_id: assignment.map(|assignment| assignment.schedule_id),
            status,
            starts_at: had.starts_at,
            ends_at: had.ends_at,
            basis: had.ground.into(),
            why: had.why,
            until: Until { at: until, basis: until_basis.into() },
        }
    }
}

impl From<Ground> for Basis {
    fn from(ground: Ground) -> Self {
        match ground {
            Ground::Proof => Self::Proof,
            Ground::Plan => Self::Plan,
        }
    }
}

fn example() -> Value {
    json!({
        "at": "2026-11-03T09:00:00Z",
        "as_known_at": "2026-12-01T10:00:00Z",
        "items": [{
            "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11",
            "tenant": "contoso",
            "ticket": {
                "system": "jira-cloud", "number": "ITSEC-42", "url": "https://contoso.atlassian.net/browse/ITSEC-42"
            },
            "principal": { "id": "2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32", "name": "Nina Berg" },
            "entitlement": {
                "key": "exchange-admin",
                "title": "Exchange Administrator",
                "target": { "kind": "directory-role", "role": "29232cdf-9323-42fd-ade2-1d097af3e4de", "scope": "/" }
            },
            "schedule_request_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
            "schedule_id": "6ab6a1d8-8f1b-4c0b-9f2c-2d6a6a1f0b1e",
            "status": Status::Ended.as_str(),
            "starts_at": "2026-11-03T08:31:10Z",
            "ends_at": "2026-11-03T12:31:10Z",
            "basis": "proof",
            "why": "a reading of Microsoft Entra showed it in force over that moment, and nothing had begun to end it",
            "until": { "at": "2026-11-03T12:33:10Z", "basis": "proof" },
            "shared_with": []
        }],
        "next": null
    })
}
