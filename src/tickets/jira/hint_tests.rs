#![expect(clippy::unnecessary_wraps, reason = "cases in one table have one type")]

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        fixtures::{
            bearer_delivery, data_center, delivery, fixture, jira, mutants, named_delivery, parsed, with, without,
        },
    },
    *,
};

fn hear_in(mode: ApprovalMode, body: &[u8]) -> Result<Heard, NotHeard> {
    jira(mode).hear(&delivery(body))
}

fn hear(body: &[u8]) -> Result<Heard, NotHeard> {
    hear_in(ApprovalMode::Jsm, body)
}

fn hear_value(body: &Value) -> Result<Heard, NotHeard> {
    hear(body.to_string().as_bytes())
}

fn hint(number: &str, event: HintEvent, approval: Option<&str>) -> Result<Heard, NotHeard> {
    Ok(Heard::Hint(Hint {
        told: None,
        ticket: TicketId::new("10482"),
        number: TicketNumber::new(number),
        event,
        approval: approval.map(ApprovalId::new),
    }))
}

fn approved(approval: Option<&str>) -> Result<Heard, NotHeard> {
    hint("ITSEC-482", HintEvent::Approved, approval)
}

fn changed(approval: Option<&str>) -> Result<Heard, NotHeard> {
    hint("ITSEC-482", HintEvent::Changed, approval)
}

fn ignored(why: &str) -> Result<Heard, NotHeard> {
    Ok(Heard::Ignored(why.into()))
}

#[test]
fn a_change_into_an_approved_status_is_heard_with_its_approval() {
    assert_eq!(hear(fixture!("hook-approved")), approved(Some("37")));
}

#[test]
fn without_service_management_the_change_itself_is_the_approval() {
    assert_eq!(hear_in(ApprovalMode::StatusTransition, fixture!("hook-approved")), approved(Some("48213")));
    assert_eq!(hear_in(ApprovalMode::StatusTransition, fixture!("hook-edited")), changed(None));
}

#[test]
fn every_other_change_of_an_issue_is_only_a_change() {
    assert_eq!(hear(fixture!("hook-canceled")), changed(Some("37")));
    assert_eq!(hear(fixture!("hook-edited")), changed(Some("37")));
    assert_eq!(hear(fixture!("hook-deleted")), changed(Some("37")));
    assert_eq!(hear(fixture!("hook-reopened")), changed(Some("38")), "the newer of two rounds");
}

#[test]
fn an_issue_created_in_an_approved_status_is_not_an_approval() {
    assert_eq!(hear(fixture!("hook-created-approved")), changed(None));
}

#[test]
fn a_status_is_told_by_the_field_id_else_by_the_name_in_any_case() {
    let body = parsed(fixture!("hook-approved"));
    let item = |item: Value| with(body.clone(), "/changelog/items/0", item);
    assert_eq!(hear_value(&item(json!({"field": "Status", "to": "10016"}))), approved(Some("37")));
    assert_eq!(
        hear_value(&item(json!({"field": "Zustand", "fieldId": "status", "to": "10016"}))),
        approved(Some("37"))
    );
    assert_eq!(
        hear_value(&item(json!({"field": "status", "fieldId": "customfield_1", "to": "10016"}))),
        changed(Some("37"))
    );
    assert_eq!(
        hear_value(&item(json!({"fieldId": "status", "to": "10017", "toString": "Approved"}))),
        changed(Some("37"))
    );
    assert_eq!(hear_value(&item(json!({"fieldId": "status", "to": null}))), changed(Some("37")));
}

#[test]
fn an_issue_moved_away_is_heard_of_because_a_request_may_rest_on_it() {
    assert_eq!(hear(fixture!("hook-moved")), hint("ARCH-91", HintEvent::Changed, Some("37")));
    let never_ours = with(parsed(fixture!("hook-moved")), "/changelog/items/1/fromString", json!("OPS-3"));
    assert_eq!(hear_value(&never_ours), ignored("ARCH-91 is not for this connection"));
}

