use serde_json::json;

use super::{
    super::{
        super::{Step, TicketSystem},
        fixtures::{ITEM, address, answer, fixture, parameter, parsed, snow},
    },
    *,
};
use crate::{domain::id::TicketId, outbound::Answer};

fn note(key: &str, text: &str, internal: bool) -> Note {
    Note { ticket: TicketId::new(format!("sc_req_item/{ITEM}")), key: key.into(), text: text.into(), internal }
}

fn granted() -> Note {
    note("r1:granted", "Access granted.", true)
}

fn step(maybe_written: bool, answers: &[Answer]) -> Result<Step<()>, TicketError> {
    snow().write_note(&granted(), maybe_written, answers)
}

fn next(note: &Note, maybe_written: bool, answers: &[Answer]) -> Call {
    match snow().write_note(note, maybe_written, answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

/// Entries of the journal, each with an author and a text.
fn journal(rows: &[(&str, &str)]) -> Answer {
    let row = |(author, text): &(&str, &str)| json!({"element_id": ITEM, "element": "work_notes", "value": text, "sys_created_by": author});
    answer(200, json!({"result": rows.iter().map(row).collect::<Vec<_>>()}))
}

const MARKED: &str = "Access granted. [stint:r1:granted]";

#[test]
fn a_note_is_a_journal_entry_that_ends_with_its_marker() {
    let call = next(&granted(), false, &[]);
    assert_eq!((call.method.as_str(), call.path), ("PATCH", format!("/api/now/table/sc_req_item/{ITEM}")));
    assert_eq!(call.headers, [("X-no-response-body", "true".to_owned())]);
    assert_eq!(call.body, Body::Json(json!({"work_notes": MARKED})));
    let public = next(&note("r1:granted", "Access granted.", false), false, &[]);
    assert_eq!(public.body, Body::Json(json!({"comments": MARKED})));
    assert_eq!(step(false, &[answer(204, "")]), Ok(Step::Done(())));
}

#[test]
fn a_note_that_may_be_there_is_looked_for_in_the_journal() {
    let call = next(&granted(), true, &[]);
    let query = format!("element_id={ITEM}^element=work_notes^valueLIKE[stint:r1:granted]");
    assert_eq!((call.path.as_str(), parameter(&call, "sysparm_query")), ("/api/now/table/sys_journal_field", &*query));
    assert_eq!(step(true, &[journal(&[("stint.svc", &format!("{MARKED}\n"))])]), Ok(Step::Done(())));
}

#[test]
fn only_an_entry_of_ours_about_this_ticket_that_ends_with_the_marker_is_the_note() {
    let others = [
        journal(&[]),
        journal(&[("stint.svc", "[stint:r1:granted] is what it wrote")]),
        journal(&[("nina.keller", MARKED)]),
        answer(200, json!({"result": [{"element_id": "x", "element": "work_notes", "value": MARKED}]})),
        answer(200, json!({"result": [{"element_id": ITEM, "element": "comments", "value": MARKED}]})),
        answer(200, json!({"result": [{"element_id": ITEM, "element": "work_notes"}, 4]})),
    ];
    for other in others {
        assert_eq!(next(&granted(), true, &[other]).method, Method::PATCH);
    }
}

#[test]
fn a_journal_that_is_not_shown_is_not_permitted_and_then_written_unseen() {
    let error = step(true, &[answer(404, parsed(fixture!("read-404")))]).expect_err("an error");
    assert_eq!((error.code(), snow().writes_unseen()), ("ticket-not-permitted", true));
}

#[test]
fn a_key_that_would_break_out_of_the_query_is_never_sent() {
    for key in ["r1^ORelement=x", "r1:granted\n", "javascript:x()", "é"] {
        assert!(snow().write_note(&note(key, "x", true), true, &[]).is_err(), "{key:?}");
    }
}

#[test]
fn a_missing_ticket_is_absent_only_for_a_credential_that_works() {
    let gone = || answer(404, parsed(fixture!("read-404")));
    let probe = next(&granted(), false, &[gone()]);
    assert!(address(&probe).starts_with("GET /api/now/table/sys_user?sysparm_query=user_name=stint.svc&"));
    let seen = answer(200, json!({"result": [{"sys_id": "3f7a1c9e5b2d48f0a6c4e81d7b93f211"}]}));
    assert_eq!(step(false, &[gone(), seen]), Err(TicketError::Absent));
    // An account without any rights is shown an empty list.
    let nobody = answer(200, json!({"result": []}));
    assert_eq!(step(false, &[gone(), nobody]).expect_err("an error").code(), "ticket-not-permitted");
    assert_eq!(step(false, &[gone(), answer(200, "{}")]).expect_err("an error").code(), "ticket-bad-answer");
}

#[test]
fn a_long_note_is_cut_before_its_marker() {
    let call = next(&note("r1:granted", &"ä".repeat(9_000), true), false, &[]);
    let Body::Json(body) = call.body else { panic!("no body") };
    let text = body["work_notes"].as_str().expect("a text");
    assert!(text.ends_with(" … [stint:r1:granted]") && text.chars().count() < MAX_TEXT + 30);
}
