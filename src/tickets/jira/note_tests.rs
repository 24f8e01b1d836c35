use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        fixtures::{answer, fixture, jira, ok, parsed},
    },
    *,
};
use crate::{domain::id::TicketId, tickets::jira::ApprovalMode};

const MARKER: &str = "[stint:r1:granted]";

fn note(text: &str) -> Note {
    Note { ticket: TicketId::new("10482"), key: "r1:granted".into(), text: text.into(), internal: true }
}

fn step(maybe_written: bool, answers: &[Answer]) -> Result<Step<()>, TicketError> {
    jira(ApprovalMode::Jsm).write_note(&note("Access granted."), maybe_written, answers)
}

fn next(maybe_written: bool, answers: &[Answer]) -> Call {
    match step(maybe_written, answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn sent(call: &Call) -> &Value {
    match &call.body {
        Body::Json(body) => body,
        Body::Empty => panic!("no body"),
    }
}

/// The newest comments, each with an author and a text.
fn comments(rows: &[(&str, &str)]) -> Answer {
    let row = |(author, text): &(&str, &str)| json!({"author": {"accountId": author}, "body": adf(text)});
    answer(200, json!({"comments": rows.iter().map(row).collect::<Vec<_>>()}))
}

fn gone() -> Answer {
    answer(404, parsed(fixture!("read-404")))
}

const US: &str = "712020:stint-0009";

#[test]
fn a_note_is_posted_as_an_internal_comment_that_ends_with_its_marker() {
    let call = next(false, &[]);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/rest/api/3/issue/10482/comment"));
    let text = json!({"type": "text", "text": "Access granted. [stint:r1:granted]"});
    let expected = json!({
        "body": {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [text]}]},
        "properties": [{"key": "sd.public.comment", "value": {"internal": true}}],
    });
    assert_eq!(sent(&call), &expected);
    assert_eq!(step(false, &[answer(201, json!({"id": "20560"}))]), Ok(Step::Done(())));
}

#[test]
fn a_public_note_leaves_its_visibility_alone() {
    let public = Note { internal: false, ..note("x") };
    assert_eq!(sent(&comment(&public)).get("properties"), None);
}

#[test]
fn lines_become_paragraphs_and_no_text_node_is_empty() {
    let call = comment(&note("one\n\n \r\ntwo"));
    let paragraphs = json::array(sent(&call), "/body/content").expect("paragraphs");
    let texts: Vec<_> = paragraphs.iter().map(|p| p.pointer("/content/0/text").and_then(Value::as_str)).collect();
    assert_eq!(texts, [Some("one"), Some("two [stint:r1:granted]")]);
}

#[test]
fn an_overlong_text_is_cut_in_front_of_its_marker() {
    let written = text(&note(&"ü".repeat(40_000)));
    assert!(written.ends_with(&format!("ü … {MARKER}")), "the end");
    assert_eq!(written.chars().count(), MAX_TEXT + 3 + MARKER.len());
}

#[test]
fn a_note_that_may_be_there_is_looked_for_first() {
    let call = next(true, &[]);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/rest/api/3/issue/10482/comment"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(call.query, [pair("orderBy", "-created"), pair("maxResults", "50")]);
    let other = comments(&[(US, "Access ended. [stint:r1:ended]"), ("a", "thanks")]);
    assert_eq!(next(true, std::slice::from_ref(&other)).method, Method::POST);
    assert_eq!(step(true, &[other, answer(201, "{}")]), Ok(Step::Done(())));
}

#[test]
fn a_note_found_in_our_own_comment_is_not_written_again() {
    let found = comments(&[("a", "thanks"), (US, "Access granted.\n[stint:r1:granted]")]);
    assert_eq!(next(true, std::slice::from_ref(&found)).path, "/rest/api/3/myself");
    assert_eq!(step(true, &[found, ok(fixture!("read-myself"))]), Ok(Step::Done(())));
}

#[test]
fn a_marker_that_somebody_quotes_does_not_stand_for_the_note() {
    let quoted = comments(&[("a", "Access granted. [stint:r1:granted]")]);
    let so_far = [quoted, ok(fixture!("read-myself"))];
    assert_eq!(next(true, &so_far).method, Method::POST);
    let inside = comments(&[(US, "revoked: [stint:r1:granted] was wrong [stint:r1:revoked]")]);
    assert_eq!(next(true, &[inside]).method, Method::POST);
}

#[test]
fn a_marker_is_found_across_text_nodes_and_in_plain_text() {
    let nodes = json!([{"type": "text", "text": "Granted. [stint:r1:"}, {"type": "text", "text": "granted]"}]);
    let split = json!({"body": {"type": "doc", "content": [{"type": "paragraph", "content": nodes}]}});
    assert!(ends_with(&split, MARKER));
    assert!(ends_with(&json!({"body": "Granted. [stint:r1:granted] "}), MARKER));
    assert!(!ends_with(&json!({"body": null}), MARKER));
    assert!(!ends_with(&json!({}), MARKER));
}

#[test]
fn comments_that_cannot_be_read_are_not_taken_for_none() {
    for unreadable in [answer(200, "{}"), answer(200, "[]"), answer(200, ""), answer(200, json!({"comments": {}}))] {
        assert!(matches!(step(true, &[unreadable]), Err(TicketError::BadAnswer { .. })));
    }
}

#[test]
fn a_full_issue_keeps_the_note_in_a_property_of_its_own() {
    let full = answer(413, "{}");
    let call = next(false, std::slice::from_ref(&full));
    assert_eq!(call.method, Method::PUT);
    assert_eq!(call.path, "/rest/api/3/issue/10482/properties/stint.note.r1.granted");
    assert_eq!(sent(&call), &json!({"key": "r1:granted", "text": "Access granted. [stint:r1:granted]"}));
    assert_eq!(step(false, &[full.clone(), answer(201, "")]), Ok(Step::Done(())));
    assert_eq!(step(false, &[full.clone(), full.clone()]), Err(TicketError::Full));
    assert_eq!(step(false, &[full, gone()]), Err(TicketError::Absent));
}

#[test]
fn a_note_for_a_missing_issue_is_absent_only_for_a_credential_that_works() {
    assert_eq!(next(false, &[gone()]).path, "/rest/api/3/myself");
    assert_eq!(step(false, &[gone(), ok(fixture!("read-myself"))]), Err(TicketError::Absent));
    assert!(matches!(step(false, &[gone(), answer(200, "{}")]), Err(TicketError::BadAnswer { .. })));
    assert_eq!(next(true, &[gone()]).method, Method::POST);
    assert_eq!(step(true, &[gone(), gone(), ok(fixture!("read-myself"))]), Err(TicketError::Absent));
}
