//! Each way a ticket is refused, or waited for, as people see it.

use serde_json::Value;
use stint::sandbox::{
    Retry,
    graph::{Fault, FaultKind, On},
    jira::{Account, IssueDraft, JiraFault, JiraFaultKind, JiraOn},
    story,
};

use crate::world::{It, minutes, seconds};

/// Takes the ticket in and gives the codes it is refused for; nothing may have been sent, and the ticket is told.
async fn refused(it: &It, ticket: &str) -> Vec<String> {
    let id = it.taken_in(ticket).await;
    let document = it.until(&id, "rejected").await;
    it.work().await;
    assert!(it.creates().is_empty(), "something was sent");
    let notes = it.notes(ticket);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("not granted"), "{notes:?}");
    codes(&document)
}

fn codes(document: &Value) -> Vec<String> {
    let reasons = document["decision"]["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code").to_owned()).collect()
}

#[tokio::test]
async fn an_approved_status_without_an_approval_is_refused() {
    let it = It::begins().await;
    let ticket = it.world.sandbox.jira.create_issue(IssueDraft::default());
    it.world.sandbox.jira.transition(&ticket.id, story::STATUS_APPROVED, story::OMAR_ACCOUNT);
    assert_eq!(refused(&it, &ticket.id).await, ["no-approval-object"]);
    it.ends().await;
}

#[tokio::test]
async fn a_status_pushed_past_a_pending_approval_waits_and_is_never_granted() {
    let it = It::begins().await;
    let ticket = it.world.sandbox.jira.create_issue(IssueDraft::default());
    it.world.sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    it.world.sandbox.jira.transition(&ticket.id, story::STATUS_APPROVED, story::NINA_ACCOUNT);
    let id = it.taken_in(&ticket.id).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "approval-pending");
    it.pass(minutes(60)).await;
    assert!(it.creates().is_empty());
    it.world.sandbox.jira.cancel(&ticket.id);
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "withdrawn");
    it.ends().await;
}

#[tokio::test]
async fn a_declined_round_is_refused() {
    let it = It::begins().await;
    let ticket = it.world.sandbox.jira.create_issue(IssueDraft::default());
    it.world.sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    it.world.sandbox.jira.decline(&ticket.id, story::OMAR_ACCOUNT);
    it.world.sandbox.jira.transition(&ticket.id, story::STATUS_APPROVED, story::NINA_ACCOUNT);
    assert_eq!(refused(&it, &ticket.id).await, ["approval-declined"]);
    it.ends().await;
}

#[tokio::test]
async fn nobody_approves_for_themselves() {
    let it = It::begins().await;
    let by_requester = it.approved_by(IssueDraft::default(), &[story::NINA_ACCOUNT]);
    assert_eq!(refused(&it, &by_requester).await, ["self-approval"]);

    let draft = IssueDraft { creator: story::OMAR_ACCOUNT.into(), ..IssueDraft::default() };
    let by_creator = it.approved(draft);
    assert_eq!(refused(&it, &by_creator).await, ["self-approval"]);

    let draft = IssueDraft {
        reporter: story::LENA_ACCOUNT.into(),
        creator: story::LENA_ACCOUNT.into(),
        principal: story::OMAR_UPN.into(),
        ..IssueDraft::default()
    };
    let by_beneficiary = it.approved(draft);
    assert_eq!(refused(&it, &by_beneficiary).await, ["self-approval"]);
    it.ends().await;
}

#[tokio::test]
async fn an_app_or_an_inactive_account_does_not_count_as_approver() {
    let it = It::begins().await;
    let mut robot = Account::person("712020:robot", "A robot", "robot@contoso.example");
    robot.active = false;
    it.world.sandbox.jira.set_account(robot);
    let ticket = it.approved_by(IssueDraft::default(), &["712020:robot"]);
    assert_eq!(refused(&it, &ticket).await, ["no-counted-approver"]);
    it.ends().await;
}

#[tokio::test]
async fn fields_edited_after_the_approval_refuse() {
    for (field, value) in [
        (story::FIELD_DURATION, "PT8H"),
        (story::FIELD_PRINCIPAL, story::LENA_UPN),
        (story::FIELD_ENTITLEMENT, "Exchange Administrator"),
    ] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        it.world.clock.advance(seconds(5));
        it.world.sandbox.jira.edit_field(&ticket, field, value, story::NINA_ACCOUNT);
        assert_eq!(refused(&it, &ticket).await, ["edited-after-approval"], "{field}");
        it.ends().await;
    }
}

#[tokio::test]
async fn an_edit_between_decision_and_grant_refuses() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault::once(On::ReadInstances, FaultKind::Status(503)));
    it.world.sandbox.graph.fault(Fault::once(On::ReadInstances, FaultKind::Status(503)));
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-unavailable");
    it.world.clock.advance(seconds(1));
    it.world.sandbox.jira.edit_field(&ticket, story::FIELD_DURATION, "PT8H", story::NINA_ACCOUNT);
    let document = it.until(&id, "rejected").await;
    assert_eq!(codes(&document), ["edited-after-approval"]);
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn a_stale_approval_is_refused() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.clock.advance(minutes(24 * 60 + 1));
    assert_eq!(refused(&it, &ticket).await, ["stale-approval"]);
    it.ends().await;
}

#[tokio::test]
async fn what_the_catalog_or_the_grammar_does_not_know_is_refused_with_every_reason() {
    let it = It::begins().await;
    let draft = IssueDraft {
        entitlement: "domain-overlord".into(),
        principal: "nobody@contoso.example".into(),
        duration: "four hours".into(),
        ..IssueDraft::default()
    };
    let ticket = it.approved(draft);
    let mut codes = refused(&it, &ticket).await;
    codes.sort();
    assert_eq!(codes, ["duration-invalid", "entitlement-unknown", "principal-not-found"]);
    it.ends().await;
}

