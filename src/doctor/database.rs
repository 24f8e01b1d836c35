//! The database: reachable, new enough, current, durable, and in a role that may not do too much.

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    audit,
    report::{Report, Said, Subject},
};
use crate::{
    clock::Clock,
    config::{Config, Database},
    outbound::Wire,
    store::{Health, SchemaState, Store, StoreError},
};

/// PostgreSQL 15, as it numbers itself.
const OLDEST: i32 = 150_000;

pub(super) async fn examine(report: &mut Report, config: &Config, wire: &Wire, clock: &Clock) {
    let (about, database) = (Subject::database(), &config.database);
    let store = match open(&database.url).await {
        Ok(store) => store,
        Err(error) => return report.say(&about, "reachable", Said::fail(format!("database.url: {error}"))),
    };
    report.say(&about, "reachable", Said::ok("database.url answers"));
    let state = store.schema_state().await;
    let is_current = matches!(state, Ok(SchemaState::Current));
    report.say(&about, "schema", schema(state));
    match store.health().await {
        Err(error) => report.say(&about, "health", Said::fail(format!("cannot be read: {error}"))),
        Ok(health) => {
            report.say(&about, "version", version(&health));
            report.say(&about, "durability", durability(&health));
            report.say(&about, "rights", rights(&health));
        }
    }
    if is_current {
        report.say(&about, "audit-sealing", audit::sealing(&store, clock).await);
        report.say(&about, "audit-publication", audit::publication(config, &store, wire, clock).await);
    }
    store.close().await;
    report.say(&about, "migrate-url", migrate_url(database).await);
}

/// Whoever runs `stint migrate` next learns now whether it will find the database.
async fn migrate_url(database: &Database) -> Option<Said> {
    let url = database.migrate_url.as_ref()?;
    match open(url).await {
        Ok(store) => {
            store.close().await;
            Some(Said::ok("database.migrate_url answers"))
        }
        Err(error) => Some(Said::fail(format!("database.migrate_url: {error}"))),
    }
}

async fn open(url: &SecretString) -> Result<Store, StoreError> {
    let store = Store::open(url.expose_secret(), 1)?;
    store.reach().await?;
    Ok(store)
}

fn schema(state: Result<SchemaState, StoreError>) -> Said {
    match state {
        Ok(SchemaState::Current) => Said::ok("is this program's own"),
        Ok(SchemaState::Older(count)) => Said::fail(format!("lacks migrations ({count}): run `stint migrate`")),
        Ok(SchemaState::Newer(count)) => {
            Said::fail(format!("has migrations ({count}) that this program does not know: use the newer stint"))
        }
        Err(error) => Said::fail(format!("cannot be read: {error}")),
    }
}

pub(super) fn version(health: &Health) -> Said {
    let (major, minor) = (health.version / 10_000, health.version % 10_000);
    if health.version < OLDEST {
        return Said::fail(format!("PostgreSQL {major}.{minor} is too old: use 15 or newer"));
    }
    Said::ok(format!("PostgreSQL {major}.{minor}"))
}

pub(super) fn durability(health: &Health) -> Said {
    if health.not_durable.is_empty() {
        return match &health.ahead_of_standby {
            None => Said::ok("fsync, full_page_writes and synchronous_commit are on"),
            Some(value) => Said::warn(format!(
                "synchronous_commit is {value}: a delivery is answered before the standby in synchronous_standby_names \
                 has it on disk; set it to on"
            )),
        };
    }
    let off = health.not_durable.join(", ");
    Said::fail(format!("off: {off}; a delivery that was answered could be lost: switch it on in postgresql.conf"))
}

pub(super) fn rights(health: &Health) -> Said {
    if !health.missing_rights.is_empty() {
        let missing = health.missing_rights.join(", ");
        return Said::fail(format!("the role of database.url may not: {missing}; grant it, or `serve` fails"));
    }
    if health.excess_rights.is_empty() {
        return Said::ok("the role only reads and writes rows");
    }
    let excess = health.excess_rights.join(", ");
    Said::warn(format!(
        "the role of database.url {excess}: give `serve` a role of its own, and the owner's to `migrate` by \
         database.migrate_url"
    ))
}
