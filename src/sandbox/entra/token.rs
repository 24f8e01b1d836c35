//! The token endpoint: client credentials by secret or by assertion (`contracts/graph.md §9.1`), and codes of people who
//! signed in.

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::super::wire::{Pairs, json as json_answer, lock, opaque, plus_seconds};
use super::refusal::Refusal;
use super::{Caller, Entra, LIFETIME_SECONDS, State, cors};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Entra {
    pub(super) fn token(&self, tenant: &str, request: &Request<Bytes>) -> Response<Bytes> {
        let form = Pairs::parse(request.body());
        if form.first("grant_type") == Some("authorization_code") {
            return cors::allowed(self.redeem(tenant, &form, request.headers()), request.headers());
        }
        self.application_token(tenant, &form)
    }

    fn application_token(&self, tenant: &str, form: &Pairs) -> Response<Bytes> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        if let Some(refusal) = state.due_failure() {
            return refusal.answer(now);
        }
        match self.login(&mut state, tenant, form, now) {
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
            return Err(Refusal::of(70_011));
        }
        let app = state.apps.get(&(tenant_id, client_id.clone())).ok_or_else(|| Refusal::of(700_016))?;
        if app.disabled {
            return Err(Refusal::of(7_000_112));
        }
        if let Some(secret) = form.first("client_secret") {
            app.check_secret(secret)?;
        } else {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.url);
            let jti = app.check_assertion(assertion_of(form)?, &audience, &client_id, now)?;
            if jti.is_some_and(|jti| !state.used_assertions.insert(jti)) {
                return Err(Refusal::client(700_028, "The client assertion was already used."));
            }
        }
        Ok(Caller { tenant: tenant_id, client_id, expires_at: plus_seconds(now, LIFETIME_SECONDS) })
    }
}

fn assertion_of(form: &Pairs) -> Result<&str, Refusal> {
    let assertion = form.first("client_assertion").filter(|assertion| !assertion.is_empty());
    let typed = assertion.filter(|_| form.first("client_assertion_type") == Some(JWT_BEARER));
    typed.ok_or_else(|| {
        let text = "The request body must contain 'client_assertion' or 'client_secret'.";
        Refusal::client(7_000_218, text)
    })
}

impl State {
    pub(super) fn due_failure(&mut self) -> Option<Refusal> {
        let (left, planned) = self.fail?;
        self.fail = (left > 1).then_some((left - 1, planned));
        Some(Refusal::planned(planned))
    }

    pub(super) fn known_tenant(&self, tenant: &str) -> Result<Uuid, Refusal> {
        let Ok(id) = tenant.parse::<Uuid>() else {
            return Err(Refusal::of(900_023));
        };
        if self.apps.keys().chain(self.pages.keys()).any(|(known, _)| *known == id) {
            return Ok(id);
        }
        Err(Refusal::of(90_002))
    }

    pub(super) fn issue(&mut self, caller: Caller, now: Timestamp) -> String {
        self.issued.retain(|_, caller| now < caller.expires_at);
        self.issued_count += 1;
        let token = opaque();
        self.issued.insert(token.clone(), caller);
        token
    }
}
