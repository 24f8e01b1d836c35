#![expect(clippy::unnecessary_wraps, reason = "cases in one table have one type")]

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        fixtures::{CHANGE, ITEM, delivery, fixture, mutants, parsed, signed_delivery, snow, with, without},
    },
    *,
};

fn hear(body: &[u8]) -> Result<Heard, NotHeard> {
    snow().hear(&delivery(body))
}

fn hear_value(body: &Value) -> Result<Heard, NotHeard> {
    hear(body.to_string().as_bytes())
}

fn hint(table: Table, sys_id: &str, number: &str, event: HintEvent) -> Result<Heard, NotHeard> {
    let ticket = Place::new(table, sys_id).expect("a place").ticket();
    Ok(Heard::Hint(Hint { ticket, number: TicketNumber::new(number), event, approval: None, told: None }))
}

fn item(event: HintEvent) -> Result<Heard, NotHeard> {
    hint(Table::Item, ITEM, "RITM0010042", event)
}

fn is_no_ticket(body: &Value) -> bool {
    matches!(hear_value(body), Err(NotHeard::NotATicket(_)))
}

#[test]
fn an_approved_ticket_is_heard_with_its_table() {
    assert_eq!(hear(fixture!("hook-item-approved")), item(HintEvent::Approved));
    let change = hint(Table::Change, CHANGE, "CHG0030042", HintEvent::Approved);
    assert_eq!(hear(fixture!("hook-change-approved")), change);
}

#[test]
fn an_approvers_record_points_at_its_ticket() {
    assert_eq!(hear(fixture!("hook-approver")), item(HintEvent::Approved));
    let body = parsed(fixture!("hook-approver"));
    assert_eq!(hear_value(&with(body.clone(), "/event", json!("approver.rejected"))), item(HintEvent::Changed));
    let old = with(with(body.clone(), "/source_table", json!("")), "/document_id", json!(""));
    assert_eq!(hear_value(&old), item(HintEvent::Approved), "told by the task alone");
    assert!(is_no_ticket(&with(body, "/document_id", json!(CHANGE))), "two tickets in one");
}

#[test]
fn an_approvers_record_of_a_whole_request_is_ignored() {
    let body = with(parsed(fixture!("hook-approver")), "/source_table", json!("sc_request"));
    let body = with(body, "/sysapproval/number", json!("REQ0010007"));
    assert_eq!(hear_value(&body), Ok(Heard::Ignored("REQ0010007 is not for this connection".into())));
}

#[test]
fn every_other_event_of_a_ticket_is_only_a_change() {
    let body = parsed(fixture!("hook-item-approved"));
    for event in
        ["approval.rejected", "request.cancelled", "request.updated", "approver.approved", "", "APPROVAL.APPROVED"]
    {
        assert_eq!(hear_value(&with(body.clone(), "/event", json!(event))), item(HintEvent::Changed), "{event}");
    }
    assert_eq!(hear_value(&without(body, "/event")), item(HintEvent::Changed));
}

#[test]
fn a_flat_body_of_display_values_is_heard_by_number_and_sys_id() {
    assert_eq!(hear(fixture!("hook-display")), item(HintEvent::Approved));
    let body = parsed(fixture!("hook-display"));
    for word in ["Genehmigt", "Rejected", "Not Yet Requested"] {
        assert_eq!(hear_value(&with(body.clone(), "/approval", json!(word))), item(HintEvent::Changed), "{word}");
    }
}

#[test]
fn a_number_of_this_system_that_is_not_for_us_is_ignored_and_any_other_is_no_ticket() {
    let body = parsed(fixture!("hook-display"));
    let number = |number: &str| with(body.clone(), "/number", json!(number));
    for other in ["INC0010001", "SCTASK0010001", "CTASK0010001", "PRB0040001", "TASK0000001", "REQ0010402"] {
        assert_eq!(hear_value(&number(other)), Ok(Heard::Ignored(format!("{other} is not for this connection"))));
    }
    for other in
        ["ITSEC-482", "RITM001", "RITM0010042 ", "ritm0010042", "RITM00100421234567", "", "RITM\u{0661}0010042"]
    {
        assert!(is_no_ticket(&number(other)), "{other:?}");
    }
}

#[test]
fn a_ticket_needs_a_sys_id_and_the_table_of_its_number() {
    let body = parsed(fixture!("hook-item-approved"));
    for id in [json!(""), json!("4D7E90B2C5F681ACE40628394B5C6D7E"), json!("x^ORnumber=1"), json!(4), json!(null)] {
        assert!(is_no_ticket(&with(body.clone(), "/sys_id", id.clone())), "{id}");
    }
    for table in ["change_request", "incident", "task"] {
        assert!(is_no_ticket(&with(body.clone(), "/table", json!(table))), "{table}");
    }
}

#[test]
fn another_schema_is_ignored_and_what_is_no_object_malformed() {
    let body = with(parsed(fixture!("hook-item-approved")), "/schema", json!("stint.servicenow.v2"));
    assert_eq!(hear_value(&body), Ok(Heard::Ignored("the schema stint.servicenow.v2".into())));
    for body in ["", "[]", "\"RITM0010042\"", "{\"number\":1,\"number\":2}", "<html>"] {
        assert!(matches!(hear(body.as_bytes()), Err(NotHeard::Malformed(_))), "{body}");
    }
}

#[test]
fn a_repeat_is_told_by_the_senders_id_else_by_its_bytes() {
    let signed = signed_delivery(fixture!("hook-item-approved"), "evt-1");
    assert_eq!(signed.delivery_key(), "id:evt-1");
    assert_eq!(snow().hear(&signed), item(HintEvent::Approved));
    let body = delivery(fixture!("hook-display"));
    assert_eq!(body.delivery_key(), format!("sha256:{}", body.sha256()));
}

#[test]
fn no_change_of_any_member_makes_the_hearing_panic_or_name_another_ticket() {
    for body in [fixture!("hook-item-approved"), fixture!("hook-approver"), fixture!("hook-display")] {
        for mutant in mutants(&parsed(body)) {
            if let Ok(Heard::Hint(hint)) = hear_value(&mutant) {
                assert_eq!(hint.ticket.as_str(), format!("sc_req_item/{ITEM}"));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_hearing_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = hear(&bytes);
    }
}
