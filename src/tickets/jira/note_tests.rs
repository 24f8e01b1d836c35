use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        fixtures::{answer, data_center, fixture, jira, mutants, ok, parsed},
    },
    *,
};
use crate::{domain::id::TicketId, tickets::jira::ApprovalMode};

const CLOUD: Deployment = Deployment::Cloud;
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
        Body::Empty | Body::Text(_) => panic!("no JSON body"),
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
    assert_eq!(sent(&comment(CLOUD, &public)).get("properties"), None);
}

#[test]
fn lines_become_paragraphs_and_no_text_node_is_empty() {
    let call = comment(CLOUD, &note("one\n\n \r\ntwo"));
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

mod at_the_data_center {
    use super::*;

    fn step(text: &str, maybe_written: bool, answers: &[Answer]) -> Result<Step<()>, TicketError> {
        let note = Note { ticket: TicketId::new("30211"), ..note(text) };
        data_center(ApprovalMode::Jsm).write_note(&note, maybe_written, answers)
    }

    fn next(text: &str, maybe_written: bool, answers: &[Answer]) -> Call {
        match step(text, maybe_written, answers) {
            Ok(Step::Send(call)) => call,
            other => panic!("not a call: {other:?}"),
        }
    }

    fn comments(start: usize, total: usize, rows: &[(u32, &str, &str)]) -> Answer {
        let row =
            |(id, key, body): &(u32, &str, &str)| json!({"id": id.to_string(), "author": {"key": key}, "body": body});
        let rows: Vec<_> = rows.iter().map(row).collect();
        answer(200, json!({"startAt": start, "total": total, "comments": rows}))
    }

    #[test]
    fn a_note_is_wiki_text_that_shows_what_it_says() {
        let call = next("Granted to [~admin].\n\n{color:red}x", false, &[]);
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/rest/api/2/issue/30211/comment"));
        let expected = json!({
            "body": "Granted to \\[\\~admin\\].\n\n\\{color:red\\}x \\[stint:r1:granted\\]",
            "properties": [{"key": "sd.public.comment", "value": {"internal": true}}],
        });
        assert_eq!(sent(&call), &expected);
        assert_eq!(step("x", false, &[answer(201, "{}")]), Ok(Step::Done(())));
    }

    #[test]
    fn the_longest_text_of_markup_still_fits_a_comment() {
        let call = next(&"&".repeat(40_000), false, &[]);
        let body = sent(&call)["body"].as_str().expect("a text");
        assert!(body.chars().count() < 32_767 && body.ends_with(r"\[stint:r1:granted\]"));
    }

    #[test]
    fn a_note_that_may_be_there_is_looked_for_among_all_comments() {
        let call = next("x", true, &[]);
        assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/rest/api/2/issue/30211/comment"));
        assert!(call.query.iter().all(|(name, _)| name != "orderBy"));
        let found = ok(fixture!("dc-read-comments"));
        assert_eq!(next("x", true, std::slice::from_ref(&found)).path, "/rest/api/2/myself");
        assert_eq!(step("x", true, &[found, ok(fixture!("dc-read-myself"))]), Ok(Step::Done(())));
    }

    #[test]
    fn comments_are_read_to_their_end() {
        let first = comments(0, 3, &[(1, "a", "one"), (2, "a", "two")]);
        let call = next("x", true, std::slice::from_ref(&first));
        assert!(call.query.contains(&("startAt".to_owned(), "1".to_owned())), "{call:?}");
        let ours = comments(1, 3, &[(2, "a", "two"), (3, "JIRAUSER10990", r"x \[stint:r1:granted\]")]);
        let so_far = [first.clone(), ours, ok(fixture!("dc-read-myself"))];
        assert_eq!(step("x", true, &so_far), Ok(Step::Done(())));
        let moved = comments(1, 3, &[(3, "a", "three"), (4, "a", "four")]);
        assert!(matches!(step("x", true, &[first, moved]), Err(TicketError::BadAnswer { .. })));
    }

    #[test]
    fn no_change_of_any_member_makes_the_reader_panic_or_believe_a_note_unasked() {
        for mutant in mutants(&parsed(fixture!("dc-read-comments"))) {
            match step("x", true, &[answer(200, mutant)]) {
                Ok(Step::Send(_)) | Err(TicketError::BadAnswer { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_marker_that_somebody_quotes_does_not_stand_for_the_note() {
        let quoted = comments(0, 1, &[(1, "JIRAUSER10311", r"x \[stint:r1:granted\]")]);
        assert_eq!(next("x", true, &[quoted, ok(fixture!("dc-read-myself"))]).method, Method::POST);
        let none = comments(0, 0, &[]);
        assert_eq!(next("x", true, &[none]).method, Method::POST);
    }
}
