use jiff::ToSpan as _;

use super::{
    super::{
        assignment::{Progress, Schedule, ScheduleRequest},
        target::AssignmentKind,
    },
    *,
};

fn at(text: &str) -> Timestamp {
    format!("2026-11-03T{text}Z").parse().expect("time")
}

fn began() -> Timestamp {
    at("10:00:00")
}

fn target(role: &str) -> Target {
    let keys = [("role".to_owned(), role.to_owned())];
    Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys: keys.into() }
}

fn holding(principal: u128) -> Holding {
    Holding { principal: ObjectId(Uuid::from_u128(principal)), target: target("r") }
}

fn id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

fn held(schedule: &str, end: Option<&str>) -> Held {
    let instance = Instance {
        id: format!("i-{schedule}"),
        schedule_id: Some(schedule.into()),
        direct: true,
        starts_at: Some(at("08:00:00")),
        ends_at: end.map(at),
    };
    Held { holding: holding(1), instance }
}

fn entry(number: u128, stands: Stands) -> Entry {
    Entry { request: id(number), holding: holding(1), stands }
}

fn in_force(end: &str) -> Stands {
    Stands::InForce { ends_at: at(end), confirmed_at: at("08:00:05"), unseen_since: None }
}

fn follows(entries: &[Entry], made: &[(&str, u128)], shown: &[Held]) -> Vec<Follows> {
    let made = made.iter().map(|(schedule, request)| ((*schedule).to_owned(), id(*request))).collect();
    let books = Books { entries: entries.to_vec(), made, ..Books::default() };
    compare(&books, &seen(shown), began(), began() + 5.seconds())
}

fn seen(held: &[Held]) -> Shown {
    Shown { held: held.to_vec(), read: [target("r")].into() }
}

fn missed(number: u128) -> Follows {
    Follows::Missed(Missed { request: id(number), holding: holding(1), since: None })
}

