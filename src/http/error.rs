//! Refusals as documents (RFC 9457) with stable types and codes.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::StoreError;

tokio::task_local! {
    /// The id of the HTTP request being answered, as its log lines and `x-request-id` say it.
    pub(super) static REQUEST_ID: Uuid;
}

/// A refusal. Server errors say nothing about their cause: `instance`, the id of the HTTP request, leads to the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of refusal, as a path that stays: `/problems/` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of refusal, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong in this very case.
    detail: String,
    /// The kind of refusal, to be compared with.
    code: &'static str,
    /// The id of this HTTP request, which leads to stint's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instance: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            instance: None,
            retry_after: None,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The kind of refusal, in words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Its code, which stays.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The same, as an answer to this HTTP request.
    #[must_use]
    pub fn of_request(self, id: Option<Uuid>) -> Self {
        Self { instance: id.map(|id| id.urn().to_string()), ..self }
    }

    /// What is wrong in this very case.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// 400: a body or parameter is not as it must be; the detail names it.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request is not as it must be", detail)
    }

    /// 401: no valid access token.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid access token is needed", detail)
    }

    /// 403: a valid access token without the role it takes.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The access token does not allow this", detail)
    }

    /// 404: not there, or not visible to the caller.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let detail = "the route exists, with another method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    /// 408: the body did not arrive in time, or not whole.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request did not arrive in time", detail)
    }

    /// 413: the body is longer than so many bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("a body is at most {limit} bytes long");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too long", detail)
    }

    /// 415.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        let title = "The body is of a type that is not understood";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", title, detail)
    }

    /// 409: it stands against what is there already.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "This stands against what is there already", detail)
    }

    /// 422: more was asked for than can be read in time; the detail says what narrows it.
    #[must_use]
    pub fn too_broad() -> Self {
        let detail =
            "this takes too long to read: narrow it with from and to, tenant, ticket, or principal as an object id";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too-broad", "Too much is asked for at once", detail)
    }

    /// 422: well-formed, and still nothing that stint could act on.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The request cannot be acted on", detail)
    }

    /// 503: to be repeated after so many seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after_seconds: u32) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now", detail);
        Self { retry_after: Some(retry_after_seconds), ..problem }
    }

    /// 500.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "stint's log says more under the id of this request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "stint failed", detail)
    }

    /// A failure of the database, logged here and not told.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub fn from_store(problem: StoreError) -> Self {
        error!(%problem, "the database did not answer a reader");
        match problem {
            StoreError::TookTooLong => Self::too_broad(),
            StoreError::Database(_) | StoreError::NoServer(_) => {
                Self::unavailable("the history cannot be read now", 30)
            }
            _ => Self::internal(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status(), self.retry_after);
        let document = self.of_request(REQUEST_ID.try_with(|id| *id).ok());
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_answer_says_when_to_come_back() {
        let response = Problem::unavailable("later", 30).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "30");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn an_internal_failure_tells_nothing_of_its_cause() {
        let cause = StoreError::LeaseLost(crate::domain::id::RequestId(Uuid::nil()));
        assert!(!Problem::from_store(cause).detail().contains("lease"));
    }
}
