//! The published page and the published schema, tried out.

use std::{path::Path, process::Stdio};

use axum::{Router, extract::State, http::StatusCode};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::{process::Command, sync::mpsc};

use super::{
    super::{SYSTEMS, jira::fixtures::webhook, settings::WebhookScheme, verify},
    fixtures::{answer, desk, fixture, parsed, with, without},
    *,
};
use crate::{clock::Clock, domain::ticket::HintEvent};

const PAGE: &str = include_str!("../../../docs/standard.md");
const SCHEMA: &[u8] = include_bytes!("../../../docs/standard-ticket.schema.json");
const SECRET: &str = "whsec_Zml4dHVyZSBzdGFuZGFyZCB3ZWJob29rIGtleSBvbmU=";

/// The page's pieces of code in this language.
fn code(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    PAGE.split(&opening).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// What arrives at a listener that answers 202 to everything.
async fn listen() -> (String, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    async fn take(
        State(seen): State<mpsc::UnboundedSender<(HeaderMap, Bytes)>>,
        headers: HeaderMap,
        body: Bytes,
    ) -> StatusCode {
        seen.send((headers, body)).expect("a reader");
        StatusCode::ACCEPTED
    }
    let (seen, arrived) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/webhooks/desk", listener.local_addr().expect("an address"));
    let app = Router::new().fallback(take).with_state(seen);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, arrived)
}

/// Whether a program can be run here at all.
async fn is_there(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    let run = command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    run.status().await.is_ok_and(|status| status.success())
}

/// Runs a sender as published, and takes in what it sends as stint would.
async fn send_with(program: &str, source: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("a file");
    let (url, mut arrived) = listen().await;
    let run = Command::new(program)
        .args(["-c", source])
        .env("STINT_URL", url)
        .env("STINT_SECRET_FILE", &secret)
        .env("TICKET_ID", "t-5531")
        .env("TICKET_NUMBER", "DESK-204")
        .env("EVENT_ID", "evt_5531_round_1")
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output();
    let run = run.await.expect("the sender runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(String::from_utf8_lossy(&run.stdout).trim(), "202");
    let (headers, body) = arrived.recv().await.expect("a delivery");
    let settings = webhook(WebhookScheme::StandardWebhooks, &[SECRET]);
    let body = verify(&settings, &headers, body, Clock::system().now()).expect("a genuine delivery");
    assert_eq!(body.delivery_key(), "id:evt_5531_round_1");
    let Ok(Heard::Hint(hint)) = desk(Source::ReadBack).hear(&body) else { panic!("not heard") };
    assert_eq!((hint.ticket.as_str(), hint.number.as_str(), hint.event), ("t-5531", "DESK-204", HintEvent::Approved));
}

#[tokio::test]
async fn the_published_sender_in_python_is_understood() {
    if is_there("python3", "--version").await {
        send_with("python3", code("python")[0]).await;
    }
}

#[tokio::test]
async fn the_published_sender_in_shell_is_understood() {
    if is_there("openssl", "version").await && is_there("curl", "--version").await && Path::new("/bin/sh").exists() {
        send_with("/bin/sh", code("sh")[0]).await;
    }
}

#[test]
fn the_published_documents_are_read() {
    let [event, ticket, list] =
        code("json").try_into().map(|code: [&str; 3]| code.map(|text| parsed(text.as_bytes()))).expect("three");
    let ours = Regex::new("^DESK-[1-9][0-9]*$").expect("a pattern");
    assert!(ours.is_match(event["data"]["ticket"]["number"].as_str().expect("a number")));
    let read = desk(Source::ReadBack).read(&TicketId::new("8841"), &[answer(200, &ticket)]);
    assert!(matches!(read, Ok(Step::Done(Reading::Found(_)))), "{read:?}");
    fits("ticket", &ticket);
    fits("approved", &event);
    assert!(list["items"].is_array());
}

#[test]
fn the_page_names_every_key_of_this_kind() {
    let kind = SYSTEMS.iter().find(|kind| kind.name == "standard").expect("the kind");
    assert!(kind.keys.iter().all(|key| PAGE.contains(key.name)));
}

/// One part of the schema.
fn part(name: &str) -> Value {
    parsed(SCHEMA)["$defs"][name].clone()
}

/// Whether a document has what a part of the schema requires and nothing it does not name, at every level.
fn fits(name: &str, document: &Value) {
    walk(&part(name), document, name);
}

fn walk(schema: &Value, document: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return walk(&part(name), document, at);
    }
    if let Some(either) = schema["anyOf"].as_array().filter(|_| !document.is_null()) {
        return walk(&either[0], document, at);
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(document.get(required).is_some(), "{at} lacks {required}");
    }
    for (name, member) in document.as_object().into_iter().flatten() {
        assert!(schema["properties"].get(name).is_some(), "{at} has {name}");
        walk(&schema["properties"][name], member, &format!("{at}/{name}"));
    }
    for item in document.as_array().into_iter().flatten() {
        walk(&schema["items"], item, at);
    }
    let words = schema["enum"].as_array().or(schema["const"].as_str().map(|_| &EMPTY));
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        assert!(words.contains(document), "{at}: {document}");
    }
}

static EMPTY: Vec<Value> = Vec::new();

#[test]
fn what_the_fixtures_hold_fits_the_published_schema() {
    fits("ticket", &parsed(fixture!("ticket")));
    fits("approved", &parsed(fixture!("hook-approved")));
    fits("withdrawn", &parsed(fixture!("hook-withdrawn")));
    fits("told", &parsed(fixture!("told-approved")));
}

#[test]
fn the_schema_requires_what_the_reader_needs_and_knows_the_words_it_knows() {
    let told = parsed(fixture!("told-approved"));
    let hears = |body: &Value| desk(Source::Webhooks).hear(&fixtures::delivery(body.to_string().as_bytes())).is_ok();
    for member in part("ticket")["required"].as_array().expect("a list").iter().filter_map(Value::as_str) {
        assert!(!hears(&without(told.clone(), &format!("/data/ticket/{member}"))), "{member}");
    }
    let optional = ["url", "window", "time_zone"];
    let properties = part("ticket")["properties"].as_object().expect("members").len();
    assert_eq!(properties, part("ticket")["required"].as_array().expect("a list").len() + optional.len());
    for word in part("ticket")["properties"]["status"]["enum"].as_array().expect("words") {
        assert!(hears(&with(told.clone(), "/data/ticket/status", word.clone())), "{word}");
    }
    for word in part("account")["properties"]["kind"]["enum"].as_array().expect("words") {
        assert!(hears(&with(told.clone(), "/data/ticket/requester", json!({"id": "p", "kind": word}))), "{word}");
    }
    let pattern = part("id")["pattern"].as_str().expect("a pattern").replace("(?!\\.+$)", "");
    let pattern = Regex::new(&pattern).expect("a pattern");
    for n in 0..=0x7f_u8 {
        let id = format!("a{}", char::from(n));
        assert_eq!(pattern.is_match(&id), document::is_id(&id), "{id:?}");
    }
}
