//! Refusals of the token endpoint, told apart by their AADSTS number (`contracts/graph.md §9.1`).

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::json;

use super::super::fault::Retry;
use super::super::wire::{guid, json as json_answer};

/// What one number comes with: status, `error`, and the words after the number.
const KNOWN: &[(u32, u16, &str, &str)] = &[
    (7_000_215, 401, "invalid_client", "Invalid client secret provided."),
    (7_000_222, 401, "invalid_client", "The provided client secret keys are expired."),
    (700_027, 401, "invalid_client", "The certificate with identifier used to sign the client assertion is not known."),
    (7_000_274, 401, "invalid_client", "The key was not found for the client assertion."),
    (700_024, 401, "invalid_client", "Client assertion is not within its valid time range."),
    (1_000_502, 401, "invalid_client", "The provided certificate is not within its specified validity window."),
    (7_000_214, 401, "invalid_client", "The certificate has been revoked."),
    (7_000_277, 401, "invalid_client", "The certificate chain was revoked."),
    (700_016, 400, "unauthorized_client", "Application was not found in the directory."),
    (7_000_112, 401, "unauthorized_client", "Application is disabled."),
    (70_011, 400, "invalid_scope", "The provided value for scope is not valid."),
    (90_002, 400, "invalid_request", "Tenant was not found."),
    (900_023, 400, "invalid_request", "The tenant identifier is malformed."),
    (70_021, 401, "invalid_client", "No matching federated identity record found for presented assertion."),
    (50_196, 400, "invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    (50_011, 400, "invalid_request", "The redirect URI of the request does not match those of the application."),
    (70_005, 400, "unsupported_response_type", "The response type is not supported."),
    (9_002_313, 400, "invalid_request", "The request is malformed or invalid."),
    (
        9_002_325,
        400,
        "invalid_request",
        "Proof Key for Code Exchange is required for cross-origin redemption of a code.",
    ),
    (
        9_002_327,
        400,
        "invalid_request",
        "Tokens for a single-page application are given to cross-origin requests only.",
    ),
    (54_005, 400, "invalid_grant", "The authorization code was already redeemed."),
    (70_000, 400, "invalid_grant", "The authorization code was issued to another client."),
    (70_008, 400, "invalid_grant", "The authorization code has expired."),
    (500_112, 400, "invalid_grant", "The reply address does not match the one of the authorization request."),
    (
        501_481,
        400,
        "invalid_grant",
        "The code_verifier does not match the code_challenge of the authorization request.",
    ),
    (90_033, 503, "temporarily_unavailable", "A transient error."),
];

/// A refusal of the token endpoint.
pub(super) struct Refusal {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
    retry: Option<Retry>,
}

/// A refusal that waits for the next calls, whatever they bring.
#[derive(Clone, Copy)]
pub(super) enum Planned {
    Status(u16),
    Code(u32),
    Throttled(Retry),
}

impl Refusal {
    pub(super) fn client(code: u32, text: &str) -> Self {
        Self { status: 401, error: "invalid_client", code, text: text.to_owned(), retry: None }
    }

    pub(super) fn request(error: &'static str, code: u32, text: &str) -> Self {
        Self { status: 400, error, code, text: text.to_owned(), retry: None }
    }

    /// The refusal with this number; one that nobody listed is an invalid request.
    pub(super) fn of(code: u32) -> Self {
        let known = KNOWN.iter().find(|(known, ..)| *known == code);
        let (_, status, error, text) = known.copied().unwrap_or((code, 400, "invalid_request", "It is not valid."));
        Self { status, error, code, text: text.to_owned(), retry: None }
    }

    pub(super) fn planned(planned: Planned) -> Self {
        match planned {
            Planned::Code(code) => Self::of(code),
            Planned::Status(status) => Self { status, ..Self::of(90_033) },
            Planned::Throttled(retry) => Self { status: 429, retry: Some(retry), ..Self::of(90_033) },
        }
    }

    /// What kind of refusal it is, as OAuth names them.
    pub(super) fn error(&self) -> &'static str {
        self.error
    }

    /// The same in words, its number first.
    pub(super) fn description(&self) -> String {
        let (code, text, trace, correlation) = (self.code, &self.text, guid(), guid());
        format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation}")
    }

    pub(super) fn answer(&self, now: Timestamp) -> Response<Bytes> {
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
        let mut response = json_answer(self.status, &body);
        if let Some(retry) = self.retry {
            retry.write(&mut response, now);
        }
        response
    }
}
