//! `GET /v1/requests` and `GET /v1/requests/{id}`: who, what, until when, on whose approval, by which ticket, and what
//! was proved when.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Api, answer,
    caller::{Admitted, Read},
    cursor::{List, Page},
    error::Problem,
    params::{Limit, Moment, Params, Text, unless_empty},
    record::{Summary, Whole, example, shape::StatusName},
    refusals::{BadRequest, NotFound, TooBroad},
};
use crate::{
    domain::id::RequestId,
    store::history::{Dossier, Filter, Record},
};

/// What requests are narrowed down to; all of it together.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filters {
    /// One tenant, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "contoso")]
    tenant: Text,
    /// One status.
    #[param(inline, value_type = Option<StatusName>)]
    #[serde(deserialize_with = "unless_empty")]
    status: Option<StatusName>,
    /// The principal's object id, or part of its name.
    #[param(value_type = Option<String>, max_length = 200, example = "nina")]
    principal: Text,
    /// The entitlement's key in the catalog.
    #[param(value_type = Option<String>, max_length = 200, example = "exchange-admin")]
    entitlement: Text,
    /// The ticket's number or immutable id.
    #[param(value_type = Option<String>, max_length = 200, example = "ITSEC-42")]
    ticket: Text,
    /// One connection, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "jira-cloud")]
    connection: Text,
    /// Received at or after this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    #[serde(deserialize_with = "unless_empty")]
    from: Option<Moment>,
    /// Received before this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    #[serde(deserialize_with = "unless_empty")]
    to: Option<Moment>,
    /// Part of the ticket's number, the principal's name, the entitlement's key or the tenant's name.
    #[param(value_type = Option<String>, max_length = 200, example = "exchange")]
    q: Text,
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many entries a page holds at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub limit: Limit,
    /// `next` of the page before, asked with the same filters.
    pub cursor: Option<String>,
}

impl From<Filters> for Filter {
    fn from(asked: Filters) -> Self {
        Self {
            visible_tenants: None,
            own: None,
            tenant: asked.tenant.given(),
            status: asked.status.map(|status| status.0.as_str().to_owned()),
            principal: asked.principal.given(),
            entitlement: asked.entitlement.given(),
            ticket: asked.ticket.given(),
            connection: asked.connection.given(),
            from: asked.from.map(|moment| moment.0),
            to: asked.to.map(|moment| moment.0),
            q: asked.q.given(),
        }
    }
}

/// A page of requests, newest first
///
/// Filters narrow it together. Its order stays while requests arrive, so that paging neither repeats nor skips any.
/// That it was read, by whom and narrowed to what, is put down in the audit log.
#[utoipa::path(
    get,
    path = "/v1/requests",
    params(Filters, Paging),
    responses(
        (status = 200, description = "A page.", body = Page<Summary>, example = example::page),
        BadRequest,
        TooBroad,
    )
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(filters, paging): Params<Filters, Paging>,
) -> Result<Response, Problem> {
    let filter = by.narrowed(filters.into());
    let list = List { name: "requests", filter: &filter };
    let after = paging.cursor.map(|cursor| api.cursors.place(list, &cursor)).transpose()?;
    let mut reading = api.store.reading().await.map_err(Problem::from_store)?;
    let records = reading.list(&filter, after, paging.limit.0 + 1).await.map_err(Problem::from_store)?;
    let page = api.cursors.page(list, records, paging.limit.0, place);
    let items = page.items.iter().map(Summary::of).collect::<Result<Vec<_>, _>>()?;
    let count = items.len() as u64;
    api.note_on(&mut reading, &by, Read { what: "requests", request: None, filter: json!(filter), count }).await?;
    Ok(answer(&Page { items, next: page.next }))
}

fn place(record: &Record) -> (Timestamp, Uuid) {
    (record.received_at.to_jiff(), record.id)
}

/// One request with all that belongs to it
///
/// That it was read, and by whom, is put down in the audit log.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}",
    params(("id" = String, Path, description = "The request's id.", example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11")),
    responses(
        (status = 200, description = "The request.", body = Whole, example = example::whole),
        NotFound,
        TooBroad,
    )
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, dossier) = visible(&api, &by, &id).await?;
    let whole = Whole::of(&dossier)?;
    api.note_reading(&by, Read { what: "request", request: Some(id), filter: json!({}), count: 1 }).await?;
    Ok(answer(&whole))
}

/// The request of this id with all that belongs to it, if the caller may see it.
///
/// # Errors
/// 404 alike when there is none and when it is not visible.
pub(super) async fn visible(api: &Api, by: &Admitted, id: &str) -> Result<(RequestId, Dossier), Problem> {
    let unknown = || Problem::not_found("no request of this id is visible to you");
    let id = RequestId(id.parse().map_err(|_| unknown())?);
    let filter = by.narrowed(Filter::default());
    let dossier = api.store.dossier(id, &filter).await.map_err(Problem::from_store)?;
    Ok((id, dossier.ok_or_else(unknown)?))
}

#[cfg(test)]
mod tests {
    use super::{super::params::read, *};

    #[test]
    fn every_bad_parameter_is_named() {
        let long = format!("q={}", "x".repeat(201));
        for (query, name) in [
            ("status=granted", "status"),
            ("from=yesterday", "from"),
            ("from=-009990-01-01T00:00:00Z", "from"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=", "limit"),
            ("q=a&q=b", "q"),
            ("q=a&%71=b", "q"),
            ("sort=asc", "sort"),
            ("q=%00", "q"),
            ("tenant=%FF", "tenant"),
            ("%FF=1", "name"),
            (long.as_str(), "q"),
        ] {
            let problem = read::<Filters, Paging>(query).expect_err(query);
            assert!(problem.detail().contains(name), "{query}: {}", problem.detail());
        }
        let Params(filters, paging) =
            read::<Filters, Paging>("status=active&limit=200&tenant=contoso&q=&from=").expect("good");
        assert_eq!((filters.tenant.given().as_deref(), paging.limit.0), (Some("contoso"), 200));
    }
}
