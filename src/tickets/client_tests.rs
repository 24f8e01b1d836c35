use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, Request};
use serde_json::json;

use super::{
    super::{
        Connection, Lookback, Note,
        error::Retry,
        jira::fixtures::{fixture, sample, settings},
        servicenow,
    },
    *,
};
use crate::{
    domain::{id::TicketId, ticket::Reading},
    outbound::{Body, Limits},
};

const NOW: &str = "2026-11-03T08:31:00Z";

fn call(method: Method) -> Call {
    Call { method, path: "/x".into(), query: vec![], headers: vec![], body: Body::Empty }
}

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Answer {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (http::HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    Answer { status: StatusCode::from_u16(status).expect("a status"), headers, body: body.to_vec() }
}

fn come(method: Method, answer: Answer) -> Result<u16, TicketError> {
    sort(&call(method), Ok(answer), NOW.parse().expect("a time")).map(|answer| answer.status.as_u16())
}

fn code(method: Method, answer: Answer) -> (&'static str, Retry) {
    let error = come(method, answer).expect_err("an error");
    (error.code(), error.retry())
}

#[test]
fn success_and_what_only_the_vendor_file_understands_go_back_to_it() {
    assert_eq!(come(Method::GET, answer(200, &[], b"{}")), Ok(200));
    assert_eq!(come(Method::GET, answer(404, &[], fixture!("read-404"))), Ok(404));
    assert_eq!(come(Method::POST, answer(201, &[], b"{}")), Ok(201));
    assert_eq!(come(Method::PUT, answer(200, &[], b"")), Ok(200));
    assert_eq!(come(Method::POST, answer(413, &[], b"")), Ok(413));
}

#[test]
fn refusals_have_stable_codes_and_wait_for_a_person() {
    for (status, expected) in [
        (401, "ticket-credential"),
        (403, "ticket-not-permitted"),
        (400, "ticket-call-refused"),
        (405, "ticket-call-refused"),
        (410, "ticket-call-refused"),
        (415, "ticket-call-refused"),
    ] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(code(method, answer(status, &[], b"{}")), (expected, Retry::Never), "{status}");
        }
    }
    assert_eq!(code(Method::GET, answer(413, &[], b"{}")), ("ticket-call-refused", Retry::Never));
    let page = answer(403, &[("content-type", "text/html;charset=UTF-8")], b"<html>No licence</html>");
    assert_eq!(code(Method::GET, page), ("ticket-not-permitted", Retry::Never));
}

#[test]
fn a_wait_that_is_asked_for_is_kept_within_reason() {
    let wait = |status, after| code(Method::GET, answer(status, &[("retry-after", after)], b"{}"));
    let seconds = |seconds| Retry::After(Duration::seconds(seconds));
    assert_eq!(wait(429, "7"), ("ticket-throttled", seconds(7)));
    assert_eq!(wait(429, "Tue, 03 Nov 2026 08:31:40 GMT"), ("ticket-throttled", seconds(40)));
    assert_eq!(wait(429, "4000000000"), ("ticket-throttled", Retry::After(MAX_WAIT)));
    assert_eq!(wait(429, "soon"), ("ticket-throttled", Retry::Later));
    assert_eq!(wait(503, "30"), ("ticket-unavailable", seconds(30)));
    assert_eq!(code(Method::POST, answer(429, &[], b"")), ("ticket-throttled", Retry::Later));
}

#[test]
fn an_outage_fails_a_read_and_leaves_a_write_unclear() {
    for status in [408, 425, 500, 502, 503, 504] {
        assert_eq!(code(Method::GET, answer(status, &[], b"{}")), ("ticket-unavailable", Retry::Later), "{status}");
        assert_eq!(code(Method::POST, answer(status, &[], b"{}")), ("outcome-unknown", Retry::Later), "{status}");
    }
    let fails = |method, fault| sort(&call(method), Err(fault), Timestamp::UNIX_EPOCH).expect_err("an error").code();
    assert_eq!(fails(Method::GET, Fault::AnswerLost("reset".into())), "ticket-unavailable");
    assert_eq!(fails(Method::POST, Fault::AnswerLost("reset".into())), "outcome-unknown");
    assert_eq!(fails(Method::POST, Fault::NotSent("refused".into())), "ticket-unavailable");
}

#[test]
fn a_page_is_never_taken_for_an_answer() {
    let html = [("content-type", "text/html")];
    for page in [answer(200, &html, b""), answer(200, &[], b"\n <!doctype html>")] {
        assert_eq!(code(Method::GET, page.clone()), ("ticket-unavailable", Retry::Later));
        assert_eq!(code(Method::POST, page), ("outcome-unknown", Retry::Later));
    }
    assert_eq!(code(Method::GET, answer(404, &html, b"<html>")), ("ticket-bad-answer", Retry::Later));
    assert_eq!(code(Method::GET, answer(302, &[], b"")), ("ticket-bad-answer", Retry::Later));
}

