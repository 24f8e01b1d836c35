//! The database's roles as `docs/database.md` sets them up: what each can do, and what it cannot.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stint::{sandbox::jira::IssueDraft, store::Store};

use crate::world::It;

const PAGE: &str = include_str!("../../docs/database.md");

/// The page's statements, in order, with roles that no other story has.
fn statements(own: &str) -> Vec<String> {
    let blocks = PAGE.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let named = blocks.map(|block| block.replace("stint", own)).collect::<Vec<_>>();
    named.concat().split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

async fn refused(url: &str, statement: &str) -> String {
    let mut sql = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut sql).await.expect_err(statement).to_string()
}

#[tokio::test]
async fn the_roles_of_the_page_are_enough_and_cannot_rewrite_the_log() {
    let mut it = It::begins().await;
    let own = it.database_url.split(['/', '?']).nth(3).expect("a database").replace("story_", "roles_");
    let mut sql = it.sql().await;
    for statement in statements(&own).iter().filter(|statement| !statement.starts_with("create database")) {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut sql).await.expect(statement);
    }
    let url = |role: &str| it.database_url.replace("user=postgres", &format!("user={role}"));
    let (serving, auditor) = (url(&own), url(&format!("{own}_auditor")));
    let health = Store::open(&serving, 1).expect("a store").health().await.expect("a working database");
    assert_eq!((health.missing_rights, health.excess_rights), (vec![], vec![]));

    it.world.restart(|config, _| config.database.url = serving.clone().into()).await.expect("a restart");
    let ticket = it.approved(IssueDraft { duration: "PT30M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let pack = it.get(&format!("/v1/requests/{id}/evidence"), &it.auditor()).await;
    assert_eq!(pack.status, 200, "{}", pack.body);

    for statement in [
        "update audit_events set actor = 'nobody'",
        "delete from audit_leaves",
        "truncate audit_checkpoints",
        "alter table audit_events disable trigger all",
        "insert into audit_drops (dropped_before, event_id) values (now(), 1)",
        "delete from requests",
        "create table mine (a int)",
    ] {
        let words = refused(&serving, statement).await;
        assert!(words.contains("permission denied") || words.contains("must be owner"), "{statement}: {words}");
    }
    for statement in ["update requests set state = 'active'", "insert into audit_pending (event_id) values (1)"] {
        assert!(refused(&auditor, statement).await.contains("permission denied"), "{statement}");
    }
    let mut reader = PgConnection::connect(&auditor).await.expect("a connection");
    let count: i64 =
        sqlx::query_scalar("select count(*) from audit_events").fetch_one(&mut reader).await.expect("read");
    assert!(count > 5, "{count} events");

    reader.close().await.expect("closed");
    it.ends().await;
    let leave = format!("drop owned by {own}, {own}_auditor; drop role {own}, {own}_auditor, {own}_owner");
    sqlx::raw_sql(AssertSqlSafe(leave)).execute(&mut sql).await.expect("no role is left");
}
