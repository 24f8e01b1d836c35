//! Answers of anybody: how long to wait, and tokens.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use stint::{domain::duration::Duration, json, outbound::Answer};

use super::{ground::now, joined, parts, texts::texts_of};

/// A wait is what the header says, and a token is one that a header can carry and that the answer holds.
pub fn answer(input: &[u8]) {
    let parts = parts(input);
    let [retry_after, reset, body] = parts.as_slice() else { return };
    let headers =
        [("retry-after", retry_after), ("x-ratelimit-reset", reset)].into_iter().filter_map(|(name, value)| {
            Some((
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty())?,
            ))
        });
    let headers: HeaderMap = headers.collect();
    let answer = Answer { status: StatusCode::OK, headers, body: body.to_vec() };
    let wait = answer.retry_after(now());
    let said = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    assert!(said.is_none() || wait.map(Duration::as_secs) == said, "{said:?} is taken for {wait:?}");
    for (token, _) in answer.bearer_token().into_iter().chain(answer.bearer_token_by_text()) {
        let token = token.expose_secret();
        HeaderValue::from_str(&format!("Bearer {token}")).expect("a header can carry it");
        let texts = texts_of(&json::parse(body).expect("strict"));
        assert!(texts.iter().any(|text| text == token) && !token.is_empty(), "it is nowhere");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let token = br#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0eXAi.payload.signature"}"#.as_slice();
    let by_text = br#"{"token_type":"bearer","expires_in":"86399","access_token":"abc"}"#;
    vec![
        joined(&[b"7".as_slice(), b"2026-11-03T08:45Z", token]),
        joined(&[b"Tue, 03 Nov 2026 08:31:40 GMT", b"".as_slice(), by_text]),
        joined(&[b"".as_slice(), b"2026-11-03T08:45Z", b"{}"]),
        joined(&[b"99999999999999999999".as_slice(), b"+010000-01-01T00:00:00Z".as_slice(), b"[]"]),
    ]
}
