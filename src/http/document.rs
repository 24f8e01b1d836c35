//! The API told as an OpenAPI 3.1 document, made from the handlers and the table of routes.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use bytes::Bytes;
use http::{HeaderName, header};
use serde_json::Value;
use url::Url;
use utoipa::{
    IntoResponses as _, OpenApi as _,
    openapi::{
        Components, Info, License, OpenApi, Server,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    Api,
    error::Problem,
    refusals,
    routes::{Handlers, Route, Who, table},
};

/// The name of the one security scheme.
const SCHEME: &str = "entra";

const DESCRIPTION: &str = "stint turns an approved ticket into a role assignment that ends by itself, and keeps a \
    history of it that can be queried, exported and verified offline. Callers present Entra v2 access tokens; the app \
    roles in a token say what they may do, for every tenant (`Stint.Auditor`) or for one (`Stint.Auditor.contoso`). \
    What does not exist and what a caller may not see are the same answer, 404. Every refusal is a problem document \
    (RFC 9457) whose `code` stays.";

const ROLES: &str = "An Entra v2 access token for this API. Its app roles: `Stint.Auditor` reads history; \
    `Stint.Operator` also acts on requests; each counts for every tenant, or for one with the tenant's name behind it \
    (`Stint.Auditor.contoso`). `Stint.Requester` reads requests made for the caller's own object id.";

/// What is written of the API when it is first asked for, and then kept: anybody may ask, as often as they like.
#[derive(Debug, Default)]
pub struct Written {
    openapi: OnceLock<Bytes>,
    /// The page for people.
    pub(super) page: OnceLock<Bytes>,
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "This document.", body = Value,
               example = json!({ "openapi": "3.1.0", "info": { "title": "stint", "version": "0.1.0" }, "paths": {} })))
)]
pub(super) async fn openapi(State(api): State<Arc<Api>>) -> ([(HeaderName, &'static str); 1], Bytes) {
    let text = api.written.openapi.get_or_init(|| text(Some(&api.public_url)).into());
    ([(header::CONTENT_TYPE, "application/json")], text.clone())
}

/// The document as text; without the address at which callers reach the API, it speaks of paths only.
#[must_use]
pub fn text(public_url: Option<&Url>) -> String {
    format!("{:#}\n", json(public_url))
}

/// The document as JSON.
pub(super) fn json(public_url: Option<&Url>) -> Value {
    // Maps of texts, numbers and lists always serialize.
    serde_json::to_value(of(public_url)).unwrap_or_default()
}

fn of(public_url: Option<&Url>) -> OpenApi {
    let mut document = Handlers::openapi();
    document.info = info();
    let server = public_url.map_or("/", |url| url.as_str().trim_end_matches('/'));
    document.servers = Some(vec![Server::new(server)]);
    let components = document.components.get_or_insert_with(Components::default);
    components.add_security_scheme(SCHEME, scheme());
    for route in table() {
        let item = document.paths.paths.get_mut(route.path);
        if let Some(operation) = item.and_then(|item| operation(item, route.method)) {
            complete(operation, &route);
        }
    }
    document
}

fn info() -> Info {
    let mut info = Info::new("stint", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.into());
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    info
}

fn scheme() -> SecurityScheme {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(ROLES));
    SecurityScheme::Http(bearer.build())
}

/// The operation of an item by its method.
fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "get" => item.get.as_mut(),
        "post" => item.post.as_mut(),
        _ => None,
    }
}

/// Adds what the table and the frame around all handlers know: who may call, and the refusals that come before the
/// handler or instead of its answer.
fn complete(operation: &mut Operation, route: &Route) {
    let described = operation.description.take().map(|text| format!("{text}\n\n")).unwrap_or_default();
    operation.description = Some(format!("{described}Who may call: {}", route.who.words()));
    let requirement = |role: &&str| SecurityRequirement::new(SCHEME, [*role]);
    operation.security = Some(route.who.roles().iter().map(requirement).collect());
    let mut refusals = refusals::Internal::responses();
    if !matches!(route.who, Who::Anybody | Who::Public) {
        refusals.extend(refusals::Unauthorized::responses());
        refusals.extend(refusals::Forbidden::responses());
        refusals.extend(refusals::Unavailable::responses());
    }
    if route.path.contains('{') {
        refusals.extend(refusals::told(&Problem::bad_request("the path cannot be read")));
    }
    for (status, response) in refusals {
        operation.responses.responses.entry(status).or_insert(response);
    }
}
