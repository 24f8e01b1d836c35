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
mod commit;
mod deliveries;
mod error;
pub mod export;
mod findings;
mod findings_read;
mod health;
pub mod history;
mod hosts;
mod intake;
mod kin;
mod leases;
pub mod log;
mod moments;
mod moved;
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

use hosts::Turned;

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

use self::{intake::Intake, leases::Places};

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
    /// What is in work here.
    places: Arc<Places>,
    /// Those that the URL names.
    servers: Arc<[PgConnectOptions]>,
}

/// The longest a reader's query may take.
const READING_TIME: &str = "10s";

/// A connection that was idle for so long is asked whether it still lives.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// For statements that are large and always alike: planning them anew takes longer than they do. Whatever the tables were
/// like when they were planned, each row is found by an index, and the scan that finds it marks what is dead there: leases
/// leave many dead entries behind, and a bitmap would visit all of them each time.
const STEADY: [(&str, &str); 7] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("lock_timeout", intake::BLOCKED),
];

/// Connections for readers; further ones wait.
const READERS: u32 = 8;

impl Store {
    /// Opens a pool of at most `connections`; nothing is tried before the first use. A URL that names several servers is
    /// followed to whichever of them takes writes, by a task that ends with the pool.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let servers = hosts::parse(url)?;
        let options: Vec<_> = servers.iter().map(for_pools).collect();
        let turned = Arc::new(Turned::default());
        let [worker, reader, steady] = options[0].clone();
        let pool = open_pool(worker, connections, &turned);
        let readers = open_pool(reader, connections.min(READERS), &turned);
        let steady = open_pool(steady, intake::AT_WORK + 1, &turned);
        if options.len() > 1 {
            tokio::spawn(hosts::follow(options, [pool.clone(), readers.clone(), steady.clone()], turned));
        }
        Ok(Self { pool, readers, steady, intake: Arc::default(), places: Arc::default(), servers: servers.into() })
    }

    /// Opens one connection to a server that takes writes, to say what keeps it from being opened.
    ///
    /// # Errors
    /// When no server can be reached, or each one refuses or takes no writes.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let found = hosts::choose(&self.servers).await?;
        for (pool, options) in
            [&self.pool, &self.readers, &self.steady].into_iter().zip(for_pools(&self.servers[found]))
        {
            pool.set_connect_options(options);
        }
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

/// How each pool connects to this server: for work, for readers, and for what is asked all the time.
fn for_pools(server: &PgConnectOptions) -> [PgConnectOptions; 3] {
    let named = |name| server.clone().application_name(name);
    let readers = named("stint readers").options([("statement_timeout", READING_TIME)]);
    [named("stint"), readers, named("stint intake").options(STEADY)]
}

fn open_pool(options: PgConnectOptions, connections: u32, turned: &Arc<Turned>) -> PgPool {
    let turned = Arc::clone(turned);
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(must_take_writes(connection)))
        .before_acquire(move |connection, known| {
            let outdated = turned.outdates(known.age);
            Box::pin(async move { if outdated { Ok(false) } else { lives(connection, known.idle_for).await } })
        })
        .connect_lazy_with(options)
}

/// A standby would refuse what is written, and show what is read late.
async fn must_take_writes(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if hosts::takes_writes(connection).await? {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("the database server takes no writes".into()))
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
