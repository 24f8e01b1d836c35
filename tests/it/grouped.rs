//! Deliveries that arrive together are committed together, and each is answered as if it had come alone.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

use futures_util::{
    StreamExt as _,
    future::{JoinAll, join_all, poll_fn},
    stream,
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use stint::{
    domain::{
        id::{ApprovalId, ConnectionName, RequestId, TenantName, TicketId, TicketNumber},
        ticket::{Hint, HintEvent},
    },
    store::{Delivery, Meant, Received, Store, StoreError},
};

use crate::world::{migrated_database, morning};

/// Senders at a time.
const SENDERS: usize = 64;

struct Place {
    store: Store,
    url: String,
}

impl Place {
    async fn new() -> Self {
        let url = migrated_database().await;
        Self { store: Store::open(&url, 24).expect("a store"), url }
    }

    async fn sql(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("a connection")
    }

    async fn count(&self, what: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("select count({what}"));
        sqlx::query_scalar(statement).fetch_one(&mut self.sql().await).await.expect("a count")
    }

    /// A connection that keeps every delivery from being written until it is closed.
    async fn holding_up(&self) -> PgConnection {
        let mut sql = self.sql().await;
        sqlx::raw_sql("begin; lock table deliveries in share mode").execute(&mut sql).await.expect("a lock");
        sql
    }

    /// Whatever was answered 2xx is there, with its audit event, once.
    async fn holds(&self, delivery: &Delivery, received: &Received) {
        let mut sql = self.sql().await;
        let row: (String, Option<uuid::Uuid>) =
            sqlx::query_as("select outcome, request_id from deliveries where connection = $1 and delivery_key = $2")
                .bind(delivery.connection.as_str())
                .bind(&delivery.key)
                .fetch_one(&mut sql)
                .await
                .expect("one row for each key");
        let expected = match received {
            Received::Request { id, .. } => ("accepted", Some(id.0)),
            Received::Ignored(_) => ("ignored", None),
            Received::Rejected(_) => ("rejected", None),
        };
        assert_eq!((row.0.as_str(), row.1), expected);
    }

    /// Every request and every delivery that was not accepted has its one event, with its facts, waiting to be sealed.
    async fn every_event_is_there(&self) {
        let made = self.count("*) from requests").await;
        let refused = self.count("*) from deliveries where outcome <> 'accepted'").await;
        let whole = "*) from audit_events e join audit_details d on d.event_id = e.id join audit_pending p on p.event_id = e.id";
        assert_eq!(self.count("*) from audit_events").await, made + refused);
        assert_eq!(self.count(whole).await, made + refused);
        assert_eq!(self.count("distinct (e.request_id)) from audit_events e where event = 'received'").await, made);
        let told = "*) from deliveries d join audit_events e on e.event = 'delivery-' || d.outcome \
                    join audit_details t on t.event_id = e.id and t.detail->>'delivery' = d.delivery_key";
        assert_eq!(self.count(told).await, refused);
    }
}

fn delivery(key: &str, meant: Meant) -> Delivery {
    Delivery {
        connection: ConnectionName::new("jira-cloud"),
        key: key.into(),
        headers: json!({ "identifier": key }),
        body: b"{}".to_vec(),
        received_at: morning(),
        meant,
    }
}

fn about(key: &str, ticket: &str, event: HintEvent) -> Delivery {
    let hint = Hint {
        ticket: TicketId::new(ticket),
        number: TicketNumber::new(format!("ITSEC-{ticket}")),
        event,
        approval: Some(ApprovalId::new("1")),
        told: None,
    };
    delivery(key, Meant::Look(hint, Some(TenantName::new("contoso"))))
}

fn approved(number: usize) -> Delivery {
    about(&format!("key-{number}"), &number.to_string(), HintEvent::Approved)
}

fn request(received: &Result<Received, StoreError>) -> RequestId {
    match received {
        Ok(Received::Request { id, .. }) => *id,
        other => panic!("no request: {other:?}"),
    }
}

/// Everybody, begun: each waits for its answer. Nothing else runs on this thread until then, so they wait together.
async fn begun<F: Future>(mut all: JoinAll<F>) -> JoinAll<F> {
    let mut all_pinned = pin!(&mut all);
    poll_fn(|context| {
        assert!(all_pinned.as_mut().poll(context).is_pending(), "nobody is answered before the commit");
        Poll::Ready(())
    })
    .await;
    all
}

#[tokio::test]
async fn deliveries_that_wait_together_take_fewer_commits_than_there_are() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..SENDERS).map(approved).collect();
    let all = begun(join_all(deliveries.iter().map(|delivery| place.store.receive(delivery)))).await;
    for (delivery, received) in deliveries.iter().zip(all.await) {
        place.holds(delivery, &received.expect("taken in")).await;
    }
    place.every_event_is_there().await;
    // A row bears the number of the transaction that wrote it.
    let commits = place.count("distinct (xmin::text)) from deliveries").await;
    assert!(commits < 4, "{commits} commits for {SENDERS} deliveries");
}

