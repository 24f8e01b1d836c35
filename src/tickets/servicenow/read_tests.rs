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
    assert_eq!((approval.id.as_str(), approval.outcome), (&*format!("{ITEM}@2026-11-03T08:12:44Z"), Outcome::Approved));
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
fn rows_asked_together_are_one_round_and_rows_asked_later_another() {
    let first = format!("{ITEM}@2026-11-03T08:12:44Z");
    let second = format!("{ITEM}@2026-11-03T09:00:00Z");
    let old = by_omar(1, "08:12:44", "08:31:07");
    let pending = row(2, ("requested", LENA), "09:00:00", ("09:00:00", "system"));
    assert_eq!(
        rounds(&[pending.clone(), old.clone()]),
        [(first.clone(), Outcome::Approved), (second.clone(), Outcome::Pending)]
    );
    let answered = row(2, ("approved", LENA), "09:00:00", ("09:05:00", "lena.vogt"));
    let both = rounds(&[old, answered]);
    assert_eq!(both, [(first, Outcome::Approved), (second, Outcome::Approved)]);
}

#[test]
fn an_old_approval_never_answers_for_a_round_that_nobody_answered() {
    let old = by_omar(1, "08:12:44", "08:31:07");
    for state in ["not_required", "cancelled", "skipped", "odd"] {
        let new = row(2, (state, LENA), "09:00:00", ("09:01:00", "system"));
        assert_eq!(outcome(&[old.clone(), new]), Outcome::Unknown, "{state}");
    }
    // Not even when the old row is written to again, after the new question.
    let touched = by_omar(1, "08:12:44", "09:30:00");
    let new = row(2, ("not_required", LENA), "09:00:00", ("09:01:00", "system"));
    assert_eq!(outcome(&[touched, new]), Outcome::Unknown);
}

#[test]
fn the_id_of_a_round_stays_whatever_becomes_of_its_rows() {
    let id = |rows: &[Value]| rounds(rows).remove(0).0;
    let omar = by_omar(2, "08:12:44", "08:31:07");
    let alone = id(std::slice::from_ref(&omar));
    for state in ["not_required", "cancelled", "requested", "rejected", "approved"] {
        let lena = row(1, (state, LENA), "08:12:46", ("08:40:00", "lena.vogt"));
        assert_eq!(id(&[omar.clone(), lena]), alone, "{state}");
    }
    assert_eq!(id(&[by_omar(2, "08:12:44", "10:00:00")]), alone, "written to again");
    let later = row(3, ("requested", LENA), "10:00:00", ("10:00:00", "system"));
    assert_eq!(id(&[omar, later]), alone, "beside a newer round");
}

#[test]
fn a_round_is_approved_only_when_nobody_is_still_asked_and_nobody_refused() {
    let beside = |state: &str| {
        let lena = row(2, (state, LENA), "08:12:45", ("08:32:00", "lena.vogt"));
        outcome(&[by_omar(1, "08:12:44", "08:31:07"), lena])
    };
    assert_eq!(beside("approved"), Outcome::Approved);
    for idle in ["not_required", "cancelled", "skipped"] {
        assert_eq!(beside(idle), Outcome::Approved, "{idle}");
    }
    for open in ["requested", "not requested", "not_requested"] {
        assert_eq!(beside(open), Outcome::Pending, "{open}");
    }
    assert_eq!(beside("rejected"), Outcome::Declined);
    assert_eq!(beside("Approved"), Outcome::Unknown, "a display value");
}

#[test]
fn a_question_put_within_seconds_of_an_answer_belongs_to_no_certain_round() {
    let late = row(2, ("not_required", LENA), "08:12:59", ("08:13:30", "system"));
    assert_eq!(outcome(&[by_omar(1, "08:12:44", "08:12:50"), late]), Outcome::Unknown);
}

#[test]
fn an_answer_entered_by_somebody_else_stays_visible_and_does_not_count() {
    let rows = [row(1, ("approved", OMAR), "08:12:44", ("08:31:07", "nina.keller"))];
    let ticket = item(&with_rows(&rows));
    let [vote] = ticket.approvals[0].votes.as_slice() else { panic!("one vote") };
    assert_eq!(vote.outcome, Outcome::Unknown);
    let name = vote.approver.as_ref().and_then(|a| a.name.as_deref());
    assert_eq!(name, Some("Omar Haddad (entered by nina.keller)"));
}

