//! Sequences that once went wrong, or that somebody who wants to break stint would try first.

use std::{future::Future, pin::Pin, task::Poll};

use serde_json::{Value, json};
use sqlx::PgConnection;
use stint::{
    domain::{
        audit::Actor,
        id::{TenantName, TicketNumber},
        lifecycle::Event,
    },
    sandbox::{
        Retry,
        graph::{Fault, FaultKind, On},
        jira::{Account, IssueDraft, JiraFault, JiraFaultKind, JiraOn},
        story,
    },
    store::{Change, Ordered, Reading, Room, StoreError},
};

use crate::world::{It, minutes, seconds};

pub async fn revoke(it: &It, id: &str) -> Ordered {
    let request = id.parse().expect("an id");
    it.world.service.engine.revoke(request, Actor::stint(), "enough").await.expect("a working database")
}

/// A step of what is due, to be held still at any point.
async fn begun(it: &It) -> Pin<Box<dyn Future<Output = ()>>> {
    let now = it.world.clock.now();
    let lease = it
        .world
        .service
        .store
        .lease_due(now, now + seconds(120), Room { ends: 1, others: 1, per_connection: 1, per_tenant: 8 })
        .await
        .expect("a lease")
        .remove(0);
    let engine = std::sync::Arc::clone(&it.world.service.engine);
    Box::pin(async move { engine.step(lease).await })
}

/// Goes on with the step until this is so, then leaves it standing there.
async fn hold_when(step: &mut Pin<Box<dyn Future<Output = ()>>>, is_so: impl Fn() -> bool) {
    std::future::poll_fn(|context| {
        let ended = step.as_mut().poll(context).is_ready();
        if is_so() {
            return Poll::Ready(());
        }
        assert!(!ended, "the step ended before that was so");
        Poll::Pending
    })
    .await;
}

fn approval_reads(it: &It) -> usize {
    it.world.sandbox.jira.calls().iter().filter(|call| call.path.contains("/approval")).count()
}

pub fn pim_reads(it: &It) -> usize {
    let calls = it.world.sandbox.graph.calls();
    calls.iter().filter(|call| call.method == "GET" && call.path.contains("roleAssignmentSchedule")).count()
}

fn ours_alive(it: &It) -> usize {
    it.world.sandbox.graph.active_grants(story::TENANT).iter().filter(|grant| !grant.foreign).count()
}

pub async fn attempts(it: &It, id: &str) -> i64 {
    sqlx::query_scalar("select count(*) from attempts where request_id = $1::uuid")
        .bind(id)
        .fetch_one(&mut it.sql().await)
        .await
        .expect("a count")
}

#[tokio::test]
async fn a_revoke_right_after_the_201_is_not_proved_by_lists_that_lag() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 110);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.creates().len(), 1);
    assert_eq!(revoke(&it, &id).await, Ordered::Recorded);
    it.until(&id, "ended").await;
    assert_eq!(ours_alive(&it), 0, "told as ended while the assignment is in force for hours");
}

#[tokio::test]
async fn a_removal_is_not_repeated_on_a_stale_read_over_somebody_elses_assignment() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(6)).await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 110);
    revoke(&it, &id).await;
    it.work().await;
    assert_eq!(it.removals().len(), 1);
    it.pass(seconds(10)).await;
    let end = it.world.clock.now() + minutes(60);
    it.world.sandbox.graph.add_foreign_grant(
        story::TENANT,
        story::NINA_ID,
        story::EXCHANGE_ADMINISTRATOR,
        "/",
        Some(end),
    );
    it.until(&id, "ended").await;
    assert!(!it.removals().iter().any(|entry| entry.removed_foreign), "an administrator's assignment was removed");
    // PIM's rule of five minutes is all that protected it.
    let sent = it.world.sandbox.graph.ledger().into_iter().filter(|entry| entry.action == "adminRemove").count();
    assert_eq!(sent, 1, "removals were sent while only somebody else's assignment was there");
}

#[tokio::test]
async fn one_person_with_two_accounts_is_not_two_approvers() {
    let it = It::begins().await;
    let second = "712020:second-account-of-omar";
    it.world.sandbox.jira.set_account(Account::person(second, "Omar H.", story::OMAR_UPN));
    let draft = IssueDraft { entitlement: "global-admin".into(), duration: "PT1H".into(), ..IssueDraft::default() };
    let ticket = it.approved_by(draft, &[story::OMAR_ACCOUNT, second]);
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "rejected");
    assert!(it.creates().is_empty(), "one Entra user was counted twice");
}

