//! A real server is started for each test; without an installed Postgres these tests fail and say so.

use sqlx::Connection as _;

use super::*;

async fn answer(url: &str, statement: &'static str) -> i32 {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn sqlx_reaches_a_new_database_by_socket_and_by_tcp() {
    let options = PostgresOptions { tcp: true, ..PostgresOptions::default() };
    let postgres = Postgres::start_with(options).unwrap();
    postgres.create_database("ledger").await.unwrap();
    assert_eq!(answer(&postgres.url("ledger"), "select 1").await, 1);
    assert_eq!(answer(&postgres.tcp_url("ledger").unwrap(), "select 2").await, 2);
}

#[tokio::test]
async fn what_was_committed_survives_an_immediate_stop() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.url("postgres");
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("create table kept (n int); insert into kept values (7)").execute(&mut connection).await.unwrap();
    postgres.stop_immediate().unwrap();
    assert!(sqlx::PgConnection::connect(&url).await.is_err());
    postgres.restart().unwrap();
    assert_eq!(answer(&url, "select n from kept").await, 7);
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let mut postgres = Postgres::start_with(PostgresOptions { fsync: true, ..PostgresOptions::default() }).unwrap();
    let url = postgres.url("postgres");
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("create table kept (n int); insert into kept values (8)").execute(&mut connection).await.unwrap();
    postgres.kill().unwrap();
    assert!(sqlx::PgConnection::connect(&url).await.is_err());
    postgres.restart().unwrap();
    assert_eq!(answer(&url, "select n from kept").await, 8);
}

#[tokio::test]
async fn a_database_name_that_could_be_sql_is_refused() {
    let postgres = Postgres::start().unwrap();
    assert!(postgres.create_database("x\"; drop database postgres; --").await.is_err());
}

#[test]
fn dropping_it_leaves_neither_process_nor_folder() {
    let postgres = Postgres::start().unwrap();
    let (pid, folder) = (postgres.server_pid().unwrap(), postgres.folder().to_owned());
    drop(postgres);
    assert!(rustix::process::test_kill_process(pid).is_err());
    assert!(!folder.exists());
}

#[test]
fn the_guard_stops_the_server_and_cleans_up_when_its_parent_is_gone() {
    let guard = Guard {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "sandbox::postgres::tests::plays_the_guard", "--include-ignored", "--nocapture"]
            .map(str::to_owned)
            .to_vec(),
    };
    let mut postgres = Postgres::prepare(false, false, Some(guard)).unwrap();
    let (pid, folder) = (postgres.server_pid().unwrap(), postgres.folder().to_owned());
    let mut running = postgres.running.take().unwrap();
    running.abandon();
    running.wait().unwrap();
    assert!(rustix::process::test_kill_process(pid).is_err());
    assert!(!folder.exists());
}

#[test]
#[ignore = "not a test: the guard process of the test above"]
fn plays_the_guard() {
    assert_eq!(format!("{:?}", guard_main([])), format!("{:?}", std::process::ExitCode::SUCCESS));
}
