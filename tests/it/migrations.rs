//! The schema: brought up on tables that hold rows, refused when it is not the program's own, readable.

use sqlx::{Connection as _, PgConnection};
use stint::{
    sandbox::jira::IssueDraft,
    store::{SchemaState, Store, migrations},
};

use crate::world::{It, database};

#[tokio::test]
async fn every_migration_applies_to_tables_that_hold_rows_and_keeps_them() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let before = it.until(&id, "ended").await;
    it.work().await;
    let mut sql = it.sql().await;
    // Forgetting that the later ones ran is how a database of an older program looks, but for what they would add.
    let first = migrations().iter().next().expect("a migration").version;
    sqlx::query("delete from _sqlx_migrations where version > $1")
        .bind(first)
        .execute(&mut sql)
        .await
        .expect("deleted");
    it.world.service.store.migrate().await.expect("migrated");
    assert_eq!(it.world.service.store.schema_state().await.expect("readable"), SchemaState::Current);
    let mut after = it.document(&id).await;
    after["notes"] = before["notes"].clone();
    assert_eq!(after, before);
    it.ends().await;
}

#[tokio::test]
async fn an_empty_an_older_and_a_newer_schema_are_told_apart() {
    let url = database().await;
    let store = Store::open(&url, 2).expect("a store");
    let all = migrations().iter().count();
    assert_eq!(store.schema_state().await.expect("readable"), SchemaState::Older(all));
    store.migrate().await.expect("migrated");
    assert_eq!(store.schema_state().await.expect("readable"), SchemaState::Current);
    let mut sql = PgConnection::connect(&url).await.expect("a connection");
    let copy = "insert into _sqlx_migrations select version + 1, description, installed_on, success, checksum, \
                execution_time from _sqlx_migrations order by version desc limit 1";
    sqlx::query(copy).execute(&mut sql).await.expect("inserted");
    assert_eq!(store.schema_state().await.expect("readable"), SchemaState::Newer(1));
    assert!(store.migrate().await.is_err(), "a newer schema is left alone");
}

#[tokio::test]
async fn the_audit_log_refuses_to_be_rewritten_even_by_its_owner() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let mut sql = it.sql().await;
    for statement in [
        "update audit_events set actor = 'nobody'",
        "delete from audit_events",
        "truncate audit_events",
        "truncate requests cascade",
    ] {
        let refused = sqlx::query(statement).execute(&mut sql).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    it.ends().await;
}

#[tokio::test]
async fn every_table_and_column_says_what_it_is() {
    let it = It::begins().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "select c.relname || coalesce('.' || a.attname, '') from pg_class c \
         left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations' \
         and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null)",
    )
    .fetch_all(&mut it.sql().await)
    .await
    .expect("the catalog");
    assert!(silent.is_empty(), "without a comment: {silent:?}");
    it.ends().await;
}

#[tokio::test]
async fn a_row_that_does_not_hold_what_it_must_is_named_and_blocks_nobody() {
    let it = It::begins().await;
    let broken = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let broken = it.taken_in(&broken).await;
    it.until(&broken, "active").await;
    let mut sql = it.sql().await;
    let break_it = "update requests set decision = '{\"nonsense\": true}', due_at = received_at where id = $1::uuid";
    sqlx::query(break_it).bind(&broken).execute(&mut sql).await.expect("broken");
    let request = broken.parse().expect("an id");
    let named = it.world.service.store.load(request).await.expect_err("unreadable").to_string();
    assert!(named.contains("table requests, column decision") && named.contains(&broken), "{named}");

    let other = it.approved(IssueDraft {
        principal: stint::sandbox::story::LENA_UPN.into(),
        reporter: stint::sandbox::story::LENA_ACCOUNT.into(),
        creator: stint::sandbox::story::LENA_ACCOUNT.into(),
        duration: "PT15M".into(),
        ..IssueDraft::default()
    });
    let other = it.taken_in(&other).await;
    it.until(&other, "ended").await;
}
