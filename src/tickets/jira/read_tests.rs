use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        fixtures::{answer, common, data_center, fixture, jira, mutants, ok, own, parsed, with, without},
    },
    *,
};
use crate::{
    domain::{approval::AccountKind, ticket::Field},
    outbound::Call,
};

const JSM: ApprovalMode = ApprovalMode::Jsm;
const TRANSITION: ApprovalMode = ApprovalMode::StatusTransition;

fn step(mode: ApprovalMode, answers: &[Answer]) -> Result<Step<Reading>, TicketError> {
    jira(mode).read(&TicketId::new("10482"), answers)
}

fn next(mode: ApprovalMode, answers: &[Answer]) -> Call {
    match step(mode, answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn address(call: &Call) -> String {
    let query: Vec<_> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {}?{}", call.method, call.path, query.join("&"))
}

fn ticket(mode: ApprovalMode, answers: &[Answer]) -> Ticket {
    match step(mode, answers) {
        Ok(Step::Done(Reading::Found(ticket))) => *ticket,
        other => panic!("not a ticket: {other:?}"),
    }
}

fn error(mode: ApprovalMode, answers: &[Answer]) -> &'static str {
    match step(mode, answers) {
        Err(error) => error.code(),
        other => panic!("not an error: {other:?}"),
    }
}

/// The three answers of an ordinary reading.
fn answers() -> [Answer; 3] {
    [ok(fixture!("read-issue")), ok(fixture!("read-changelog")), ok(fixture!("read-approvals"))]
}

fn with_issue(issue: &Value) -> [Answer; 3] {
    let [_, changelog, approvals] = answers();
    [answer(200, issue), changelog, approvals]
}

fn with_changes(changes: &Value) -> [Answer; 3] {
    let [issue, _, approvals] = answers();
    [issue, answer(200, with(parsed(fixture!("read-changelog")), "/values", changes.clone())), approvals]
}

fn with_rounds(rounds: &Value) -> [Answer; 3] {
    let [issue, changelog, _] = answers();
    [issue, changelog, answer(200, with(parsed(fixture!("read-approvals")), "/values", rounds.clone()))]
}

/// Without Service Management a reading ends with who reads.
fn signed_in([issue, changelog, _]: [Answer; 3]) -> [Answer; 3] {
    [issue, changelog, ok(fixture!("read-myself"))]
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn an_issue_is_read_with_its_changelog_and_its_approvals() {
    let all = answers();
    let fields = "creator,customfield_10051,customfield_10052,customfield_10053,issuetype,project,reporter,status";
    assert_eq!(address(&next(JSM, &[])), format!("GET /rest/api/3/issue/10482?fields={fields}"));
    let changelog = address(&next(JSM, &all[..1]));
    assert_eq!(changelog, "GET /rest/api/3/issue/10482/changelog?startAt=0&maxResults=100");
    let approvals = address(&next(JSM, &all[..2]));
    assert_eq!(approvals, "GET /rest/servicedeskapi/request/10482/approval?start=0&limit=50");
    let ticket = ticket(JSM, &all);
    assert_eq!((ticket.id.as_str(), ticket.number.as_str()), ("10482", "ITSEC-482"));
    assert_eq!(ticket.url.as_deref(), Some("https://contoso.atlassian.net/browse/ITSEC-482"));
    assert_eq!((ticket.in_scope, ticket.standing), (true, Standing::Approved));
    assert_eq!(ticket.entitlement, Field::Text("exchange-admin".into()));
    assert_eq!(ticket.principal, Field::Text("nina.keller@contoso.example".into()));
    assert_eq!(ticket.duration, Field::Text("PT4H".into()));
    assert_eq!((ticket.tenant, ticket.fields_changed_at), (None, None));
    let creator = ticket.creator.expect("a creator");
    assert_eq!(
        (creator.id.as_str(), creator.kind, creator.active),
        ("712020:nina-0001", AccountKind::Person, Some(true))
    );
    assert_eq!(ticket.requester, Some(creator));
}

#[test]
fn an_approval_carries_its_votes_and_its_times() {
    let ticket = ticket(JSM, &answers());
    let [approval] = ticket.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((approval.id.as_str(), approval.outcome), ("37", Outcome::Approved));
    assert_eq!(approval.opened_at, time("2026-11-03T08:12:41.318Z"));
    assert_eq!(approval.decided_at, Some(time("2026-11-03T08:31:07.902Z")));
    let [vote] = approval.votes.as_slice() else { panic!("one vote") };
    let omar = vote.approver.as_ref().expect("an approver");
    assert_eq!(
        (omar.id.as_str(), omar.kind, vote.outcome),
        ("712020:omar-0002", AccountKind::Unstated, Outcome::Approved)
    );
}

#[test]
fn rounds_are_sorted_oldest_first_and_hidden_approvers_stay_unnamed() {
    let mut all = answers();
    all[2] = ok(fixture!("read-approvals-two-rounds"));
    let ticket = ticket(JSM, &all);
    let rounds: Vec<_> = ticket.approvals.iter().map(|a| (a.id.as_str(), a.outcome)).collect();
    assert_eq!(rounds, [("36", Outcome::Declined), ("37", Outcome::Approved)]);
    let votes: Vec<_> = ticket.approvals[1].votes.iter().map(|v| (v.approver.is_some(), v.outcome)).collect();
    assert_eq!(votes, [(true, Outcome::Approved), (false, Outcome::Approved), (true, Outcome::Unknown)]);
}

#[test]
fn of_rounds_opened_at_once_the_higher_number_comes_last() {
    let round = |id: &str| with(parsed(fixture!("read-approvals"))["values"][0].clone(), "/id", json!(id));
    let ticket = ticket(JSM, &with_rounds(&json!([round("100"), round("9"), round("36")])));
    let ids: Vec<_> = ticket.approvals.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids, ["9", "36", "100"]);
}

#[test]
fn a_pending_round_has_no_time_of_decision() {
    let round = parsed(fixture!("read-approvals"))["values"][0].clone();
    let pending = without(with(round, "/finalDecision", json!("pending")), "/completedDate");
    let ticket = ticket(JSM, &with_rounds(&json!([pending])));
    assert_eq!((ticket.approvals[0].outcome, ticket.approvals[0].decided_at), (Outcome::Pending, None));
    assert!(self::ticket(JSM, &with_rounds(&json!([]))).approvals.is_empty());
}

#[test]
fn a_round_that_cannot_be_read_makes_the_whole_reading_fail() {
    let round = parsed(fixture!("read-approvals"))["values"][0].clone();
    for broken in [
        without(round.clone(), "/id"),
        without(round.clone(), "/createdDate"),
        without(round.clone(), "/approvers"),
        with(round.clone(), "/completedDate", json!({"friendly": "Today"})),
        json!("37"),
    ] {
        assert_eq!(error(JSM, &with_rounds(&json!([round.clone(), broken]))), "ticket-bad-answer");
    }
}

#[test]
fn approvals_of_another_issue_are_refused() {
    let link = "https://contoso.atlassian.net/rest/servicedeskapi/request/10999/approval/37";
    let round = with(parsed(fixture!("read-approvals"))["values"][0].clone(), "/_links/self", json!(link));
    assert_eq!(error(JSM, &with_rounds(&json!([round]))), "ticket-bad-answer");
    let link = "https://contoso.atlassian.net/rest/servicedeskapi/request/10999/approval";
    let none = with(parsed(fixture!("read-approvals")), "/values", json!([]));
    let [issue, changelog, _] = answers();
    let none = answer(200, with(none, "/_links/self", json!(link)));
    assert_eq!(error(JSM, &[issue, changelog, none]), "ticket-bad-answer", "another issue's none");
}

#[test]
fn an_issue_that_service_management_does_not_know_is_not_taken_for_unapproved() {
    let [issue, changelog, _] = answers();
    assert_eq!(error(JSM, &[issue, changelog, answer(404, "{}")]), "ticket-not-permitted");
}

#[test]
fn another_issue_than_the_one_asked_for_is_refused() {
    let issue = parsed(fixture!("read-issue"));
    for id in [json!("10483"), json!("010482"), json!(null), json!("ITSEC-482")] {
        assert_eq!(error(JSM, &with_issue(&with(issue.clone(), "/id", id))), "ticket-bad-answer");
    }
    let link = json!("https://contoso.atlassian.net/rest/api/3/issue/10999/changelog?startAt=0");
    let changelog = with(parsed(fixture!("read-changelog")), "/self", link);
    assert_eq!(error(JSM, &[answer(200, &issue), answer(200, changelog)]), "ticket-bad-answer");
}

#[test]
fn a_moved_issue_is_out_of_scope_under_its_new_number() {
    let moved = with(parsed(fixture!("read-issue")), "/key", json!("ARCH-91"));
    let moved = with(moved, "/fields/project/key", json!("ARCH"));
    let ticket = ticket(JSM, &with_issue(&moved));
    assert_eq!((ticket.number.as_str(), ticket.in_scope), ("ARCH-91", false));
    let torn = with(parsed(fixture!("read-issue")), "/fields/project/key", json!("ARCH"));
    assert!(!self::ticket(JSM, &with_issue(&torn)).in_scope, "key and project disagree");
}

#[test]
fn the_standing_goes_by_configured_statuses_then_by_category() {
    let standing = |id: &str, category: &str| {
        let issue = with(parsed(fixture!("read-issue")), "/fields/status/id", json!(id));
        ticket(JSM, &with_issue(&with(issue, "/fields/status/statusCategory/key", json!(category)))).standing
    };
    assert_eq!(standing("10016", "indeterminate"), Standing::Approved);
    assert_eq!(standing("10016", "done"), Standing::Approved);
    assert_eq!(standing("10013", "indeterminate"), Standing::Open);
    assert_eq!(standing("10013", "new"), Standing::Open);
    assert_eq!(standing("10009", "done"), Standing::Closed);
    assert_eq!(standing("10020", "indeterminate"), Standing::Closed);
    let hidden = without(parsed(fixture!("read-issue")), "/fields/status");
    assert_eq!(error(JSM, &with_issue(&hidden)), "ticket-bad-answer");
}

#[test]
fn hidden_and_empty_fields_and_people_are_told_apart() {
    let issue = parsed(fixture!("read-issue"));
    let issue = without(without(issue, "/fields/customfield_10051"), "/fields/reporter");
    let issue = with(issue, "/fields/customfield_10052", json!(null));
    let issue = with(with(issue, "/fields/customfield_10053", json!(["PT4H"])), "/fields/creator", json!(null));
    let ticket = ticket(JSM, &with_issue(&issue));
    assert_eq!(
        (ticket.entitlement, ticket.principal, ticket.duration),
        (Field::Hidden, Field::Empty, Field::Unreadable)
    );
    assert_eq!((ticket.requester, ticket.creator), (None, None));
}

fn change(id: u32, created: &str, item: &Value) -> Value {
    json!({"id": id.to_string(), "author": {"accountId": format!("author-{id}")}, "created": created, "items": [item]})
}

#[test]
fn the_newest_edit_of_what_is_asked_for_is_found_in_any_order() {
    let edit = |field: &str| json!({"field": "x", "fieldtype": "custom", "fieldId": field});
    let changes = json!([
        change(1, "2026-11-03T10:00:00.000+0100", &edit("customfield_10053")),
        change(2, "2026-11-03T10:20:00.000+0100", &edit("customfield_10051")),
        change(3, "2026-11-03T10:10:00.000+0100", &json!({"field": "project", "fieldId": "project"})),
        change(4, "2026-11-03T11:00:00.000+0100", &edit("customfield_99999")),
        change(5, "2026-11-03T11:00:00.000+0100", &json!({"field": "assignee", "fieldId": "assignee"})),
    ]);
    assert_eq!(ticket(JSM, &with_changes(&changes)).fields_changed_at, Some(time("2026-11-03T09:20:00Z")));
}

#[test]
fn the_requester_a_move_and_a_custom_field_without_id_count_as_edits() {
    for item in [
        json!({"field": "reporter", "fieldId": "reporter"}),
        json!({"field": "Reporter"}),
        json!({"field": "Key", "fieldId": "issuekey"}),
        json!({"field": "project"}),
        json!({"field": "customfield_10052"}),
        json!({"field": "Entitlement", "fieldtype": "custom"}),
    ] {
        let changes = json!([change(1, "2026-11-03T10:00:00.000+0100", &item)]);
        let at = ticket(JSM, &with_changes(&changes)).fields_changed_at;
        assert_eq!(at, Some(time("2026-11-03T09:00:00Z")), "{item}");
    }
}

#[test]
fn an_edit_whose_time_cannot_be_read_makes_the_reading_fail() {
    let changes = json!([change(1, "yesterday", &json!({"fieldId": "reporter"}))]);
    assert_eq!(error(JSM, &with_changes(&changes)), "ticket-bad-answer");
    assert_eq!(error(JSM, &with_changes(&json!([{"id": "1"}]))), "ticket-bad-answer");
}

#[test]
fn without_service_management_the_author_of_the_change_is_the_approver() {
    let ticket = ticket(TRANSITION, &signed_in(answers()));
    let [approval] = ticket.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((approval.id.as_str(), approval.outcome), ("48213", Outcome::Approved));
    assert_eq!((approval.opened_at, approval.decided_at), (time("2026-11-03T08:31:08.114Z"), Some(approval.opened_at)));
    let vote = &approval.votes[0];
    assert_eq!(vote.approver.as_ref().map(|a| a.id.as_str()), Some("712020:omar-0002"));
    assert_eq!(vote.decided_at, approval.decided_at);
}

#[test]
fn only_the_newest_change_into_an_approved_status_counts() {
    let to = |from: Value, to: &str| json!({"field": "status", "fieldId": "status", "from": from, "to": to});
    let newest = |changes: Value| {
        let approvals = ticket(TRANSITION, &signed_in(with_changes(&changes))).approvals;
        approvals.iter().map(|a| a.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let again = json!([
        change(3, "2026-11-03T10:30:00.000+0100", &to(json!("10013"), "10016")),
        change(1, "2026-11-03T10:00:00.000+0100", &to(json!("10013"), "10016")),
        change(2, "2026-11-03T10:20:00.000+0100", &to(json!("10016"), "10013")),
    ]);
    assert_eq!(newest(again), ["3"]);
    let among = json!([
        change(1, "2026-11-03T10:00:00.000+0100", &to(json!(null), "10016")),
        change(2, "2026-11-03T10:20:00.000+0100", &to(json!("10016"), "10018")),
    ]);
    assert_eq!(newest(among), ["1"], "a change among approved statuses approves nothing anew");
    assert!(newest(json!([])).is_empty());
}

#[test]
fn lists_are_read_to_their_end() {
    let page = |start: usize, last: bool, ids: &[u32]| {
        let rows: Vec<_> = ids.iter().map(|id| change(*id, "2026-11-03T10:00:00.000+0100", &json!({}))).collect();
        answer(200, json!({"startAt": start, "isLast": last, "values": rows}))
    };
    let [issue, _, approvals] = answers();
    let mut so_far = vec![issue, page(0, false, &[1, 2])];
    assert!(address(&next(JSM, &so_far)).ends_with("startAt=2&maxResults=100"));
    so_far.push(page(2, true, &[3]));
    so_far.push(answer(200, with(parsed(fixture!("read-approvals")), "/isLastPage", json!(false))));
    assert!(address(&next(JSM, &so_far)).ends_with("start=1&limit=50"));
    let second = with(with(parsed(fixture!("read-approvals")), "/start", json!(1)), "/values/0/id", json!("38"));
    so_far.push(answer(200, second));
    let ticket = ticket(JSM, &so_far);
    assert_eq!(ticket.approvals.len(), 2);
    so_far[4] = approvals;
    assert_eq!(error(JSM, &so_far), "ticket-bad-answer", "the first page twice");
}

#[test]
fn a_list_without_an_end_is_refused() {
    let [issue, ..] = answers();
    for page in [
        json!({"isLast": false, "values": []}),
        json!({"values": []}),
        json!({"isLast": "true", "values": []}),
        json!({"isLast": true}),
        json!({"isLast": true, "values": {}}),
        json!({"isLast": true, "startAt": 7, "values": []}),
    ] {
        assert_eq!(error(JSM, &[issue.clone(), answer(200, &page)]), "ticket-bad-answer", "{page}");
    }
    let endless = (0..50).map(|n| answer(200, json!({"startAt": n, "isLast": false, "values": [{}]})));
    let so_far: Vec<_> = std::iter::once(issue).chain(endless).collect();
    assert_eq!(error(JSM, &so_far), "ticket-bad-answer");
}

#[test]
fn a_missing_issue_is_absent_only_for_a_credential_that_works() {
    let gone = answer(404, parsed(fixture!("read-404")));
    assert_eq!(address(&next(JSM, std::slice::from_ref(&gone))), "GET /rest/api/3/myself?");
    let absent = step(JSM, &[gone.clone(), ok(fixture!("read-myself"))]);
    assert_eq!(absent, Ok(Step::Done(Reading::Absent)));
    for other in [answer(200, "{}"), answer(200, "[]"), answer(404, "{}")] {
        assert_eq!(error(JSM, &[gone.clone(), other]), "ticket-bad-answer");
    }
}

#[test]
fn the_link_for_people_leads_to_the_site_and_never_to_the_gateway() {
    let url = |base: &str| {
        let read = Jira::new(&common(base), own(JSM)).read(&TicketId::new("10482"), &answers());
        let Ok(Step::Done(Reading::Found(ticket))) = read else { panic!("not a ticket: {read:?}") };
        ticket.url
    };
    assert_eq!(
        url("https://contoso.atlassian.net/").as_deref(),
        Some("https://contoso.atlassian.net/browse/ITSEC-482")
    );
    assert_eq!(url("http://127.0.0.1:4010").as_deref(), Some("http://127.0.0.1:4010/browse/ITSEC-482"));
    assert_eq!(url("https://api.atlassian.com/ex/jira/11111111-2222-4333-8444-555555555555"), None);
}

#[test]
fn a_mapped_tenant_is_asked_for_and_read() {
    let mut common = common("https://contoso.atlassian.net");
    common.fields.tenant = Some("customfield_10054".into());
    let jira = Jira::new(&common, own(JSM));
    let read = |answers: &[Answer]| jira.read(&TicketId::new("10482"), answers);
    let Ok(Step::Send(call)) = read(&[]) else { panic!("a call") };
    assert!(address(&call).contains("customfield_10054"));
    let issue = with(parsed(fixture!("read-issue")), "/fields/customfield_10054", json!({"value": "contoso"}));
    let Ok(Step::Done(Reading::Found(ticket))) = read(&with_issue(&issue)) else { panic!("a ticket") };
    assert_eq!(ticket.tenant, Some(Field::Text("contoso".into())));
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_read_another_ticket() {
    let all = answers();
    let names = [fixture!("read-issue"), fixture!("read-changelog"), fixture!("read-approvals-two-rounds")];
    for (n, body) in names.into_iter().enumerate() {
        for mutant in mutants(&parsed(body)) {
            let mut answers = all.clone();
            answers[n] = answer(200, mutant);
            for mode in [JSM, TRANSITION] {
                if mode == TRANSITION && n < 2 {
                    answers[2] = ok(fixture!("read-myself"));
                }
                if let Ok(Step::Done(Reading::Found(ticket))) = step(mode, &answers) {
                    assert_eq!(ticket.id.as_str(), "10482");
                }
            }
        }
    }
}

#[test]
fn without_service_management_a_reading_proves_who_reads() {
    let [issue, changelog, myself] = signed_in(answers());
    let public = [issue, changelog];
    assert_eq!(address(&next(TRANSITION, &public)), "GET /rest/api/3/myself?");
    let [issue, changelog] = public;
    assert_eq!(ticket(TRANSITION, &[issue.clone(), changelog.clone(), myself]).approvals.len(), 1);
    for stranger in [answer(200, "{}"), answer(404, "{}")] {
        assert_eq!(error(TRANSITION, &[issue.clone(), changelog.clone(), stranger]), "ticket-bad-answer");
    }
}

#[test]
fn an_automation_that_moves_an_issue_into_an_approved_status_is_no_person() {
    let app = json!({"accountId": "557058:robot", "displayName": "Automation for Jira", "accountType": "app"});
    let changelog = with(parsed(fixture!("read-changelog")), "/values/1/author", app);
    let [issue, _, approvals] = answers();
    let ticket = ticket(TRANSITION, &signed_in([issue, answer(200, changelog), approvals]));
    let approver = ticket.approvals[0].votes[0].approver.as_ref().expect("an author");
    assert_eq!((approver.id.as_str(), approver.kind), ("557058:robot", AccountKind::App));
}

#[test]
fn of_changes_at_one_moment_the_higher_number_is_the_approval() {
    let item = json!({"fieldId": "status", "from": "10013", "to": "10016"});
    for ids in [[9, 10], [10, 9]] {
        let changes = json!(ids.map(|id| change(id, "2026-11-03T10:00:00.000+0100", &item)));
        assert_eq!(ticket(TRANSITION, &signed_in(with_changes(&changes))).approvals[0].id.as_str(), "10");
    }
}

#[test]
fn the_time_zone_is_the_requesters() {
    assert_eq!(ticket(JSM, &answers()).time_zone.as_deref(), Some("Europe/Berlin"));
    for hidden in [json!(null), json!(""), json!(60)] {
        let issue = with(parsed(fixture!("read-issue")), "/fields/reporter/timeZone", hidden);
        assert_eq!(ticket(JSM, &with_issue(&issue)).time_zone, None);
    }
}

/// The window that a reading shows where these values stand in its two fields; `None` for a field that is not shown.
fn window(start: Option<Value>, end: Option<Value>) -> crate::domain::ticket::Window {
    let mut common = common("https://contoso.atlassian.net");
    common.fields.window_start = Some("customfield_10055".into());
    common.fields.window_end = Some("customfield_10056".into());
    let jira = Jira::new(&common, own(JSM));
    let Ok(Step::Send(call)) = jira.read(&TicketId::new("10482"), &[]) else { panic!("a call") };
    assert!(address(&call).contains("customfield_10055,customfield_10056"));
    let mut issue = parsed(fixture!("read-issue"));
    for (name, value) in [("customfield_10055", start), ("customfield_10056", end)] {
        if let Some(value) = value {
            issue = with(issue, &format!("/fields/{name}"), value);
        }
    }
    let read = jira.read(&TicketId::new("10482"), &with_issue(&issue));
    let Ok(Step::Done(Reading::Found(ticket))) = read else { panic!("a ticket") };
    ticket.window
}

#[test]
fn a_change_window_is_read_from_its_two_fields() {
    let moment = |text: &str| Some(json!(text));
    let both = window(moment("2026-11-03T20:00:00.000+0000"), moment("2026-11-03T23:30:00.000+0100"));
    assert_eq!((both.start, both.end), (Some(time("2026-11-03T20:00:00Z")), Some(time("2026-11-03T22:30:00Z"))));
    assert_eq!(both.unknown, None);
    let open = window(Some(json!(null)), moment("2026-11-03T22:30:00.000+0000"));
    assert_eq!((open.start, open.end, open.unknown), (None, Some(time("2026-11-03T22:30:00Z")), None));
    assert_eq!(window(Some(json!(null)), Some(json!(null))), crate::domain::ticket::Window::default());
}

#[test]
fn a_window_that_cannot_be_read_or_seen_is_no_open_window() {
    let good = || Some(json!("2026-11-03T20:00:00.000+0000"));
    for odd in [json!("2026-11-03"), json!("tonight"), json!(1_793_694_668_114_i64), json!(["x"])] {
        assert_eq!(window(Some(odd.clone()), good()).unknown, Some(Field::Unreadable), "{odd}");
        assert_eq!(window(None, Some(odd)).unknown, Some(Field::Unreadable));
    }
    assert_eq!(window(None, good()).unknown, Some(Field::Hidden));
    assert_eq!(window(good(), None).unknown, Some(Field::Hidden));
}

#[test]
fn a_moved_window_is_an_edit() {
    let mut common = common("https://contoso.atlassian.net");
    common.fields.window_end = Some("customfield_10056".into());
    let item = json!({"field": "Planned end", "fieldtype": "custom", "fieldId": "customfield_10056"});
    let answers = with_changes(&json!([change(1, "2026-11-03T10:00:00.000+0100", &item)]));
    let read = Jira::new(&common, own(JSM)).read(&TicketId::new("10482"), &answers);
    let Ok(Step::Done(Reading::Found(ticket))) = read else { panic!("a ticket") };
    assert_eq!(ticket.fields_changed_at, Some(time("2026-11-03T09:00:00Z")));
}

mod at_the_data_center {
    use super::*;

    fn step(mode: ApprovalMode, answers: &[Answer]) -> Result<Step<Reading>, TicketError> {
        data_center(mode).read(&TicketId::new("30211"), answers)
    }

    fn next(mode: ApprovalMode, answers: &[Answer]) -> String {
        match step(mode, answers) {
            Ok(Step::Send(call)) => address(&call),
            other => panic!("not a call: {other:?}"),
        }
    }

    fn ticket(mode: ApprovalMode, answers: &[Answer]) -> Ticket {
        match step(mode, answers) {
            Ok(Step::Done(Reading::Found(ticket))) => *ticket,
            other => panic!("not a ticket: {other:?}"),
        }
    }

    fn answers(mode: ApprovalMode) -> [Answer; 3] {
        let last = if mode == JSM { fixture!("dc-read-approvals") } else { fixture!("dc-read-myself") };
        [ok(fixture!("dc-read-issue")), ok(fixture!("dc-read-changelog")), ok(last)]
    }

    fn with_log(pointer: &str, value: Value) -> [Answer; 3] {
        let [issue, _, approvals] = answers(JSM);
        [issue, answer(200, with(parsed(fixture!("dc-read-changelog")), pointer, value)), approvals]
    }

    #[test]
    fn an_issue_is_read_before_its_changelog_which_comes_with_the_issue() {
        let all = answers(JSM);
        let fields = "creator,customfield_10051,customfield_10052,customfield_10053,issuetype,project,reporter,status";
        assert_eq!(next(JSM, &[]), format!("GET /rest/api/2/issue/30211?fields={fields}"));
        assert_eq!(next(JSM, &all[..1]), "GET /rest/api/2/issue/30211?fields=project&expand=changelog");
        assert_eq!(next(JSM, &all[..2]), "GET /rest/servicedeskapi/request/30211/approval?start=0&limit=50");
        let ticket = ticket(JSM, &all);
        assert_eq!((ticket.number.as_str(), ticket.standing, ticket.in_scope), ("ITSEC-77", Standing::Approved, true));
        assert_eq!(ticket.url.as_deref(), Some("https://jira.contoso.example/jira/browse/ITSEC-77"));
        assert_eq!(ticket.entitlement, Field::Text("exchange-admin".into()));
        assert_eq!(ticket.time_zone.as_deref(), Some("Europe/Lisbon"));
        assert_eq!(
            ticket.fields_changed_at,
            Some(time("2026-11-03T08:12:44.010Z")),
            "any custom field may be a mapped one"
        );
    }

    #[test]
    fn people_are_told_apart_by_their_key_and_not_by_their_name() {
        let ticket = ticket(JSM, &answers(JSM));
        let vera = ticket.requester.expect("a requester");
        assert_eq!((vera.id.as_str(), vera.email.as_deref()), ("JIRAUSER10311", Some("vlindt@contoso.example")));
        assert_eq!((vera.kind, vera.active), (AccountKind::Unstated, Some(true)));
        let paul = ticket.approvals[0].votes[0].approver.as_ref().expect("an approver");
        assert_eq!(paul.id.as_str(), "JIRAUSER10108");
        let nameless = without(parsed(fixture!("dc-read-issue")), "/fields/reporter/key");
        let [_, changelog, approvals] = answers(JSM);
        assert_eq!(self::ticket(JSM, &[answer(200, nameless), changelog, approvals]).requester, None);
    }

    #[test]
    fn the_author_of_the_change_into_an_approved_status_is_the_approver() {
        let ticket = ticket(TRANSITION, &answers(TRANSITION));
        assert_eq!(next(TRANSITION, &answers(TRANSITION)[..2]), "GET /rest/api/2/myself?");
        let [approval] = ticket.approvals.as_slice() else { panic!("one approval") };
        assert_eq!((approval.id.as_str(), approval.decided_at), ("91822", Some(time("2026-11-03T08:31:08Z"))));
        assert_eq!(approval.votes[0].approver.as_ref().map(|paul| paul.id.as_str()), Some("JIRAUSER10108"));
    }

    #[test]
    fn leaving_the_approved_status_and_returning_is_another_approval() {
        let mut log = parsed(fixture!("dc-read-changelog"));
        for (id, from, to) in [("91830", "10016", "10013"), ("91841", "10013", "10016")] {
            let item = json!({"field": "status", "fieldtype": "jira", "from": from, "to": to});
            let at = format!("2026-11-03T08:{}:00.000+0000", &id[3..]);
            let change = json!({"id": id, "author": {"key": "JIRAUSER10205"}, "created": at, "items": [item]});
            log["changelog"]["histories"].as_array_mut().expect("histories").push(change);
        }
        let [issue, _, myself] = answers(TRANSITION);
        let ticket = ticket(TRANSITION, &[issue, answer(200, with(log, "/changelog/total", json!(5))), myself]);
        assert_eq!(ticket.approvals.len(), 1);
        assert_eq!(ticket.approvals[0].id.as_str(), "91841");
    }

    #[test]
    fn a_changelog_that_is_cut_missing_or_of_another_issue_makes_the_reading_fail() {
        for (pointer, value) in [
            ("/changelog/total", json!(4)),
            ("/changelog/total", json!(2)),
            ("/changelog/total", json!(null)),
            ("/changelog/startAt", json!(1)),
            ("/changelog/startAt", json!(null)),
            ("/changelog/histories", json!(null)),
            ("/changelog/histories/0/created", json!("gestern")),
            ("/changelog", json!(null)),
            ("/id", json!("30212")),
        ] {
            let read = step(JSM, &with_log(pointer, value.clone()));
            assert!(matches!(read, Err(TicketError::BadAnswer { .. })), "{pointer} {value}: {read:?}");
        }
    }

    #[test]
    fn a_missing_issue_is_absent_only_for_a_credential_that_works() {
        let gone = answer(404, parsed(fixture!("read-404")));
        assert_eq!(next(JSM, std::slice::from_ref(&gone)), "GET /rest/api/2/myself?");
        assert_eq!(step(JSM, &[gone.clone(), ok(fixture!("dc-read-myself"))]), Ok(Step::Done(Reading::Absent)));
        assert!(step(JSM, &[gone, ok(fixture!("read-myself"))]).is_err(), "an account of Cloud");
    }

    #[test]
    fn a_site_of_the_other_kind_shows_nobody_whom_stint_could_tell_apart() {
        let ticket = super::ticket(JSM, &super::answers());
        assert!(ticket.requester.is_some());
        let cloud = with(parsed(fixture!("read-issue")), "/id", json!("30211"));
        let [_, changelog, approvals] = answers(JSM);
        let ticket = self::ticket(JSM, &[answer(200, cloud), changelog, approvals]);
        assert_eq!((ticket.requester, ticket.creator), (None, None));
    }

    #[test]
    fn no_change_of_any_member_makes_the_reader_panic_or_read_another_ticket() {
        let names = [fixture!("dc-read-issue"), fixture!("dc-read-changelog"), fixture!("dc-read-approvals")];
        for (n, body) in names.into_iter().enumerate() {
            for mutant in mutants(&parsed(body)) {
                for mode in [JSM, TRANSITION] {
                    let mut answers = answers(mode);
                    answers[n] = answer(200, mutant.clone());
                    if let Ok(Step::Done(Reading::Found(ticket))) = step(mode, &answers) {
                        assert_eq!(ticket.id.as_str(), "30211");
                    }
                }
            }
        }
    }
}