#[tokio::test]
async fn an_edit_between_two_votes_of_one_round_refuses() {
    let it = It::begins().await;
    let jira = &it.world.sandbox.jira;
    let ticket = jira.create_issue(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    jira.request_approvals(&ticket.id, &[story::OMAR_ACCOUNT, story::LENA_ACCOUNT], 2);
    it.world.clock.advance(minutes(5));
    jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    it.world.clock.advance(minutes(5));
    jira.edit_field(&ticket.id, story::FIELD_ENTITLEMENT, "global-admin", story::NINA_ACCOUNT);
    it.world.clock.advance(minutes(5));
    jira.approve(&ticket.id, story::LENA_ACCOUNT);
    let id = it.taken_in(&ticket.id).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "rejected");
    assert!(it.creates().is_empty(), "Omar approved Exchange Administrator and counts for Global Administrator");
}

#[tokio::test]
async fn a_new_approval_while_the_first_is_active_is_not_lost() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let jira = &it.world.sandbox.jira;
    it.pass(minutes(20)).await;
    jira.reopen(&ticket);
    jira.request_approvals(&ticket, &[story::OMAR_ACCOUNT], 1);
    it.world.clock.advance(minutes(1));
    jira.approve(&ticket, story::OMAR_ACCOUNT);
    let seen = it.deliver(&ticket).await;
    assert_eq!(seen.status, 202);
    it.until(&id, "ended").await;
    it.pass(minutes(30)).await;
    assert_eq!(it.creates().len(), 2, "a delivery answered 202 came to nothing: {}", seen.body);
}

#[tokio::test]
async fn a_new_approval_that_arrives_while_the_old_reading_is_judged_is_not_lost() {
    let it = It::begins().await;
    let jira = &it.world.sandbox.jira;
    // The round is approved, but what it asks for was edited afterwards.
    let ticket = it.approved(IssueDraft::default());
    it.world.clock.advance(minutes(1));
    jira.edit_field(&ticket, story::FIELD_DURATION, "PT1H", story::NINA_ACCOUNT);
    let id = it.taken_in(&ticket).await;
    let mut step = begun(&it).await;
    hold_when(&mut step, || approval_reads(&it) == 1).await;
    // Omar approves anew at this very moment, and Jira tells.
    jira.reopen(&ticket);
    jira.request_approvals(&ticket, &[story::OMAR_ACCOUNT], 1);
    it.world.clock.advance(seconds(1));
    jira.approve(&ticket, story::OMAR_ACCOUNT);
    let seen = it.deliver(&ticket).await;
    assert_eq!(seen.status, 202);
    step.await;
    it.pass(minutes(10)).await;
    let first = it.document(&id).await;
    assert_eq!(it.creates().len(), 1, "a delivery answered 202 came to nothing; the request is {}", first["status"]);
}

#[tokio::test]
async fn the_ticket_was_read_at_most_five_seconds_before_the_call() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.taken_in(&ticket).await;
    let mut step = begun(&it).await;
    hold_when(&mut step, || approval_reads(&it) == 2).await;
    // The directory is slow to answer, and the ticket is withdrawn meanwhile.
    it.world.sandbox.jira.cancel(&ticket);
    it.world.clock.advance(seconds(20));
    step.await;
    assert!(it.creates().is_empty(), "sent twenty seconds after the ticket was read");
}

#[tokio::test]
async fn a_revoke_before_the_call_keeps_it_from_being_sent() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let mut step = begun(&it).await;
    hold_when(&mut step, || approval_reads(&it) == 2).await;
    assert_eq!(revoke(&it, &id).await, Ordered::Recorded);
    step.await;
    assert!(it.creates().is_empty(), "sent after the order to end was recorded");
}

#[tokio::test]
async fn a_clock_set_back_inside_a_step_does_not_confuse_the_order_of_attempts() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Throttle(Retry::Seconds(7))));
    let mut step = begun(&it).await;
    hold_when(&mut step, || pim_reads(&it) >= 1).await;
    it.world.clock.advance(minutes(-60));
    step.await;
    it.pass(seconds(30)).await;
    let document = it.document(&id).await;
    let made = attempts(&it, &id).await;
    assert!(
        made <= 3 && document["status"] == "active",
        "{made} attempts, {} {}",
        document["status"],
        it.creates().len()
    );
}