#[tokio::test]
async fn what_is_poison_fails_alone_and_everybody_else_is_there_once() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..2000)
        .map(|n| match n % 10 {
            // Repeats of others, and other deliveries about the same ticket.
            0 => approved(n / 20 * 20 + 1),
            1 => about(&format!("joins-{n}"), &(n / 40 * 40 + 2).to_string(), HintEvent::Approved),
            2 => about(&format!("changed-{n}"), &format!("nobodys-{n}"), HintEvent::Changed),
            3 => delivery(&format!("ignored-{n}"), Meant::Ignored("another project".into())),
            4 => delivery(&format!("rejected-{n}"), Meant::Rejected("no number".into())),
            // No text of Postgres holds NUL, and no index a key of this length.
            5 if n % 50 == 5 => delivery(&format!("poison-{n}"), Meant::Ignored("\0".into())),
            6 if n % 50 == 6 => approved_with_key((0..9000).map(|at| char::from(b'a' + noise(n, at))).collect(), n),
            _ => approved(n),
        })
        .collect();
    let store = &place.store;
    let answers: Vec<_> = stream::iter(&deliveries)
        .map(|delivery| async move { (delivery, store.receive(delivery).await) })
        .buffer_unordered(SENDERS)
        .collect()
        .await;
    assert_eq!(answers.len(), deliveries.len());
    for (delivery, received) in &answers {
        let poison = delivery.key.len() > 1000 || matches!(&delivery.meant, Meant::Ignored(why) if why == "\0");
        match received {
            Ok(received) => place.holds(delivery, received).await,
            Err(problem) => assert!(poison, "{}: {problem}", delivery.key),
        }
        assert_eq!(received.is_err(), poison, "{}", delivery.key);
    }
    let keys: std::collections::HashSet<_> =
        answers.iter().filter(|(_, received)| received.is_ok()).map(|(delivery, _)| &delivery.key).collect();
    assert_eq!(place.count("*) from deliveries").await, i64::try_from(keys.len()).expect("a few"));
    place.every_event_is_there().await;
}

fn approved_with_key(key: String, number: usize) -> Delivery {
    Delivery { key, ..approved(number) }
}

/// A letter that does not compress with its neighbours.
fn noise(seed: usize, at: usize) -> u8 {
    let mixed = (seed * 9000 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 59).expect("five bits") % 26
}

#[tokio::test]
async fn copies_and_namesakes_that_wait_together_are_answered_as_one_after_the_other() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..SENDERS)
        .map(|n| match n % 3 {
            0 => approved(0),
            1 => about(&format!("other-{n}"), "0", HintEvent::Approved),
            _ => delivery("nothing", Meant::Ignored("another project".into())),
        })
        .collect();
    let all = begun(join_all(deliveries.iter().map(|delivery| place.store.receive(delivery)))).await;
    let answers = all.await;
    let made = request(&answers[0]);
    let firsts = answers.iter().filter(|received| matches!(received, Ok(Received::Request { repeat: false, .. })));
    // The first of the copies, and each other delivery about the ticket, which joins.
    assert_eq!(firsts.count(), 1 + deliveries.iter().filter(|delivery| delivery.key.starts_with("other")).count());
    for (delivery, received) in deliveries.iter().zip(&answers) {
        match (&delivery.meant, received) {
            (Meant::Look(..), received) => assert_eq!(request(received), made),
            (_, received) => assert!(matches!(received, Ok(Received::Ignored(why)) if why == "another project")),
        }
    }
    assert_eq!(place.count("*) from requests").await, 1);
    place.every_event_is_there().await;
}

#[tokio::test]
async fn who_hangs_up_takes_nobody_else_along() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..SENDERS).map(approved).collect();
    let (gone, stays) = deliveries.split_at(SENDERS / 2);
    let gone = begun(join_all(gone.iter().map(|delivery| place.store.receive(delivery)))).await;
    let all = begun(join_all(stays.iter().map(|delivery| place.store.receive(delivery)))).await;
    drop(gone);
    for (delivery, received) in stays.iter().zip(all.await) {
        place.holds(delivery, &received.expect("taken in")).await;
    }
    place.every_event_is_there().await;
}

