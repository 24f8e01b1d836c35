//! Reading a change back.

use super::*;

pub(super) fn change_answers() -> [Answer; 3] {
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
    assert_eq!(edited("08:31:06", "nina.keller"), None, "before the answer");
    assert!(edited("08:31:07", "nina.keller").is_some(), "in the same second");
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
fn a_change_that_several_people_approved_counts_as_edited() {
    let [record, _, _] = change_answers();
    let rows: Vec<_> =
        [by_omar(1, "08:12:44", "08:31:06"), row(2, ("approved", LENA), "08:12:44", ("08:31:07", "lena.vogt"))]
            .into_iter()
            .map(|row| with(with(row, "/sysapproval", json!(CHANGE)), "/document_id", json!(CHANGE)))
            .collect();
    let ticket = change(&[record, answer(200, json!({"result": rows})), people_answer()]);
    let newest = ticket.approvals.last().expect("a round");
    assert_eq!((newest.outcome, newest.votes.len()), (Outcome::Approved, 2));
    assert!(ticket.fields_changed_at >= newest.decided_at, "an edit between the answers would not show");
}
