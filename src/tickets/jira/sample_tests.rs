//! The contract's sample answers, read as stint reads Jira's.

use serde_json::{Value, json};

use super::{
    super::Note,
    fixtures::{answer, common, own, sample, with},
    *,
};
use crate::domain::{
    approval::Outcome,
    ticket::{Field, Standing, Ticket},
};

/// The site of the samples, whose fields have other ids than the fixtures'.
fn site() -> Jira {
    let mut common = common("https://acme-msp.atlassian.net");
    common.fields.entitlement = "customfield_10115".into();
    common.fields.principal = "customfield_10116".into();
    common.fields.duration = "customfield_10117".into();
    Jira::new(&common, own(ApprovalMode::Jsm))
}

fn read(answers: &[Answer]) -> Result<Step<Reading>, TicketError> {
    site().read(&TicketId::new("10482"), answers)
}

/// The sample's ticket with these approvals.
fn ticket(approvals: &str) -> Option<Ticket> {
    let names = ["rest-jira-get-issue-200", "rest-jira-get-changelog-200", approvals];
    let answers = names.map(|name| sample(name).map(|body| answer(200, body)));
    let answers: Vec<_> = answers.into_iter().collect::<Option<_>>()?;
    match read(&answers) {
        Ok(Step::Done(Reading::Found(ticket))) => Some(*ticket),
        other => panic!("not a ticket: {other:?}"),
    }
}

fn outcomes(ticket: &Ticket) -> Vec<(&str, Outcome)> {
    ticket.approvals.iter().map(|round| (round.id.as_str(), round.outcome)).collect()
}

#[test]
fn the_approved_issue_says_who_approved_what_and_when() {
    let Some(ticket) = ticket("rest-jsm-get-approvals-200") else { return };
    assert_eq!((ticket.number.as_str(), ticket.standing, ticket.in_scope), ("ITSEC-482", Standing::Approved, true));
    assert_eq!(ticket.entitlement, Field::Text("Exchange Administrator".into()));
    assert_eq!(ticket.principal, Field::Text("nina.keller@acme-msp.example".into()));
    assert_eq!((&ticket.duration, ticket.fields_changed_at), (&Field::Text("PT4H".into()), None));
    assert_eq!(outcomes(&ticket), [("37", Outcome::Approved)]);
    let round = &ticket.approvals[0];
    assert_eq!(round.decided_at.map(|at| at.to_string()).as_deref(), Some("2026-11-03T08:31:07.902Z"));
    let omar = round.votes[0].approver.as_ref().expect("an approver");
    assert_eq!(omar.id.as_str(), "712020:8b2a77d0-6e2f-4f0b-8d1c-9f2e4c6a1b22");
    let nina = ticket.requester.expect("a requester");
    assert_eq!(nina.id.as_str(), "712020:1f6d3c1e-0a44-4a51-9a0e-5a3f1c0b7e11");
}

#[test]
fn a_pending_round_is_pending_whatever_the_status_says() {
    let Some(ticket) = ticket("rest-jsm-get-approvals-pending-200") else { return };
    assert_eq!((ticket.standing, outcomes(&ticket)), (Standing::Approved, vec![("37", Outcome::Pending)]));
    assert_eq!(ticket.approvals[0].decided_at, None);
}

#[test]
fn of_two_rounds_the_newer_decides() {
    let Some(ticket) = ticket("rest-jsm-get-approvals-two-rounds-200") else { return };
    assert_eq!(outcomes(&ticket), [("36", Outcome::Declined), ("37", Outcome::Approved)]);
    assert_eq!(ticket.newest_approval().map(|round| round.id.as_str()), Some("37"));
}

#[test]
fn a_missing_issue_is_absent_only_once_the_credential_is_known_to_work() {
    let Some(gone) = sample("rest-jira-get-issue-404") else { return };
    let gone = answer(404, gone);
    let Ok(Step::Send(probe)) = read(std::slice::from_ref(&gone)) else { panic!("a probe") };
    assert_eq!(probe.path, "/rest/api/3/myself");
    let ourselves = answer(200, json!({"accountId": "712020:00000000-1111-4222-8333-444455556666", "active": true}));
    assert_eq!(read(&[gone, ourselves]), Ok(Step::Done(Reading::Absent)));
}

#[test]
fn a_request_or_an_error_is_no_issue() {
    for name in ["rest-jsm-get-request-200", "rest-jira-401"] {
        let Some(body) = sample(name) else { return };
        assert!(matches!(read(&[answer(200, body)]), Err(TicketError::BadAnswer { .. })), "{name}");
    }
}

#[test]
fn a_note_is_sent_in_the_samples_shape_and_its_answer_is_taken() {
    let (Some(request), Some(written)) =
        (sample("rest-jira-post-comment-request"), sample("rest-jira-post-comment-201"))
    else {
        return;
    };
    let note =
        Note { ticket: TicketId::new("10482"), key: "r1:granted".into(), text: "granted".into(), internal: true };
    let Ok(Step::Send(call)) = site().write_note(&note, false, &[]) else { panic!("a call") };
    let Body::Json(sent) = call.body else { panic!("a document") };
    let text = json!([{"type": "text", "text": "granted [stint:r1:granted]"}]);
    assert_eq!(sent, with(request, "/body/content/0/content", text));
    assert_eq!(site().write_note(&note, false, &[answer(201, written.clone())]), Ok(Step::Done(())));

    // Looked for among the comments, the sample's is not this one; with its marker it is.
    let listed = |comment: Value| answer(200, json!({"comments": [comment]}));
    let looked = site().write_note(&note, true, &[listed(written.clone())]);
    assert!(matches!(looked, Ok(Step::Send(call)) if call.method == Method::POST));
    let marked = with(written.clone(), "/body/content/0/content/2/text", json!("granted [stint:r1:granted]"));
    let author = answer(200, written["author"].clone());
    assert_eq!(site().write_note(&note, true, &[listed(marked), author]), Ok(Step::Done(())));
}
