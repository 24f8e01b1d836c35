//! `POST /v1/requests/{id}/revoke` and `/retry`: an operator's word, done once however often it comes.
//!
//! Neither can bring about a grant: one orders an end, the other makes the next step due now, which then meets every wait
//! and limit that it would have met later.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, StatusCode, header, request::Parts};
use serde::Serialize;
use tracing::{error, info};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    body::{JsonBody, reason},
    caller::Admitted,
    error::Problem,
    record::shape::StatusName,
    refusals::{BadRequest, Conflict, NotFound, Timeout, TooLarge, UnsupportedMediaType},
};
use crate::{
    domain::{
        id::{RequestId, TenantName},
        request::Status,
    },
    store::{Acted, Call, Deed, Outcome, StoreError},
};

/// What tells a repeat of a call from another call.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A key is at most this long.
const MAX_KEY: usize = 255;

/// A call's `Idempotency-Key`.
pub(super) struct Key(String);

/// Why an operator acts.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "a shape to be described; the body is read strictly")]
pub(super) struct Why {
    /// In words; they are kept in the audit log, and those of an order to end are told on the ticket.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// An order to end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndOrdered {
    /// The request.
    request_id: Uuid,
    /// `recorded`: it ends as soon as Microsoft Entra allows. `already`: it is ending by an earlier order.
    order: Word,
    /// Where the request stood when the order came.
    #[schema(schema_with = StatusName::schema)]
    status: Status,
}

/// An order to look again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RetryOrdered {
    /// The request.
    request_id: Uuid,
    /// `recorded`: its next step is due now.
    retry: Word,
    /// Where the request stood when the order came.
    #[schema(schema_with = StatusName::schema)]
    status: Status,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// It is recorded.
    Recorded,
    /// There was one before.
    Already,
}

/// End a request early
///
/// Where nothing was sent yet it ends at once; otherwise its assignment is removed as soon as Microsoft Entra allows, and its
/// end is proved by reading. It never becomes active afterwards. The same `Idempotency-Key` with the same body is answered
/// the very same for a week, and nothing is done twice. A request that is over is answered 409 `over`; a key that came with
/// another body, 409 `idempotency-conflict`.
#[utoipa::path(
    post,
    path = "/v1/requests/{id}/revoke",
    params(
        ("id" = String, Path, description = "The request's id.", example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11"),
        ("Idempotency-Key" = String, Header, description = "Tells a repeat of this call from another one: 1 to 255 \
            visible ASCII characters.", min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            example = "5f0c9a52-0b1e-4a57-9c5f-1f6f2d7a9b10"),
    ),
    request_body(content = Why, example = json!({ "reason": "no longer needed" })),
    responses(
        (status = 202, description = "It ends.", body = EndOrdered,
         example = json!({ "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11", "order": "recorded",
                           "status": "active" })),
        BadRequest, NotFound, Timeout, Conflict, TooLarge, UnsupportedMediaType,
    )
)]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Path(id): Path<String>,
    key: Key,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    act(&api, &by, Deed::Revoke, &id, &key, &body).await
}

/// Look at a request again now
///
/// Makes the next step of a request that is held or waits due at once. It shortens no wait that protects: settle times, the
/// time between two looks, send limits and the pauses that Microsoft Graph asks for stay as they are. It grants nothing that
/// would not be granted anyway. The same `Idempotency-Key` with the same body is answered the very same for a week. A
/// request that is over is answered 409 `over`; a key that came with another body, 409 `idempotency-conflict`.
#[utoipa::path(
    post,
    path = "/v1/requests/{id}/retry",
    params(
        ("id" = String, Path, description = "The request's id.", example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11"),
        ("Idempotency-Key" = String, Header, description = "Tells a repeat of this call from another one: 1 to 255 \
            visible ASCII characters.", min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            example = "5f0c9a52-0b1e-4a57-9c5f-1f6f2d7a9b10"),
    ),
    request_body(content = Why, example = json!({ "reason": "the permission was given" })),
    responses(
        (status = 202, description = "Its next step is due now.", body = RetryOrdered,
         example = json!({ "request_id": "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11", "retry": "recorded",
                           "status": "held" })),
        BadRequest, NotFound, Timeout, Conflict, TooLarge, UnsupportedMediaType,
    )
)]
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Path(id): Path<String>,
    key: Key,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    act(&api, &by, Deed::Retry, &id, &key, &body).await
}

async fn act(api: &Api, by: &Admitted, deed: Deed, id: &str, Key(key): &Key, body: &[u8]) -> Result<Response, Problem> {
    let reason = reason(body)?;
    // Unknown and not visible are the same answer.
    let unknown = || Problem::not_found("no request of this id is visible to you");
    let request = RequestId(id.parse().map_err(|_| unknown())?);
    let tenant = api.store.tenant_of(request).await.map_err(unrecorded)?.ok_or_else(unknown)?;
    if !by.may_read(tenant.as_ref()) {
        return Err(unknown());
    }
    if !by.may_operate(tenant.as_ref()) {
        return Err(Problem::forbidden("only an operator of the request's tenant does this"));
    }
    let mut body_sha256 = [0; 32];
    body_sha256.copy_from_slice(digest(&SHA256, body).as_ref());
    let (actor, reason, now) = (&by.actor(), reason.as_str(), api.clock.now());
    let call = Call { deed, request, actor, reason, key, body_sha256, now };
    let may = |tenant: Option<&TenantName>| by.may_operate(tenant);
    match api.store.act(&call, may, |outcome| told(deed, request, outcome)).await.map_err(unrecorded)? {
        Acted::Answered { status, body, repeat } => {
            info!(%request, deed = deed.as_str(), by = %actor, status, repeat, "an operator acts");
            if !repeat {
                api.wake.wake();
            }
            Ok(answered(status, body))
        }
        Acted::Conflict => {
            let detail = "this Idempotency-Key came before with another body; nothing was done";
            Err(Problem::conflict("idempotency-conflict", detail))
        }
        Acted::Unknown => Err(unknown()),
    }
}

/// What was done, as it is answered now and to every repeat.
fn told(deed: Deed, RequestId(request_id): RequestId, outcome: Outcome) -> (u16, String) {
    let (word, status) = match outcome {
        Outcome::Recorded(status) => (Word::Recorded, status),
        Outcome::Already(status) => (Word::Already, status),
        Outcome::Over(status) => return over(status),
    };
    let body = match deed {
        Deed::Revoke => serde_json::to_string(&EndOrdered { request_id, order: word, status }),
        Deed::Retry => serde_json::to_string(&RetryOrdered { request_id, retry: word, status }),
    };
    // Names and ids always serialize.
    (StatusCode::ACCEPTED.as_u16(), body.unwrap_or_default())
}

fn over(status: Status) -> (u16, String) {
    let problem = Problem::conflict("over", format!("the request is over: it is {status}; nothing was done"));
    (problem.status().as_u16(), serde_json::to_string(&problem).unwrap_or_default())
}

fn answered(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unrecorded(problem: StoreError) -> Problem {
    error!(%problem, "an operator's order could not be recorded");
    match problem {
        StoreError::Database(_) => Problem::unavailable("the order could not be recorded", 30),
        _ => Problem::internal(),
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let only = values.next().filter(|_| values.next().is_none());
        let key = only.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_good =
            |key: &String| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        let detail = "exactly one Idempotency-Key of 1 to 255 visible ASCII characters is needed";
        key.filter(is_good).map(Self).ok_or_else(|| Problem::bad_request(detail))
    }
}
