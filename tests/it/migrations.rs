//! The schema: brought up on tables that hold rows, refused when it is not the program's own, readable.

use sqlx::{Connection as _, PgConnection, migrate::Migrator};
use stint::{
    sandbox::jira::IssueDraft,
    store::{SchemaState, Store, migrations},
};

use crate::world::{It, database};

/// A request as the first schema kept it.
const OLD_REQUEST: &str = "insert into requests (id, connection, tenant, ticket_id, ticket_number, state, reasons, \
     received_at, updated_at, state_since, hinted_at) values ('01a21859-a6ee-70e0-a633-011bb53066eb', 'jira-cloud', \
     'contoso', '10482', 'ITSEC-482', 'rejected', '[{\"code\": \"self-approval\", \"detail\": \"d\"}]', \
     '2026-11-03T08:31:00Z', '2026-11-03T08:31:00Z', '2026-11-03T08:31:00Z', '2026-11-03T08:31:00Z')";
const OLD_FINDING: &str = "insert into findings (id, kind, request_id, detail, raised_at) values \
     (gen_random_uuid(), 'past-its-end', '01a21859-a6ee-70e0-a633-011bb53066eb', '{}', '2026-11-03T08:31:00Z')";

#[tokio::test]
async fn every_migration_applies_to_tables_that_hold_rows_and_keeps_them() {
    let url = database().await;
    let mut sql = PgConnection::connect(&url).await.expect("a connection");
    let mut first = Migrator { migrations: migrations().iter().take(1).cloned().collect(), ..Migrator::DEFAULT };
    first.set_ignore_missing(true);
    first.run(&mut sql).await.expect("the first schema");
    for row in [OLD_REQUEST, OLD_FINDING] {
        sqlx::query(row).execute(&mut sql).await.expect("an old row");
    }
    let store = Store::open(&url, 2).expect("a store");
    assert!(matches!(store.schema_state().await.expect("readable"), SchemaState::Older(_)));
    store.migrate().await.expect("migrated");
    assert_eq!(store.schema_state().await.expect("readable"), SchemaState::Current);
    let id = "01a21859-a6ee-70e0-a633-011bb53066eb".parse().expect("an id");
    let request = store.load(id).await.expect("readable").expect("kept");
    assert_eq!((request.number.as_str(), request.doubt), ("ITSEC-482", None));
    assert_eq!(store.findings_open().await.expect("readable"), 1);
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
        "delete from requests",
    ] {
        let refused = sqlx::query(statement).execute(&mut sql).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    it.ends().await;
}

/// Each rule about a single row, and what breaks it where a request is active.
const RULES: [(&str, &str); 23] = [
    ("requests_state_is_known", "update requests set state = 'lost'"),
    ("requests_held_state_is_open", "update requests set state = 'held', hold = '{}', held_state = 'ended'"),
    ("requests_held_says_why_and_where", "update requests set state = 'held', held_state = 'active'"),
    ("requests_open_is_due", "update requests set due_at = null"),
    ("requests_lease_is_whole", "update requests set leased_until = now(), lease_token = null"),
    ("requests_decided_has_decision", "update requests set decision = null"),
    ("requests_active_was_read_back", "update requests set assignment = null"),
    ("requests_ending_has_order", "update requests set state = 'ending'"),
    ("requests_rejected_has_reasons", "update requests set state = 'rejected', due_at = null"),
    ("requests_failed_has_failure", "update requests set state = 'failed', due_at = null"),
    ("requests_snapshot_has_digest", "update requests set snapshot_digest = null"),
    ("requests_in_force_is_a_time", "update requests set in_force_until = in_force_from - interval '1 second'"),
    ("attempts_kind_is_known", "update attempts set kind = 'guess'"),
    ("attempts_outcome_is_known", "update attempts set outcome = 'unclear'"),
    ("attempts_assign_has_duration", "update attempts set duration_seconds = null"),
    ("attempts_assign_has_end", "update attempts set ends_at = null"),
    ("attempts_closed_has_time", "update attempts set closed_at = null"),
    ("notes_step_is_known", "update notes set step = 'begun'"),
    ("notes_lease_is_whole", "update notes set leased_until = now(), lease_token = null"),
    ("notes_written_is_done", "update notes set written_at = now(), due_at = now()"),
    ("deliveries_outcome_is_known", "update deliveries set outcome = 'lost'"),
    ("deliveries_accepted_has_request", "update deliveries set request_id = null"),
    ("deliveries_refused_says_why", "update deliveries set outcome = 'ignored', request_id = null, detail = null"),
];

#[tokio::test]
async fn a_row_that_breaks_a_rule_is_refused_by_the_rule_s_name() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let mut sql = it.sql().await;
    for (rule, statement) in RULES {
        let refused = sqlx::query(statement).execute(&mut sql).await.expect_err(statement);
        let refused = refused.into_database_error().expect("the database refuses");
        assert_eq!(refused.code().as_deref(), Some("23514"), "{statement}: {refused}");
        assert_eq!(refused.constraint(), Some(rule), "{statement}: {refused}");
    }
    for table in ["requests", "attempts", "notes", "deliveries"] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut sql)
            .await
            .expect("a count");
        assert!(count > 0, "no row of {table} was there to break a rule");
    }
    it.until(&id, "ended").await;
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