#[tokio::test]
async fn one_404_after_an_outage_does_not_withdraw() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let jira = &it.world.sandbox.jira;
    jira.fault(JiraFault { on: JiraOn::Issue, kind: JiraFaultKind::Status(503), times: 1000 });
    it.pass(minutes(20)).await;
    assert_eq!(it.document(&id).await["hold"]["reason"], "ticket-unavailable");
    jira.clear_faults();
    jira.fault(JiraFault::once(JiraOn::Issue, JiraFaultKind::Status(404)));
    it.pass(minutes(20)).await;
    let document = it.document(&id).await;
    assert_eq!(document["status"], "active", "{}", document["end"]);
}

#[tokio::test]
async fn the_snapshot_kept_is_the_one_decided_on() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Throttle(Retry::Seconds(7))));
    it.work().await;
    it.world.sandbox.jira.hide_field(&ticket, story::FIELD_DURATION);
    it.pass(seconds(30)).await;
    it.world.sandbox.jira.show_field(&ticket, story::FIELD_DURATION);
    let active = it.until(&id, "active").await;
    assert_eq!(active["ticket"]["snapshot_digest"], active["decision"]["snapshot_digest"]);
    assert_ne!(active["ticket"]["snapshot"]["duration"], Value::from("hidden"));
}

#[tokio::test]
async fn a_moment_beyond_postgres_is_a_bad_question_not_an_outage() {
    let it = It::begins().await;
    let seen = it.get("/v1/requests?from=-009990-01-01T00:00:00Z", &it.auditor()).await;
    assert_eq!(seen.status, 400, "{}", seen.body);
}

#[tokio::test]
async fn notes_tell_what_was() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    it.work().await;
    let notes = it.notes(&ticket);
    assert!(!notes.iter().any(|note| note.contains("was ended early")), "never granted, yet: {notes:?}");
}

#[tokio::test]
async fn a_clock_set_back_after_a_throttled_call_never_sends_a_second_create() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.taken_in(&ticket).await;
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Throttle(Retry::Seconds(7))));
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
    let mut step = begun(&it).await;
    hold_when(&mut step, || pim_reads(&it) >= 1).await;
    it.world.clock.advance(minutes(-60));
    step.await;
    it.pass(seconds(20)).await;
    let sent = it.world.sandbox.graph.ledger().into_iter().filter(|entry| entry.action == "adminAssign").count();
    assert!(sent <= 2, "{sent} creates were sent: the throttled one, the accepted one, and more");
}

#[tokio::test]
async fn a_provisioned_request_that_starts_a_little_later_is_not_told_as_ended() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.provision_delay_seconds = 90);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    it.world.clock.advance(minutes(2));
    assert_eq!(ours_alive(&it), 0, "it came into force after it was told as ended");
}

#[tokio::test]
async fn a_failure_of_stints_own_is_not_blamed_on_entra() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind: FaultKind::Status(504), times: 1000 });
    let failed = it.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "too-late");
    it.work().await;
    assert!(!it.notes(&ticket)[0].contains("Entra refused"), "{:?}", it.notes(&ticket));
    it.ends().await;
}

#[tokio::test]
async fn what_was_revoked_before_it_was_read_does_not_come_back_with_the_next_delivery() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Issue, kind: JiraFaultKind::Status(503), times: 1000 });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    assert_eq!(revoke(&it, &id).await, Ordered::Recorded);
    it.until(&id, "ended").await;
    it.world.sandbox.jira.clear_faults();
    it.deliver(&ticket).await;
    it.pass(minutes(5)).await;
    assert!(it.creates().is_empty(), "granted on the approval whose request was revoked");

    // A new approval is another matter.
    it.world.sandbox.jira.reopen(&ticket);
    it.world.sandbox.jira.request_approval(&ticket, &[story::OMAR_ACCOUNT]);
    it.world.sandbox.jira.approve(&ticket, story::OMAR_ACCOUNT);
    let second = it.taken_in(&ticket).await;
    it.until(&second, "ended").await;
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn a_delivery_and_a_revoke_during_one_step_leave_nothing_that_grants() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let step = begun(&it).await;
    it.deliver(&ticket).await;
    assert_eq!(revoke(&it, &id).await, Ordered::Recorded);
    step.await;
    it.pass(minutes(2)).await;
    assert!(it.creates().is_empty(), "revoked, and granted by its own successor on the same approval");
    it.ends().await;
}

