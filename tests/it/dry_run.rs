//! Dry runs: everything but the grant, and said so.

use serde_json::Value;
use stint::{
    domain::{audit::Actor, id::ObjectId},
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
};
use uuid::Uuid;

use crate::world::{It, minutes};

async fn begins_dry() -> It {
    It::with(|setup| setup.surroundings.dry_run = true).await
}

/// Lets the request come to its end and checks what every dry run says of itself.
async fn tried(it: &It, ticket: &str, status: &str) -> Value {
    let id = it.taken_in(ticket).await;
    let document = it.until(&id, status).await;
    it.work().await;
    assert_eq!(document["dry_run"], true);
    assert!(document["assignment"].is_null());
    assert!(it.notes(ticket).iter().all(|note| note.starts_with("Dry run: ")), "{:?}", it.notes(ticket));
    assert!(it.notes(ticket).last().expect("a note").to_lowercase().contains("granted"));
    nothing_was_granted(it);
    let orders = it.world.sandbox.graph.ledger();
    assert!(orders.iter().all(|order| order.validation_only), "an order was meant: {orders:?}");
    document
}

fn nothing_was_granted(it: &It) {
    assert!(it.creates().is_empty(), "{:?}", it.creates());
    let grants = it.world.sandbox.graph.grants(story::TENANT);
    assert!(grants.iter().all(|grant| grant.foreign), "{grants:?}");
}

fn kinds(document: &Value) -> Vec<&str> {
    document["attempts"].as_array().expect("attempts").iter().map(|a| a["kind"].as_str().expect("a kind")).collect()
}

async fn revoke(it: &It, id: &str) {
    let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
    let order = it.world.service.engine.revoke(id.parse().expect("an id"), operator, "no longer needed");
    order.await.expect("a working database");
}

#[tokio::test]
async fn an_approved_ticket_is_checked_by_pim_and_nothing_is_granted() {
    let it = begins_dry().await;
    let ticket = it.approved(IssueDraft::default());
    let document = tried(&it, &ticket, "ended").await;
    assert_eq!(document["end"]["cause"], "dry-run");
    assert_eq!(kinds(&document), ["validate"]);
    assert_eq!(document["attempts"][0]["outcome"], "accepted");
    let timeline = document["timeline"].as_array().expect("events");
    let moves = ["approved", "assigning", "validated"];
    let told = timeline.iter().filter(|e| moves.contains(&e["event"].as_str().unwrap_or_default()));
    assert_eq!(told.filter(|event| event["detail"]["dry_run"] == true).count(), 3, "{timeline:#?}");
    let note = it.notes(&ticket).remove(0);
    assert!(note.contains("Nina Keller Exchange Administrator for PT4H, until 2026-11-03 12:30 (UTC)"), "{note}");
    assert!(note.contains("would have granted it"), "{note}");
    it.ends().await;
}

#[tokio::test]
async fn a_connection_of_its_own_may_be_dry_while_others_grant() {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__JIRA_CLOUD__DRY_RUN".into(), "true".into()));
    })
    .await;
    let ticket = it.approved(IssueDraft::default());
    assert_eq!(tried(&it, &ticket, "ended").await["end"]["cause"], "dry-run");
    it.ends().await;
}

#[tokio::test]
async fn what_pim_refuses_fails_with_its_reason() {
    let it = begins_dry().await;
    let (code, message) = ("RoleAssignmentRequestPolicyValidationFailed", r#"These rules failed: ["ExpirationRule"]"#);
    let kind = FaultKind::Code { status: 400, code: code.into(), message: message.into() };
    it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
    let ticket = it.approved(IssueDraft::default());
    let document = tried(&it, &ticket, "failed").await;
    let code = document["failure"]["code"].as_str().expect("a code");
    assert_eq!(code, "RoleAssignmentRequestPolicyValidationFailed:ExpirationRule");
    it.ends().await;
}

#[tokio::test]
async fn what_somebody_else_holds_is_said_plainly() {
    let it = begins_dry().await;
    let graph = &it.world.sandbox.graph;
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    let ticket = it.approved(IssueDraft::default());
    let document = tried(&it, &ticket, "ended").await;
    assert_eq!(document["end"]["cause"], "dry-run");
    assert!(it.notes(&ticket)[0].contains("by somebody else's hand"), "{:?}", it.notes(&ticket));
    it.ends().await;
}

#[tokio::test]
async fn what_pim_says_to_exist_is_said_plainly() {
    let it = begins_dry().await;
    let code = ("RoleAssignmentExists".to_owned(), "The Role assignment already exists.".to_owned());
    let kind = FaultKind::Code { status: 400, code: code.0, message: code.1 };
    it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
    let ticket = it.approved(IssueDraft::default());
    let document = tried(&it, &ticket, "ended").await;
    assert!(document["end"]["reason"].as_str().expect("words").contains("exists already"), "{document:#}");
    it.ends().await;
}

#[tokio::test]
async fn an_unclear_answer_is_asked_for_again_and_then_held() {
    for kind in [FaultKind::DropBeforeCommit, FaultKind::Status(504), FaultKind::Html(502), FaultKind::DropAfterCommit]
    {
        let it = begins_dry().await;
        it.world.sandbox.graph.fault(Fault { on: On::Create, kind, times: 4 });
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        let held = it.until(&id, "held").await;
        assert_eq!((held["hold"]["reason"].as_str(), kinds(&held).len()), (Some("validation-unclear"), 3));
        let ended = it.until(&id, "ended").await;
        assert_eq!((ended["end"]["cause"].as_str(), kinds(&ended).len()), (Some("dry-run"), 5));
        nothing_was_granted(&it);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_yes_that_cannot_be_read_counts_only_once_nothing_can_have_come_of_it() {
    let it = begins_dry().await;
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Html(201)));
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "assigning");
    it.pass(minutes(2)).await;
    assert_eq!(it.document(&id).await["status"], "assigning", "reads may still lag");
    let ended = it.until(&id, "ended").await;
    assert_eq!((ended["end"]["cause"].as_str(), kinds(&ended).len()), (Some("dry-run"), 1));
    nothing_was_granted(&it);
    it.ends().await;
}