#[tokio::test]
async fn a_group_whose_server_process_is_ended_is_answered_with_an_error_and_repeats_are_taken_in() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..SENDERS).map(approved).collect();
    let lock = place.holding_up().await;
    let all = begun(join_all(deliveries.iter().map(|delivery| place.store.receive(delivery)))).await;
    let mut sql = place.sql().await;
    let (answers, ()) = tokio::join!(all, async {
        let mut ended = 0;
        while ended == 0 {
            ended = end_those_who_wait(&mut sql).await;
        }
        lock.close().await.expect("let go");
    });
    let lost = answers.iter().filter(|received| received.is_err()).count();
    assert!(lost > 0, "somebody's outcome is unknown");
    for (delivery, received) in deliveries.iter().zip(&answers) {
        match received {
            Ok(received) => place.holds(delivery, received).await,
            Err(_) => place.holds(delivery, &place.store.receive(delivery).await.expect("the repeat")).await,
        }
    }
    assert_eq!(place.count("*) from deliveries").await, i64::try_from(SENDERS).expect("a few"));
    place.every_event_is_there().await;
}

/// Ends the server's processes that wait for the lock on behalf of stint; gives how many.
async fn end_those_who_wait(sql: &mut PgConnection) -> i64 {
    let ended = sqlx::query_scalar(
        "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
         and application_name like 'stint%' and wait_event_type = 'Lock' offset 0) as ended",
    );
    ended.fetch_one(sql).await.expect("a count")
}

#[tokio::test]
async fn a_store_that_is_closed_answers_everybody() {
    let place = Place::new().await;
    let deliveries: Vec<_> = (0..SENDERS).map(approved).collect();
    let all = begun(join_all(deliveries.iter().map(|delivery| place.store.receive(delivery)))).await;
    let (answers, ()) = tokio::join!(all, place.store.close());
    for (delivery, received) in deliveries.iter().zip(&answers) {
        if let Ok(received) = received {
            place.holds(delivery, received).await;
        }
    }
    place.every_event_is_there().await;
}

#[tokio::test]
async fn a_request_that_somebody_holds_keeps_only_its_own_delivery_waiting() {
    let place = Place::new().await;
    let first = place.store.receive(&approved(0)).await;
    let mut holder = place.sql().await;
    let held = format!("begin; select from requests where id = '{}' for update", request(&first));
    sqlx::raw_sql(sqlx::AssertSqlSafe(held)).execute(&mut holder).await.expect("held");
    let others: Vec<_> = (1..SENDERS).map(approved).collect();
    let joins = about("joins", "0", HintEvent::Approved);
    let mut joining = pin!(place.store.receive(&joins));
    let all = join_all(others.iter().map(|delivery| place.store.receive(delivery)));
    tokio::select! {
        biased;
        _ = &mut joining => panic!("joined a request that is held"),
        received = all => assert!(received.iter().all(Result::is_ok)),
    }
    holder.close().await.expect("let go");
    let joined = joining.await;
    assert_eq!(request(&joined), request(&first));
    place.holds(&joins, &joined.expect("joined")).await;
    place.every_event_is_there().await;
}

#[tokio::test]
async fn a_ticket_that_another_replica_is_just_taking_in_keeps_only_its_own_delivery_waiting() {
    let place = Place::new().await;
    let mut other = place.sql().await;
    let taking_in = "begin; insert into requests (id, connection, ticket_id, ticket_number, state, received_at, \
                     updated_at, state_since, hinted_at, due_at) values (gen_random_uuid(), 'jira-cloud', '0', 'ITSEC-0', \
                     'received', now(), now(), now(), now(), now())";
    sqlx::raw_sql(taking_in).execute(&mut other).await.expect("under way");
    let deliveries: Vec<_> = (0..SENDERS).map(approved).collect();
    let (same, others) = deliveries.split_first().expect("some");
    let mut waiting = pin!(place.store.receive(same));
    let all = join_all(others.iter().map(|delivery| place.store.receive(delivery)));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("taken in before the other one is over"),
        received = all => assert!(received.iter().all(Result::is_ok)),
    }
    // The other replica does not commit.
    other.close().await.expect("let go");
    place.holds(same, &waiting.await.expect("taken in")).await;
    place.every_event_is_there().await;
}

#[tokio::test]
async fn one_ticket_system_in_full_spate_keeps_no_other_one_waiting() {
    let place = Place::new().await;
    let (spate, answered): (Vec<_>, _) = ((0..500).map(approved).collect(), AtomicUsize::new(0));
    let other = Delivery { connection: ConnectionName::new("service-desk"), ..approved(0) };
    let all = begun(join_all(spate.iter().map(async |delivery| {
        place.store.receive(delivery).await.expect("taken in");
        answered.fetch_add(1, Ordering::Relaxed);
    })))
    .await;
    let other = begun(join_all([place.store.receive(&other)])).await;
    let mut all = pin!(all);
    tokio::select! {
        biased;
        received = other => assert!(received[0].is_ok()),
        _ = &mut all => panic!("the other system waited for the whole spate"),
    }
    let before = answered.load(Ordering::Relaxed);
    assert!(before < 250, "the other system waited for {before} deliveries");
    all.await;
    place.every_event_is_there().await;
}