#[tokio::test]
async fn a_disabled_a_guest_and_an_ambiguous_principal_are_refused() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    graph.update_user(story::TENANT, story::NINA_ID, |nina| nina.enabled = false);
    let disabled = it.approved(IssueDraft::default());
    assert_eq!(refused(&it, &disabled).await, ["principal-disabled"]);

    graph.update_user(story::TENANT, story::NINA_ID, |nina| {
        nina.enabled = true;
        nina.user_type = "Guest".into();
        nina.external_user_state = Some("Accepted".into());
    });
    let guest = it.approved(IssueDraft::default());
    assert_eq!(refused(&it, &guest).await, ["principal-guest"]);

    for id in [story::OMAR_ID, story::LENA_ID] {
        graph.update_user(story::TENANT, id, |user| user.mail = Some("team@contoso.example".into()));
    }
    let draft = IssueDraft { principal: "team@contoso.example".into(), ..IssueDraft::default() };
    let ambiguous = it.approved(draft);
    assert!(refused(&it, &ambiguous).await.contains(&"principal-ambiguous".to_owned()));
    it.ends().await;
}

#[tokio::test]
async fn a_moved_ticket_is_held_and_goes_on_once_it_is_back() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let webhook = it.world.webhook(&ticket, stint::sandbox::jira::WebhookKind::Updated);
    it.world.sandbox.jira.move_to_project(&ticket, "ARCH");
    let seen = it.post(&webhook).await;
    let id = seen.body["request_id"].as_str().expect("a request").to_owned();
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "ticket-moved");
    it.world.sandbox.jira.cancel(&ticket);
    it.pass(minutes(10)).await;
    assert!(it.creates().is_empty());
    it.world.sandbox.jira.move_to_project(&ticket, "ITSEC");
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_hidden_field_is_held_until_it_shows() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.jira.hide_field(&ticket, story::FIELD_DURATION);
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "field-hidden");
    assert!(held["hold"]["detail"].as_str().expect("words").contains("duration"));
    assert!(held["hold"]["next_look_at"].is_string());
    it.world.sandbox.jira.show_field(&ticket, story::FIELD_DURATION);
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_read_that_lags_behind_its_webhook_is_repeated_until_it_shows_the_approval() {
    let it = It::begins().await;
    let jira = &it.world.sandbox.jira;
    let ticket = jira.create_issue(IssueDraft::default());
    jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    jira.stale_for(&ticket.id, 20);
    jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    let id = it.taken_in(&ticket.id).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "verifying");
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_deleted_ticket_withdraws_after_several_looks() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let webhook = it.world.webhook(&ticket, stint::sandbox::jira::WebhookKind::Updated);
    it.world.sandbox.jira.delete(&ticket);
    let seen = it.post(&webhook).await;
    let id = seen.body["request_id"].as_str().expect("a request").to_owned();
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "ticket-absent");
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "withdrawn");
    assert!(it.creates().is_empty());
    let sql = &mut it.sql().await;
    // The note has nowhere to go; it is not this story's matter.
    sqlx::query("update notes set due_at = null").execute(sql).await.expect("an update");
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_system_in_trouble_holds_the_request_and_nothing_is_lost() {
    for (kind, code) in [
        (JiraFaultKind::Status(503), "ticket-unavailable"),
        (JiraFaultKind::Html(200), "ticket-unavailable"),
        (JiraFaultKind::Html(403), "ticket-not-permitted"),
        (JiraFaultKind::Throttle(Retry::Seconds(7)), "ticket-throttled"),
        (JiraFaultKind::DropAfterCommit, "ticket-unavailable"),
        (JiraFaultKind::OtherIssue, "ticket-bad-answer"),
    ] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        it.world.sandbox.jira.create_issue(IssueDraft::default());
        it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Issue, kind: kind.clone(), times: 3 });
        let id = it.taken_in(&ticket).await;
        let held = it.until(&id, "held").await;
        assert_eq!(held["hold"]["reason"], code, "{kind:?}");
        it.until(&id, "active").await;
        it.until(&id, "ended").await;
        assert_eq!(it.creates().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_broken_credential_of_the_ticket_system_holds() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.jira.revoke_logins();
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "ticket-credential");
    it.world.sandbox.jira.allow_basic(story::JIRA_USER, story::JIRA_TOKEN);
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn the_same_approval_never_grants_twice() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let first = it.taken_in(&ticket).await;
    it.until(&first, "ended").await;
    let again = it.deliver(&ticket).await;
    assert_eq!(again.body["request_id"], first, "the approval the webhook mentions was answered before");

    // Reopened and pushed back without a new approval: the old one does not count again.
    it.world.sandbox.jira.reopen(&ticket);
    it.world.sandbox.jira.transition(&ticket, story::STATUS_APPROVED, story::OMAR_ACCOUNT);
    it.deliver(&ticket).await;
    it.pass(minutes(30)).await;
    assert_eq!(it.creates().len(), 1);

    // A new round of approval is a new request.
    it.world.sandbox.jira.reopen(&ticket);
    it.world.sandbox.jira.request_approval(&ticket, &[story::OMAR_ACCOUNT]);
    it.world.sandbox.jira.approve(&ticket, story::OMAR_ACCOUNT);
    let second = it.taken_in(&ticket).await;
    assert_ne!(second, first);
    it.until(&second, "active").await;
    it.until(&second, "ended").await;
    assert_eq!(it.creates().len(), 2);
    it.ends().await;
}
