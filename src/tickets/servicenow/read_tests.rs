use serde_json::json;

use super::{
    super::{
        super::{Step, TicketSystem},
        Settings,
        fixtures::{
            CATALOG_ITEM, CHANGE, ITEM, LENA, NINA, OMAR, REQUEST, TEMPLATE, address, answer, common, counted, fixture,
            mutants, ok, own, parameter, parsed, snow, with, with_own, without,
        },
    },
    *,
};
use crate::{
    domain::{approval::AccountKind, id::TicketId},
    outbound::{Answer, Call},
};

#[path = "round_tests.rs"]
mod asked_rounds;
#[path = "change_tests.rs"]
mod changes;

fn item_id() -> TicketId {
    TicketId::new(format!("sc_req_item/{ITEM}"))
}

fn change_id() -> TicketId {
    TicketId::new(format!("change_request/{CHANGE}"))
}

fn step(snow: &ServiceNow, id: &TicketId, answers: &[Answer]) -> Result<Step<Reading>, TicketError> {
    snow.read(id, answers)
}

fn next(snow: &ServiceNow, id: &TicketId, answers: &[Answer]) -> Call {
    match step(snow, id, answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn ticket_of(snow: &ServiceNow, id: &TicketId, answers: &[Answer]) -> Ticket {
    match step(snow, id, answers) {
        Ok(Step::Done(Reading::Found(ticket))) => *ticket,
        other => panic!("not a ticket: {other:?}"),
    }
}

fn item(answers: &[Answer]) -> Ticket {
    ticket_of(&snow(), &item_id(), answers)
}

fn change(answers: &[Answer]) -> Ticket {
    ticket_of(&snow(), &change_id(), answers)
}

fn error(answers: &[Answer]) -> &'static str {
    match step(&snow(), &item_id(), answers) {
        Err(error) => error.code(),
        other => panic!("not an error: {other:?}"),
    }
}

const FIXTURES: [&[u8]; 4] =
    [fixture!("read-item"), fixture!("read-approvers"), fixture!("read-variables"), fixture!("read-users")];

/// The answers of an ordinary reading: the item, its approvers, its variables, the people in it.
fn answers() -> [Answer; 4] {
    FIXTURES.map(ok)
}

/// The same, with one member of one answer replaced.
fn but(n: usize, pointer: &str, value: Value) -> [Answer; 4] {
    let mut all = answers();
    all[n] = answer(200, with(parsed(FIXTURES[n]), pointer, value));
    all
}

fn item_says(changes: &[(&str, &str)]) -> Ticket {
    let mut all = answers();
    let body = changes
        .iter()
        .fold(parsed(FIXTURES[0]), |body, (column, value)| with(body, &format!("/result/{column}"), json!(value)));
    all[0] = answer(200, body);
    item(&all)
}

/// A row of an approver: state, who, created, answered, by whom; the times on that morning.
fn row(n: u8, (state, who): (&str, &str), created: &str, (updated, by): (&str, &str)) -> Value {
    json!({
        "sys_id": format!("{n:032x}"), "state": state, "approver": who, "sysapproval": ITEM, "document_id": ITEM,
        "sys_created_on": format!("2026-11-03 {created}"), "sys_updated_on": format!("2026-11-03 {updated}"),
        "sys_updated_by": by,
    })
}

fn by_omar(n: u8, created: &str, updated: &str) -> Value {
    row(n, ("approved", OMAR), created, (updated, "omar.haddad"))
}

fn people_answer() -> Answer {
    let mut body = parsed(FIXTURES[3]);
    let mut lena = body["result"][1].clone();
    for (name, value) in [("sys_id", LENA), ("user_name", "lena.vogt"), ("name", "Lena Vogt")] {
        lena[name] = json!(value);
    }
    body["result"].as_array_mut().expect("rows").push(lena);
    answer(200, body)
}

/// A reading with these approvers' rows.
fn with_rows(rows: &[Value]) -> Vec<Answer> {
    let mut all = answers().to_vec();
    all[1] = answer(200, json!({"result": rows}));
    let asks_for_lena = rows.iter().any(|row| row["approver"] == LENA && row["state"] == "approved");
    all[3] = if asks_for_lena { people_answer() } else { ok(FIXTURES[3]) };
    let omar_approved = rows.iter().any(|row| row["approver"] == OMAR && row["state"] == "approved");
    if !omar_approved {
        let mut body = all[3].json().expect("JSON");
        body["result"].as_array_mut().expect("rows").retain(|user| user["sys_id"] != OMAR);
        all[3] = answer(200, body);
    }
    all
}

fn rounds(rows: &[Value]) -> Vec<(String, Outcome)> {
    item(&with_rows(rows)).approvals.into_iter().map(|a| (a.id.to_string(), a.outcome)).collect()
}

fn outcome(rows: &[Value]) -> Outcome {
    rounds(rows).last().expect("a round").1
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn an_item_is_read_with_its_approvers_its_variables_and_its_people() {
    let all = answers();
    let raw = "sysparm_display_value=false&sysparm_exclude_reference_link=true";
    let columns = "sys_id,number,approval,state,active,request,cat_item,requested_for,opened_by,sys_created_on";
    let calls: Vec<_> = (0..4).map(|n| address(&next(&snow(), &item_id(), &all[..n]))).collect();
    assert_eq!(calls[0], format!("GET /api/now/table/sc_req_item/{ITEM}?sysparm_fields={columns}&{raw}"));
    assert!(calls[1].starts_with(&format!(
        "GET /api/now/table/sysapproval_approver?sysparm_query=sysapproval={ITEM}^ORDERBYsys_created_on&"
    )));
    assert!(
        calls[2].starts_with(&format!("GET /api/now/table/sc_item_option_mtom?sysparm_query=request_item={ITEM}&"))
    );
    assert!(calls[3].starts_with(&format!("GET /api/now/table/sys_user?sysparm_query=sys_idIN{NINA},{OMAR}&")));
    let ticket = item(&all);
    assert_eq!((&ticket.id, ticket.number.as_str()), (&item_id(), "RITM0010042"));
    let url = format!("https://contoso.service-now.com/nav_to.do?uri=sc_req_item.do%3Fsys_id%3D{ITEM}");
    assert_eq!(ticket.url, Some(url));
    assert_eq!((ticket.in_scope, ticket.standing), (true, Standing::Approved));
    assert_eq!(ticket.entitlement, Field::Text("exchange-admin".into()));
    assert_eq!(ticket.principal, Field::Text("nina.keller@contoso.example".into()));
    assert_eq!(ticket.duration, Field::Text("PT4H".into()));
    assert_eq!((ticket.fields_changed_at, &ticket.window), (None, &Window::default()));
    assert_eq!(ticket.time_zone.as_deref(), Some("Europe/Berlin"));
    let nina = ticket.requester.expect("a requester");
    assert_eq!((nina.id.as_str(), nina.kind, nina.active), (NINA, AccountKind::Person, Some(true)));
    assert_eq!(ticket.creator, Some(nina));
}

#[test]
fn an_approval_carries_its_votes_and_its_times() {
    let ticket = item(&answers());
    let [approval] = ticket.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((approval.id.as_str(), approval.outcome), (&*format!("{ITEM}@2026-11-03T08:12:45Z"), Outcome::Approved));
    assert_eq!(approval.opened_at, time("2026-11-03T08:12:44Z"));
    assert_eq!(approval.decided_at, Some(time("2026-11-03T08:31:07Z")));
    let [omar, lena] = approval.votes.as_slice() else { panic!("two votes") };
    assert_eq!((omar.outcome, omar.decided_at), (Outcome::Approved, approval.decided_at));
    assert_eq!(omar.approver.as_ref().and_then(|a| a.name.as_deref()), Some("Omar Haddad"));
    assert_eq!((lena.outcome, lena.approver.as_ref().map(|a| a.id.as_str())), (Outcome::Unknown, Some(LENA)));
}

#[test]
fn references_are_read_in_each_of_their_shapes() {
    for shape in [json!({"value": NINA}), json!({"link": "https://x.example", "value": NINA})] {
        let ticket = item(&but(0, "/result/requested_for", shape));
        assert_eq!(ticket.requester.map(|a| a.id.to_string()), Some(NINA.to_owned()));
    }
}

#[test]
fn an_item_stands_by_approval_activity_and_state() {
    for state in ["-5", "1", "2"] {
        assert_eq!(item_says(&[("state", state)]).standing, Standing::Approved, "{state}");
    }
    for state in ["3", "4", "7"] {
        assert_eq!(item_says(&[("state", state)]).standing, Standing::Closed, "{state}");
    }
    for state in ["", "0", "5", "6", "02", "Work in Progress"] {
        assert_eq!(item_says(&[("state", state)]).standing, Standing::Open, "{state}");
    }
    for approval in ["requested", "not requested", "rejected", "skipped", "Approved", ""] {
        assert_eq!(item_says(&[("approval", approval)]).standing, Standing::Open, "{approval}");
    }
    assert_eq!(item_says(&[("approval", "cancelled")]).standing, Standing::Closed);
    assert_eq!(item_says(&[("active", "false")]).standing, Standing::Closed);
}

#[test]
fn what_the_ticket_says_holds_an_approved_round_back() {
    let outcome = |says: &str| item_says(&[("approval", says)]).approvals[0].outcome;
    assert_eq!(outcome("approved"), Outcome::Approved);
    for waiting in ["requested", "not requested", "skipped", "x"] {
        assert_eq!(outcome(waiting), Outcome::Pending, "{waiting}");
    }
    assert_eq!(outcome("rejected"), Outcome::Declined);
}

#[test]
fn only_configured_items_and_numbers_are_in_scope() {
    let only = |id: &str| with_own(|own| own.catalog_items = vec![id.to_owned()]);
    assert!(ticket_of(&only(CATALOG_ITEM), &item_id(), &answers()).in_scope);
    assert!(!ticket_of(&only(ITEM), &item_id(), &answers()).in_scope);
    let none = but(0, "/result/cat_item", json!(""));
    assert!(!ticket_of(&only(CATALOG_ITEM), &item_id(), &none).in_scope);
    for number in ["REQ0010042", "CHG0010042", "INC0010042"] {
        assert!(!item_says(&[("number", number)]).in_scope, "{number}");
    }
}

#[test]
fn whatever_was_asked_for_and_is_not_there_is_hidden() {
    let snow = snow();
    let columns = item::columns(&snow).into_iter().map(|column| (0, format!("/result/{column}")));
    let rows = [
        "sys_id",
        "state",
        "approver",
        "sysapproval",
        "document_id",
        "sys_created_on",
        "sys_updated_on",
        "sys_updated_by",
    ];
    let rows = rows.into_iter().map(|column| (1, format!("/result/0/{column}")));
    let variables = ["request_item", "sc_item_option.item_option_new.name", "sc_item_option.sys_updated_on"];
    let variables = variables.into_iter().map(|column| (2, format!("/result/0/{column}")));
    for (n, pointer) in columns.chain(rows).chain(variables) {
        let mut all = answers();
        all[n] = answer(200, without(parsed(FIXTURES[n]), &pointer));
        assert_eq!(error(&all), "ticket-not-permitted", "{pointer}");
    }
}

#[test]
fn another_ticket_and_rows_about_others_are_refused() {
    assert_eq!(error(&but(0, "/result/sys_id", json!(CHANGE))), "ticket-bad-answer");
    assert_eq!(error(&but(0, "/result", json!([]))), "ticket-bad-answer");
    assert_eq!(error(&but(0, "/result/number", json!("ITSEC-482"))), "ticket-bad-answer");
    let mut stray = answers();
    let body = with(parsed(FIXTURES[1]), "/result/1/sysapproval", json!(CHANGE));
    stray[1] = answer(200, with(body, "/result/1/document_id", json!(CHANGE)));
    assert_eq!(error(&stray), "ticket-bad-answer");
    assert_eq!(error(&but(2, "/result/3/request_item", json!(CHANGE))), "ticket-bad-answer");
    assert_eq!(error(&but(3, "/result/1/sys_id", json!(LENA))), "ticket-bad-answer");
    assert!(snow().read(&TicketId::new("10482"), &[]).is_err());
    assert!(snow().read(&TicketId::new(format!("incident/{ITEM}")), &[]).is_err());
}

#[test]
fn an_error_with_status_200_is_an_error_wherever_it_comes() {
    for n in 0..4 {
        let mut all = answers();
        all[n] = answer(200, with(parsed(FIXTURES[n]), "/error", json!({"message": "Transaction cancelled"})));
        assert_eq!(error(&all), "ticket-call-refused", "{n}");
    }
}

#[test]
fn a_missing_ticket_is_absent_only_for_a_credential_that_works() {
    let gone = || answer(404, parsed(fixture!("read-404")));
    let probe = next(&snow(), &item_id(), &[gone()]);
    assert_eq!(parameter(&probe, "sysparm_query"), "user_name=stint.svc");
    let seen = answer(200, json!({"result": [{"sys_id": NINA}]}));
    assert_eq!(step(&snow(), &item_id(), &[gone(), seen]), Ok(Step::Done(Reading::Absent)));
    assert_eq!(error(&[gone(), gone()]), "ticket-bad-answer");
    let mut nameless = common("https://contoso.service-now.com");
    nameless.account = None;
    let probe = next(&ServiceNow::new(&nameless, own()), &item_id(), &[gone()]);
    assert_eq!((parameter(&probe, "sysparm_query"), parameter(&probe, "sysparm_limit")), ("", "1"));
}

#[test]
fn without_approvers_of_its_own_an_item_takes_those_of_its_request() {
    let none = || answer(200, json!({"result": []}));
    let [first, _, variables, users] = answers();
    let call = next(&snow(), &item_id(), &[first.clone(), none()]);
    assert!(parameter(&call, "sysparm_query").starts_with(&format!("sysapproval={REQUEST}^")));
    let mut parent = by_omar(1, "08:12:44", "08:31:07");
    parent["sysapproval"] = json!(REQUEST);
    parent["document_id"] = json!("");
    let rows = answer(200, json!({"result": [parent]}));
    let ticket = item(&[first.clone(), none(), rows, variables.clone(), users.clone()]);
    assert_eq!(ticket.approvals[0].id.as_str(), format!("{REQUEST}@2026-11-03T08:12:44Z"));
    let alone = with_own(|own| own.parent_request_approval = false);
    assert_eq!(ticket_of(&alone, &item_id(), &[first, none(), variables, users_of_nina()]).approvals, []);
}

fn users_of_nina() -> Answer {
    answer(200, json!({"result": [parsed(FIXTURES[3])["result"][0]]}))
}

fn unasked(change: fn(&mut Settings), item_body: Value) -> Ticket {
    let none = || answer(200, json!({"result": []}));
    let all = [answer(200, item_body), none(), none(), ok(FIXTURES[2]), users_of_nina()];
    ticket_of(&with_own(change), &item_id(), &all)
}

#[test]
fn a_ticket_nobody_was_asked_about_is_approved_only_where_the_connection_opted_in() {
    let body = with(parsed(FIXTURES[0]), "/result/approval_set", json!("2026-11-03 08:13:00"));
    assert_eq!(unasked(|_| (), body.clone()).approvals, []);
    let opted = unasked(|own| own.allow_without_approver = true, body.clone());
    let [approval] = opted.approvals.as_slice() else { panic!("one approval") };
    assert!(approval.without_approver && approval.votes.is_empty() && approval.outcome == Outcome::Approved);
    assert_eq!(approval.id.as_str(), format!("{ITEM}@without-approver"));
    assert_eq!(approval.decided_at, Some(time("2026-11-03T08:13:00Z")));
    let undated =
        unasked(|own| own.allow_without_approver = true, with(body.clone(), "/result/approval_set", json!("")));
    assert_eq!(undated.approvals[0].decided_at, Some(time("2026-11-03T08:12:40Z")));
    let open = with(body.clone(), "/result/approval", json!("requested"));
    assert_eq!(unasked(|own| own.allow_without_approver = true, open).approvals, []);
    let refused = unasked(|_| (), with(body, "/result/approval", json!("rejected")));
    assert_eq!(refused.approvals[0].outcome, Outcome::Declined);
}

#[test]
fn a_variable_that_is_not_there_is_hidden_and_one_that_is_there_twice_unreadable() {
    let read = |pointer: &str, value: &str| item(&but(2, pointer, json!(value)));
    let renamed = read("/result/1/sc_item_option.item_option_new.name", "someone");
    assert_eq!(renamed.principal, Field::Hidden);
    let doubled = read("/result/3/sc_item_option.item_option_new.name", "duration");
    assert_eq!(doubled.duration, Field::Unreadable);
    assert_eq!(read("/result/2/sc_item_option.value", "********").duration, Field::Unreadable);
    assert_eq!(read("/result/2/sc_item_option.value", " ").duration, Field::Empty);
    let mut all = answers();
    all[2] = answer(200, without(parsed(FIXTURES[2]), "/result/2/sc_item_option.value"));
    assert_eq!(item(&all).duration, Field::Hidden);
}

#[test]
fn an_edit_of_a_mapped_variable_is_dated_to_the_end_of_its_second() {
    let edited = |n: u8, at: &str| {
        item(&but(2, &format!("/result/{n}/sc_item_option.sys_updated_on"), json!(at))).fields_changed_at
    };
    assert_eq!(edited(0, "2026-11-03 08:40:00"), Some(time("2026-11-03T08:40:00.999Z")));
    assert_eq!(edited(3, "2026-11-03 08:40:00"), None, "a variable that is not mapped");
    assert_eq!(edited(0, "2026-11-03 08:12:40"), None, "as ordered");
    assert_eq!(error(&but(2, "/result/0/sc_item_option.sys_updated_on", json!(""))), "ticket-bad-answer");
}

#[test]
fn a_window_of_an_item_comes_from_its_variables() {
    let mut settings = common("https://contoso.service-now.com");
    settings.fields.window_start = Some("starts".into());
    settings.fields.window_end = Some("reason".into());
    let snow = ServiceNow::new(&settings, own());
    let read = |end: &str| {
        let body = with(parsed(FIXTURES[2]), "/result/3/sc_item_option.value", json!(end));
        let mut all = answers();
        all[2] = answer(200, with(body, "/result/4/sc_item_option.item_option_new.name", json!("starts")));
        ticket_of(&snow, &item_id(), &all).window
    };
    let end = Some(time("2026-11-03T22:00:00Z"));
    assert_eq!(read("2026-11-03 22:00:00"), Window { end, ..Window::default() });
    assert_eq!(read(""), Window::default());
    assert_eq!(read("tonight"), Window { unknown: Some(Field::Unreadable), ..Window::default() });
    settings.fields.window_start = Some("nowhere".into());
    settings.fields.window_end = None;
    let hidden = ticket_of(&ServiceNow::new(&settings, own()), &item_id(), &answers()).window;
    assert_eq!(hidden.unknown, Some(Field::Hidden));
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_read_another_ticket() {
    let all = answers();
    for (n, fixture) in FIXTURES.into_iter().enumerate() {
        for mutant in mutants(&parsed(fixture)) {
            let mut answers = all.clone();
            answers[n] = answer(200, mutant);
            if let Ok(Step::Done(Reading::Found(ticket))) = step(&snow(), &item_id(), &answers) {
                assert_eq!(ticket.id, item_id());
            }
        }
    }
    let all = changes::change_answers();
    for (n, fixture) in [fixture!("read-change"), fixture!("read-change-approvers")].into_iter().enumerate() {
        for mutant in mutants(&parsed(fixture)) {
            let mut answers = all.clone();
            answers[n] = answer(200, mutant);
            if let Ok(Step::Done(Reading::Found(ticket))) = step(&snow(), &change_id(), &answers) {
                assert_eq!(ticket.id, change_id());
            }
        }
    }
}
