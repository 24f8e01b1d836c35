//! Callers who keep no rule, over raw sockets to the real listeners: each with the answers it gets, in order.
//!
//! `[]` is a connection that is closed without an answer. What looks generous has its reason beside it.

mod bodies;
mod crowd;
mod flood;
mod framing;
mod places;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use stint::{
    http::serve::Limits,
    outbound::Credential,
    sandbox::{Webhook, jira::IssueDraft, jira::WebhookKind, story},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::It;

/// Who waits for a timer waits this long, and nobody else needs so much.
const PATIENCE: Duration = Duration::from_secs(3);

/// One abuse.
struct Abuse {
    what: String,
    sent: Vec<u8>,
    /// Whether the caller says that it has no more to send; otherwise it only waits.
    ends: bool,
    answers: Vec<u16>,
}

fn abuse(what: impl Into<String>, sent: impl Into<Vec<u8>>, answers: &[u16]) -> Abuse {
    Abuse { what: what.into(), sent: sent.into(), ends: false, answers: answers.to_vec() }
}

/// One whose caller sends no more after it.
fn broken_off(what: impl Into<String>, sent: impl Into<Vec<u8>>, answers: &[u16]) -> Abuse {
    Abuse { ends: true, ..abuse(what, sent, answers) }
}

/// A world whose timers are short.
async fn impatient() -> It {
    It::with(|setup| {
        let inbound = Limits { header_time: PATIENCE, body_time: PATIENCE, ..Limits::default() };
        setup.surroundings.inbound = inbound;
    })
    .await
}

/// A genuine delivery about an approved ticket.
fn genuine(it: &It) -> Webhook {
    let ticket = it.approved(IssueDraft::default());
    it.world.webhook(&ticket, WebhookKind::Updated)
}

/// The same with this body, signed again.
fn with_body(webhook: &Webhook, body: impl Into<Vec<u8>>) -> Webhook {
    let mut webhook = Webhook { body: body.into(), ..webhook.clone() };
    webhook.sign_jira_hub(story::WEBHOOK_SECRET);
    webhook
}

/// A request as it travels, with these lines of the head; the connection is closed behind it where they say so.
fn posted(webhook: &Webhook, lines: &str, body: &[u8]) -> Vec<u8> {
    let mut head = String::from("POST /webhooks/jira-cloud HTTP/1.1\r\nHost: stint\r\n");
    for (name, value) in &webhook.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    [head.as_bytes(), lines.as_bytes(), b"\r\n", body].concat()
}

/// An honest request, after which the connection is closed.
fn honest(webhook: &Webhook) -> Vec<u8> {
    let lines = format!("Connection: close\r\nContent-Length: {}\r\n", webhook.body.len());
    posted(webhook, &lines, &webhook.body)
}

/// A reading request of these lines, after which the connection is closed.
fn asked(line: &str, lines: &str) -> Vec<u8> {
    format!("{line}\r\nHost: stint\r\nConnection: close\r\n{lines}\r\n").into_bytes()
}

fn address(url: &str) -> String {
    url.strip_prefix("http://").expect("plain HTTP").to_owned()
}

/// Sends it, and reads until the connection is closed.
async fn answers_to(address: &str, abuse: &Abuse) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut from, mut to) = stream.into_split();
    let sending = async {
        // The server may have seen enough before all is sent.
        let _ = to.write_all(&abuse.sent).await;
        if abuse.ends {
            let _ = to.shutdown().await;
        }
    };
    let mut answer = Vec::new();
    let reading = async {
        // A reset after the answer is as good as an end.
        while from.read_buf(&mut answer).await.is_ok_and(|length| length > 0) {}
    };
    tokio::join!(sending, reading);
    answer
}

/// The status of each answer, the interim ones left out. Each must be whole HTTP, with nothing between them.
fn statuses(mut rest: &[u8], what: &str) -> Vec<u16> {
    let mut found = vec![];
    while !rest.is_empty() {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("{what}: half a head"));
        let head = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        let status: u16 = head.strip_prefix("http/1.").and_then(|text| text[2..5].parse().ok()).expect("a status");
        rest = &rest[end + 4..];
        if status == 100 {
            continue;
        }
        let length = head.split("content-length: ").nth(1).and_then(|text| text.lines().next()?.parse().ok());
        let length = if what.starts_with("HEAD") { 0 } else { length.unwrap_or(0) };
        assert!(rest.len() >= length, "{what}: half an answer");
        rest = &rest[length..];
        found.push(status);
    }
    found
}

/// Tries all of them, many at a time, and then whether stint is as it was.
async fn all_are_answered(it: &It, url: &str, table: Vec<Abuse>) {
    let address = Arc::new(address(url));
    let tried = stream::iter(table).map(|abuse| {
        let address = Arc::clone(&address);
        async move {
            let answer = answers_to(&address, &abuse).await;
            let seen = statuses(&answer, &abuse.what);
            (seen != abuse.answers).then(|| format!("{}: {seen:?} instead of {:?}", abuse.what, abuse.answers))
        }
    });
    let surprises: Vec<_> = tried.buffer_unordered(64).filter_map(async |surprise| surprise).collect().await;
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    is_unharmed(it).await;
}

/// It is ready, and has answered nothing with a status of 500 or above.
async fn is_unharmed(it: &It) {
    let ops = &it.world.running.ops_url;
    assert_eq!(it.fetch(ops, "/readyz", &Credential::Nobody).await.status, 200);
    let metrics = it.fetch(ops, "/metrics", &Credential::Nobody).await;
    let text = metrics.body.as_str().expect("text");
    assert!(text.contains("status=\"200\""), "{text}");
    assert!(!text.contains("status=\"5"), "{text}");
}

/// How many deliveries were taken in under identifiers that begin so.
async fn taken_in_as(it: &It, identifier: &str) -> i64 {
    sqlx::query_scalar("select count(*) from deliveries where delivery_key like 'id:' || $1 || '%'")
        .bind(identifier)
        .fetch_one(&mut it.sql().await)
        .await
        .expect("a count")
}

async fn closes(it: It) {
    it.world.running.stop().await;
    it.world.service.store.close().await;
}