/// What it is, what the books hold, what shows, and what follows.
type Case = (&'static str, Vec<Entry>, Vec<Held>, Vec<Follows>);

#[test]
fn each_pair_of_book_and_list_has_one_consequence() {
    let ours = || held("s", Some("12:00:00"));
    let over = |since: &str| Stands::Over(at(since));
    let table: Vec<Case> = vec![
        ("in force on both sides", vec![entry(7, in_force("12:00:00"))], vec![ours()], vec![]),
        ("nothing on either side", vec![], vec![], vec![]),
        ("in force here, gone there", vec![entry(7, in_force("12:00:00"))], vec![], vec![missed(7)]),
        ("its own end has come", vec![entry(7, in_force("10:00:05"))], vec![], vec![]),
        ("not in force yet", vec![entry(7, Stands::Underway)], vec![], vec![]),
        (
            "over here, there still",
            vec![entry(7, over("09:00:00"))],
            vec![ours()],
            vec![Follows::Overstays(id(7), ours())],
        ),
        ("over only just now", vec![entry(7, over("09:58:00"))], vec![ours()], vec![]),
        ("over here and there", vec![entry(7, over("09:00:00"))], vec![], vec![]),
        ("its own step removes it", vec![entry(7, Stands::Underway)], vec![ours()], vec![]),
        (
            "over, but another request rests on it",
            vec![entry(7, over("09:00:00")), entry(8, in_force("12:00:00"))],
            vec![ours()],
            vec![],
        ),
        (
            "over, and another one is on its way",
            vec![entry(7, over("09:00:00")), entry(8, Stands::Underway)],
            vec![ours()],
            vec![],
        ),
        (
            "one assignment for two, missed for both",
            vec![entry(7, in_force("12:00:00")), entry(8, in_force("13:00:00"))],
            vec![],
            vec![missed(7), missed(8)],
        ),
        (
            "an end after the last of two",
            vec![entry(7, in_force("11:00:00")), entry(8, in_force("11:30:00"))],
            vec![ours()],
            vec![Follows::TooLong(vec![id(7), id(8)], ours())],
        ),
        (
            "an end that one of two may have",
            vec![entry(7, in_force("11:00:00")), entry(8, in_force("12:00:00"))],
            vec![ours()],
            vec![],
        ),
        (
            "no end",
            vec![entry(7, in_force("12:00:00"))],
            vec![held("s", None)],
            vec![Follows::TooLong(vec![id(7)], held("s", None))],
        ),
        ("a minute is forgiven", vec![entry(7, in_force("11:59:00"))], vec![ours()], vec![]),
        ("nobody's, beside nothing", vec![], vec![held("other", None)], vec![Follows::Stray(held("other", None))]),
        (
            "nobody's, in the place of ours",
            vec![entry(7, in_force("12:00:00"))],
            vec![held("other", None)],
            vec![Follows::Stray(held("other", None))],
        ),
    ];
    for (what, entries, shown, expected) in table {
        let made = if entries.is_empty() { vec![] } else { vec![("s", 7)] };
        assert_eq!(follows(&entries, &made, &shown), expected, "{what}");
    }
}

#[test]
fn a_list_that_was_not_read_misses_nobody() {
    let books = Books { entries: vec![entry(7, in_force("12:00:00"))], ..Books::default() };
    assert_eq!(compare(&books, &Shown::default(), began(), began()), vec![]);
}

#[test]
fn what_has_just_begun_is_left_to_the_next_comparison() {
    let stands = Stands::InForce { ends_at: at("12:00:00"), confirmed_at: at("09:57:01"), unseen_since: None };
    assert_eq!(follows(&[entry(7, stands)], &[("s", 7)], &[]), vec![]);
    let mut young = held("s", None);
    young.instance.starts_at = Some(at("09:57:01"));
    assert_eq!(follows(&[], &[], &[young]), vec![]);
}

#[test]
fn what_was_missed_and_shows_is_back() {
    let since = Some(at("09:50:00"));
    let stands = Stands::InForce { ends_at: at("12:00:00"), confirmed_at: at("08:00:05"), unseen_since: since };
    assert_eq!(follows(&[entry(7, stands)], &[("s", 7)], &[held("s", Some("12:00:00"))]), vec![Follows::Back(id(7))]);
    let again = Missed { request: id(7), holding: holding(1), since };
    assert_eq!(follows(&[entry(7, stands)], &[("s", 7)], &[]), vec![Follows::Missed(again)]);
}

#[test]
fn what_an_attempt_may_be_changing_and_what_was_told_is_left_alone() {
    let shown = seen(&[held("other", None)]);
    let busy = [(holding(1).principal, holding(1).target.to_string())].into();
    let books = Books { busy, ..Books::default() };
    assert_eq!(compare(&books, &shown, began(), began()), vec![]);
    let books = Books { told: ["i-other".to_owned()].into(), ..Books::default() };
    assert_eq!(compare(&books, &shown, began(), began()), vec![]);
}

#[test]
fn an_id_of_ours_under_somebody_elses_name_is_not_ours() {
    let mut elsewhere = held("s", Some("12:00:00"));
    elsewhere.holding = holding(2);
    let entries = [entry(7, Stands::Over(at("09:00:00")))];
    assert_eq!(follows(&entries, &[("s", 7)], &[elsewhere.clone()]), vec![Follows::Stray(elsewhere)]);
}

fn schedule_request(justification: &str) -> ScheduleRequest {
    ScheduleRequest {
        id: "q".into(),
        action: ScheduleAction::Assign,
        progress: Progress::Done,
        status: "Provisioned".into(),
        justification: Some(justification.into()),
        schedule_id: Some("s".into()),
        created_at: None,
        only_validated: false,
    }
}

#[test]
fn the_hand_is_read_from_the_schedule_request_behind_it() {
    let instance = held("s", None).instance;
    let shows = |requests: Vec<ScheduleRequest>| Sighting {
        requests,
        instances: vec![instance.clone()],
        ..Sighting::default()
    };
    let marked = schedule_request(&format!("ITSEC-1 {}", id(9).marker()));
    assert_eq!(hand(&shows(vec![]), &instance), Hand::Foreign);
    assert_eq!(hand(&shows(vec![schedule_request("by hand, see stint:nonsense")]), &instance), Hand::Foreign);
    assert_eq!(hand(&shows(vec![marked.clone()]), &instance), Hand::Marked(id(9)));
    let other = ScheduleRequest { schedule_id: Some("t".into()), ..marked.clone() };
    assert_eq!(hand(&shows(vec![other.clone()]), &instance), Hand::Foreign);
    let made = Schedule { id: "s".into(), created_using: Some("q".into()), direct: true };
    let sighting = Sighting { schedules: vec![made], ..shows(vec![other]) };
    assert_eq!(hand(&sighting, &instance), Hand::Marked(id(9)));
    assert_eq!(hand(&Sighting { requests: vec![marked], ..Sighting::default() }, &instance), Hand::Unclear);
}

#[test]
fn what_stands_beside_another_assignment_is_not_alone() {
    let instance = held("s", None).instance;
    let other = held("t", None).instance;
    let alone = Sighting { instances: vec![instance.clone()], ..Sighting::default() };
    assert!(is_alone(&alone, &instance) && shows_any(&alone));
    let both = Sighting { instances: vec![instance.clone(), other], ..Sighting::default() };
    assert!(!is_alone(&both, &instance));
    let coming = Schedule { id: "t".into(), created_using: None, direct: true };
    assert!(!is_alone(&Sighting { schedules: vec![coming], ..alone }, &instance));
    assert!(!shows_any(&Sighting::default()));
}
