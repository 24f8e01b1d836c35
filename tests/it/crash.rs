//! The worker dropped wherever it waits, and stint gone for good: the end does not differ.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use stint::{
    domain::{
        audit::Actor,
        id::RequestId,
        request::{EndCause, EndOrder},
    },
    sandbox::{jira::IssueDraft, story},
    store::{Room, Store},
};

use crate::world::{It, minutes, seconds};

const ONE: Room = Room { ends: 1, others: 1, per_connection: 1, per_tenant: 8 };

/// Each wait is a story of its own, so a usual run drops the worker at every third one; `STINT_EVERY_WAIT` says at each.
fn stride() -> usize {
    if std::env::var_os("STINT_EVERY_WAIT").is_some() { 1 } else { 3 }
}

/// Polls the future until it was left waiting this many times, then drops it there. `true`: it finished before.
pub async fn dropped_after(waits: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut waited = 0;
    std::future::poll_fn(|context: &mut Context<'_>| {
        if future.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        waited += 1;
        if waited >= waits { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

/// Makes one worker do a request's next steps and be dropped at its n-th wait; `true`: it came to rest before.
async fn one_worker(it: &It, waits: usize) -> bool {
    let now = it.world.clock.now();
    let leases = it.world.service.store.lease_due(now, now + seconds(120), ONE).await.expect("a working database");
    let steps = async {
        for lease in leases {
            it.world.service.engine.step(lease).await;
        }
    };
    dropped_after(waits, steps).await
}

#[tokio::test]
async fn a_worker_dropped_at_any_wait_of_the_grant_leaves_the_same_end() {
    let mut waits = 1;
    loop {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() });
        let id = it.taken_in(&ticket).await;
        let finished = one_worker(&it, waits).await && it.creates().len() == 1;
        // Whoever comes next goes on once the lease has lapsed.
        it.pass(seconds(121)).await;
        it.until(&id, "active").await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "expired", "dropped at wait {waits}");
        assert_eq!(it.creates().len(), 1, "dropped at wait {waits}");
        it.work().await;
        assert_eq!(it.notes(&ticket).len(), 2, "dropped at wait {waits}");
        it.ends().await;
        if finished {
            break;
        }
        waits += stride();
    }
    assert!(waits > 8, "only {waits} waits were tried");
}

#[tokio::test]
async fn a_worker_dropped_at_any_wait_of_the_removal_leaves_the_same_end() {
    let mut waits = 1;
    loop {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() });
        let id = it.taken_in(&ticket).await;
        it.until(&id, "active").await;
        it.pass(minutes(10)).await;
        let request = id.parse().expect("an id");
        let order = it.world.service.engine.revoke(request, Actor::stint(), "enough");
        order.await.expect("a working database");
        let finished = one_worker(&it, waits).await && it.removals().len() == 1;
        it.pass(seconds(121)).await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "revoked", "dropped at wait {waits}");
        assert_eq!(it.removals().len(), 1, "dropped at wait {waits}");
        it.ends().await;
        if finished {
            break;
        }
        waits += stride();
    }
    assert!(waits > 2, "only {waits} waits were tried");
}

#[tokio::test]
async fn two_workers_on_one_request_make_one_assignment() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let now = it.world.clock.now();
    let store = &it.world.service.store;
    let slow = store.lease_due(now, now + seconds(1), ONE).await.expect("a lease").remove(0);
    // The first one's lease lapses while it is stopped; the second takes over and finishes.
    it.pass(seconds(2)).await;
    it.until(&id, "active").await;
    it.world.service.engine.step(slow).await;
    assert_eq!(it.document(&id).await["status"], "active");
    assert_eq!(it.creates().len(), 1);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn with_stint_gone_right_after_the_call_access_still_ends_on_time() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() });
    it.taken_in(&ticket).await;
    let mut waits = 1;
    while it.creates().is_empty() {
        // A little further each time, until the call has been made.
        one_worker(&it, waits).await;
        it.world.clock.advance(seconds(125));
        waits += 1;
        assert!(waits < 500, "the call is never made");
    }
    let clock = &it.world.clock;
    let start = it.creates()[0].start.expect("a start");
    clock.set(start + minutes(60) + seconds(60));
    let grants = it.world.sandbox.graph.grants(story::TENANT);
    assert_eq!(grants.len(), 1);
    assert!(grants[0].ended_at.is_some_and(|end| end <= start + minutes(60)), "{grants:?}");
    assert!(it.world.sandbox.graph.active_grants(story::TENANT).is_empty());
}

#[tokio::test]
async fn a_clock_that_jumps_while_a_step_is_under_way_doubles_nothing() {
    for jump in [minutes(10), minutes(-60)] {
        let it = It::begins().await;
        let ticket = it.approved(IssueDraft { duration: "PT2H".into(), ..IssueDraft::default() });
        let id = it.taken_in(&ticket).await;
        for waits in [3, 9, 15] {
            one_worker(&it, waits).await;
            it.world.clock.advance(jump);
        }
        it.world.clock.advance(minutes(65));
        it.until(&id, "ended").await;
        assert!(it.creates().len() <= 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_caller_dropped_anywhere_leaves_no_connection_inside_a_transaction() {
    let it = It::begins().await;
    let store = Store::open(&it.database_url, 1).expect("a store");
    let order = EndOrder {
        cause: EndCause::Revoked,
        ordered_at: it.world.clock.now(),
        actor: Actor::stint(),
        reason: "a test".into(),
        remove: true,
        confirmed_at: None,
        continued_by: vec![],
    };
    let nobody = RequestId(uuid::Uuid::nil());
    for waits in 1..30 {
        dropped_after(waits, store.order_end(nobody, &order.actor, &order)).await;
        store.ping().await.expect("a working database");
        let open: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'",
        )
        .fetch_one(&mut it.sql().await)
        .await
        .expect("a count");
        assert_eq!(open, 0, "dropped at wait {waits}");
    }
    store.close().await;
    it.ends().await;
}

/// Keeps the helper honest: it really drops where it says.
#[test]
fn dropping_happens_at_the_wait_asked_for() {
    let mut context = Context::from_waker(Waker::noop());
    let pending = pin!(dropped_after(1, std::future::pending::<()>()));
    assert_eq!(pending.poll(&mut context), Poll::Ready(false));
}
