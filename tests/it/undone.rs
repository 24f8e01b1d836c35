//! A decision that is acted on at once does not wait for the disk: a crash of the database may undo it, and then it is made
//! anew.

use sqlx::{AssertSqlSafe, PgConnection};
use stint::{
    domain::{lifecycle::Event, request::Hold},
    sandbox::jira::IssueDraft,
    store::{Change, Room},
};

use crate::world::{It, minutes, seconds};

/// Keeps the decision from being committed until the first advisory lock is free.
const HOLD_UP: &str = "create function hold_up() returns trigger language plpgsql as \
                       $$ begin perform pg_advisory_xact_lock(1); return new; end $$; \
                       create trigger hold_up before update on requests for each row \
                       when (old.state = 'verifying' and new.state = 'approved') execute function hold_up(); \
                       select pg_advisory_lock(1)";

/// What is left when the decision's commit was lost. The attempts are locked, so that the step waits right after it.
const LOSE: &str = "begin; lock table attempts in access exclusive mode; \
                    alter table audit_events disable trigger user; alter table audit_details disable trigger user; \
                    delete from audit_pending where event_id in (select id from audit_events where state_to = 'approved'); \
                    delete from audit_details where event_id in (select id from audit_events where state_to = 'approved'); \
                    delete from audit_events where state_to = 'approved'; \
                    alter table audit_events enable trigger user; alter table audit_details enable trigger user; \
                    update requests set state = 'verifying', decision = null, approval_id = null, approval_given_at = null, \
                    principal_id = null, principal_name = null, entitlement_key = null; commit";

async fn run(sql: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(sql).await.expect("statements that run");
}

/// Returns once somebody waits for such a lock.
async fn somebody_waits(sql: &mut PgConnection, which: &str) {
    let statement = format!("select exists (select from pg_locks where not granted and {which})");
    for _ in 0..100_000 {
        let waits = sqlx::query_scalar::<_, bool>(AssertSqlSafe(statement.as_str()));
        if waits.fetch_one(&mut *sql).await.expect("an answer") {
            return;
        }
    }
    panic!("nobody waits for {which}");
}

#[tokio::test]
async fn a_decision_that_a_crash_undid_is_made_anew_at_once_and_grants_once() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let began = it.world.clock.now();
    let (mut gate, mut loser) = (it.sql().await, it.sql().await);
    run(&mut gate, HOLD_UP).await;
    tokio::join!(it.work(), async {
        let here = "database = (select oid from pg_database where datname = current_database())";
        somebody_waits(&mut gate, &format!("locktype = 'advisory' and {here}")).await;
        tokio::join!(run(&mut loser, LOSE), async {
            somebody_waits(&mut gate, &format!("mode = 'AccessExclusiveLock' and {here}")).await;
            run(&mut gate, "select pg_advisory_unlock(1)").await;
        });
    });
    it.until(&id, "active").await;
    assert!(it.world.clock.now().duration_since(began) < minutes(1), "it went on at once");
    it.until(&id, "ended").await;
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn what_was_held_when_a_crash_undid_that_it_was_taken_is_taken_anew() {
    let it = It::begins().await;
    let id = it.taken_in(&it.approved(IssueDraft::default())).await;
    let (store, now) = (&it.world.service.store, it.world.clock.now());
    let room = Room { ends: 1, others: 1, per_connection: 1, per_tenant: 1 };
    let lease = store.lease_due(now, now + seconds(120), room).await.expect("leases").remove(0);
    let held = Event::Hold(Hold::new("ticket-unavailable", "no answer"));
    store.advance(&lease, Change::to(held, now, now)).await.expect("held");
    it.until(&id, "active").await;
    assert!(it.world.clock.now().duration_since(now) < minutes(1), "it went on at once");
    it.until(&id, "ended").await;
    it.ends().await;
}
