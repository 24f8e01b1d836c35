use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    super::{
        super::{Step, TicketSystem},
        fixtures::{
            CATALOG_ITEM, CHANGE, ITEM, address, answer, counted, fixture, ok, parameter, parsed, snow, with, with_own,
        },
    },
    *,
};
use crate::outbound::{Answer, Call};

fn window() -> Lookback {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(9);
    Lookback { since: now - SignedDuration::from_secs(14 * 60 + 1), now }
}

fn next(snow: &ServiceNow, answers: &[Answer]) -> Call {
    match snow.changed(&window(), answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn found(answers: &[Answer]) -> Vec<(String, String)> {
    match snow().changed(&window(), answers) {
        Ok(Step::Done(found)) => found.into_iter().map(|l| (l.ticket.to_string(), l.number.to_string())).collect(),
        other => panic!("no list: {other:?}"),
    }
}

fn items() -> Answer {
    ok(fixture!("search-items"))
}

fn none() -> Answer {
    answer(200, json!({"result": []}))
}

#[test]
fn approved_items_and_changes_that_changed_lately_are_listed() {
    let recent = "sys_updated_on>=javascript:gs.minutesAgoStart(15)^ORDERBYsys_updated_on";
    let first = next(&snow(), &[]);
    let query = format!("approval=approved^active=true^{recent}");
    assert_eq!((first.path.as_str(), parameter(&first, "sysparm_query")), ("/api/now/table/sc_req_item", &*query));
    let second = next(&snow(), &[items()]);
    let query = format!("approval=approved^active=true^typeINnormal^{recent}");
    assert_eq!((second.path.as_str(), parameter(&second, "sysparm_query")), ("/api/now/table/change_request", &*query));
    let both = [
        (format!("sc_req_item/{ITEM}"), "RITM0010042".to_owned()),
        (format!("change_request/{CHANGE}"), "CHG0030042".to_owned()),
    ];
    assert_eq!(found(&[items(), ok(fixture!("search-changes"))]), both);
}

#[test]
fn only_configured_items_and_types_are_asked_for() {
    let some = with_own(|own| own.catalog_items = vec![CATALOG_ITEM.into()]);
    assert!(address(&next(&some, &[])).contains(&format!("^cat_itemIN{CATALOG_ITEM}^")));
    let no_changes = with_own(|own| own.change_types.clear());
    assert!(matches!(no_changes.changed(&window(), &[items()]), Ok(Step::Done(_))));
}

#[test]
fn an_empty_page_is_not_the_end_of_a_list() {
    let hidden = || counted(json!({"result": []}), 401);
    assert_eq!(parameter(&next(&snow(), &[hidden()]), "sysparm_offset"), "200");
    assert_eq!(parameter(&next(&snow(), &[hidden(), hidden()]), "sysparm_offset"), "400");
    let last = counted(parsed(fixture!("search-items")), 401);
    assert_eq!(found(&[hidden(), hidden(), last, none()]).len(), 1);
}

#[test]
fn without_a_count_the_link_tells_whether_there_is_more() {
    let mut first = items();
    first.headers.remove("x-total-count");
    first.headers.insert("link", "<https://contoso.service-now.com/x>;rel=\"next\"".parse().expect("a header"));
    assert_eq!(parameter(&next(&snow(), &[first.clone()]), "sysparm_offset"), "200");
    first.headers.insert("x-total-count", "many".parse().expect("a header"));
    assert!(snow().changed(&window(), &[first]).is_err());
}

#[test]
fn tickets_outside_the_pattern_are_passed_over_and_unrelated_rows_are_an_error() {
    let list = parsed(fixture!("search-items"));
    let incident = with(list.clone(), "/result/0/number", json!("INC0010042"));
    assert_eq!(found(&[answer(200, incident), none()]), []);
    for (place, value) in [("approval", json!("requested")), ("sys_id", json!("x")), ("number", json!(4))] {
        let list = with(list.clone(), &format!("/result/0/{place}"), value);
        assert!(snow().changed(&window(), &[answer(200, list)]).is_err(), "{place}");
    }
    assert!(snow().changed(&window(), &[answer(200, json!({"result": [{}]}))]).is_err());
    assert!(snow().changed(&window(), &[answer(404, parsed(fixture!("read-404")))]).is_err());
}

#[test]
fn an_error_in_an_answer_of_success_is_an_error() {
    let cut = json!({"result": [], "error": {"message": "Transaction cancelled"}, "status": "failure"});
    let error = snow().changed(&window(), &[answer(200, cut)]).expect_err("an error");
    assert_eq!(error.code(), "ticket-call-refused");
}
