//! The checker bites: books made by hand that break each rule.

use jiff::Timestamp;
use stint::sandbox::graph::{Entry, Grant, Surface};

use super::check::{Approval, Case, Recorded};
use crate::world::{minutes, morning, seconds};

const TICKET: &str = "ITSEC-482";

fn at(minute: i64) -> Timestamp {
    morning() + minutes(minute)
}

fn approval(ticket: &str, duration: i64, active: Option<i64>) -> Approval {
    let active = active.map(at);
    Approval { ticket: ticket.into(), duration: minutes(duration), active, ..Approval::default() }
}

fn call(id: &str, ticket: &str, begun: i64, duration: Option<i64>, ends: i64) -> Recorded {
    let (duration, ends_at) = (duration.map(minutes), Some(at(ends)));
    Recorded { id: id.into(), ticket: ticket.into(), at: at(begun), duration, ends_at, ..Recorded::default() }
}

fn entry(id: &str, ticket: &str, action: &str, begun: i64, ends: i64) -> Entry {
    Entry {
        at: at(begun),
        action: action.into(),
        committed: true,
        justification: Some(format!("{ticket} stint:{ticket}")),
        ticket_number: Some(ticket.into()),
        start: Some(at(begun)),
        end: Some(at(ends)),
        request_id: Some(format!("request-{id}")),
        client_request_id: Some(id.into()),
        ..Entry::default()
    }
}

fn grant(id: &str, begun: i64, ends: i64, over: i64) -> Grant {
    Grant {
        surface: Surface::RoleAssignment,
        principal: "somebody".into(),
        role: "role".into(),
        scope: "/".into(),
        group: None,
        access: None,
        held: stint::sandbox::graph::Held::Direct,
        start: Some(at(begun)),
        end: Some(at(ends)),
        ended_at: Some(at(over)),
        replaced: over < ends,
        foreign: false,
        request_id: Some(format!("request-{id}")),
        schedule_id: format!("schedule-{id}"),
        justification: None,
    }
}

/// One ticket for half an hour, granted and ended by its own time.
fn plain() -> Case {
    Case {
        approvals: vec![approval(TICKET, 30, Some(0))],
        calls: vec![call("a", TICKET, 0, Some(30), 30)],
        entries: vec![entry("a", TICKET, "adminAssign", 0, 30)],
        grants: vec![grant("a", 0, 30, 30)],
        ..Case::default()
    }
}

/// A second one for twenty minutes more joined it after ten minutes.
fn joined() -> Case {
    let mut case = plain();
    case.approvals.push(approval("ITSEC-483", 40, Some(10)));
    case.calls.push(call("b", "ITSEC-483", 10, Some(40), 50));
    case.entries.push(entry("b", "ITSEC-483", "adminUpdate", 10, 50));
    case.grants = vec![grant("a", 0, 30, 10), grant("b", 10, 50, 50)];
    case
}

fn only_fault(case: &Case, words: &str) {
    let faults = case.faults();
    assert!(faults.len() == 1 && faults[0].contains(words), "{words}: {faults:?}");
}

#[test]
fn books_in_order_have_no_faults() {
    assert_eq!(plain().faults(), Vec::<String>::new());
    assert_eq!(joined().faults(), Vec::<String>::new());
}

#[test]
fn a_second_create_is_found_by_its_marker_and_by_its_ticket() {
    let mut case = plain();
    case.entries.push(entry("a", TICKET, "adminAssign", 1, 30));
    only_fault(&case, "a second create");
    case.entries[1].justification = Some("another marker".into());
    only_fault(&case, "a second create");
    case.entries[1].committed = false;
    assert_eq!(case.faults(), Vec::<String>::new());
}

#[test]
fn what_outlives_its_approval_by_more_than_a_minute_is_found() {
    let mut case = plain();
    case.grants[0].ended_at = Some(at(31));
    assert_eq!(case.faults(), Vec::<String>::new());
    case.grants[0].ended_at = Some(at(31) + seconds(1));
    only_fault(&case, "lasts until");
    case.grants[0].ended_at = None;
    case.grants[0].end = None;
    only_fault(&case, "lasts until None");
}

