//! Years of history, made by set-based SQL.

use std::{sync::Mutex, time::Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::report::say;

const FILL: &str = include_str!("fill.sql");

/// Requests made by one transaction.
const BATCH: u64 = 25_000;

/// Those who fill at a time.
const HANDS: usize = 2;

/// Fills an empty history with so many requests.
pub fn fill(runtime: &Runtime, url: &str, requests: u64) {
    let began = Instant::now();
    let batches: Vec<u64> = (0..requests.div_ceil(BATCH)).rev().collect();
    let left = Mutex::new(batches);
    runtime.block_on(async {
        let hands = (0..HANDS).map(|_| work(url, &left, requests));
        futures_util::future::join_all(hands).await;
        finish(url, requests).await;
    });
    say(&format!("filled {requests} requests in {:.0} s", began.elapsed().as_secs_f64()));
}

async fn work(url: &str, left: &Mutex<Vec<u64>>, total: u64) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let next = || left.lock().expect("not poisoned").pop();
    while let Some(batch) = next() {
        let (first, last) = (batch * BATCH + 1, total.min((batch + 1) * BATCH));
        let text = FILL.replace("{first}", &first.to_string()).replace("{last}", &last.to_string());
        let text = text.replace("{total}", &total.to_string());
        // References are right by the way they are made; checking each would double the time.
        let text = format!(
            "begin; set local session_replication_role = replica; set local synchronous_commit = off; {text}; commit"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.expect("a batch");
        if batch % 40 == 39 {
            say(&format!("{last} requests"));
        }
    }
}

/// What a service of years would have behind it: numbers that go on, statistics, clean pages, nothing left to write.
async fn finish(url: &str, requests: u64) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let next = requests * 6 + 1;
    for text in [
        format!("alter table audit_events alter column id restart with {next}"),
        "vacuum analyze".to_owned(),
        "checkpoint".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.expect("a finish");
    }
}
