//! Postgres: the only SQL in the crate.
//!
//! [`Store::receive`] and [`Store::advance`] are the only writers of a request's state, and each writes the audit event in
//! the same transaction. [`Store::advance`] asks for a [`Lease`], which only [`Store::lease_due`] makes; a stale one
//! changes no row. No transaction lasts across a call to a neighbour.

mod advance;
mod attempts;
mod audit;
mod books;
mod deliveries;
mod error;
pub mod export;
mod findings;
mod health;
pub mod history;
mod kin;
mod leases;
mod notes;
mod polls;
mod requests;
mod retention;
mod schema;
mod subjects;
mod sweeps;
mod told;
mod wake;

use std::time::Duration;

use sqlx::{
    Connection as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

pub use advance::{Change, NewFinding, Reading, UsedApproval};
pub use audit::{ExportStep, HistoryRead};
pub use deliveries::{Delivery, Meant, Received};
pub use error::StoreError;
pub use health::Health;
pub use leases::{Lease, Room};
pub use notes::{DueNote, NoteResult};
pub use polls::{Noticed, Poll, PollResult};
pub use requests::{Ordered, Spent};
pub use schema::{SchemaState, migrations};
pub use sweeps::{Sweep, SweepResult};
pub use wake::Wakes;

/// stint's database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens a pool of at most `connections`; nothing is tried before the first use.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(StoreError::from)?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(is_clean(connection)))
            .connect_lazy_with(options.application_name("stint"));
        Ok(Self { pool })
    }

    /// Opens one connection, to say what keeps it from being opened.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        connection.close().await?;
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("-- store::ping\nselect 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether a pooled connection answers and stands outside any transaction; otherwise it is closed.
///
/// A caller dropped in the middle of `begin` (a client that hung up, a step that took too long) leaves a connection in
/// a transaction that sqlx does not know of, and whatever ran on it next would never be committed. Outside one, a
/// statement's own time is its transaction's. This takes the place of the pool's ping.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("select now() = statement_timestamp()").fetch_one(connection).await?;
    row.try_get_unchecked(0)
}
