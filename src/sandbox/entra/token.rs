//! The token endpoint: client credentials by secret or by certificate (`contracts/graph.md §9.1`).

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::super::wire::{Pairs, guid, json as json_answer, lock, opaque, plus_seconds};
use super::{App, Caller, Entra, State, assertion};

const LIFETIME_SECONDS: i64 = 3599;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A refusal of the token endpoint, told apart by its AADSTS number.
pub(super) struct Refusal {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl Refusal {
    pub(super) fn client(code: u32, text: &str) -> Self {
        Self { status: 401, error: "invalid_client", code, text: text.to_owned() }
    }

    fn request(error: &'static str, code: u32, text: &str) -> Self {
        Self { status: 400, error, code, text: text.to_owned() }
    }

    fn answer(&self, now: Timestamp) -> Response<Bytes> {
        let (trace, correlation) = (guid(), guid());
        let (code, text) = (self.code, &self.text);
        let body = json!({
            "error": self.error,
            "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation}"),
            "error_codes": [code],
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": trace,
            "correlation_id": correlation,
        });
        json_answer(self.status, &body)
    }
}

impl Entra {
    pub(super) fn token(&self, tenant: &str, form: &Bytes) -> Response<Bytes> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        if let Some(status) = state.due_failure() {
            let outage = Refusal { status, ..Refusal::request("temporarily_unavailable", 90033, "A transient error.") };
            return outage.answer(now);
        }
        match self.login(&mut state, tenant, &Pairs::parse(form), now) {
            Ok(caller) => {
                let token = state.issue(caller, now);
                let body = json!({
                    "token_type": "Bearer",
                    "expires_in": LIFETIME_SECONDS,
                    "ext_expires_in": LIFETIME_SECONDS,
                    "access_token": token,
                });
                json_answer(200, &body)
            }
            Err(refusal) => refusal.answer(now),
        }
    }

    fn login(&self, state: &mut State, tenant: &str, form: &Pairs, now: Timestamp) -> Result<Caller, Refusal> {
        let tenant_id = state.known_tenant(tenant)?;
        if form.first("grant_type") != Some("client_credentials") {
            return Err(Refusal::request("unsupported_grant_type", 70003, "The grant type is not supported."));
        }
        let client_id = form.first("client_id").unwrap_or_default().to_owned();
        if form.first("scope") != Some(state.graph_scope.as_str()) {
            return Err(Refusal::request("invalid_scope", 70011, "The provided value for scope is not valid."));
        }
        let key = (tenant_id, client_id.clone());
        let Some(app) = state.apps.get(&key) else {
            return Err(Refusal::request(
                "unauthorized_client",
                700_016,
                "Application was not found in the directory.",
            ));
        };
        if let Some(secret) = form.first("client_secret") {
            check_secret(app, secret)?;
        } else {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.url);
            let jti = check_assertion(app, form, &audience, &client_id, now)?;
            if !state.used_assertions.insert(jti) {
                return Err(Refusal::client(700_028, "The client assertion was already used."));
            }
        }
        Ok(Caller { tenant: tenant_id, client_id, expires_at: plus_seconds(now, LIFETIME_SECONDS) })
    }
}

fn check_secret(app: &App, secret: &str) -> Result<(), Refusal> {
    if app.secret.as_deref() == Some(secret) {
        return Ok(());
    }
    Err(Refusal::client(7_000_215, "Invalid client secret provided."))
}

fn check_assertion(
    app: &App,
    form: &Pairs,
    audience: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let assertion = form.first("client_assertion").unwrap_or_default();
    if form.first("client_assertion_type") != Some(JWT_BEARER) || assertion.is_empty() {
        let text = "The request body must contain 'client_assertion' or 'client_secret'.";
        return Err(Refusal::client(7_000_218, text));
    }
    let Some(certificate) = &app.certificate else {
        return Err(Refusal::client(700_027, "The certificate is not registered on the application."));
    };
    assertion::check(certificate, assertion, audience, client_id, now)
}

impl State {
    fn due_failure(&mut self) -> Option<u16> {
        let (left, status) = self.fail?;
        self.fail = (left > 1).then_some((left - 1, status));
        Some(status)
    }

    fn known_tenant(&self, tenant: &str) -> Result<Uuid, Refusal> {
        let Ok(id) = tenant.parse::<Uuid>() else {
            return Err(Refusal::request("invalid_request", 900_023, "The tenant identifier is malformed."));
        };
        if self.apps.keys().any(|(known, _)| *known == id) {
            return Ok(id);
        }
        Err(Refusal::request("invalid_request", 90002, "Tenant was not found."))
    }

    fn issue(&mut self, caller: Caller, now: Timestamp) -> String {
        self.issued.retain(|_, caller| now < caller.expires_at);
        self.issued_count += 1;
        let token = opaque();
        self.issued.insert(token.clone(), caller);
        token
    }
}