#[test]
fn an_end_counts_from_the_first_call_that_may_have_been_carried_out() {
    let mut case = plain();
    // The first call was lost and the second asks for the whole time again.
    case.calls = vec![call("lost", TICKET, 0, Some(30), 30), call("a", TICKET, 4, Some(30), 34)];
    case.entries = vec![entry("a", TICKET, "adminAssign", 4, 34)];
    case.grants = vec![grant("a", 4, 34, 34)];
    case.approvals[0].active = None;
    only_fault(&case, "lasts until");
    case.calls[0].surely_not = true;
    assert_eq!(case.faults(), Vec::<String>::new());
}

#[test]
fn a_change_window_bounds_it() {
    let mut case = plain();
    case.approvals[0].not_after = Some(at(20));
    only_fault(&case, "lasts until");
}

#[test]
fn what_was_revoked_and_is_not_removed_is_found() {
    let mut case = plain();
    case.approvals[0].stopped = Some(at(10));
    only_fault(&case, "lasts until");
    case.grants[0].ended_at = Some(at(12));
    assert_eq!(case.faults(), Vec::<String>::new());
    // A storm excuses it while it lasts, and for some time.
    case.grants[0].ended_at = Some(at(29));
    case.storms = vec![(at(9), at(20))];
    assert_eq!(case.faults(), Vec::<String>::new());
}

#[test]
fn what_is_not_cut_back_to_the_other_holder_is_found() {
    let mut case = joined();
    case.approvals[1].stopped = Some(at(15));
    only_fault(&case, "lasts until");
    case.grants[1].ended_at = Some(at(31));
    assert_eq!(case.faults(), Vec::<String>::new());
}

#[test]
fn an_update_that_cuts_the_other_holder_off_is_found() {
    let mut case = joined();
    case.grants[1].ended_at = Some(at(25));
    let faults = case.faults();
    assert!(faults.len() == 2 && faults.iter().all(|fault| fault.contains("is cut off")), "{faults:?}");
    // Somebody else took it away: that is nobody's fault here.
    case.hands = vec![at(25)];
    assert_eq!(case.faults(), Vec::<String>::new());
}

#[test]
fn what_is_told_as_active_and_is_not_in_force_is_found() {
    let mut case = plain();
    case.grants[0].start = Some(at(3));
    only_fault(&case, "is cut off");
}

#[test]
fn a_call_about_what_is_somebody_elses_is_found() {
    let mut case = plain();
    let removal = Entry { removed_foreign: true, ..entry("a", TICKET, "adminRemove", 40, 41) };
    case.entries.push(removal);
    only_fault(&case, "somebody else's");
    case.entries[1] = Entry { updated_foreign: true, ..entry("a", TICKET, "adminUpdate", 5, 30) };
    only_fault(&case, "somebody else's");
}

#[test]
fn access_asked_for_after_the_end_or_without_a_record_is_found() {
    let mut case = plain();
    case.approvals[0].stopped = Some(at(-1));
    let faults = case.faults();
    assert!(faults.iter().any(|fault| fault.contains("asked for ITSEC-482 after its end")), "{faults:?}");
    let mut case = plain();
    case.entries[0].client_request_id = Some("unknown".into());
    let faults = case.faults();
    assert!(faults.iter().any(|fault| fault.contains("was never recorded")), "{faults:?}");
}

#[test]
fn an_end_that_graph_itself_bent_may_take_until_it_is_noticed_and_no_longer() {
    let mut case = plain();
    case.entries[0].end = Some(at(120));
    case.grants[0] = grant("a", 0, 120, 31);
    assert_eq!(case.faults(), Vec::<String>::new());
    case.grants[0].ended_at = Some(at(45));
    only_fault(&case, "lasts until");
}
