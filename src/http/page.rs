//! `GET /docs`: the OpenAPI document as a page that a person reads, without any outside resource or script.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderName, header};

use super::{Api, document};

/// The API, told to people.
#[utoipa::path(
    get,
    path = "/docs",
    responses((status = 200, description = "A page that needs nothing from elsewhere.", body = String,
               content_type = "text/html; charset=utf-8", example = "<!doctype html>"))
)]
pub(super) async fn docs(State(api): State<Arc<Api>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], document::text(Some(&api.public_url)))
}
