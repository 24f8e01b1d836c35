//! `POST /webhooks/{connection}`: check the proof, understand, store, answer.
//!
//! Nothing in a body is believed but "go and look at ticket X". An answer of 2xx means that the delivery is committed.
//! A caller who proves nothing learns nothing: 401 with an empty body, whatever is wrong.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::{
    Api,
    error::Problem,
    refusals::{BadRequest, NotFound, Timeout, TooLarge, Unavailable, Unprocessable, UnsupportedMediaType},
    serve::{BodyFault, read_body},
};
use crate::{
    domain::id::ConnectionName,
    store::{Delivery, Meant, Received},
    tickets::{Connection, Heard, NotHeard, VerifiedBody},
};

/// How long a sender waits before it repeats what could not be stored.
const REPEAT_AFTER_SECONDS: u32 = 30;

/// A delivery was taken in.
#[derive(Serialize, ToSchema)]
struct Taken {
    /// The request it made or belongs to.
    request_id: String,
    /// Where to read it.
    status_url: String,
    /// Whether it was taken in before.
    repeat: bool,
}

/// A delivery is genuine and not for stint.
#[derive(Serialize, ToSchema)]
struct Ignored {
    /// Why.
    ignored: String,
}

/// What 202 says.
#[derive(ToSchema)]
#[schema(as = TakenOrIgnored)]
#[serde(untagged)]
#[expect(dead_code, reason = "a shape to be described")]
enum Heard202 {
    Taken(Taken),
    Ignored(Ignored),
}

/// A ticket was approved, or withdrawn: go and look
///
/// Nothing in the body is believed but which ticket to look at. The body is what the connection's ticket system sends,
/// proved by the scheme that the connection's `webhook.scheme` names. 2xx means that the delivery is committed.
#[utoipa::path(
    post,
    path = "/webhooks/{connection}",
    params(("connection" = String, Path, description = "The connection's name.", example = "jira-cloud")),
    request_body(content = Object, description = "What the ticket system sends.",
                 example = json!({ "type": "ticket.approved", "timestamp": "2026-11-03T08:31:07Z",
                                   "data": { "ticket": { "id": "8841", "number": "DESK-12" } } })),
    responses(
        (status = 200, description = "The same delivery, or one about the same approval, was taken in before.",
         body = Taken, example = json!({ "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11", "repeat": true,
            "status_url": "https://stint.contoso.com/v1/requests/019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11" })),
        (status = 202, description = "Taken in, or genuine and not for stint.", body = Heard202, examples(
            ("taken" = (summary = "A request was made", value = json!({
                "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11", "repeat": false,
                "status_url": "https://stint.contoso.com/v1/requests/019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11" }))),
            ("ignored" = (summary = "Not for stint", value = json!({ "ignored": "the ticket is of another project" })))
        )),
        (status = 401, description = "Nothing is proved. The body is empty, whatever is wrong."),
        BadRequest, NotFound, Timeout, TooLarge, UnsupportedMediaType, Unprocessable, Unavailable,
    )
)]
pub(super) async fn receive(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let name = ConnectionName::new(name);
    let Some(connection) = api.connections.get(&name) else {
        return Err(Problem::not_found("no connection of this name is configured"));
    };
    let (parts, body) = request.into_parts();
    let bytes = read(&api, body).await?;
    let verified = match connection.verify(&parts.headers, bytes) {
        Ok(verified) => verified,
        Err(why) => {
            // Told to operators only: a secret that was mistyped looks just like a forgery.
            warn!(connection = %name, %why, "a webhook did not prove itself");
            api.metrics.delivery(name.as_str(), "unverified");
            return Ok(StatusCode::UNAUTHORIZED.into_response());
        }
    };
    must_be_json(&parts.headers)?;
    let meant = understand(connection, &verified)?;
    let delivery = Delivery {
        connection: name.clone(),
        key: verified.delivery_key(),
        headers: serde_json::json!({
            "identifier": verified.headers().identifier,
            "retry": verified.headers().retry,
            "flow": verified.headers().flow,
        }),
        body: verified.bytes().to_vec(),
        received_at: api.clock.now(),
        meant,
    };
    let received = api.store.receive(&delivery).await.map_err(|problem| {
        warn!(connection = %name, %problem, "a delivery could not be stored; its sender will repeat it");
        api.metrics.delivery(name.as_str(), "unstored");
        Problem::unavailable("the delivery could not be stored", REPEAT_AFTER_SECONDS)
    })?;
    Ok(answer(&api, &name, received))
}

async fn read(api: &Api, body: Body) -> Result<bytes::Bytes, Problem> {
    read_body(body, &api.limits).await.map_err(|fault| match fault {
        BodyFault::TooLarge => Problem::too_large(api.limits.body_bytes),
        BodyFault::TooSlow => Problem::timeout("the body did not arrive in time"),
        BodyFault::Broken => Problem::bad_request("the body did not arrive whole"),
    })
}

/// Jira does not document the type it sends, so an absent one is taken for JSON.
fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::unsupported_media_type("a webhook's body is application/json"))
}

fn understand(connection: &Connection, body: &VerifiedBody) -> Result<Meant, Problem> {
    match connection.hear(body) {
        Ok(Heard::Hint(hint)) => Ok(Meant::Look(hint, connection.settings().only_tenant().cloned())),
        Ok(Heard::Ignored(why)) => Ok(Meant::Ignored(why)),
        Err(NotHeard::NotATicket(why)) => Ok(Meant::Rejected(why)),
        Err(NotHeard::Malformed(why)) => Err(Problem::bad_request(why)),
    }
}

fn answer(api: &Api, connection: &ConnectionName, received: Received) -> Response {
    match received {
        Received::Request { id, repeat } => {
            let outcome = if repeat { "repeat" } else { "accepted" };
            api.metrics.delivery(connection.as_str(), outcome);
            info!(%connection, request = %id, outcome, "delivery taken in");
            if !repeat {
                api.wake.wake();
            }
            let status_url = format!("{}/v1/requests/{id}", api.public_url.as_str().trim_end_matches('/'));
            let taken = Taken { request_id: id.to_string(), status_url, repeat };
            let status = if repeat { StatusCode::OK } else { StatusCode::ACCEPTED };
            (status, axum::Json(taken)).into_response()
        }
        Received::Ignored(ignored) => {
            api.metrics.delivery(connection.as_str(), "ignored");
            (StatusCode::ACCEPTED, axum::Json(Ignored { ignored })).into_response()
        }
        Received::Rejected(why) => {
            api.metrics.delivery(connection.as_str(), "rejected");
            Problem::unprocessable(why).into_response()
        }
    }
}
