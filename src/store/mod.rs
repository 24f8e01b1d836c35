//! Postgres: the only SQL in the crate.
//!
//! [`Store::receive`] and [`Store::advance`] are the only writers of a request's state, and each writes the audit event in
//! the same transaction. [`Store::advance`] asks for a [`Lease`], which only [`Store::lease_due`] makes; a stale one
//! changes no row. No transaction lasts across a call to a neighbour.

mod acting;
mod advance;
mod attempts;
mod audit;
mod books;
mod checkpoints;
mod deliveries;
mod error;
pub mod export;
mod findings;
mod findings_read;
mod health;
pub mod history;
mod intake;
mod kin;
mod leases;
pub mod log;
mod moments;
mod neighbours;
mod notes;
mod polls;
mod publications;
mod requests;
mod retention;
mod schema;
mod seal;
mod subjects;
mod summary;
mod sweeps;
mod told;
mod tree;
mod wake;

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection as _, PgConnection, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

pub use acting::{Acted, Call, Deed, Outcome};
pub use advance::{Change, NewFinding, Reading, UsedApproval};
pub use audit::{ExportStep, HistoryRead};
pub use checkpoints::{SealState, SignedHead};
pub use deliveries::{Delivery, Meant, Received};
pub use error::StoreError;
pub use findings_read::{Finding, FindingFilter, FindingState, May};
pub use health::Health;
pub use leases::{Lease, Room};
pub use moments::{Candidate, MomentFilter};
pub use neighbours::{ConnectionStanding, TenantStanding};
pub use notes::{DueNote, NoteResult};
pub use polls::{Noticed, Poll, PollResult};
pub use publications::{Publication, Published};
pub use requests::{Ordered, Spent};
pub use schema::{SchemaState, migrations};
pub use seal::{Sealer, Sealing};
pub use summary::{Counted, Lag, Summary, SummaryFilter, Wait};
pub use sweeps::{Sweep, SweepResult};
pub use tree::Head;
pub use wake::Wakes;

use self::intake::Intake;

/// stint's database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    /// For those who read history: what they ask for may be large, and takes no connection from the work.
    readers: PgPool,
    /// For what is asked all the time, intake and leases: neither work nor readers hold it up, and it is planned once.
    steady: PgPool,
    /// Where deliveries wait to be taken in.
    intake: Arc<Intake>,
}

/// The longest a reader's query may take.
const READING_TIME: &str = "10s";

/// A connection that was idle for so long is asked whether it still lives.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// Connections for readers; further ones wait.
const READERS: u32 = 8;

impl Store {
    /// Opens a pool of at most `connections`; nothing is tried before the first use.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(StoreError::from)?;
        let options = options.application_name("stint");
        let readers = options.clone().application_name("stint readers").options([("statement_timeout", READING_TIME)]);
        Ok(Self {
            intake: Arc::default(),
            steady: steady(&options),
            pool: pool(options, connections),
            readers: pool(readers, connections.min(READERS)),
        })
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
        tokio::join!(self.steady.close(), self.pool.close(), self.readers.close());
    }
}

/// Connections for statements that are large and always alike: planning them anew takes longer than they do. They never need
/// to walk a table, whatever its size was when they were planned.
fn steady(options: &PgConnectOptions) -> PgPool {
    let settings = [
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("lock_timeout", intake::BLOCKED),
    ];
    pool(options.clone().application_name("stint intake").options(settings), intake::AT_WORK + 1)
}

fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .before_acquire(|connection, known| Box::pin(lives(connection, known.idle_for)))
        .connect_lazy_with(options)
}

/// Whether a connection that is taken still lives. One that answered a moment ago is believed without asking: under load
/// that spares every statement a round trip, and a server may go away right after an answer all the same.
async fn lives(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle >= ASKED_AFTER {
        connection.ping().await?;
    }
    Ok(true)
}

/// Begins a transaction.
///
/// A caller dropped in the middle of sqlx's `begin` (a client that hung up, a step that took too long) would leave a
/// connection in a transaction that sqlx does not know of, and whatever ran on it next would never be committed. So a task
/// that nobody drops begins it; where nobody waits for it any more, it is rolled back.
async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}
