//! Nobody waits for what is not theirs, and nothing grows or spins while it waits.

use stint::{
    sandbox::{
        Retry,
        graph::{Fault, FaultKind, On},
        jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn},
        story,
    },
    store::Room,
};

use crate::{
    tried::{attempts, pim_reads, revoke},
    world::{It, minutes, never_gives_up, seconds},
};

#[tokio::test]
async fn an_accepted_assignment_that_somebody_replaced_does_not_spin() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 30);
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.work().await;
    assert_eq!(it.creates().len(), 1);
    let graph = &it.world.sandbox.graph;
    graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    graph.purge_requests(story::TENANT);
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    it.pass(minutes(34)).await;
    let before = pim_reads(&it);
    it.pass(seconds(20)).await;
    let reads = pim_reads(&it) - before;
    let document = it.document(&id).await;
    assert!(reads < 30, "{reads} reads in twenty seconds; {} {}", document["status"], document["hold"]);
}

#[tokio::test]
async fn exists_without_anything_to_see_is_held_with_a_reason() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let kind = FaultKind::Code { status: 400, code: "RoleAssignmentExists".into(), message: "exists".into() };
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind, times: 1000 });
    it.pass(minutes(10)).await;
    assert_eq!(it.document(&id).await["status"], "held");
}

#[tokio::test]
async fn what_waits_for_somebody_else_neither_grows_nor_overlooks_its_withdrawal() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    it.world.sandbox.jira.cancel(&ticket);
    it.deliver(&ticket).await;
    it.pass(minutes(12 * 60)).await;
    let document = it.document(&id).await;
    let grown = attempts(&it, &id).await;
    assert!(grown < 20 && document["status"] == "ended", "{grown} attempts, {}", document["status"]);
}

#[tokio::test]
async fn an_absurd_wait_does_not_park_a_request_for_ever() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let kind = FaultKind::Throttle(Retry::Seconds(3_000_000_000));
    it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
    it.pass(minutes(60)).await;
    let document = it.document(&id).await;
    assert_eq!(document["status"], "active", "{}", document["hold"]);
}

#[tokio::test]
async fn a_busy_ticket_system_does_not_keep_an_order_to_end_waiting() {
    let it = It::with(|setup| {
        setup.surroundings.pace.in_flight = 2;
        never_gives_up(setup);
    })
    .await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    for _ in 0..6 {
        let other = it.approved(IssueDraft::default());
        it.taken_in(&other).await;
    }
    // The ticket system accepts calls and never answers; each takes the whole of its time.
    it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Issue, kind: JiraFaultKind::Stall, times: 1000 });
    revoke(&it, &id).await;
    // Nobody gives up on Jira, so a removal that waited for it would wait for ever.
    it.works_until("the removal, which needs only Graph", |it| it.removals().len() == 1).await;
}

#[tokio::test]
async fn one_connection_does_not_keep_anothers_requests_waiting() {
    let it = It::begins().await;
    for _ in 0..6 {
        it.taken_in(&it.approved(IssueDraft::default())).await;
        it.world.clock.advance(seconds(1));
    }
    let other = it.taken_in(&it.approved(IssueDraft::default())).await;
    let elsewhere = sqlx::query("update requests set connection = 'other' where id = $1::uuid").bind(&other);
    elsewhere.execute(&mut it.sql().await).await.expect("moved");
    let now = it.world.clock.now();
    let room = Room { ends: 4, others: 3, per_connection: 2, per_tenant: 8 };
    let leases = it.world.service.store.lease_due(now, now + seconds(120), room).await.expect("leases");
    let taken: Vec<_> = leases.iter().map(|lease| lease.request().to_string()).collect();
    assert!(taken.len() == 3 && taken.contains(&other), "{taken:?}");
}

#[tokio::test]
async fn notes_of_one_connection_do_not_take_every_place() {
    let it = It::begins().await;
    let mut sql = it.sql().await;
    for _ in 0..6 {
        let id = it.taken_in(&it.approved(IssueDraft::default())).await;
        let queue = "insert into notes (request_id, step, text, created_at, due_at) \
                     select id, 'granted', 'a note', received_at, received_at from requests where id = $1::uuid";
        sqlx::query(queue).bind(&id).execute(&mut sql).await.expect("queued");
    }
    let now = it.world.clock.now();
    let notes = it.world.service.store.lease_notes(now, now + seconds(120), 4, 2).await.expect("notes");
    assert_eq!(notes.len(), 2);
}

#[tokio::test]
async fn deliveries_do_not_cut_short_a_wait_that_graph_asked_for() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.taken_in(&ticket).await;
    let kind = FaultKind::Throttle(Retry::Seconds(600));
    it.world.sandbox.graph.fault(Fault { on: On::Create, kind, times: 1000 });
    it.work().await;
    for _ in 0..5 {
        it.deliver(&ticket).await;
        it.pass(seconds(1)).await;
    }
    let sent = it.world.sandbox.graph.ledger().into_iter().filter(|entry| entry.action == "adminAssign").count();
    assert_eq!(sent, 1, "Graph asked for ten minutes");
}
