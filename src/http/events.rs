//! `GET /v1/audit/events`: the audit log, a page at a time or as a whole.
//!
//! Only sealed events show, in the order of the log, so that whoever reads on from where it stopped misses none: what is
//! sealed later stands later. The log is sealed before it is read.

mod shape;
mod whole;

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use self::shape::{Shape, example};
use super::{
    Api, answer,
    caller::{Admitted, Read, Sees},
    error::Problem,
    params::{Limit, Moment, Params, Text},
    refusals::{BadRequest, TooBroad},
};
use crate::{
    domain::{id::RequestId, proof::ShownEvent},
    store::log::EventFilter,
};

/// So long the sealing of what waits may hold up a page.
const SEALED_WITHIN: Duration = Duration::from_secs(5);

/// What events are narrowed down to; all of it together.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filters {
    /// Those of one request, by its id.
    #[param(example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11")]
    request: Option<Uuid>,
    /// One kind of event.
    #[param(value_type = Option<String>, max_length = 200, example = "received")]
    event: Text,
    /// Who did it, such as `stint` or `caller:<tenant>/<object id>`.
    #[param(value_type = Option<String>, max_length = 200, example = "stint")]
    actor: Text,
    /// One tenant, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "contoso")]
    tenant: Text,
    /// Happened at or after this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<Moment>,
    /// Happened before this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    to: Option<Moment>,
}

/// Which part of the log, and in which form.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Events behind this place of the log: `next` of the page before.
    #[param(example = 1041)]
    after: Option<u64>,
    /// How many events a page holds at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `json`, a page; or `ndjson`, the whole log, for those who see all tenants.
    #[param(inline)]
    format: Option<Format>,
}

/// In which form events are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// A page.
    Json,
    /// The whole log, an event a line, and a closing line.
    Ndjson,
}

/// A page of the audit log. It may hold fewer events than were asked for, even none, without being the last.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The events, in the order of the log.
    #[schema(value_type = Vec<Shape>)]
    items: Vec<ShownEvent>,
    /// The place behind which the next page begins, to be given as `after`; null at the end of the log.
    #[schema(required)]
    next: Option<u64>,
}

impl Filters {
    fn is_empty(&self) -> bool {
        let texts = [&self.event, &self.actor, &self.tenant];
        self.request.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && texts.into_iter().all(|text| *text == Text::default())
    }

    fn narrowed(self, sees: &Sees) -> EventFilter {
        EventFilter {
            visible_tenants: sees.tenants(),
            request: self.request.map(RequestId),
            event: self.event.given(),
            actor: self.actor.given(),
            tenant: self.tenant.given(),
            from: self.from.map(|moment| moment.0),
            to: self.to.map(|moment| moment.0),
        }
    }
}

/// The audit log
///
/// Sealed events in the order in which they were sealed, a page at a time. With `format=ndjson` the whole log, an event a
/// line, closed by a line `{"end_of_export": …}` that says how many lines and which bytes (sha256) stand before it; a file
/// without it is not whole. What concerns no tenant shows only to those who see all of them. That it was read, by whom and
/// narrowed to what, is put down in the log itself.
#[utoipa::path(
    get,
    path = "/v1/audit/events",
    params(Filters, Part),
    responses(
        (status = 200, description = "A page, or the whole log.", content(
            (EventPage = "application/json", example = example::page),
            (String = "application/x-ndjson", example = example::ndjson)
        )),
        BadRequest,
        TooBroad,
    )
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(filters, part): Params<Filters, Part>,
) -> Result<Response, Problem> {
    if part.format == Some(Format::Ndjson) {
        return whole::stream(api, by, filters.is_empty() && part.after.is_none()).await;
    }
    seal_some(&api).await;
    let filter = filters.narrowed(&by.sees);
    let place = part.after.map_or(0, |after| after.saturating_add(1));
    let page = api.store.log_page(&filter, place, part.limit.0).await.map_err(Problem::from_store)?;
    let count = page.events.len() as u64;
    // A request of which nothing was found may not exist, and the log cannot point at it.
    let request = filter.request.filter(|_| count > 0);
    let read = Read { what: "audit-events", request, filter: json!(filter), count };
    api.note_reading(&by, read).await?;
    Ok(answer(&EventPage { items: page.events, next: page.next }))
}

/// Seals what waits, but not for long: what is left over stands on a later page.
async fn seal_some(api: &Api) {
    match tokio::time::timeout(SEALED_WITHIN, api.sealer.seal(api.clock.now())).await {
        Ok(Ok(_)) => {}
        Ok(Err(problem)) => warn!(%problem, "the audit log is read as it was last sealed"),
        Err(_) => warn!("the audit log is read as far as it was sealed in time"),
    }
}
