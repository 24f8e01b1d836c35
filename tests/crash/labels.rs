//! What side effects are called.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

/// A call by method, server and path, ids left out; where PIM is asked for something, by what.
pub fn of_call(server: &str, request: &Request<Bytes>) -> String {
    let segments = request.uri().path().split('/').map(|part| if is_id(part) { "*" } else { part });
    let path = segments.collect::<Vec<_>>().join("/");
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let action = body["action"].as_str().map(|action| format!(" {action}")).unwrap_or_default();
    format!("{} {server} {path}{action}", request.method())
}

/// Whether it names one thing among many.
fn is_id(segment: &str) -> bool {
    segment.bytes().any(|byte| byte.is_ascii_digit()) && segment != "v1.0" && segment != "3" && segment != "v2.0"
}

/// What a statement calls itself in its first line, and whether it changes rows.
pub fn of_statement(text: &str) -> (String, bool) {
    let name = text.strip_prefix("-- ").and_then(|rest| rest.lines().next()).unwrap_or("a statement");
    let plain = text.replace("for update", "");
    let changes = ["insert into", "update ", "delete from"].iter().any(|word| plain.contains(word));
    (name.trim().to_owned(), changes)
}
