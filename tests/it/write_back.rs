//! Notes on the ticket: once each, as people see them, and never in the way.

use stint::sandbox::{
    Retry,
    jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn},
    story,
};

use crate::world::{It, minutes};

#[tokio::test]
async fn granted_and_ended_are_told_once_each_and_internally() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    it.work().await;
    let comments = it.world.sandbox.jira.comments(&ticket);
    assert_eq!(comments.len(), 2);
    assert!(comments.iter().all(|comment| comment.internal));
    assert!(comments.iter().all(|comment| comment.author == story::JIRA_SERVICE_ACCOUNT));
    assert!(comments[0].text.contains("until 2026-11-03 12:30 (UTC)"), "{}", comments[0].text);
    assert!(comments[0].text.ends_with(&format!("[stint:{id}:granted]")), "{}", comments[0].text);
    assert!(comments[1].text.ends_with(&format!("[stint:{id}:ended]")), "{}", comments[1].text);
    let document = it.document(&id).await;
    assert!(document["notes"].as_array().expect("notes").iter().all(|note| note["written_at"].is_string()));
    it.ends().await;
}

#[tokio::test]
async fn a_note_whose_answer_was_lost_is_looked_for_before_it_is_written_again() {
    for kind in [
        JiraFaultKind::DropAfterCommit,
        JiraFaultKind::StatusAfterCommit(504),
        JiraFaultKind::DropBeforeCommit,
        JiraFaultKind::Status(503),
        JiraFaultKind::Throttle(Retry::Seconds(7)),
    ] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        it.world.sandbox.jira.fault(JiraFault::once(JiraOn::Comment, kind.clone()));
        let id = it.taken_in(&ticket).await;
        it.until(&id, "ended").await;
        it.pass(minutes(5)).await;
        assert_eq!(it.notes(&ticket).len(), 2, "{kind:?}");
        it.ends().await;
    }
}

#[tokio::test]
async fn notes_that_fail_delay_neither_access_nor_its_end_and_are_given_up_after_a_day() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let fault = JiraFault { on: JiraOn::Comment, kind: JiraFaultKind::Status(500), times: 10_000 };
    it.world.sandbox.jira.fault(fault);
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "active");
    it.until(&id, "ended").await;
    it.pass(minutes(30 * 60)).await;
    let notes = it.document(&id).await["notes"].clone();
    for note in notes.as_array().expect("notes") {
        assert!(note["written_at"].is_null());
        assert!(note["last_error"].is_string());
        assert!(note["tries"].as_u64().is_some_and(|tries| tries > 10));
    }
    it.ends().await;
}
