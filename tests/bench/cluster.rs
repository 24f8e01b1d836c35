//! A private Postgres that keeps its word: what is committed is on the disk.

use std::path::PathBuf;

use sqlx::{Connection as _, PgConnection};
use stint::{
    sandbox::{Postgres, PostgresOptions},
    store::Store,
};
use tokio::runtime::Runtime;

/// The same for everybody who is measured: Postgres writes through to the disk, and has memory as a small server has it.
const SETTINGS: [&str; 4] =
    ["shared_buffers = '1GB'", "max_wal_size = '4GB'", "random_page_cost = 1.1", "checkpoint_timeout = '15min'"];

/// Starts it.
pub fn start(runtime: &Runtime) -> Postgres {
    let guard = Some(PathBuf::from(env!("CARGO_BIN_EXE_stint")));
    let options = PostgresOptions { fsync: true, guard, ..PostgresOptions::default() };
    let mut postgres = Postgres::start_with(options).expect("a private Postgres");
    runtime.block_on(settle(&postgres.url("postgres")));
    postgres.restart().expect("Postgres with its settings");
    postgres
}

/// A database with stint's schema; gives its URL.
pub fn database(runtime: &Runtime, postgres: &Postgres, name: &str) -> String {
    runtime.block_on(async {
        postgres.create_database(name).await.expect("a database");
        let store = Store::open(&postgres.url(name), 1).expect("a store");
        store.migrate().await.expect("a schema");
        store.close().await;
    });
    postgres.url(name)
}

async fn settle(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    for setting in SETTINGS {
        let statement = sqlx::AssertSqlSafe(format!("alter system set {setting}"));
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("a setting");
    }
    // What is not written by now would be replayed at the restart.
    sqlx::raw_sql("checkpoint").execute(&mut connection).await.expect("a checkpoint");
}
