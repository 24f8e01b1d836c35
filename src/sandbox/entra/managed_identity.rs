//! The metadata service of the machine that stint runs on (`contracts/graph.md §9.3`): a token for whoever asks from
//! there, without any secret. It has a route of its own beside the token endpoint's.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

use super::super::wire::{Pairs, header_text, json as json_answer, lock, plus_seconds};
use super::{Caller, Entra, LIFETIME_SECONDS, State};

/// An identity assigned to the machine.
pub(super) struct Assigned {
    pub(super) tenant: uuid::Uuid,
    pub(super) client_id: String,
    /// The machine's own, which is meant where none is named.
    pub(super) system: bool,
}

/// What the service refuses, as its status and its words.
struct Refused(u16, &'static str, &'static str);

impl Entra {
    pub(super) fn identity_token(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        match state.identified(request) {
            Ok((resource, caller)) => {
                let expires_at = plus_seconds(now, LIFETIME_SECONDS);
                let token = state.issue(Caller { expires_at, ..caller }, now);
                let body = json!({
                    "access_token": token,
                    "refresh_token": "",
                    "expires_in": LIFETIME_SECONDS.to_string(),
                    "expires_on": expires_at.as_second().to_string(),
                    "not_before": now.as_second().to_string(),
                    "resource": resource,
                    "token_type": "Bearer",
                });
                json_answer(200, &body)
            }
            Err(Refused(status, error, text)) => {
                json_answer(status, &json!({"error": error, "error_description": text}))
            }
        }
    }
}

impl State {
    /// The resource asked for, and who asks.
    fn identified(&mut self, request: &Request<Bytes>) -> Result<(String, Caller), Refused> {
        if let Some(status) = self.due_identity_failure() {
            return Err(Refused(status, "unavailable", "The service is being updated."));
        }
        if header_text(request.headers(), "metadata") != Some("true") {
            return Err(Refused(400, "invalid_request", "Required metadata header not specified."));
        }
        if request.headers().contains_key("x-forwarded-for") {
            return Err(Refused(400, "invalid_request", "The request came through a proxy."));
        }
        let query = Pairs::parse(request.uri().query().unwrap_or_default().as_bytes());
        if query.first("api-version") != Some("2018-02-01") {
            return Err(Refused(400, "invalid_request", "The api-version is not supported."));
        }
        let wanted = format!("{}/", self.graph_scope.trim_end_matches("/.default"));
        let resource = query.first("resource").filter(|resource| *resource == wanted);
        let resource = resource.ok_or(Refused(400, "invalid_resource", "The resource was not found."))?;
        let found = self.assigned(query.first("client_id"));
        let found = found.ok_or(Refused(400, "invalid_request", "Identity not found"))?;
        let caller =
            Caller { tenant: found.tenant, client_id: found.client_id.clone(), expires_at: jiff::Timestamp::MIN };
        Ok((resource.to_owned(), caller))
    }

    /// The identity of this name; without one the machine's own, or the only one.
    fn assigned(&self, client_id: Option<&str>) -> Option<&Assigned> {
        match (client_id, self.identities.as_slice()) {
            (Some(client_id), all) => all.iter().find(|identity| identity.client_id == client_id),
            (None, [only]) => Some(only),
            (None, all) => all.iter().find(|identity| identity.system),
        }
    }

    fn due_identity_failure(&mut self) -> Option<u16> {
        let (left, status) = self.fail_identity?;
        self.fail_identity = (left > 1).then_some((left - 1, status));
        Some(status)
    }
}
