//! The web page for auditors and operators: files in the binary, served below `/console/`.
//!
//! The page uses stint's public API with its reader's own token and nothing else, so whatever it shows can be scripted. It
//! loads nothing from elsewhere, and the policy it comes with lets nothing else in: no code or style in the page itself, no
//! text that becomes markup, no calls but to stint and to Entra's login service, no frame around it.

mod assets;

use axum::{
    Json, Router,
    response::{IntoResponse as _, Redirect, Response},
    routing::{MethodRouter, get},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use self::assets::{ASSETS, Asset};

/// How people sign in to the page.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin of Entra's login service.
    pub login_url: Url,
    /// The tenant whose people sign in.
    pub tenant_id: Uuid,
    /// The application that they sign in to.
    pub client_id: String,
    /// What the page asks for in their name.
    pub scope: String,
}

/// The page's routes, whatever else the listener serves beside them.
pub fn router<S: Clone + Send + Sync + 'static>(settings: &Settings) -> Router<S> {
    let policy = settings.policy();
    let configuration = settings.configuration();
    let told = policy.clone();
    let config = get(async move || guarded(Json(configuration).into_response(), &told));
    let router = Router::new()
        .route("/console", get(async || Redirect::permanent("/console/")))
        .route("/console/config.json", config);
    ASSETS
        .iter()
        .fold(router, |router, asset| router.route(&format!("/console/{}", asset.name), file(asset, policy.clone())))
}

/// Answers with a file, or with no more than that it is still the same.
fn file<S: Clone + Send + Sync + 'static>(asset: &'static Asset, policy: HeaderValue) -> MethodRouter<S> {
    let tag = asset.tag();
    get(async move |headers: HeaderMap| {
        let answer = if is_known(&headers, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
        };
        tagged(guarded(answer, &policy), &tag)
    })
}

/// Whether the caller has these bytes already (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn tagged(mut answer: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// What holds for every answer of the page: asked for again each time, and nothing from elsewhere.
fn guarded(mut answer: Response, policy: &HeaderValue) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

impl Settings {
    /// Only what comes with the page runs; it calls nobody but stint and the login service.
    fn policy(&self) -> HeaderValue {
        let login = self.login_url.origin().ascii_serialization();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {login}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        );
        // An origin is printable ASCII; without it the page could not sign anybody in, and would do no harm.
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }

    /// What the page must know before anybody signed in.
    fn configuration(&self) -> Value {
        let login = self.login_url.as_str().trim_end_matches('/');
        json!({
            "authority": format!("{login}/{}", self.tenant_id),
            "client_id": self.client_id,
            "scope": self.scope,
        })
    }
}

#[cfg(test)]
mod tests;