#[test]
fn comments_and_foreign_events_are_ignored() {
    assert_eq!(hear(fixture!("hook-comment")), ignored("the event comment_created"));
    let body = parsed(fixture!("hook-approved"));
    for event in ["issue_property_set", "jira:version_released", "", "sprint_started"] {
        assert_eq!(
            hear_value(&with(body.clone(), "/webhookEvent", json!(event))),
            ignored(&format!("the event {event}"))
        );
    }
    let commented = with(without(body, "/changelog"), "/issue_event_type_name", json!("issue_commented"));
    assert_eq!(hear_value(&commented), ignored("a comment"));
    let odd = format!("x\u{202e}\n{}", "y".repeat(500));
    let Ok(Heard::Ignored(why)) = hear_value(&json!({"webhookEvent": odd})) else { panic!("not ignored") };
    assert!(why.is_ascii() && why.len() < 80 && !why.contains('\n'), "{why:?}");
}

#[test]
fn custom_data_of_an_automation_rule_is_heard() {
    let body = parsed(fixture!("automation-custom"));
    assert_eq!(hear_value(&body), approved(Some("37")));
    assert_eq!(hear_value(&without(body.clone(), "/approval")), approved(None));
    assert_eq!(hear_value(&with(body.clone(), "/issue/id", json!(10482))), approved(Some("37")));
    assert_eq!(hear_value(&with(body.clone(), "/event", json!("approval.declined"))), changed(Some("37")));
    assert_eq!(
        hear_value(&with(body.clone(), "/schema", json!("stint.approval.v2"))),
        ignored("the schema stint.approval.v2")
    );
    assert!(matches!(hear_value(&without(body, "/event")), Err(NotHeard::Malformed(_))));
}

#[test]
fn the_bare_issue_of_an_automation_rule_is_judged_by_its_status() {
    let body = parsed(fixture!("automation-issue"));
    assert_eq!(hear_value(&body), approved(Some("37")));
    assert_eq!(hear_value(&with(body.clone(), "/fields/status/id", json!(10013))), changed(Some("37")));
    assert_eq!(hear_value(&without(body.clone(), "/fields/status")), changed(Some("37")));
    assert_eq!(hear_value(&without(body.clone(), "/fields")), changed(None));
    assert_eq!(hear_value(&json!({"timestamp": 1, "issue": body, "action": "x"})), approved(Some("37")));
}

#[test]
fn a_well_formed_number_of_another_project_is_ignored() {
    let body = parsed(fixture!("hook-approved"));
    for key in ["OPS-482", "ITSEC2-1", "ITSE-482"] {
        let why = format!("{key} is not for this connection");
        assert_eq!(hear_value(&with(body.clone(), "/issue/key", json!(key))), ignored(&why));
    }
}

#[test]
fn a_number_outside_the_pattern_is_ignored_even_in_an_own_project() {
    let mut jira = jira(ApprovalMode::Jsm);
    jira.pattern = regex::Regex::new("^ITSEC-9[0-9]*$").expect("a pattern");
    assert_eq!(jira.hear(&delivery(fixture!("hook-approved"))), ignored("ITSEC-482 is not for this connection"));
}

#[test]
fn what_is_no_number_of_jira_is_not_a_ticket() {
    let body = parsed(fixture!("hook-approved"));
    for key in
        [json!("RITM0010588"), json!("itsec-482"), json!("ІTSEC-482"), json!("ITSEC-482 "), json!(482), json!(null)]
    {
        let heard = hear_value(&with(body.clone(), "/issue/key", key.clone()));
        assert!(matches!(heard, Err(NotHeard::NotATicket(_))), "{key}: {heard:?}");
    }
    for id in [json!("../10482"), json!("010482"), json!("ITSEC-482"), json!(-1), json!([10482]), json!(null)] {
        let heard = hear_value(&with(body.clone(), "/issue/id", id.clone()));
        assert!(matches!(heard, Err(NotHeard::NotATicket(_))), "{id}: {heard:?}");
    }
    assert!(matches!(hear_value(&without(body, "/issue")), Err(NotHeard::NotATicket(_))));
    assert!(matches!(hear_value(&json!({})), Err(NotHeard::NotATicket(_))));
}

#[test]
fn what_is_no_json_object_is_malformed() {
    for body in [
        "",
        "approved",
        "[]",
        "null",
        "\"x\"",
        r#"{"a":1,"a":2}"#,
        r#"{"webhookEvent":["jira:issue_updated"]}"#,
        "{\"a\":\"\\u0000\"}",
        "\u{feff}{}",
    ] {
        assert!(matches!(hear(body.as_bytes()), Err(NotHeard::Malformed(_))), "{body:?}");
    }
}

