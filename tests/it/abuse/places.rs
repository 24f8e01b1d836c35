//! Where requests go: odd methods, targets and parameters, on every listener.

use super::{Abuse, abuse, all_are_answered, asked, closes, impatient};

fn targets(token: &str) -> Vec<Abuse> {
    let auditor = format!("Authorization: Bearer {token}\r\n");
    let get = |target: &str, answers: &[u16]| {
        abuse(format!("GET {target:.60}"), asked(&format!("GET {target} HTTP/1.1"), ""), answers)
    };
    let read = |target: &str, answers: &[u16]| {
        let what = format!("an auditor's GET {target:.60}");
        abuse(what, asked(&format!("GET {target} HTTP/1.1"), &auditor), answers)
    };
    let call = |method: &str, target: &str, answers: &[u16]| {
        abuse(format!("{method} {target}"), asked(&format!("{method} {target} HTTP/1.1"), ""), answers)
    };
    let post = |target: &str, answers: &[u16]| {
        abuse(format!("POST {target}"), asked(&format!("POST {target} HTTP/1.1"), "Content-Length: 0\r\n"), answers)
    };
    vec![
        get("/", &[404]),
        get("/webhooks/../v1/requests", &[404]),
        get("/webhooks/..", &[405]),
        get("/webhooks/%2e%2e/v1/requests", &[404]),
        get("/%2e%2e/v1/requests", &[404]),
        get("//v1/requests", &[404]),
        get("/v1//requests", &[404]),
        get("/v1/requests/", &[404]),
        get("/V1/requests", &[404]),
        get("/v1/requests;a=b", &[404]),
        get("/v1/requests%2f", &[404]),
        get("/v1/requests\\", &[404]),
        get("/v1/requests/%00", &[401]),
        get("/v1/requests/%ff", &[401]),
        get("/v1/requests/..%2f..%2fmetrics", &[401]),
        get("/metrics", &[404]),
        get("/readyz", &[404]),
        get(&format!("/{}", "a/".repeat(10_000)), &[404]),
        get("/caf\u{e9}", &[404]),
        get("/\u{202e}", &[404]),
        get("/a b", &[400]),
        get("/a\0b", &[400]),
        get("no/slash", &[400]),
        get("?", &[400]),
        get("*", &[404]),
        // Which host is named means nothing to stint.
        get("http://another.example/openapi.json", &[200]),
        get("http://another.example:99999/openapi.json", &[200]),
        get("http://user:password@stint/openapi.json", &[200]),
        get("file:///etc/passwd", &[400]),
        get("/openapi.json#fragment", &[200]),
        get("/openapi.json?%00", &[200]),
        get("/console/..", &[404]),
        get("/console/../v1/requests", &[404]),
        get("/console/%2e%2e/%2e%2e/etc/passwd", &[404]),
        get("/console/..%2f..%2fetc%2fpasswd", &[404]),
        get("/console/%00", &[404]),
        get("/console/app.js%00.html", &[404]),
        post("/webhooks/jira-cloud%00", &[404]),
        post("/webhooks/%ff", &[400]),
        post("/webhooks/JIRA-CLOUD", &[404]),
        post("/webhooks/jira-cloud/", &[404]),
        post("/webhooks//jira-cloud", &[404]),
        post("/webhooks/jira-cloud?a=b", &[401]),
        post("/webhooks/", &[404]),
        post("/console/", &[405]),
        call("HEAD", "/openapi.json", &[200]),
        call("TRACE", "/openapi.json", &[405]),
        call("TRACK", "/openapi.json", &[405]),
        call("OPTIONS", "/openapi.json", &[405]),
        call("OPTIONS", "*", &[404]),
        call("PUT", "/openapi.json", &[405]),
        call("DELETE", "/v1/requests/1", &[405]),
        call("get", "/openapi.json", &[405]),
        call("M-SEARCH", "*", &[404]),
        call("G\u{cb}T", "/openapi.json", &[400]),
        call(&"X".repeat(2000), "/openapi.json", &[405]),
        call("CONNECT", "stint:443", &[404]),
        call("CONNECT", "/openapi.json", &[405]),
        read("/v1/requests", &[200]),
        read(&format!("/v1/requests?{}", "limit=1&".repeat(3_000)), &[400]),
        read(&format!("/v1/requests?{}", "a=1&".repeat(10_000)), &[400]),
        read(&format!("/v1/requests?{}", "a=1&".repeat(30_000)), &[431]),
        read(&format!("/v1/requests?{}", (0..2_000).map(|n| format!("p{n}=1&")).collect::<Vec<_>>().concat()), &[400]),
        read(&format!("/v1/requests?ticket={}", "x".repeat(20_000)), &[400]),
        read(&format!("/v1/requests?cursor={}", "A".repeat(20_000)), &[400]),
        read("/v1/requests?ticket=%00", &[400]),
        read("/v1/requests?ticket=%ed%a0%80", &[400]),
        read("/v1/requests?ticket=%", &[200]),
        read("/v1/requests?ticket[]=x", &[400]),
        read("/v1/requests?limit=1e3", &[400]),
        read("/v1/requests?from=-009999-01-01T00:00:00Z", &[400]),
        read("/v1/requests?from=9999-12-30T22:00:00Z", &[200]),
        read("/v1/requests/%00", &[404]),
        read("/v1/requests/%ff", &[400]),
    ]
}

