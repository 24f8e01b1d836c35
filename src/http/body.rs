//! Small JSON bodies of callers: read within their limits, and strictly. What is not known is refused by its name.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;

use super::{
    Api,
    error::Problem,
    serve::{BodyFault, read_body},
};
use crate::json;

/// A reason is at most this long, in characters.
const MAX_REASON: usize = 500;

/// The bytes of a body that says, or may be taken, to be JSON.
pub(super) struct JsonBody(pub Bytes);

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        must_be_json(&parts.headers)?;
        let bytes = read_body(body, &api.limits).await.map_err(|fault| match fault {
            BodyFault::TooLarge => Problem::too_large(api.limits.body_bytes),
            BodyFault::TooSlow => Problem::timeout("the body did not arrive in time"),
            BodyFault::Broken => Problem::bad_request("the body did not arrive whole"),
        })?;
        Ok(Self(bytes))
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::unsupported_media_type("the body is application/json"))
}

/// The reason that a body must give.
///
/// # Errors
/// 400 that says what is wrong.
pub(super) fn reason(body: &[u8]) -> Result<String, Problem> {
    reason_if_given(body)?.ok_or_else(|| Problem::bad_request("the body is an object with a reason"))
}

/// The reason that a body may give; `None` where there is no body, or none in it.
///
/// # Errors
/// 400 that says what is wrong.
pub(super) fn reason_if_given(body: &[u8]) -> Result<Option<String>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let bad = |fault: json::Fault| Problem::bad_request(format!("the body: {fault}"));
    let value = json::parse(body).map_err(bad)?;
    let members = json::object(&value, "").map_err(bad)?;
    if let Some(name) = members.keys().find(|name| *name != "reason") {
        let name: String = name.chars().take(50).collect();
        return Err(Problem::bad_request(format!("{name:?} is no member of this body")));
    }
    members.get("reason").filter(|reason| !reason.is_null()).map(checked).transpose()
}

fn checked(reason: &Value) -> Result<String, Problem> {
    let bad = |what: &str| Problem::bad_request(format!("reason {what}"));
    let reason = reason.as_str().ok_or_else(|| bad("is not a text"))?;
    if reason.chars().any(char::is_control) {
        return Err(bad("holds control characters"));
    }
    if reason.trim().is_empty() || reason.chars().count() > MAX_REASON {
        return Err(bad("is a text of 1 to 500 characters"));
    }
    Ok(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_taken_as_it_is_and_anything_else_is_refused() {
        assert_eq!(reason(br#"{"reason": "no longer needed"}"#).ok().as_deref(), Some("no longer needed"));
        let longest = format!(r#"{{"reason": "{}"}}"#, "ü".repeat(500));
        assert!(reason(longest.as_bytes()).is_ok());
        let longer = format!(r#"{{"reason": "{}"}}"#, "ü".repeat(501));
        for body in [
            "",
            "{}",
            r#"{"reason": null}"#,
            r#"{"reason": ""}"#,
            r#"{"reason": "  "}"#,
            r#"{"reason": 7}"#,
            r#"{"reason": ["x"]}"#,
            r#"["reason"]"#,
            r#"{"reason": "x", "reason": "y"}"#,
            r#"{"reason": "x", "force": true}"#,
            r#"{"reason": "a\nb"}"#,
            r#"{"reason": "a\u0000b"}"#,
            r#"{"reason": "a\u0007b"}"#,
            "nonsense",
            &longer,
        ] {
            assert_eq!(reason(body.as_bytes()).expect_err(body).status(), 400, "{body}");
        }
    }

    #[test]
    fn a_reason_that_may_be_given_may_be_left_out() {
        for body in ["", "{}", r#"{"reason": null}"#] {
            assert_eq!(reason_if_given(body.as_bytes()).ok(), Some(None), "{body}");
        }
        assert!(reason_if_given(br#"{"reason": ""}"#).is_err());
    }
}