#[test]
fn an_answer_entered_by_somebody_else_does_not_make_an_older_one_newer() {
    let omar = by_omar(1, "08:12:44", "08:31:07");
    let on_behalf = row(2, ("approved", LENA), "08:12:45", ("09:00:00", "nina.keller"));
    let ticket = item(&with_rows(&[omar, on_behalf]));
    assert_eq!(ticket.approvals[0].decided_at, Some(time("2026-11-03T08:31:07Z")));
}

#[test]
fn people_who_are_hidden_or_half_shown_are_nobody() {
    let hidden = |column: &str| {
        let mut all = answers();
        all[3] = answer(200, without(parsed(FIXTURES[3]), &format!("/result/1/{column}")));
        item(&all).approvals[0].votes[0].clone()
    };
    for column in ["user_name", "active", "locked_out"] {
        let vote = hidden(column);
        assert_eq!((vote.approver, vote.outcome), (None, Outcome::Approved), "{column}");
    }
    assert!(hidden("email").approver.is_some_and(|a| a.email.is_none()));
    let nobody = item(&but(3, "/result", json!([])));
    assert_eq!((nobody.requester, nobody.creator, nobody.time_zone), (None, None, None));
    for (column, value) in [("active", "false"), ("locked_out", "true")] {
        let ticket = item(&but(3, &format!("/result/1/{column}"), json!(value)));
        assert_eq!(ticket.approvals[0].votes[0].approver.as_ref().and_then(|a| a.active), Some(false), "{column}");
    }
    assert_eq!(item(&but(0, "/result/requested_for", json!(""))).requester, None);
}

#[test]
fn rows_that_are_counted_but_not_shown_are_hidden_rows() {
    for n in [1, 2] {
        let mut all = answers();
        all[n] = counted(parsed(FIXTURES[n]), 9);
        assert_eq!(error(&all), "ticket-not-permitted", "{n}");
    }
}