/// Headers that mean nothing here.
fn headers() -> Vec<Abuse> {
    let get =
        |what: &str, lines: &str, answers: &[u16]| abuse(what, asked("GET /openapi.json HTTP/1.1", lines), answers);
    vec![
        get("many cookies", &format!("Cookie: {}\r\n", "a=b; ".repeat(4_000)), &[200]),
        get("a range", "Range: bytes=0-0,5-,-1,0-99999999999999999999\r\n", &[200]),
        get("an upgrade to HTTP/2", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", &[200]),
        get(
            "an upgrade to web sockets",
            "Upgrade: websocket\r\nSec-WebSocket-Key: AA==\r\nSec-WebSocket-Version: 13\r\n",
            &[200],
        ),
        get("another method by header", "X-HTTP-Method-Override: DELETE\r\n", &[200]),
        get("another path by header", "X-Original-URL: /v1/requests\r\nX-Rewrite-URL: /metrics\r\n", &[200]),
        get("everybody's address", "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=\"[::1]\"\r\n", &[200]),
        get("an odd condition", "If-None-Match: *\r\nIf-Modified-Since: yesterday\r\n", &[200]),
        get("an odd encoding", "Accept-Encoding: gzip;q=1e9, *;q=-1\r\nAccept: \\\r\n", &[200]),
        get("an unknown expectation", "Expect: the-unexpected\r\n", &[200]),
    ]
}

#[tokio::test]
async fn odd_methods_targets_and_headers_get_the_answer_of_any_other() {
    let it = impatient().await;
    let token = it.auditor();
    let table = targets(&token).into_iter().chain(headers()).collect();
    all_are_answered(&it, &it.world.running.url, table).await;
    closes(it).await;
}

#[tokio::test]
async fn the_operators_listener_knows_three_routes() {
    let it = impatient().await;
    let call = |method: &str, target: &str, answers: &[u16]| {
        abuse(format!("{method} {target}"), asked(&format!("{method} {target} HTTP/1.1"), ""), answers)
    };
    let table = vec![
        call("GET", "/livez", &[200]),
        call("GET", "/livez/../readyz", &[404]),
        call("GET", "/metrics?a=b", &[200]),
        call("GET", "/metrics/", &[404]),
        call("GET", "/v1/requests", &[404]),
        call("GET", "/console/", &[404]),
        call("POST", "/livez", &[405]),
        call("DELETE", "/metrics", &[405]),
        call("HEAD", "/readyz", &[200]),
        call("GET", "*", &[404]),
        call("POST", "/webhooks/jira-cloud", &[404]),
    ];
    all_are_answered(&it, &it.world.running.ops_url, table).await;
    closes(it).await;
}
