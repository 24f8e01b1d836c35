use serde_json::json;

use super::{
    super::{
        super::TicketSystem,
        ApprovalMode,
        fixtures::{answer, data_center, fixture, jira, mutants, ok, parsed, with, without},
    },
    *,
};

fn cloud() -> Jira {
    jira(ApprovalMode::Jsm)
}

fn center() -> Jira {
    data_center(ApprovalMode::Jsm)
}

fn step(jira: &Jira, answers: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
    let time = |text: &str| text.parse().expect("a time");
    jira.changed(&Lookback { since: time("2026-11-03T08:20:00Z"), now: time("2026-11-03T08:34:30Z") }, answers)
}

fn next(jira: &Jira, answers: &[Answer]) -> Call {
    match step(jira, answers) {
        Ok(Step::Send(call)) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn query(call: &Call, name: &str) -> Option<String> {
    call.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}

fn numbers(jira: &Jira, answers: &[Answer]) -> Vec<String> {
    match step(jira, answers) {
        Ok(Step::Done(listed)) => listed.iter().map(|one| one.number.as_str().to_owned()).collect(),
        other => panic!("not a list: {other:?}"),
    }
}

fn error(jira: &Jira, answers: &[Answer]) -> &'static str {
    match step(jira, answers) {
        Err(error) => error.code(),
        other => panic!("not an error: {other:?}"),
    }
}

fn us() -> Answer {
    ok(fixture!("read-myself"))
}

fn us_at_the_center() -> Answer {
    ok(fixture!("dc-read-myself"))
}

#[test]
fn lately_approved_issues_are_asked_for_in_projects_and_statuses_of_ours() {
    let call = next(&cloud(), &[us()]);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/rest/api/3/search/jql"));
    let jql = "project in (ITSEC) AND status in (10016,10018) AND updated >= -15m ORDER BY updated ASC";
    assert_eq!(query(&call, "jql").as_deref(), Some(jql));
    assert_eq!(query(&call, "fields").as_deref(), Some("status,updated"));
    assert_eq!(numbers(&cloud(), &[us(), ok(fixture!("search-found"))]), ["ITSEC-482", "ITSEC-490"]);
    let call = next(&center(), &[us_at_the_center()]);
    assert_eq!((call.path.as_str(), query(&call, "jql").as_deref()), ("/rest/api/2/search", Some(jql)));
    assert_eq!(query(&call, "startAt").as_deref(), Some("0"));
    assert_eq!(numbers(&center(), &[us_at_the_center(), ok(fixture!("dc-read-found"))]), ["ITSEC-77"]);
}

#[test]
fn a_list_is_believed_only_from_a_site_that_knows_us() {
    assert_eq!(next(&cloud(), &[]).path, "/rest/api/3/myself");
    assert_eq!(next(&center(), &[]).path, "/rest/api/2/myself");
    let nothing = answer(200, json!({"issues": [], "isLast": true}));
    assert!(numbers(&cloud(), &[us(), nothing]).is_empty());
    for stranger in [answer(200, "{}"), answer(404, "{}"), answer(200, json!({"accountId": null}))] {
        assert_eq!(error(&cloud(), &[stranger]), "ticket-bad-answer");
    }
    assert_eq!(error(&center(), &[us()]), "ticket-bad-answer", "Cloud's account at a Data Center");
}

#[test]
fn a_list_of_cloud_is_read_token_by_token() {
    let page = |token: &str| with(parsed(fixture!("search-found")), "/nextPageToken", json!(token));
    let so_far = [us(), answer(200, with(page("t-2"), "/isLast", json!(false)))];
    assert_eq!(query(&next(&cloud(), &so_far), "nextPageToken").as_deref(), Some("t-2"));
    let [myself, first] = so_far;
    assert_eq!(numbers(&cloud(), &[myself, first, ok(fixture!("search-found"))]).len(), 4);
    let cut = with(parsed(fixture!("search-found")), "/isLast", json!(false));
    assert_eq!(error(&cloud(), &[us(), answer(200, cut)]), "ticket-bad-answer");
    let endless = std::iter::once(us()).chain((0..50).map(|_| answer(200, page("again"))));
    assert_eq!(error(&cloud(), &endless.collect::<Vec<_>>()), "ticket-bad-answer");
}

fn numbered(start: usize, total: usize, ids: &[u32]) -> Answer {
    let row = |id: &u32| json!({"id": id.to_string(), "key": format!("ITSEC-{id}")});
    answer(200, json!({"startAt": start, "total": total, "issues": ids.iter().map(row).collect::<Vec<_>>()}))
}

#[test]
fn each_page_of_a_numbered_list_begins_with_the_end_of_the_one_before() {
    let so_far = [us_at_the_center(), numbered(0, 5, &[1, 2, 3])];
    assert_eq!(query(&next(&center(), &so_far), "startAt").as_deref(), Some("2"));
    let [myself, first] = so_far;
    let found = numbers(&center(), &[myself.clone(), first.clone(), numbered(2, 5, &[3, 4, 5])]);
    assert_eq!(found, ["ITSEC-1", "ITSEC-2", "ITSEC-3", "ITSEC-4", "ITSEC-5"]);
    for moved in [numbered(2, 4, &[4, 5]), numbered(2, 5, &[]), numbered(2, 5, &[3]), numbered(3, 5, &[3, 4, 5])] {
        assert_eq!(error(&center(), &[myself.clone(), first.clone(), moved]), "ticket-bad-answer");
    }
}

#[test]
fn what_cannot_be_read_is_no_empty_list() {
    for broken in [json!({}), json!({"issues": {}}), json!({"issues": [{"id": "1"}]}), json!([])] {
        assert_eq!(error(&cloud(), &[us(), answer(200, &broken)]), "ticket-bad-answer");
        assert_eq!(error(&center(), &[us_at_the_center(), answer(200, &broken)]), "ticket-bad-answer");
    }
    let endless = without(parsed(fixture!("dc-read-found")), "/total");
    assert_eq!(error(&center(), &[us_at_the_center(), answer(200, endless)]), "ticket-bad-answer");
}

#[test]
fn what_lies_outside_the_pattern_is_passed_over() {
    let other = with(parsed(fixture!("search-found")), "/issues/0/key", json!("OPS-1"));
    assert_eq!(numbers(&cloud(), &[us(), answer(200, other)]), ["ITSEC-490"]);
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_list_a_strange_ticket() {
    for (jira, myself, body) in
        [(cloud(), us(), fixture!("search-found")), (center(), us_at_the_center(), fixture!("dc-read-found"))]
    {
        for mutant in mutants(&parsed(body)) {
            if let Ok(Step::Done(listed)) = step(&jira, &[myself.clone(), answer(200, mutant)]) {
                assert!(listed.iter().all(|one| jira.is_ours(one.number.as_str())));
            }
        }
    }
}