#[test]
fn long_lists_of_approvers_are_read_to_their_end() {
    let many: Vec<_> =
        (0..201).map(|n| row(n as u8, ("not_required", LENA), "08:12:44", ("08:31:07", "system"))).collect();
    let page = |rows: Vec<Value>| counted(json!({"result": rows}), 201);
    let mut all = answers().to_vec();
    all.splice(1..2, [page(many[1..].to_vec()), page(vec![by_omar(0, "08:12:44", "08:31:07")])]);
    assert_eq!(parameter(&next(&snow(), &item_id(), &all[..2]), "sysparm_offset"), "200");
    assert_eq!(item(&all).approvals[0].votes.len(), 201);
    let twice = page(vec![many[1].clone()]);
    all[2] = twice;
    assert_eq!(error(&all), "ticket-bad-answer");
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

fn change_answers() -> [Answer; 3] {
    [ok(fixture!("read-change")), ok(fixture!("read-change-approvers")), ok(FIXTURES[3])]
}

fn change_body(changes: &[(&str, &str)]) -> Value {
    changes.iter().fold(parsed(fixture!("read-change")), |body, (column, value)| {
        with(body, &format!("/result/{column}"), json!(value))
    })
}

fn change_says(changes: &[(&str, &str)]) -> Ticket {
    let [_, approvers, users] = change_answers();
    change(&[answer(200, change_body(changes)), approvers, users])
}

#[test]
fn a_change_is_read_with_its_window_and_its_columns() {
    let call = next(&snow(), &change_id(), &[]);
    assert!(parameter(&call, "sysparm_fields").ends_with(",sys_updated_by,entitlement,target_upn,duration"));
    let ticket = change(&change_answers());
    assert_eq!((ticket.id.clone(), ticket.number.as_str()), (change_id(), "CHG0030042"));
    assert_eq!((ticket.in_scope, ticket.standing, ticket.fields_changed_at), (true, Standing::Approved, None));
    assert_eq!(ticket.duration, Field::Text("PT2H".into()));
    let (start, end) = (Some(time("2026-11-03T20:00:00Z")), Some(time("2026-11-03T22:00:00Z")));
    assert_eq!(ticket.window, Window { start, end, unknown: None });
    assert_eq!(ticket.requester.map(|a| a.id.to_string()), Some(NINA.to_owned()));
    assert_eq!(ticket.approvals[0].outcome, Outcome::Approved);
}

#[test]
fn a_change_stands_by_approval_state_and_hold() {
    let stands = |changes: &[(&str, &str)]| change_says(changes).standing;
    for state in ["-2", "-1"] {
        assert_eq!(stands(&[("state", state)]), Standing::Approved, "{state}");
    }
    for state in ["0", "3", "4"] {
        assert_eq!(stands(&[("state", state)]), Standing::Closed, "{state}");
    }
    for state in ["-5", "-4", "-3", "1", "2", "", "Scheduled"] {
        assert_eq!(stands(&[("state", state)]), Standing::Open, "{state}");
    }
    assert_eq!(stands(&[("approval", "not requested")]), Standing::Open);
    assert_eq!(stands(&[("on_hold", "true")]), Standing::Open);
    assert_eq!(stands(&[("on_hold", "")]), Standing::Open);
}

#[test]
fn a_change_without_a_whole_window_says_that_it_is_unknown() {
    for end in ["start_date", "end_date"] {
        assert_eq!(change_says(&[(end, "")]).window.unknown, Some(Field::Empty), "{end}");
        assert_eq!(change_says(&[(end, "03/11/2026")]).window.unknown, Some(Field::Unreadable), "{end}");
        let [_, approvers, users] = change_answers();
        let body = without(parsed(fixture!("read-change")), &format!("/result/{end}"));
        assert_eq!(change(&[answer(200, body), approvers, users]).window.unknown, Some(Field::Hidden), "{end}");
    }
}

#[test]
fn a_change_that_was_written_to_after_its_approval_counts_as_edited() {
    let edited = |at: &str, by: &str| {
        let at = format!("2026-11-03 {at}");
        change_says(&[("sys_updated_on", &at), ("sys_updated_by", by)]).fields_changed_at
    };
    assert_eq!(edited("08:31:07", "nina.keller"), None, "no later than the answer");
    assert_eq!(edited("08:31:08", "nina.keller"), Some(time("2026-11-03T08:31:08.999Z")));
    for follows in ["omar.haddad", "system"] {
        assert_eq!(edited("08:32:07", follows), None, "{follows}");
        assert_eq!(edited("08:32:08", follows), Some(time("2026-11-03T08:32:08.999Z")), "{follows}");
    }
    assert_eq!(edited("09:30:00", "stint.svc"), None, "a note of ours");
    let mut nameless = common("https://contoso.service-now.com");
    nameless.account = None;
    let [_, approvers, users] = change_answers();
    let body = change_body(&[("sys_updated_on", "2026-11-03 09:30:00"), ("sys_updated_by", "")]);
    let ticket = ticket_of(&ServiceNow::new(&nameless, own()), &change_id(), &[answer(200, body), approvers, users]);
    assert!(ticket.fields_changed_at.is_some(), "nobody is not us");
}

#[test]
fn only_configured_types_of_change_are_in_scope() {
    for kind in ["emergency", "standard", "Normal", "model", ""] {
        assert!(!change_says(&[("type", kind)]).in_scope, "{kind}");
    }
}

#[test]
fn a_standard_change_is_approved_by_a_listed_template() {
    let snow = with_own(|own| {
        own.change_types = vec!["standard".into()];
        own.standard_templates = vec![TEMPLATE.into()];
    });
    let read = |template: &str| {
        let body = change_body(&[("type", "standard"), ("std_change_producer_version", template)]);
        let body = with(body, "/result/sys_updated_on", json!("2026-11-03 19:00:00"));
        ticket_of(&snow, &change_id(), &[answer(200, body), answer(200, json!({"result": []})), users_of_nina()])
    };
    let listed = read(TEMPLATE);
    assert!(listed.in_scope && listed.approvals[0].without_approver);
    assert_eq!(listed.fields_changed_at, None);
    let other = read(CATALOG_ITEM);
    assert_eq!((other.in_scope, other.approvals), (false, vec![]));
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
    let all = change_answers();
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
