//! `GET /v1/findings` and `POST /v1/findings/{id}/acknowledge`: what somebody must look at, and that somebody did.
//!
//! A finding belongs to its tenant. One of a connection as a whole belongs to every tenant that the connection serves: who
//! may see, or act for, all of these sees and acknowledges it; what has neither is for those who may see everything.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::Timestamp;
use jiff_sqlx::Timestamp as Column;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api, answer,
    body::{JsonBody, reason_if_given},
    caller::{Admitted, Read, Sees},
    cursor::{List, Page},
    error::Problem,
    params::{Moment, Params, Text},
    refusals::{BadRequest, NotFound, Timeout, TooBroad, TooLarge, UnsupportedMediaType},
    requests::Paging,
};
use crate::{
    domain::id::RequestId,
    store::{self, FindingFilter, FindingState, May},
};

/// Which findings.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// One kind, by its code.
    #[param(value_type = Option<String>, max_length = 200, example = "past-its-end")]
    kind: Text,
    /// One tenant, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "contoso")]
    tenant: Text,
    /// One request, by its id.
    #[param(value_type = Option<String>, format = Uuid, example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11")]
    request: Option<Uuid>,
    /// One connection, by its name; only findings about it as a whole.
    #[param(value_type = Option<String>, max_length = 200, example = "jira-cloud")]
    connection: Text,
    /// How they stand.
    #[param(inline)]
    state: StateAsked,
    /// Raised at or after this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<Moment>,
    /// Raised before this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    to: Option<Moment>,
}

/// How findings stand that are asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StateAsked {
    /// It lasts, or does not pass, and nobody acknowledged it.
    Open,
    /// Somebody acknowledged it, and it is not over.
    Acknowledged,
    /// What it tells is over.
    Cleared,
    /// However they stand.
    #[default]
    All,
}

/// Something an auditor or operator must look at.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Finding {
    /// Its id.
    id: Uuid,
    /// What was found: a code that stays.
    kind: String,
    /// How it stands: `open`, `acknowledged`, or `cleared` once what it tells is over.
    state: Stands,
    /// Its tenant; null where it is about a connection, or about a request whose tenant is not known.
    #[schema(required)]
    tenant: Option<String>,
    /// The connection it is about as a whole.
    #[schema(required)]
    connection: Option<String>,
    /// The request it is about.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// Which one of a tenant's many things it is about, such as an instance's id.
    #[schema(required)]
    subject: Option<String>,
    /// Its facts.
    #[schema(value_type = Object)]
    detail: Value,
    /// When it was found.
    #[schema(value_type = String, format = DateTime)]
    raised_at: Timestamp,
    /// Who acknowledged it, when and why; null while nobody did.
    #[schema(required)]
    acknowledged: Option<Acknowledged>,
    /// When what it tells was seen to be over; null while it is not, and for what does not pass.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    cleared_at: Option<Timestamp>,
}

/// That somebody looked at a finding.
#[derive(Debug, Serialize, ToSchema)]
struct Acknowledged {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who, as the audit log names callers.
    by: String,
    /// In their words; null when nothing was said.
    #[schema(required)]
    reason: Option<String>,
}

/// How a finding stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stands {
    /// It lasts, or does not pass, and nobody acknowledged it.
    Open,
    /// Somebody acknowledged it, and it is not over.
    Acknowledged,
    /// What it tells is over.
    Cleared,
}

/// What may be said when a finding is acknowledged.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "a shape to be described; the body is read strictly")]
pub(super) struct Said {
    /// Why nothing more is to be done about it.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

/// A page of findings, newest first
///
/// A finding of a connection as a whole is seen by those who may see every tenant that the connection serves; what concerns
/// no tenant, by those who may see everything. That it was read is put down in the audit log.
#[utoipa::path(
    get,
    path = "/v1/findings",
    params(Asked, Paging),
    responses(
        (status = 200, description = "A page.", body = Page<Finding>,
         example = json!({ "items": [example()], "next": null })),
        BadRequest,
        TooBroad,
    )
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(asked, paging): Params<Asked, Paging>,
) -> Result<Response, Problem> {
    let told = asked.told();
    let filter = asked.filter(api.may(&by.sees));
    let signed = (&told, by.sees.tenants());
    let list = List { name: "findings", filter: &signed };
    let after = paging.cursor.map(|cursor| api.cursors.place(list, &cursor)).transpose()?;
    let found = api.store.findings(&filter, after, paging.limit.0 + 1).await.map_err(Problem::from_store)?;
    let page = api.cursors.page(list, found, paging.limit.0, |last| (last.raised_at.to_jiff(), last.id));
    let items: Vec<_> = page.items.into_iter().map(Finding::from).collect();
    let read = Read { what: "findings", request: None, filter: told.clone(), count: items.len() as u64 };
    api.note_reading(&by, read).await?;
    Ok(answer(&Page { items, next: page.next }))
}