#[tokio::test]
async fn deliveries_during_a_short_404_do_not_withdraw() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Issue, kind: JiraFaultKind::Status(404), times: 4 });
    let id = it.taken_in(&ticket).await;
    it.work().await;
    for _ in 0..3 {
        it.pass(seconds(2)).await;
        it.deliver(&ticket).await;
        it.work().await;
    }
    it.world.sandbox.jira.clear_faults();
    it.pass(minutes(20)).await;
    let document = it.document(&id).await;
    assert_eq!(document["status"], "active", "{} {}", document["end"], document["hold"]);
}

#[tokio::test]
async fn a_contested_assignment_is_told_and_neither_row_removed() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT8H".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    let graph = &it.world.sandbox.graph;
    let end = it.world.clock.now() + minutes(60 * 24);
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", Some(end));
    revoke(&it, &id).await;
    it.pass(minutes(30)).await;
    assert_eq!(it.document(&id).await["hold"]["reason"], "contested");
    assert!(it.removals().is_empty());
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from findings").fetch_all(&mut it.sql().await).await.expect("findings");
    assert_eq!(kinds, ["contested"]);
}

#[tokio::test]
async fn a_later_reading_does_not_move_a_decided_request_to_another_tenant() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Status(504)));
    it.work().await;
    it.world.clock.advance(minutes(1));
    let now = it.world.clock.now();
    let room = Room { ends: 1, others: 1, per_connection: 1, per_tenant: 8 };
    let lease = it.world.service.store.lease_due(now, now + seconds(120), room).await.expect("a lease").remove(0);
    let reading = Reading {
        tenant: Some(TenantName::new("fabrikam")),
        number: TicketNumber::new("ITSEC-482"),
        url: None,
        snapshot: serde_json::json!({}),
        digest: "sha256:0".into(),
    };
    let change = Change { reading: Some(reading), ..Change::later(now, now + seconds(5)) };
    it.world.service.store.advance(&lease, change).await.expect("advanced");
    assert_eq!(it.document(&id).await["tenant"], "contoso");
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn run(sql: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(sql).await.expect("statements that run");
}

/// Returns once a statement waits for a row that another transaction wrote to.
async fn somebody_waits(it: &It) {
    let mut sql = it.sql().await;
    let waits = "select exists (select from pg_stat_activity \
                 where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0)";
    for _ in 0..100_000 {
        if sqlx::query_scalar(waits).fetch_one(&mut sql).await.expect("an answer") {
            return;
        }
    }
    panic!("nobody waits");
}

#[tokio::test]
async fn what_is_written_to_a_row_between_reading_and_moving_it_counts() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let (now, store) = (it.world.clock.now(), &it.world.service.store);
    let room = Room { ends: 1, others: 1, per_connection: 1, per_tenant: 8 };
    let lease = store.lease_due(now, now + seconds(120), room).await.expect("a lease").remove(0);
    let take = || Change { keep_lease: true, ..Change::to(Event::Take, now, now) };
    let order = sqlx::query("update requests set end_requested = $1::jsonb, woken = true");
    let order = order.bind(json!({
        "cause": "revoked", "ordered_at": now, "actor": Actor::stint(), "reason": "enough", "remove": true,
        "confirmed_at": null, "continued_by": []
    }));
    let mut sql = it.sql().await;
    run(&mut sql, "begin").await;
    order.execute(&mut sql).await.expect("ordered");
    // The move has read the row without that, and waits for it.
    let advance = store.advance(&lease, take());
    let lets_go = async {
        somebody_waits(&it).await;
        run(&mut sql, "commit").await;
    };
    let (moved, ()) = tokio::join!(advance, lets_go);
    assert!(matches!(moved, Err(StoreError::EndOrdered(_))), "{moved:?}");
    assert_eq!(it.document(&id).await["status"], "received");
    let told: i64 = sqlx::query_scalar("select count(*) from audit_events where state_to = 'verifying'")
        .fetch_one(&mut it.sql().await)
        .await
        .expect("a count");
    assert_eq!(told, 0, "nothing of a move that was not made is told");
    // What forbids nothing does not keep it from being made.
    run(&mut sql, "update requests set end_requested = null, woken = false").await;
    run(&mut sql, "begin; update requests set woken = true").await;
    let advance = store.advance(&lease, take());
    let lets_go = async {
        somebody_waits(&it).await;
        run(&mut sql, "commit").await;
    };
    let (moved, ()) = tokio::join!(advance, lets_go);
    assert_eq!(moved.expect("moved").state.status().as_str(), "verifying");
    let due: bool = sqlx::query_scalar("select woken from requests").fetch_one(&mut sql).await.expect("a row");
    assert!(due, "what was heard meanwhile is not forgotten");
}