#[test]
fn the_newest_round_goes_by_date_then_by_number() {
    let round =
        |id: Value, millis: i64| json!({"id": id, "finalDecision": "approved", "createdDate": {"epochMillis": millis}});
    let of = |rounds: Value| {
        let body = with(parsed(fixture!("hook-approved")), "/issue/fields/customfield_10026", rounds);
        hear_value(&body)
    };
    assert_eq!(of(json!([round(json!("9"), 5), round(json!("10"), 5), round(json!("11"), 4)])), approved(Some("10")));
    assert_eq!(of(json!([round(json!(12), 6), round(json!("10"), 5)])), approved(Some("12")));
    assert_eq!(of(json!([round(json!("x"), 9), {"id": "13", "finalDecision": "approved"}, 7, null])), approved(None));
}

#[test]
fn a_delivery_is_known_again_by_its_identifier_else_by_its_bytes() {
    let key = |body: &[u8]| delivery(body).delivery_key();
    assert_eq!(key(b"{}"), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_ne!(key(b"{ }"), key(b"{}"));
    let named = named_delivery(b"{}", "5f1d6b0e-7d1b");
    assert_eq!(named.delivery_key(), "id:5f1d6b0e-7d1b");
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_name_a_strange_ticket() {
    for body in
        [fixture!("hook-approved"), fixture!("hook-moved"), fixture!("automation-custom"), fixture!("automation-issue")]
    {
        for mutant in mutants(&parsed(body)) {
            for mode in [ApprovalMode::Jsm, ApprovalMode::StatusTransition] {
                if let Ok(Heard::Hint(hint)) = hear_in(mode, mutant.to_string().as_bytes()) {
                    assert!(shape::project_of(hint.number.as_str()).is_some(), "{hint:?}");
                    assert!(hint.ticket.as_str().bytes().all(|b| b.is_ascii_digit()), "{hint:?}");
                }
            }
        }
    }
}

#[test]
fn a_change_among_approved_statuses_approves_nothing_anew() {
    let body = parsed(fixture!("hook-approved"));
    let item = json!({"fieldId": "status", "from": "10018", "to": "10016"});
    assert_eq!(hear_value(&with(body, "/changelog/items/0", item)), changed(Some("37")));
}

#[test]
fn what_withdraws_a_ticket_is_heard_of_without_the_kind_of_event() {
    for fixture in [fixture!("hook-deleted"), fixture!("hook-canceled"), fixture!("hook-reopened")] {
        for kind in [json!(null), json!("issue_generic"), json!("issue_reopened"), json!("issue_closed"), json!(7)] {
            let heard = hear_value(&with(parsed(fixture), "/issue_event_type_name", kind));
            assert!(matches!(&heard, Ok(Heard::Hint(hint)) if hint.event == HintEvent::Changed), "{heard:?}");
        }
    }
}

#[test]
fn a_comment_that_comes_with_a_change_is_a_change() {
    let commented = with(parsed(fixture!("hook-canceled")), "/issue_event_type_name", json!("issue_commented"));
    assert_eq!(hear_value(&with(commented, "/comment", json!({"id": "1"}))), changed(Some("37")));
}

#[test]
fn our_own_notes_start_nothing() {
    assert_eq!(hear(fixture!("hook-comment")), ignored("the event comment_created"));
    let noted = parsed(fixture!("dc-hook-commented"));
    assert_eq!(hear_value(&noted), ignored("a comment"));
    assert_eq!(hear_value(&without(noted, "/issue_event_type_name")), ignored("a comment"), "of a very old server");
    assert_eq!(hear_value(&json!({"webhookEvent": "issue_property_set"})), ignored("the event issue_property_set"));
}

#[test]
fn automation_is_heard_under_a_bearer_token() {
    for (body, approval) in [(fixture!("automation-custom"), Some("37")), (fixture!("automation-issue"), Some("37"))] {
        let delivery = bearer_delivery(body);
        assert_eq!(jira(ApprovalMode::Jsm).hear(&delivery), approved(approval));
        assert_eq!(jira(ApprovalMode::StatusTransition).hear(&delivery), approved(None), "no change is named");
        assert!(delivery.delivery_key().starts_with("sha256:"));
    }
}

#[test]
fn custom_data_of_any_other_event_is_only_a_change() {
    let body = parsed(fixture!("automation-custom"));
    for event in ["approval.declined", "ticket.cancelled", "Approval.Approved", ""] {
        assert_eq!(hear_value(&with(body.clone(), "/event", json!(event))), changed(Some("37")));
    }
    for issue in [json!(null), json!({}), json!({"id": "10482"}), json!({"key": "ITSEC-482"}), json!("ITSEC-482")] {
        let heard = hear_value(&with(body.clone(), "/issue", issue));
        assert!(matches!(heard, Err(NotHeard::NotATicket(_))), "{heard:?}");
    }
    let elsewhere = with(body, "/site", json!("https://evil.example"));
    assert_eq!(hear_value(&elsewhere), approved(Some("37")), "the configured site is read, whatever is named");
}

#[test]
fn an_issue_of_automation_may_have_numbers_for_ids_and_no_histories() {
    let body = parsed(fixture!("automation-issue"));
    let history = json!({"startAt": 0, "maxResults": 1, "total": 1, "histories": [{"id": 1, "items": []}]});
    for changed in [
        with(body.clone(), "/changelog", history),
        with(body.clone(), "/fields/updated", json!(1_793_694_668_114_i64)),
        with(body.clone(), "/id", json!("10482")),
        without(body, "/changelog"),
    ] {
        assert_eq!(hear_value(&changed), approved(Some("37")));
    }
}

mod at_the_data_center {
    use super::*;

    fn hear(mode: ApprovalMode, body: &Value) -> Result<Heard, NotHeard> {
        data_center(mode).hear(&delivery(body.to_string().as_bytes()))
    }

    fn hint(number: &str, event: HintEvent, approval: Option<&str>) -> Result<Heard, NotHeard> {
        let Ok(Heard::Hint(hint)) = super::hint(number, event, approval) else { panic!("a hint") };
        Ok(Heard::Hint(Hint { ticket: TicketId::new("30211"), ..hint }))
    }

    #[test]
    fn a_change_into_an_approved_status_is_told_by_the_fields_name() {
        let body = parsed(fixture!("dc-hook-approved"));
        assert_eq!(hear(ApprovalMode::Jsm, &body), hint("ITSEC-77", HintEvent::Approved, None));
        let transition = hint("ITSEC-77", HintEvent::Approved, Some("91822"));
        assert_eq!(hear(ApprovalMode::StatusTransition, &body), transition);
        let old = without(body, "/issue_event_type_name");
        assert_eq!(hear(ApprovalMode::StatusTransition, &old), transition);
    }

    #[test]
    fn deletion_and_a_move_are_heard_of() {
        let deleted = hear(ApprovalMode::Jsm, &parsed(fixture!("dc-hook-deleted")));
        assert_eq!(deleted, hint("ITSEC-77", HintEvent::Changed, None));
        let moved = hear(ApprovalMode::StatusTransition, &parsed(fixture!("dc-hook-moved")));
        assert_eq!(moved, hint("ARCH-9", HintEvent::Changed, None));
    }

    #[test]
    fn a_delivery_is_known_again_by_its_bytes() {
        let key = |body: &[u8]| delivery(body).delivery_key();
        let body = fixture!("dc-hook-approved");
        assert!(key(body).starts_with("sha256:"));
        assert_eq!(key(body), key(body));
        assert_ne!(key(body), key(fixture!("dc-hook-deleted")));
    }

    #[test]
    fn no_change_of_any_member_makes_the_reader_panic_or_name_a_strange_ticket() {
        for mutant in mutants(&parsed(fixture!("dc-hook-moved"))) {
            if let Ok(Heard::Hint(hint)) = hear(ApprovalMode::StatusTransition, &mutant) {
                assert!(shape::project_of(hint.number.as_str()).is_some(), "{hint:?}");
                assert!(hint.ticket.as_str().bytes().all(|b| b.is_ascii_digit()), "{hint:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(at in 0_usize..3600, new in any::<u8>(), cut in 0_usize..3600) {
        let mut body = fixture!("hook-approved").to_vec();
        let at = at % body.len();
        body[at] = new;
        let _ = hear(&body);
        body.truncate(cut);
        let _ = hear(&body);
    }
}
