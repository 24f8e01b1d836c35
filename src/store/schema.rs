//! The schema's version: brought up by `stint migrate`, checked by `stint serve`.

use std::collections::BTreeSet;

use sqlx::migrate::Migrator;

use super::{Store, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The migrations this program knows, oldest first.
#[must_use]
pub fn migrations() -> &'static Migrator {
    &MIGRATIONS
}

/// How the database's schema compares with the program's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// The database lacks this many migrations.
    Older(usize),
    /// The database has this many migrations that the program does not know.
    Newer(usize),
}

impl Store {
    /// Applies what is missing.
    ///
    /// # Errors
    /// When a migration fails, or the database is newer than the program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        MIGRATIONS.run(&self.pool).await?;
        Ok(())
    }

    /// Compares schemas without changing anything.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let applied: BTreeSet<i64> = self.applied_migrations().await?.into_iter().collect();
        let known: BTreeSet<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
        let newer = applied.difference(&known).count();
        let missing = known.difference(&applied).count();
        Ok(match (newer, missing) {
            (0, 0) => SchemaState::Current,
            (0, missing) => SchemaState::Older(missing),
            (newer, _) => SchemaState::Newer(newer),
        })
    }

    async fn applied_migrations(&self) -> Result<Vec<i64>, StoreError> {
        let exists: Option<bool> =
            sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&self.pool).await?;
        if exists != Some(true) {
            return Ok(vec![]);
        }
        let versions = sqlx::query_scalar("select version from _sqlx_migrations where success order by version");
        Ok(versions.fetch_all(&self.pool).await?)
    }
}
