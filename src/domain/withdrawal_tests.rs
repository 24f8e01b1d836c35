//! What a later reading says about a decision, from policy's case.

use super::*;
use crate::domain::withdrawal::{Carried, carried};

type Change = fn(&mut Ticket);

fn after(change: Change) -> Carried {
    let mut story = story();
    let decision = story.decision();
    change(&mut story.ticket);
    carried(&decision, &story.ticket)
}

fn another(ticket: &mut Ticket, outcome: Outcome) {
    let opened_at = at("2026-11-03T10:00:00Z");
    ticket.approvals.push(Approval { id: ApprovalId::new("38"), outcome, opened_at, ..round() });
}

#[test]
fn a_ticket_that_stands_as_it_was_decided_on_carries_the_decision() {
    assert_eq!(after(|_| {}), Carried::Yes);
    assert_eq!(after(|ticket| ticket.fields_changed_at = Some(at("2026-11-03T09:00:00Z"))), Carried::Yes);
}

#[test]
fn an_unknown_word_says_neither_that_it_stands_nor_that_it_does_not() {
    assert_eq!(after(|ticket| ticket.approvals[0].outcome = Outcome::Unknown), Carried::Unclear);
    assert_eq!(after(|ticket| another(ticket, Outcome::Unknown)), Carried::Unclear);
}

#[test]
fn a_closed_ticket_is_withdrawn_at_once() {
    assert!(matches!(after(|ticket| ticket.standing = Standing::Closed), Carried::No(_)));
}

#[test]
fn what_a_stale_answer_could_show_too_is_doubtful() {
    let changes: [Change; 6] = [
        |ticket| ticket.standing = Standing::Open,
        |ticket| ticket.in_scope = false,
        |ticket| ticket.approvals.clear(),
        |ticket| ticket.approvals[0].outcome = Outcome::Declined,
        |ticket| another(ticket, Outcome::Pending),
        |ticket| another(ticket, Outcome::Approved),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert!(matches!(after(change), Carried::Doubtful(_)), "{index}");
    }
}
