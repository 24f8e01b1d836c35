//! What others call: ticket systems, auditors, operators. Nothing here can reach Graph, so no web request grants access.
//!
//! Every public route stands in one table ([`mod@routes`]), which also says who may call it: that is checked before the
//! handler runs. Bodies and headers are bounded in size and time ([`serve`]), parameters are read strictly ([`params`]),
//! every refusal is a problem document ([`mod@error`]), and all of it is told in one OpenAPI document ([`document`]).

mod acting;
mod assignments;
pub mod auth;
mod body;
mod caller;
pub mod cells;
mod checkpoint;
pub mod cursor;
pub mod document;
pub mod error;
mod events;
mod evidence;
mod export;
mod findings;
mod health;
mod keys;
mod ops;
mod page;
pub mod params;
mod places;
mod proof;
mod record;
pub mod refusals;
mod requests;
mod roles;
pub mod routes;
pub mod serve;
mod socket;
mod summary;
mod webhook;

use std::{any::Any, collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use tokio::sync::Notify;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument as _, error, info_span};
use url::Url;
use uuid::Uuid;

pub use self::export::Exports;
use self::{
    auth::Tokens,
    cursor::Cursors,
    error::{Problem, REQUEST_ID},
    serve::Limits,
};
use crate::{
    clock::Clock,
    domain::id::ConnectionName,
    store::{Sealer, Store},
    telemetry::Metrics,
    tickets::Connection,
};

/// What the handlers share.
pub struct Api {
    /// The database.
    pub store: Store,
    /// Seals the audit log before a proof of what just happened is given out.
    pub sealer: Arc<Sealer>,
    /// The time.
    pub clock: Clock,
    /// Ticket systems by the name in their webhook's path.
    pub connections: HashMap<ConnectionName, Arc<Connection>>,
    /// Entra's id of each configured tenant, by its name.
    pub tenant_ids: HashMap<String, Uuid>,
    /// Checks callers' access tokens.
    pub tokens: Tokens,
    /// Signs the places in lists.
    pub cursors: Cursors,
    /// Where callers reach the public listener from outside.
    pub public_url: Url,
    /// What callers may send, and how slowly.
    pub limits: Limits,
    /// What exports share.
    pub exports: Exports,
    /// The API's own documents.
    pub written: document::Written,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Called when something became due.
    pub wake: Wake,
}

/// Wakes workers: the one in this process at once, those elsewhere soon.
#[derive(Clone, Debug)]
pub struct Wake {
    /// The worker here.
    pub here: Arc<Notify>,
    /// Whoever tells the workers elsewhere.
    pub elsewhere: Arc<Notify>,
}

impl Wake {
    fn wake(&self) {
        self.here.notify_one();
        self.elsewhere.notify_one();
    }
}

/// The public listener's routes, and what stands beside them.
pub fn router(api: &Arc<Api>, beside: Router<Arc<Api>>) -> Router {
    framed(routes::router(api).merge(beside), api)
}

/// The operators' listener's routes.
pub fn ops_router(api: &Arc<Api>) -> Router {
    let routes = Router::new()
        .route("/livez", get(ops::live))
        .route("/readyz", get(ops::ready))
        .route("/metrics", get(ops::metrics));
    framed(routes, api)
}

/// An answer of JSON.
fn answer(document: &impl Serialize) -> Response {
    match serde_json::to_vec(document) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(fault) => {
            error!(%fault, "an answer cannot be written");
            Problem::internal().into_response()
        }
    }
}

/// What holds for every route.
fn framed(routes: Router<Arc<Api>>, api: &Arc<Api>) -> Router {
    routes
        .fallback(async || Problem::not_found("there is no such route"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(api), observe))
        .with_state(Arc::clone(api))
}

/// Gives each request an id of our own, counts it, and sets the headers that hold for every answer.
async fn observe(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let began = api.clock.monotonic();
    let span = info_span!("http", %id, %method, route);
    let answering = async { documented(next.run(request).await) };
    let mut response = REQUEST_ID.scope(id, answering).instrument(span).await;
    api.metrics.http(&route, &method, response.status(), api.clock.monotonic().saturating_sub(began));
    head_for_all(response.headers_mut(), id);
    response
}

/// A refusal of the framework's own, such as a path that is not UTF-8, as a document like all others.
fn documented(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if response.status().is_client_error() && kind.starts_with(b"text/plain") {
        return Problem::bad_request("the path cannot be read").into_response();
    }
    response
}

fn head_for_all(headers: &mut HeaderMap, id: Uuid) {
    // What may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// The panic's words stay in the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over like this")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    error!(words, "a handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests;
