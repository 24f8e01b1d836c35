//! Errors in Graph's own shape (`contracts/graph.md §1, §6`).

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::json;

use super::super::wire::{guid, json as json_answer};

/// The ids that tie an answer to a call.
pub(super) struct Trace {
    pub(super) request_id: String,
    pub(super) client_request_id: Option<String>,
    now: Timestamp,
}

impl Trace {
    pub(super) fn new(client_request_id: Option<String>, now: Timestamp) -> Self {
        Self { request_id: guid(), client_request_id, now }
    }

    /// Graph echoes the client's id, and puts its own where the client sent none.
    pub(super) fn client(&self) -> &str {
        self.client_request_id.as_deref().unwrap_or(&self.request_id)
    }
}

/// A refused call; nothing changed.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(super) fn token() -> Self {
        Self::new(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// A path that v1.0 does not have.
    pub(super) fn segment() -> Self {
        Self::bad("Resource not found for the segment.")
    }

    /// A PIM object that is not there, or not yet shown.
    pub(super) fn pim_object(id: &str) -> Self {
        Self::new(404, "ResourceNotFound", format!("The resource '{id}' could not be found."))
    }

    /// A directory object that is not there.
    pub(super) fn directory_object(id: &str) -> Self {
        let message =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        Self::new(404, "Request_ResourceNotFound", message)
    }

    /// None of the permissions that would do is held.
    pub(super) fn scope_missing(any_of: &[&str]) -> Self {
        let message = format!("Authorization failed due to missing permission scope {}.", any_of.join(","));
        Self::new(403, "PermissionScopeNotGranted", message)
    }

    /// The same for users, groups and service principals.
    pub(super) fn denied() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// The answer also says when to come back.
    pub(super) fn throttled() -> Self {
        Self::new(429, "TooManyRequests", "Too many requests.")
    }

    pub(super) fn unlicensed() -> Self {
        let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
        Self::new(400, "AadPremiumLicenseRequired", message)
    }

    pub(super) fn exists() -> Self {
        Self::new(400, "RoleAssignmentExists", "The Role assignment already exists.")
    }

    pub(super) fn pending() -> Self {
        let message = "There is already an existing pending Role assignment request.";
        Self::new(400, "PendingRoleAssignmentRequest", message)
    }

    pub(super) fn does_not_exist() -> Self {
        Self::new(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
    }

    /// The misspelling is the service's own.
    pub(super) fn too_short() -> Self {
        let message = "The Active duration is too short. Miniumum Required is 5 minutes.";
        Self::new(400, "ActiveDurationTooShort", message)
    }

    /// The failed rules are a JSON array inside the message, and nowhere else.
    pub(super) fn policy(rules: &[&str]) -> Self {
        let message = format!("The following policy rules failed: {}", json!(rules));
        Self::new(400, "RoleAssignmentRequestPolicyValidationFailed", message)
    }

    /// A throttled call was never seen by the service that wraps its errors.
    pub(super) fn answer(&self, trace: &Trace, wrapped: bool) -> Response<Bytes> {
        let (code, message) = if wrapped && self.status != 429 {
            ("UnknownError", json!({"errorCode": self.code, "message": self.message}).to_string())
        } else {
            (self.code.as_str(), self.message.clone())
        };
        let body = json!({"error": {
            "code": code,
            "message": message,
            "innerError": {
                "date": trace.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": trace.request_id,
                "client-request-id": trace.client(),
            },
        }});
        json_answer(self.status, &body)
    }
}
