//! The whole table, each pair of state and event once.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::domain::{
    audit::Actor,
    duration::Duration,
    id::{ApprovalId, EntitlementKey, ObjectId, TenantName},
    request::{Bound, EndCause, Granted, Receiver},
    target::{AssignmentKind, Target},
    ticket::Basis,
};

fn moment() -> jiff::Timestamp {
    "2026-11-03T08:31:00Z".parse().expect("time")
}

fn decision() -> Decision {
    Decision {
        decided_at: moment(),
        tenant: TenantName::new("contoso"),
        approval: ApprovalId::new("37"),
        approved_at: moment(),
        approvers: vec![],
        principal: Receiver { id: ObjectId(Uuid::nil()), name: "Nina Keller".into(), kind: None, named: None },
        entitlement: Granted {
            key: EntitlementKey::new("exchange-admin"),
            title: "Exchange Administrator".into(),
            target: Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys: BTreeMap::new() },
            revoke_sessions: false,
        },
        requested: Duration::hours(4),
        duration: Duration::hours(4),
        bound_by: Bound::Requested,
        not_before: None,
        not_after: None,
        catalog_version: "sha256:00".into(),
        snapshot_digest: "sha256:00".into(),
        basis: Basis::ReadBack,
        time_zone: None,
        dry_run: false,
    }
}

fn rehearsal() -> Decision {
    Decision { dry_run: true, ..decision() }
}

fn assignment() -> Assignment {
    Assignment {
        schedule_request_id: Some("a".into()),
        schedule_id: "a".into(),
        starts_at: moment(),
        ends_at: moment(),
        confirmed_at: moment(),
        joined: vec![],
    }
}

fn order(remove: bool) -> EndOrder {
    EndOrder {
        cause: if remove { EndCause::Revoked } else { EndCause::Expired },
        ordered_at: moment(),
        actor: Actor::stint(),
        reason: "because".into(),
        remove,
        confirmed_at: None,
        continued_by: vec![],
    }
}

fn held(was: State) -> State {
    State::Held { hold: Hold::new("graph-unavailable", ""), was: Box::new(was) }
}

/// Every state, in the order of the table's rows.
fn states() -> Vec<(&'static str, State)> {
    vec![
        ("received", State::Received),
        ("verifying", State::Verifying),
        ("approved", State::Approved(decision())),
        ("assigning", State::Assigning(decision())),
        ("rehearsing", State::Assigning(rehearsal())),
        ("active", State::Active(decision(), assignment())),
        ("ending", State::Ending(decision(), Some(assignment()), order(false))),
        ("removing", State::Ending(decision(), Some(assignment()), order(true))),
        ("ended", State::Ended(order(false))),
        ("rejected", State::Rejected(vec![])),
        ("failed", State::Failed(Failure { code: String::new(), detail: String::new() })),
        ("held received", held(State::Received)),
        ("held verifying", held(State::Verifying)),
        ("held approved", held(State::Approved(decision()))),
        ("held assigning", held(State::Assigning(decision()))),
        ("held rehearsing", held(State::Assigning(rehearsal()))),
        ("held ending", held(State::Ending(decision(), None, order(false)))),
        ("held removing", held(State::Ending(decision(), None, order(true)))),
    ]
}

/// Every event, in the order of the table's columns.
fn events() -> Vec<Event> {
    vec![
        Event::Take,
        Event::Approve(Box::new(decision())),
        Event::Reject(vec![]),
        Event::Begin(Box::new(decision())),
        Event::Confirm(assignment()),
        Event::Fail(Failure { code: String::new(), detail: String::new() }),
        Event::Validated(order(false)),
        Event::End(order(true)),
        Event::End(order(false)),
        Event::Gone(moment(), vec![]),
        Event::Hold(Hold::new("ticket-unavailable", "")),
        Event::Hold(Hold::new("graph-unavailable", "")),
        Event::Resume,
    ]
}