#[tokio::test]
async fn throttling_and_outages_only_delay_it() {
    let it = begins_dry().await;
    let graph = &it.world.sandbox.graph;
    graph.fault(Fault { on: On::Create, kind: FaultKind::Throttle(stint::sandbox::Retry::Seconds(7)), times: 2 });
    graph.fault(Fault { on: On::ReadInstances, kind: FaultKind::Status(503), times: 4 });
    let ticket = it.approved(IssueDraft::default());
    tried(&it, &ticket, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn tried_once_is_never_granted_even_when_stint_grants_again() {
    let mut it = begins_dry().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind: FaultKind::Status(504), times: 1 });
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "assigning");
    it.world.restart(|_, surroundings| surroundings.dry_run = false).await.expect("a restart");
    let ended = it.until(&id, "ended").await;
    assert_eq!((&ended["end"]["cause"], &ended["dry_run"]), (&"dry-run".into(), &true.into()));
    // The approval is used up: another webhook about it changes nothing.
    it.deliver(&ticket).await;
    it.pass(minutes(60)).await;
    nothing_was_granted(&it);
    // A new approval is granted for real.
    it.world.sandbox.jira.reopen(&ticket);
    it.world.sandbox.jira.request_approval(&ticket, &[story::OMAR_ACCOUNT]);
    it.world.sandbox.jira.approve(&ticket, story::OMAR_ACCOUNT);
    let second = it.taken_in(&ticket).await;
    assert_eq!(it.until(&second, "active").await["dry_run"], false);
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn decided_for_real_it_is_held_while_stint_only_tries() {
    let mut it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault {
        on: On::Create,
        kind: FaultKind::Throttle(stint::sandbox::Retry::Absent),
        times: 1,
    });
    let id = it.taken_in(&ticket).await;
    assert_eq!(it.until(&id, "held").await["hold"]["reason"], "graph-throttled");
    it.world.restart(|_, surroundings| surroundings.dry_run = true).await.expect("a restart");
    let held = it.until_true(&id, "is held dry", |document| document["hold"]["reason"] == "dry-run").await;
    assert_eq!(held["dry_run"], false);
    it.pass(minutes(60)).await;
    nothing_was_granted(&it);
    it.world.restart(|_, surroundings| surroundings.dry_run = false).await.expect("a restart");
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_withdrawn_meanwhile_ends_what_is_held_so() {
    let mut it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault {
        on: On::Create,
        kind: FaultKind::Throttle(stint::sandbox::Retry::Absent),
        times: 1,
    });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    it.world.restart(|_, surroundings| surroundings.dry_run = true).await.expect("a restart");
    it.world.sandbox.jira.cancel(&ticket);
    assert_eq!(it.until(&id, "ended").await["end"]["cause"], "withdrawn");
    nothing_was_granted(&it);
    it.ends().await;
}

#[tokio::test]
async fn what_was_granted_before_still_ends_in_a_service_that_only_tries() {
    for early in [true, false] {
        let mut it = It::begins().await;
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        it.until(&id, "active").await;
        it.world.restart(|_, surroundings| surroundings.dry_run = true).await.expect("a restart");
        it.pass(minutes(10)).await;
        if early {
            revoke(&it, &id).await;
        }
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], if early { "revoked" } else { "expired" });
        assert_eq!(it.removals().len(), usize::from(early));
        assert_eq!(it.creates().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn called_off_while_it_is_tried_it_ends_as_called_off() {
    let it = begins_dry().await;
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind: FaultKind::Status(504), times: 2 });
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    revoke(&it, &id).await;
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "revoked");
    it.work().await;
    assert!(it.notes(&ticket)[0].starts_with("Dry run: No access"), "{:?}", it.notes(&ticket));
    nothing_was_granted(&it);
    it.ends().await;
}

#[tokio::test]
async fn refusals_are_the_same_as_ever() {
    let it = begins_dry().await;
    let ticket = it.approved_by(IssueDraft::default(), &[story::NINA_ACCOUNT]);
    let id = it.taken_in(&ticket).await;
    let rejected = it.until(&id, "rejected").await;
    assert_eq!(rejected["decision"]["reasons"][0]["code"], "self-approval");
    it.work().await;
    nothing_was_granted(&it);
    it.ends().await;
}