/// Somebody looked at a finding
///
/// Keeps who, when and, where the body says so, why. Another call changes nothing and is answered the same document. An
/// acknowledged finding is no longer open; it ends nothing and clears nothing. The body may be left out.
#[utoipa::path(
    post,
    path = "/v1/findings/{id}/acknowledge",
    params(("id" = String, Path, description = "The finding's id.", example = "019a48e1-9b10-7d21-8a4f-6f0c5e1d3b22")),
    request_body(content = Option<Said>, example = json!({ "reason": "removed by hand, as agreed in ITSEC-42" })),
    responses(
        (status = 200, description = "The finding, acknowledged.", body = Finding, example = acknowledged_example),
        BadRequest, NotFound, Timeout, TooLarge, UnsupportedMediaType,
    )
)]
pub(super) async fn acknowledge(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let reason = reason_if_given(&body)?;
    // Unknown and not visible are the same answer.
    let unknown = || Problem::not_found("no finding of this id is visible to you");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let seen = api.store.finding(id, &api.may(&by.reads())).await.map_err(Problem::from_store)?;
    let seen = seen.ok_or_else(unknown)?;
    let (actor, may, now) = (by.actor(), api.may(&by.sees), api.clock.now());
    let kept = api.store.acknowledge(id, &may, &actor, reason.as_deref(), now).await.map_err(Problem::from_store)?;
    let kept = kept.ok_or_else(|| Problem::forbidden("only an operator of its tenant acknowledges a finding"))?;
    // That it was acknowledged is put down by itself; another call only reads who did.
    if seen.acknowledged_at.is_some() || kept.acknowledged_by != Some(actor.to_string()) {
        let (request, filter) = (kept.request_id.map(RequestId), json!({ "finding": id, "tenant": kept.tenant }));
        api.note_reading(&by, Read { what: "finding", request, filter, count: 1 }).await?;
    }
    Ok(answer(&Finding::from(kept)))
}

impl Asked {
    /// As the audit log keeps it.
    fn told(&self) -> Value {
        let text = |text: &Text| text.clone().given();
        json!({
            "kind": text(&self.kind),
            "tenant": text(&self.tenant),
            "request": self.request,
            "connection": text(&self.connection),
            "state": self.state,
            "from": self.from.map(|from| from.0),
            "to": self.to.map(|to| to.0),
        })
    }

    fn filter(self, may: May) -> FindingFilter {
        FindingFilter {
            may,
            kind: self.kind.given(),
            tenant: self.tenant.given(),
            request: self.request,
            connection: self.connection.given(),
            state: match self.state {
                StateAsked::Open => Some(FindingState::Open),
                StateAsked::Acknowledged => Some(FindingState::Acknowledged),
                StateAsked::Cleared => Some(FindingState::Cleared),
                StateAsked::All => None,
            },
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
        }
    }
}

impl Api {
    /// Which findings somebody with this sight may see.
    fn may(&self, sees: &Sees) -> May {
        match sees.tenants() {
            None => May::All,
            Some(tenants) => May::Some { tenants, connections: self.connections_within(sees) },
        }
    }

    /// Connections that serve no tenant but those that are seen.
    pub(super) fn connections_within(&self, sees: &Sees) -> Vec<String> {
        let is_seen = |name: &str| sees.tenants().is_none_or(|tenants| tenants.iter().any(|tenant| tenant == name));
        let within = self.connections.iter().filter(|(_, connection)| {
            let mut tenants = connection.settings().tenants.iter().peekable();
            tenants.peek().is_some() && tenants.all(|tenant| is_seen(tenant.as_str()))
        });
        within.map(|(name, _)| name.to_string()).collect()
    }
}

impl From<store::Finding> for Finding {
    fn from(finding: store::Finding) -> Self {
        let state = match finding.state() {
            FindingState::Open => Stands::Open,
            FindingState::Acknowledged => Stands::Acknowledged,
            FindingState::Cleared => Stands::Cleared,
        };
        let acknowledged = finding.acknowledged_at.zip(finding.acknowledged_by);
        let reason = finding.acknowledged_reason;
        Self {
            id: finding.id,
            kind: finding.kind,
            state,
            tenant: finding.tenant,
            connection: finding.connection,
            request_id: finding.request_id,
            subject: finding.subject,
            detail: finding.detail,
            raised_at: finding.raised_at.to_jiff(),
            acknowledged: acknowledged.map(|(at, by)| Acknowledged { at: at.to_jiff(), by, reason }),
            cleared_at: finding.cleared_at.map(Column::to_jiff),
        }
    }
}

fn example() -> Value {
    json!({
        "id": "019a48e1-9b10-7d21-8a4f-6f0c5e1d3b22",
        "kind": "past-its-end",
        "state": "open",
        "tenant": "contoso",
        "connection": null,
        "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11",
        "subject": null,
        "detail": { "instance": { "id": "i-1", "ends_at": null } },
        "raised_at": "2026-11-03T12:34:10Z",
        "acknowledged": null,
        "cleared_at": null
    })
}

fn acknowledged_example() -> Value {
    let mut finding = example();
    finding["state"] = json!("acknowledged");
    finding["acknowledged"] = json!({
        "at": "2026-11-03T12:40:00Z",
        "by": "caller:8f0c3f5e-3b1d-4c55-9d0b-3a54b1f7c9e0/2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32",
        "reason": "removed by hand, as agreed in ITSEC-42"
    });
    finding
}
