use serde_json::json;

use super::{
    super::fixtures::{bad, read, replaced, ticket, time, with, without},
    *,
};

/// A vote of `approvals`.
fn vote(by: &str, decision: &str, at: Option<&str>) -> Value {
    json!({"id": format!("v-{by}"), "decision": decision, "approver": {"id": by}, "decided_at": at})
}

fn in_round(round: &str, vote: Value) -> Value {
    with(vote, "/round", json!(round))
}

fn rounds(votes: &[Value]) -> Vec<Approval> {
    read(&replaced("/approvals", json!(votes))).approvals
}

fn brief(rounds: &[Approval]) -> Vec<(&str, Outcome, String)> {
    rounds
        .iter()
        .map(|round| (round.id.as_str(), round.outcome, round.decided_at.map_or_else(String::new, |at| at.to_string())))
        .collect()
}

const T1: &str = "2026-11-03T09:00:00Z";
const T2: &str = "2026-11-03T09:30:00Z";
const T3: &str = "2026-11-03T11:00:00Z";

fn at(time: &str) -> String {
    time.to_owned()
}

#[test]
fn the_votes_of_a_ticket_are_one_round_that_dates_from_the_last_yes() {
    let found = rounds(&[vote("p2", "approved", Some(T2)), vote("p1", "approved", Some(T1))]);
    assert_eq!(brief(&found), [("1", Outcome::Approved, at(T2))]);
    assert_eq!((found[0].opened_at, found[0].votes.len()), (time(T1), 2));
    assert_eq!(found[0].votes[1].decided_at, Some(time(T1)));
}

#[test]
fn no_vote_that_comes_or_goes_makes_another_approval_of_it() {
    let [a, b, c] =
        [vote("p1", "approved", Some(T1)), vote("p2", "approved", Some(T2)), vote("p3", "approved", Some(T3))];
    for votes in [vec![&a], vec![&a, &b], vec![&b, &a, &c], vec![&b], vec![&c, &c]] {
        let votes: Vec<_> = votes.into_iter().cloned().collect();
        let ids: Vec<_> = rounds(&votes).into_iter().map(|round| round.id.as_str().to_owned()).collect();
        assert_eq!(ids, ["1"]);
    }
    // A system that begins to name its rounds calls the first one what it was called before.
    assert_eq!(rounds(&[a.clone(), in_round("1", b)]).len(), 1);
    assert_eq!(brief(&rounds(&[in_round("2", c), a]))[1], ("2", Outcome::Approved, at(T3)));
}

#[test]
fn rounds_are_sorted_by_their_first_decision_and_an_undecided_one_is_the_newest() {
    let votes = [
        in_round("c", vote("p1", "pending", None)),
        in_round("b", vote("p1", "approved", Some(T2))),
        in_round("a", vote("p1", "rejected", Some(T1))),
        in_round("a", vote("p2", "approved", Some(T3))),
    ];
    let found = rounds(&votes);
    let expected =
        [("a", Outcome::Declined, at(T1)), ("b", Outcome::Approved, at(T2)), ("c", Outcome::Pending, String::new())];
    assert_eq!(brief(&found), expected);
    let ticket = read(&replaced("/approvals", json!(votes)));
    assert_eq!(ticket.newest_approval().map(|newest| newest.id.as_str()), Some("c"));
    let ticket = read(&replaced("/approvals", json!(votes[1..])));
    assert_eq!(ticket.newest_approval().map(|newest| newest.id.as_str()), Some("b"));
    let same = [in_round("b", vote("p1", "approved", Some(T1))), in_round("a", vote("p1", "rejected", Some(T1)))];
    let ticket = read(&replaced("/approvals", json!(same)));
    assert_eq!(ticket.newest_approval().map(|newest| newest.id.as_str()), Some("a"), "listed last");
}

#[test]
fn one_no_is_a_no_and_a_word_that_is_not_known_is_no_yes() {
    let yes = || vote("p1", "approved", Some(T1));
    assert_eq!(rounds(&[yes(), vote("p2", "rejected", Some(T2))])[0].outcome, Outcome::Declined);
    assert_eq!(rounds(&[yes(), vote("p2", "abstained", None)])[0].outcome, Outcome::Unknown);
    assert_eq!(rounds(&[yes(), vote("p2", "Approved", Some(T2))])[0].outcome, Outcome::Unknown);
    let waiting = rounds(&[yes(), vote("p2", "pending", None)]);
    assert_eq!(brief(&waiting), [("1", Outcome::Approved, at(T1))], "the status says whether that is enough");
    assert_eq!(waiting[0].votes[1].outcome, Outcome::Pending);
    assert_eq!(rounds(&[vote("p2", "pending", None)])[0].outcome, Outcome::Pending);
    assert!(rounds(&[]).is_empty());
}

#[test]
fn a_rejected_ticket_has_its_newest_round_declined_whoever_voted_what() {
    let votes = json!([vote("p1", "approved", Some(T1)), in_round("2", vote("p1", "approved", Some(T2)))]);
    let found = read(&with(replaced("/approvals", votes), "/status", json!("rejected"))).approvals;
    let outcomes: Vec<_> = found.iter().map(|round| round.outcome).collect();
    assert_eq!(outcomes, [Outcome::Approved, Outcome::Declined]);
}

#[test]
fn a_vote_of_nobody_stays_one_of_nobody() {
    for approver in [json!(null), json!({}), json!({"name": "Tomas Berg", "email": "tomas.berg@contoso.example"})] {
        let found = read(&replaced("/approvals/0/approver", approver)).approvals;
        assert_eq!((found[0].outcome, found[0].votes[0].approver.as_ref()), (Outcome::Approved, None));
    }
    let found = read(&without(ticket(), "/approvals/0/approver")).approvals;
    assert_eq!(found[0].votes[0].approver, None);
}

#[test]
fn a_vote_that_cannot_be_read_makes_the_ticket_unreadable() {
    for (path, value, why) in [
        ("/approvals", json!({}), "/approvals is not an array"),
        ("/approvals/0", json!(["approved"]), "/approvals/0 is not an object"),
        ("/approvals/0/decision", json!(true), "/approvals/0/decision is not a text"),
        ("/approvals/0/decided_at", json!(null), "/approvals/0/decided_at is not a time such as 2026-11-03T08:31:07Z"),
        (
            "/approvals/0/decided_at",
            json!("09:14"),
            "/approvals/0/decided_at is not a time such as 2026-11-03T08:31:07Z",
        ),
        ("/approvals/0/approver", json!("p52"), "/approvals/0/approver is not an object"),
        ("/approvals/0/approver/id", json!(52), "/approvals/0/approver/id is not a text"),
        ("/approvals/0/approver/kind", json!("robot"), "/approvals/0/approver/kind is not person or app"),
        ("/approvals/0/round", json!(2), "/approvals/0/round is not a text"),
        ("/approvals/0/round", json!(""), "/approvals/0/round is not 1 to 64 visible ASCII characters"),
    ] {
        assert_eq!(bad(&replaced(path, value)), why);
    }
    assert_eq!(bad(&without(ticket(), "/approvals")), "/approvals is not an array");
    let many = vec![vote("p1", "approved", Some(T1)); 501];
    assert_eq!(bad(&replaced("/approvals", json!(many))), "/approvals is not a list of at most 500 votes");
}