/// One row a state, one column an event; `-` is an illegal move.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 13]); 18] = [
    //                  take         approve     reject      begin        confirm   fail      validated end+remove end       gone     hold    same-hold resume
    ("received",        ["verifying", "-",        "-",        "-",         "-",      "-",      "-",       "ended",   "ended",   "-",     "held", "held", "-"]),
    ("verifying",       ["-",         "approved", "rejected", "-",         "-",      "-",      "-",       "ended",   "ended",   "-",     "held", "held", "-"]),
    ("approved",        ["-",         "-",        "rejected", "assigning", "-",      "failed", "-",       "ended",   "ended",   "-",     "held", "held", "-"]),
    ("assigning",       ["-",         "-",        "rejected", "-",         "active", "failed", "-",       "ending",  "ending",  "-",     "held", "held", "-"]),
    ("rehearsing",      ["-",         "-",        "rejected", "-",         "-",      "failed", "ended",   "ending",  "ending",  "-",     "held", "held", "-"]),
    ("active",          ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "ending",  "ending",  "-",     "held", "held", "-"]),
    ("ending",          ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "ending",  "-",       "ended", "held", "held", "-"]),
    ("removing",        ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "-",       "-",       "ended", "held", "held", "-"]),
    ("ended",           ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "-",       "-",       "-",     "-",    "-",    "-"]),
    ("rejected",        ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "-",       "-",       "-",     "-",    "-",    "-"]),
    ("failed",          ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "-",       "-",       "-",     "-",    "-",    "-"]),
    ("held received",   ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "ended",   "ended",   "-",     "held", "-",    "received"]),
    ("held verifying",  ["-",         "approved", "rejected", "-",         "-",      "-",      "-",       "ended",   "ended",   "-",     "held", "-",    "verifying"]),
    ("held approved",   ["-",         "-",        "rejected", "assigning", "-",      "failed", "-",       "ended",   "ended",   "-",     "held", "-",    "approved"]),
    ("held assigning",  ["-",         "-",        "rejected", "-",         "active", "failed", "-",       "ending",  "ending",  "-",     "held", "-",    "assigning"]),
    ("held rehearsing", ["-",         "-",        "rejected", "-",         "-",      "failed", "ended",   "ending",  "ending",  "-",     "held", "-",    "assigning"]),
    ("held ending",     ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "ending",  "-",       "ended", "held", "-",    "ending"]),
    ("held removing",   ["-",         "-",        "-",        "-",         "-",      "-",      "-",       "-",       "-",       "ended", "held", "-",    "ending"]),
];

#[test]
fn every_pair_of_state_and_event_is_as_the_table_says() {
    assert_eq!(states().len(), TABLE.len());
    for ((name, state), (row, cells)) in states().into_iter().zip(TABLE) {
        assert_eq!(name, row);
        assert_eq!(events().len(), cells.len());
        for (event, expected) in events().into_iter().zip(cells) {
            let outcome = apply(state.clone(), event.clone());
            let found = outcome.as_ref().map_or("-", |next| next.status().as_str());
            assert_eq!(found, expected, "{name} + {event:?}");
        }
    }
}

#[test]
fn holding_and_resuming_changes_nothing() {
    for (name, state) in states().into_iter().filter(|(_, s)| !s.status().is_terminal()) {
        let resumed = apply(state.clone(), Event::Hold(Hold::new("other", ""))).and_then(|s| apply(s, Event::Resume));
        let expected = state.underlying().clone();
        assert_eq!(resumed, Ok(expected), "{name}");
    }
}

#[test]
fn what_is_due_is_the_same_held_or_not() {
    for (name, state) in states() {
        let expected = match state.underlying() {
            State::Received | State::Verifying => Effect::Verify,
            State::Approved(_) | State::Assigning(_) => Effect::Assign,
            State::Active(..) => Effect::Watch,
            State::Ending(..) => Effect::End,
            _ => Effect::Nothing,
        };
        assert_eq!(due(&state), expected, "{name}");
    }
}

#[test]
fn an_end_before_anything_was_sent_needs_no_proof() {
    let State::Ended(order) = apply(State::Approved(decision()), Event::End(order(true))).expect("legal") else {
        panic!("not ended");
    };
    assert_eq!(order.confirmed_at, Some(moment()));
}

#[test]
fn a_dry_run_can_never_come_into_force() {
    for state in [State::Assigning(rehearsal()), held(State::Assigning(rehearsal()))] {
        assert!(apply(state, Event::Confirm(assignment())).is_err());
    }
}

#[test]
fn illegal_moves_name_the_state_and_the_event() {
    let error = apply(State::Received, Event::Resume).expect_err("illegal");
    assert_eq!(error.to_string(), "resumed cannot happen to a request that is received");
}
