//! One request's access, at moments all over its life.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::domain::{
    attempt::AttemptKind,
    audit::Actor,
    duration::Duration,
    id::{ApprovalId, EntitlementKey, ObjectId, TenantName},
    request::{Bound, EndCause, Granted, Receiver},
    target::{AssignmentKind, Target},
    ticket::Basis,
};

fn at(text: &str) -> Timestamp {
    format!("2026-11-03T{text}Z").parse().expect("time")
}

fn decision() -> Decision {
    let target = Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys: BTreeMap::new() };
    Decision {
        decided_at: at("08:00:00"),
        tenant: TenantName::new("contoso"),
        approval: ApprovalId::new("37"),
        approved_at: at("07:59:00"),
        approvers: vec![],
        principal: Receiver { id: ObjectId(Uuid::nil()), name: "Nina Keller".into(), kind: None, named: None },
        entitlement: Granted {
            key: EntitlementKey::new("exchange-admin"),
            title: "Exchange Administrator".into(),
            target,
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

/// Sent at 08:00:05, four hours long.
fn sent(outcome: AttemptOutcome) -> Attempt {
    Attempt { outcome, ..Attempt::assign(Duration::hours(4), at("08:00:05")) }
}

fn assignment() -> Assignment {
    Assignment {
        schedule_request_id: None,
        schedule_id: "s".into(),
        starts_at: at("08:00:06"),
        ends_at: at("12:00:06"),
        confirmed_at: at("08:00:10"),
        joined: vec![],
    }
}

fn course(status: Status) -> Course {
    Course {
        status,
        decision: decision(),
        assignment: None,
        end: None,
        ordered: None,
        attempts: vec![],
        unseen_since: None,
        gone_at: None,
        kept_from: None,
    }
}

fn active() -> Course {
    let attempts = vec![sent(AttemptOutcome::Accepted)];
    Course { assignment: Some(assignment()), attempts, ..course(Status::Active) }
}

fn order(cause: EndCause, ordered_at: Timestamp) -> EndOrder {
    EndOrder { cause, ..EndOrder::revocation(Actor::stint(), "enough", ordered_at) }
}

fn revoked(gone_at: Option<Timestamp>) -> Course {
    let status = if gone_at.is_some() { Status::Ended } else { Status::Ending };
    Course { status, end: Some(order(EndCause::Revoked, at("09:00:00"))), gone_at, ..active() }
}

fn expired(gone_at: Option<Timestamp>) -> Course {
    let status = if gone_at.is_some() { Status::Ended } else { Status::Ending };
    Course { status, end: Some(order(EndCause::Expired, at("12:00:06"))), gone_at, ..active() }
}

/// On what ground it is listed at each moment, as known at `now`.
fn grounds(course: &Course, now: &str, moments: &[&str]) -> Vec<Option<Ground>> {
    let ground = |moment: &&str| had_at(course, at(moment), at(now)).map(|had| had.ground);
    moments.iter().map(ground).collect()
}

const PROOF: Option<Ground> = Some(Ground::Proof);
const PLAN: Option<Ground> = Some(Ground::Plan);

#[test]
fn what_was_read_back_is_proved_for_its_window_and_planned_for_what_is_to_come() {
    let moments = ["08:00:05", "08:00:06", "08:00:08", "10:00:00", "10:00:01", "12:00:05", "12:00:06"];
    let seen = grounds(&active(), "10:00:00", &moments);
    assert_eq!(seen, [None, PROOF, PROOF, PROOF, PLAN, PLAN, None]);
    let had = had_at(&active(), at("09:00:00"), at("10:00:00")).expect("listed");
    assert_eq!((had.starts_at, had.ends_at), (at("08:00:06"), at("12:00:06")));
    assert_eq!(had.until, (at("12:00:06"), Ground::Plan));
}

#[test]
fn a_clock_of_pim_that_is_ahead_hides_nothing_that_was_read() {
    let mut course = active();
    course.assignment = Some(Assignment { starts_at: at("08:03:00"), ..assignment() });
    assert_eq!(grounds(&course, "08:01:00", &["08:00:09", "08:00:10", "08:01:00"]), [None, PROOF, PROOF]);
}

#[test]
fn from_an_order_to_end_until_the_proof_it_may_still_be_there() {
    let moments = ["08:59:59", "09:00:00", "09:04:00", "09:05:00", "09:05:01", "13:00:00"];
    let known_later = grounds(&revoked(Some(at("09:05:00"))), "14:00:00", &moments);
    assert_eq!(known_later, [PROOF, PLAN, PLAN, None, None, None]);
    let had = had_at(&revoked(Some(at("09:05:00"))), at("09:01:00"), at("14:00:00")).expect("listed");
    assert_eq!((had.until, had.ends_at), ((at("09:05:00"), Ground::Proof), at("12:00:06")));
    assert!(had.why.contains("ordered"), "{}", had.why);
    let not_proved = grounds(&revoked(None), "09:10:00", &moments);
    assert_eq!(not_proved, [PROOF, PLAN, PLAN, PLAN, PLAN, None]);
    assert_eq!(grounds(&revoked(None), "15:00:00", &["13:00:00", "15:00:00"]), [PLAN, PLAN], "nothing says it is gone");
}

#[test]
fn an_order_that_no_step_has_taken_up_counts_at_once() {
    let course = Course { ordered: Some(order(EndCause::Revoked, at("09:00:00"))), ..active() };
    assert_eq!(grounds(&course, "09:00:00", &["08:59:59", "09:00:00"]), [PROOF, PLAN]);
}

#[test]
fn after_its_time_it_is_listed_until_it_is_proved_gone() {
    let moments = ["12:00:05", "12:00:06", "12:02:05", "12:02:06"];
    assert_eq!(grounds(&expired(Some(at("12:02:06"))), "13:00:00", &moments), [PROOF, PLAN, PLAN, None]);
    assert_eq!(grounds(&expired(None), "13:00:00", &moments), [PROOF, PLAN, PLAN, PLAN]);
    // An end that no step has noted yet is over all the same.
    assert_eq!(grounds(&active(), "13:00:00", &moments), [PROOF, PLAN, PLAN, PLAN]);
    let had = had_at(&active(), at("12:30:00"), at("13:00:00")).expect("listed");
    assert!(had.why.contains("time was over"), "{}", had.why);
}

#[test]
fn what_showed_again_after_its_end_was_proved_is_listed_again() {
    let course = Course { gone_at: None, ..expired(Some(at("12:02:06"))) };
    let had = had_at(&course, at("12:30:00"), at("13:00:00")).expect("listed");
    assert!(had.ground == Ground::Plan && had.why.contains("showed it"), "{}", had.why);
    let absent = Attempt { closed_at: Some(at("08:04:00")), ..sent(AttemptOutcome::Absent) };
    let late = Course { attempts: vec![absent], kept_from: Some(at("08:00:05")), ..self::course(Status::Failed) };
    assert_eq!(grounds(&late, "09:00:00", &["08:00:04", "08:00:05", "09:00:00"]), [None, PLAN, PLAN]);
}

#[test]
fn what_looks_miss_is_no_longer_proved() {
    let missed = Course { unseen_since: Some(at("09:15:00")), ..active() };
    assert_eq!(grounds(&missed, "09:30:00", &["09:14:59", "09:15:00", "09:30:00"]), [PROOF, PLAN, PLAN]);
    let ended = Course {
        unseen_since: Some(at("09:15:00")),
        end: Some(order(EndCause::Revoked, at("09:30:00"))),
        status: Status::Ended,
        gone_at: Some(at("09:31:00")),
        ..active()
    };
    assert_eq!(
        grounds(&ended, "14:00:00", &["09:14:59", "09:20:00", "09:30:30", "09:31:00"]),
        [PROOF, PLAN, PLAN, None]
    );
}

#[test]
fn an_order_of_unknown_outcome_may_have_been_carried_out() {
    for outcome in [AttemptOutcome::Open, AttemptOutcome::Accepted] {
        let course = Course { attempts: vec![sent(outcome)], ..course(Status::Assigning) };
        let moments = ["08:00:04", "08:00:05", "08:01:00", "11:00:00", "12:00:05"];
        assert_eq!(grounds(&course, "08:01:00", &moments), [None, PLAN, PLAN, PLAN, None]);
        assert_eq!(grounds(&course, "13:00:00", &["12:30:00"]), [PLAN], "its end was never proved");
    }
}

#[test]
fn what_was_never_sent_or_came_to_nothing_is_not_listed() {
    for outcome in [AttemptOutcome::Refused, AttemptOutcome::NotSent] {
        let course = Course { attempts: vec![sent(outcome)], ..course(Status::Failed) };
        assert_eq!(grounds(&course, "13:00:00", &["08:00:05", "09:00:00", "13:00:00"]), [None, None, None]);
    }
    let absent = Attempt { closed_at: Some(at("08:04:00")), ..sent(AttemptOutcome::Absent) };
    let course = Course { attempts: vec![absent], ..course(Status::Failed) };
    assert_eq!(grounds(&course, "13:00:00", &["08:00:05", "08:03:00"]), [None, None]);
}

#[test]
fn empty_looks_after_its_time_do_not_prove_that_it_never_was() {
    let late = Attempt { closed_at: Some(at("12:30:00")), ..sent(AttemptOutcome::Absent) };
    let course = Course { attempts: vec![late], gone_at: Some(at("12:30:00")), ..course(Status::Failed) };
    assert_eq!(grounds(&course, "13:00:00", &["08:00:04", "09:00:00", "12:30:00"]), [None, PLAN, None]);
}

#[test]
fn what_is_approved_is_planned_from_now_or_its_start_on_and_never_in_the_past() {
    let waiting = course(Status::Approved);
    assert_eq!(
        grounds(&waiting, "08:00:02", &["08:00:01", "08:00:02", "12:00:01", "12:00:02"]),
        [None, PLAN, PLAN, None]
    );
    let mut scheduled = course(Status::Approved);
    scheduled.decision.not_before = Some(at("10:00:00"));
    scheduled.decision.not_after = Some(at("12:00:00"));
    let moments = ["09:00:00", "09:59:59", "10:00:00", "11:59:59", "12:00:00"];
    assert_eq!(grounds(&scheduled, "09:00:00", &moments), [None, None, PLAN, PLAN, None]);
    assert_eq!(
        had_at(&scheduled, at("11:00:00"), at("09:00:00")).expect("listed").until,
        (at("12:00:00"), Ground::Plan)
    );
    scheduled.ordered = Some(order(EndCause::Revoked, at("09:00:00")));
    assert_eq!(grounds(&scheduled, "09:00:00", &moments), [None; 5], "it is to end before it begins");
}

#[test]
fn after_an_attempt_that_came_to_nothing_only_the_rest_is_planned() {
    let absent = Attempt { closed_at: Some(at("08:04:00")), ..sent(AttemptOutcome::Absent) };
    let course = Course { attempts: vec![absent], ..course(Status::Assigning) };
    assert_eq!(
        grounds(&course, "08:10:00", &["08:05:00", "08:10:00", "12:00:04", "12:00:05"]),
        [None, PLAN, PLAN, None]
    );
}

#[test]
fn a_dry_run_and_what_was_refused_before_anything_was_sent_are_never_listed() {
    let mut dry = active();
    dry.decision.dry_run = true;
    let rejected = course(Status::Rejected);
    for course in [dry, rejected] {
        assert_eq!(grounds(&course, "09:00:00", &["08:30:00", "09:00:00", "10:00:00"]), [None, None, None]);
    }
}

#[test]
fn a_shared_assignment_is_each_ones_own_for_his_own_time() {
    let joined = Attempt {
        outcome: AttemptOutcome::Accepted,
        kind: AttemptKind::Update,
        ..Attempt::join(Duration::hours(1), at("12:00:06"), at("09:00:00"))
    };
    let mut course = active();
    course.attempts = vec![joined];
    course.assignment = Some(Assignment { starts_at: at("09:00:00"), ends_at: at("10:00:00"), ..assignment() });
    course.assignment.as_mut().expect("one").confirmed_at = at("09:00:02");
    let moments = ["08:59:00", "09:30:00", "10:00:30"];
    assert_eq!(grounds(&course, "09:45:00", &moments), [None, PROOF, None]);
    assert_eq!(grounds(&course, "10:01:00", &moments), [None, PROOF, PLAN]);
}

fn span_of(course: &Course, now: &str) -> Option<Span> {
    span(course.status, &course.decision, course.assignment.as_ref(), &course.attempts, course.gone_at, at(now))
}

#[test]
fn the_span_that_is_kept_covers_every_moment_that_is_listed() {
    let open = sent(AttemptOutcome::Open);
    let late = Attempt { closed_at: Some(at("12:30:00")), ..sent(AttemptOutcome::Absent) };
    let courses = [
        course(Status::Approved),
        Course { attempts: vec![open], ..course(Status::Assigning) },
        Course { attempts: vec![late], gone_at: Some(at("12:30:00")), ..course(Status::Failed) },
        active(),
        revoked(None),
        revoked(Some(at("09:05:00"))),
        expired(None),
        expired(Some(at("12:02:06"))),
        course(Status::Rejected),
    ];
    for course in courses {
        for now in ["08:00:05", "09:30:00", "12:30:00", "13:00:00"] {
            let span = span_of(&course, now);
            for minute in 0..600 {
                let moment = at("07:00:00") + jiff::SignedDuration::from_mins(minute);
                let covers = |span: Span| span.from <= moment && span.until.is_none_or(|until| moment <= until);
                if had_at(&course, moment, at(now)).is_some() {
                    assert!(span.is_some_and(covers), "{course:?} at {moment}, known at {now}");
                }
            }
        }
    }
}

#[test]
fn a_span_never_ends_before_it_begins_and_there_is_none_where_nothing_ever_was() {
    let backwards = revoked(Some(at("07:00:00")));
    let span = span_of(&backwards, "07:00:00").expect("a span");
    assert_eq!((span.from, span.until), (at("08:00:06"), Some(at("08:00:06"))));
    let refused = Course { attempts: vec![sent(AttemptOutcome::Refused)], ..course(Status::Failed) };
    assert_eq!(span_of(&refused, "13:00:00"), None);
    let mut dry = course(Status::Approved);
    dry.decision.dry_run = true;
    assert_eq!(span_of(&dry, "13:00:00"), None);
}

#[test]
fn a_start_as_late_as_time_goes_is_planned_to_its_end() {
    let late = Timestamp::MAX - Duration::hours(1).signed();
    let decision = Decision { not_before: Some(late), ..decision() };
    let course = Course { decision, ..course(Status::Approved) };
    let had = had_at(&course, late, at("08:00:00")).expect("planned");
    assert_eq!((had.starts_at, had.ends_at), (late, Timestamp::MAX));
}
