//! What is answered is durable, as far as the database is set up for that, and is written to a server that takes writes.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use stint::{
    domain::{
        id::{ConnectionName, TicketId, TicketNumber},
        ticket::{Hint, HintEvent},
    },
    sandbox::{Postgres, PostgresOptions},
    store::{Delivery, Meant, Received, Store},
};

use crate::world::morning;

/// A server of its own: what it is set to would be everybody's.
async fn server() -> Postgres {
    let options =
        PostgresOptions { tcp: true, guard: Some(env!("CARGO_BIN_EXE_stint").into()), ..PostgresOptions::default() };
    let started = tokio::task::spawn_blocking(|| Postgres::start_with(options));
    started.await.expect("started").expect("a private Postgres")
}

async fn connection(server: &Postgres) -> PgConnection {
    PgConnection::connect(&server.url("postgres")).await.expect("a connection")
}

/// Changes a setting for everybody, and waits until new connections have it.
async fn set(server: &Postgres, name: &str, value: &str) {
    let mut sql = connection(server).await;
    for statement in [format!("alter system set {name} = '{value}'"), "select pg_reload_conf()".to_owned()] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut sql).await.expect("set");
    }
    let shown = "select current_setting($1)";
    loop {
        let mut sql = connection(server).await;
        let now: String = sqlx::query_scalar(shown).bind(name).fetch_one(&mut sql).await.expect("a setting");
        if now == value {
            return;
        }
    }
}

/// Waits until commits wait for a standby.
async fn until_commits_wait(server: &Postgres) {
    loop {
        let mut sql = connection(server).await;
        let commit = sqlx::raw_sql("select pg_logical_emit_message(true, '', '')").execute(&mut sql);
        tokio::select! {
            _ = commit => {}
            () = cancel_the_wait(server) => return,
        }
    }
}

fn delivery(at: Timestamp) -> Delivery {
    Delivery {
        connection: ConnectionName::new("jira-cloud"),
        key: "msg_1".into(),
        headers: json!({}),
        body: b"{}".to_vec(),
        received_at: at,
        meant: Meant::Look(
            Hint {
                ticket: TicketId::new("10412"),
                number: TicketNumber::new("ITSEC-1"),
                event: HintEvent::Approved,
                approval: None,
                told: None,
            },
            None,
        ),
    }
}

/// Waits until a commit waits for its standby, and cuts that short as an operator might.
async fn cancel_the_wait(server: &Postgres) {
    let mut sql = connection(server).await;
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
    loop {
        let cancelled: i64 = sqlx::query_scalar(cancel).fetch_one(&mut sql).await.expect("a count");
        if cancelled > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_delivery_that_no_standby_confirmed_is_not_answered_and_neither_is_its_repeat() {
    let server = server().await;
    let store = Store::open(&server.url("postgres"), 4).expect("a store");
    store.migrate().await.expect("migrated");
    set(&server, "synchronous_standby_names", "nobody").await;
    until_commits_wait(&server).await;
    let delivery = delivery(morning());
    for _ in 0..3 {
        let (received, ()) = tokio::join!(store.receive(&delivery), cancel_the_wait(&server));
        let problem = received.expect_err("nobody has it but this server");
        assert!(problem.to_string().contains("canceling wait for synchronous replication"), "{problem}");
    }
    // The row of the first one is there all the same: it was committed here.
    let rows = "select count(*) from deliveries";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&mut connection(&server).await).await.expect("a count");
    assert_eq!(rows, 1);
    set(&server, "synchronous_standby_names", "").await;
    let received = store.receive(&delivery).await.expect("a working database");
    assert!(matches!(received, Received::Request { repeat: true, .. }), "{received:?}");
    store.close().await;
}

/// A URL that names both, in this order.
fn both(first: &Postgres, second: &Postgres) -> String {
    let address = |server: &Postgres| {
        let url: url::Url = server.tcp_url("postgres").expect("tcp").parse().expect("a url");
        format!("127.0.0.1:{}", url.port().expect("a port"))
    };
    format!(
        "postgres://postgres@{},{}/postgres?sslmode=disable&target_session_attrs=read-write",
        address(first),
        address(second)
    )
}

#[tokio::test]
async fn of_several_servers_the_one_that_takes_writes_is_used_and_followed() {
    let (mut first, second) = (server().await, server().await);
    set(&first, "default_transaction_read_only", "on").await;
    let store = Store::open(&both(&first, &second), 4).expect("a store");
    store.reach().await.expect("the second one takes writes");
    store.migrate().await.expect("migrated");
    assert!(has_schema(&second).await && !has_schema(&first).await, "a server that takes no writes was written to");

    // Both change their parts.
    set(&first, "default_transaction_read_only", "off").await;
    drop(second);
    until_it_answers(&store).await;
    store.migrate().await.expect("the first one takes writes now");
    assert!(has_schema(&first).await);

    first.kill().expect("killed");
    let problem = store.reach().await.expect_err("none is left").to_string();
    assert_eq!(problem.matches("127.0.0.1:").count(), 2, "{problem}");
    store.close().await;
}

#[tokio::test]
async fn a_single_server_that_takes_no_writes_is_refused_in_words() {
    let server = server().await;
    set(&server, "default_transaction_read_only", "on").await;
    let store = Store::open(&server.url("postgres"), 4).expect("a store");
    let problem = store.reach().await.expect_err("it takes no writes");
    assert!(problem.to_string().contains("takes no writes"), "{problem}");
    set(&server, "default_transaction_read_only", "off").await;
    store.reach().await.expect("it does now");
    store.close().await;
}

async fn has_schema(server: &Postgres) -> bool {
    let there = "select to_regclass('requests') is not null";
    sqlx::query_scalar(there).fetch_one(&mut connection(server).await).await.expect("an answer")
}

/// As a sender repeats until it is answered.
async fn until_it_answers(store: &Store) {
    while store.ping().await.is_err() {
        tokio::task::yield_now().await;
    }
}