#[test]
fn a_refusal_says_everything_that_jira_says_on_one_line() {
    let error = come(Method::POST, answer(400, &[], fixture!("write-comment-400"))).expect_err("an error");
    let said = error.to_string();
    assert!(said.contains("comment: Comment body is not valid!"), "{said}");
    let long = json!({"errorMessages": ["x\ny".repeat(1000)]}).to_string();
    let error = come(Method::POST, answer(400, &[], long.as_bytes())).expect_err("an error").to_string();
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}

/// A status and a body.
type Reply = (u16, Vec<u8>);

/// A ticket system that gives these answers in order, and keeps what it was asked.
#[derive(Clone, Default)]
struct Desk {
    answers: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

async fn reply(State(desk): State<Desk>, request: Request<axum::body::Body>) -> Response {
    let asked = format!("{} {}", request.method(), request.uri());
    desk.asked.lock().expect("a lock").push((asked, request.headers().clone()));
    let (status, body) = desk.answers.lock().expect("a lock").pop_front().unwrap_or((500, vec![]));
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(body.into()).expect("a response")
}

impl Desk {
    async fn open(answers: &[(u16, &[u8])]) -> (Self, Connection) {
        Self::of(settings, answers).await
    }

    async fn of(settings: fn(&str) -> ConnectionSettings, answers: &[(u16, &[u8])]) -> (Self, Connection) {
        let answers = answers.iter().map(|(status, body)| (*status, body.to_vec())).collect();
        let desk = Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/ex/jira/1", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(reply).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let wire = Wire::new(Limits::default()).expect("a client");
        (desk, Connection::new(settings(&base), wire, Clock::system()))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").iter().map(|(asked, _)| asked.clone()).collect()
    }
}

#[tokio::test]
async fn a_connection_reads_a_ticket_below_its_base_with_its_credential() {
    let answers = [(200, fixture!("read-issue")), (200, fixture!("read-changelog")), (200, fixture!("read-approvals"))];
    let (desk, connection) = Desk::open(&answers).await;
    let reading = connection.read(&TicketId::new("10482")).await.expect("a reading");
    let Reading::Found(ticket) = reading else { panic!("absent") };
    assert_eq!((ticket.number.as_str(), ticket.url, ticket.approvals.len()), ("ITSEC-482", None, 1));
    let asked = desk.asked();
    assert!(asked[0].starts_with("GET /ex/jira/1/rest/api/3/issue/10482?fields=creator%2C"), "{asked:?}");
    assert_eq!(asked[2], "GET /ex/jira/1/rest/servicedeskapi/request/10482/approval?start=0&limit=50");
    let sent = desk.asked.lock().expect("a lock");
    let basic = "Basic c3RpbnRAY29udG9zby5leGFtcGxlOmZpeHR1cmUtYXBpLXRva2Vu";
    assert!(sent.iter().all(|(_, headers)| headers.get(header::AUTHORIZATION).is_some_and(|value| value == basic)));
}

#[tokio::test]
async fn a_ticket_that_is_gone_is_absent_and_a_lost_credential_is_not() {
    let (_, connection) = Desk::open(&[(404, fixture!("read-404")), (200, fixture!("read-myself"))]).await;
    assert_eq!(connection.read(&TicketId::new("10482")).await, Ok(Reading::Absent));
    let (_, connection) = Desk::open(&[(404, fixture!("read-404")), (401, b"{}")]).await;
    assert_eq!(connection.read(&TicketId::new("10482")).await, Err(TicketError::Credential));
}

#[tokio::test]
async fn every_call_goes_through_the_gateway_when_that_is_the_base() {
    let (desk, connection) = Desk::open(&[
        (200, fixture!("read-myself")),
        (200, fixture!("search-found")),
        (404, fixture!("read-404")),
        (200, fixture!("read-myself")),
    ])
    .await;
    let now = NOW.parse().expect("a time");
    let listed = connection.changed(&Lookback { since: now, now }).await.expect("a list");
    assert_eq!(listed.len(), 2);
    assert_eq!(connection.read(&TicketId::new("10482")).await, Ok(Reading::Absent));
    let paths: Vec<_> =
        desk.asked().iter().map(|asked| asked.split('?').next().unwrap_or_default().to_owned()).collect();
    let expected = [
        "GET /ex/jira/1/rest/api/3/myself",
        "GET /ex/jira/1/rest/api/3/search/jql",
        "GET /ex/jira/1/rest/api/3/issue/10482",
        "GET /ex/jira/1/rest/api/3/myself",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_list_from_a_site_that_no_longer_knows_us_is_an_error() {
    let (_, connection) = Desk::open(&[(401, b"{}")]).await;
    let now = NOW.parse().expect("a time");
    assert_eq!(connection.changed(&Lookback { since: now, now }).await, Err(TicketError::Credential));
}

#[tokio::test]
async fn a_note_is_posted_once_and_an_unclear_outcome_says_so() {
    let (desk, connection) = Desk::open(&[(504, b"")]).await;
    let note = Note { ticket: TicketId::new("10482"), key: "r1:ended".into(), text: "Ended.".into(), internal: true };
    let error = connection.write_note(&note, false, Elapsed::MAX).await.expect_err("an error");
    assert_eq!(error.code(), "outcome-unknown");
    assert_eq!(desk.asked(), ["POST /ex/jira/1/rest/api/3/issue/10482/comment"]);
    desk.answers.lock().expect("a lock").extend([(200, br#"{"comments": []}"#.to_vec()), (201, b"{}".to_vec())]);
    assert_eq!(connection.write_note(&note, true, Elapsed::MAX).await, Ok(()));
    assert_eq!(desk.asked().len(), 3);
}

#[tokio::test]
async fn a_note_that_comes_too_late_is_looked_for_and_not_sent() {
    let (desk, connection) = Desk::open(&[(200, br#"{"comments": []}"#)]).await;
    let note = Note { ticket: TicketId::new("10482"), key: "r1:ended".into(), text: "Ended.".into(), internal: true };
    let error = connection.write_note(&note, true, Elapsed::ZERO).await.expect_err("an error");
    assert_eq!(error.code(), "ticket-unavailable");
    assert_eq!(desk.asked().len(), 1);
    assert!(desk.asked()[0].starts_with("GET "), "{:?}", desk.asked());
}

#[tokio::test]
async fn where_the_journal_may_not_be_read_a_note_is_written_unseen() {
    let answers: [(u16, &[u8]); 2] = [(403, b"{}"), (204, b"")];
    let (desk, connection) = Desk::of(servicenow::fixtures::settings, &answers).await;
    let ticket = TicketId::new(format!("sc_req_item/{}", servicenow::fixtures::ITEM));
    let note = Note { ticket, key: "r1:ended".into(), text: "Ended.".into(), internal: true };
    assert_eq!(connection.write_note(&note, true, Elapsed::MAX).await, Ok(()));
    let asked = desk.asked();
    assert!(asked[0].starts_with("GET /ex/jira/1/api/now/table/sys_journal_field?"), "{asked:?}");
    assert!(asked[1].starts_with("PATCH /ex/jira/1/api/now/table/sc_req_item/"), "{asked:?}");
    desk.answers.lock().expect("a lock").push_back((403, b"{}".to_vec()));
    let refused = connection.write_note(&note, false, Elapsed::MAX).await.expect_err("an error");
    assert_eq!((refused.code(), desk.asked().len()), ("ticket-not-permitted", 3));
}

#[tokio::test]
async fn an_endless_list_ends_after_a_bounded_number_of_calls() {
    let page = |n: usize| json!({"startAt": n, "isLast": false, "values": [{"items": []}]}).to_string().into_bytes();
    let (desk, connection) = Desk::open(&[(200, fixture!("read-issue"))]).await;
    desk.answers.lock().expect("a lock").extend((0..200).map(|n| (200, page(n))));
    let error = connection.read(&TicketId::new("10482")).await.expect_err("an error");
    assert_eq!(error.code(), "ticket-bad-answer");
    assert_eq!(desk.asked().len(), 51);
}

#[test]
fn neither_a_connection_nor_its_settings_show_a_secret() {
    let wire = Wire::new(Limits::default()).expect("a client");
    let connection = Connection::new(settings("https://contoso.atlassian.net"), wire, Clock::system());
    let shown = format!("{connection:?}");
    assert!(!shown.contains("fixture-api-token") && !shown.contains("fixture-jira-webhook"), "{shown}");
}

/// A sample that wraps status, headers and body.
fn wrapped(name: &str) -> Option<Answer> {
    let wrapped = sample(name)?;
    let status = u16::try_from(wrapped["_status"].as_u64().expect("a status")).expect("a status");
    let mut come = answer(status, &[], wrapped["body"].to_string().as_bytes());
    for (name, value) in wrapped["_headers"].as_object().expect("headers") {
        let name: http::HeaderName = name.parse().expect("a name");
        come.headers.insert(name, value.as_str().expect("a text").parse().expect("a value"));
    }
    Some(come)
}

#[test]
fn the_contracts_sample_refusals_are_sorted() {
    for (name, status, expected, retry) in [
        ("rest-jira-401", 401, "ticket-credential", Retry::Never),
        ("rest-snow-401", 401, "ticket-credential", Retry::Never),
        ("rest-snow-403", 403, "ticket-not-permitted", Retry::Never),
        ("rest-jira-post-comment-400", 400, "ticket-call-refused", Retry::Never),
    ] {
        let Some(body) = sample(name) else { return };
        let come = answer(status, &[], body.to_string().as_bytes());
        assert_eq!(code(Method::POST, come), (expected, retry), "{name}");
    }
    for (name, seconds) in [("rest-jira-429", 7), ("rest-snow-429", 1273)] {
        let Some(come) = wrapped(name) else { return };
        let expected = ("ticket-throttled", Retry::After(Duration::seconds(seconds)));
        assert_eq!(code(Method::GET, come), expected, "{name}");
    }
    for name in ["rest-jira-get-issue-404", "rest-snow-404"] {
        let Some(body) = sample(name) else { return };
        assert_eq!(come(Method::GET, answer(404, &[], body.to_string().as_bytes())), Ok(404), "{name}");
    }
}
