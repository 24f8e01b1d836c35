//! Waking the workers of other replicas.
//!
//! A `NOTIFY` inside the intake's transaction would serialise commits, so it is sent after them, and many wakes within a
//! moment become one. Notifications are lost while a listener reconnects: the worker's timer covers for that.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::{Store, StoreError};

const CHANNEL: &str = "stint_due";

/// Wakes that other replicas sent.
#[derive(Debug)]
pub struct Wakes {
    listener: PgListener,
}

impl Store {
    /// Tells other replicas that something is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notify(&self) -> Result<(), StoreError> {
        sqlx::query!("-- store::wake::notify\nselect pg_notify('stint_due', '')").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Listens for other replicas.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn wakes(&self) -> Result<Wakes, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Wakes { listener })
    }
}

impl Wakes {
    /// How long wakes are gathered before one notification goes out.
    pub const GATHER: Duration = Duration::from_millis(50);

    /// Returns at the next wake, or when the connection was lost and made again.
    ///
    /// # Errors
    /// When the connection cannot be made again.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.listener.try_recv().await?;
        Ok(())
    }
}
