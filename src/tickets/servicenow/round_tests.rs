//! Which approver rows are one round, and how it came out.

use super::*;

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
        let lena = row(1, (state, LENA), "08:12:44", ("08:40:00", "lena.vogt"));
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
fn whoever_is_asked_once_an_answer_was_given_is_asked_anew_however_soon() {
    let old = by_omar(1, "08:12:44", "08:12:50");
    for (state, expected) in [
        ("requested", Outcome::Pending),
        ("not_required", Outcome::Unknown),
        ("approved", Outcome::Approved),
        ("rejected", Outcome::Declined),
    ] {
        let lena = row(2, (state, LENA), "08:12:50", ("08:13:30", "lena.vogt"));
        let both = rounds(&[old.clone(), lena]);
        assert_eq!(both[0], (format!("{ITEM}@2026-11-03T08:12:44Z"), Outcome::Approved), "{state}");
        assert_eq!(both[1], (format!("{ITEM}@2026-11-03T08:12:50Z"), expected), "{state}");
    }
    let cancelled = row(3, ("cancelled", LENA), "08:12:44", ("08:12:48", "system"));
    let anew = row(4, ("requested", LENA), "08:12:49", ("08:12:49", "system"));
    assert_eq!(rounds(&[cancelled, anew]).len(), 2);
}

#[test]
fn rounds_that_an_old_row_was_written_to_across_bear_the_newer_ones_id() {
    let touched = by_omar(1, "08:12:44", "09:00:00");
    let lena = row(2, ("approved", LENA), "08:12:50", ("08:13:30", "lena.vogt"));
    assert_eq!(rounds(&[touched, lena]), [(format!("{ITEM}@2026-11-03T08:12:50Z"), Outcome::Approved)]);
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
        (0..201_u8).map(|n| row(n, ("not_required", LENA), "08:12:44", ("08:31:07", "system"))).collect();
    let page = |rows: Vec<Value>| counted(json!({"result": rows}), 201);
    let mut all = answers().to_vec();
    all.splice(1..2, [page(many[1..].to_vec()), page(vec![by_omar(0, "08:12:44", "08:31:07")])]);
    assert_eq!(parameter(&next(&snow(), &item_id(), &all[..2]), "sysparm_offset"), "200");
    assert_eq!(item(&all).approvals[0].votes.len(), 201);
    let twice = page(vec![many[1].clone()]);
    all[2] = twice;
    assert_eq!(error(&all), "ticket-bad-answer");
}
