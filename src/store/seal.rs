//! Sealing: what is appended to the audit log gets its place in the tree, and the tree a signed head.
//!
//! One sealer is at work at a time; an advisory lock says who. Appending waits for nothing of this: a sealer reads what was
//! committed and not sealed yet, in the order of the events' numbers. Whoever writes an event after another one was
//! committed gets a higher number, and what is committed earlier is seen no later; so nothing stands before its cause.
//!
//! The signer never signs a fork. It knows the last head it signed, at first those that were published, and always the
//! newest one in the database; a tree that does not begin with each of them gets a head without a signature.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use tracing::error;

use super::{
    Store, StoreError, begin,
    commit::commit,
    log::RecordRow,
    tree::{self, Head, index},
};
use crate::domain::proof::{Checkpoint, SigningKey, checkpoint};

/// So many events are sealed in one transaction.
const BATCH: u64 = 4096;

/// The advisory lock of whoever seals: `seal` in ASCII.
const LOCK: i64 = 0x7365_616c;

/// Seals the log, and signs its heads where there is a key.
#[derive(Debug)]
pub struct Sealer {
    store: Store,
    key: Option<SigningKey>,
    trusted: Mutex<Trusted>,
}

/// What came of sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Whatever was committed before is sealed; so many events were sealed now.
    Whole(u64),
    /// Somebody else is sealing.
    Busy,
}

/// The heads that a tree must begin with to be signed.
#[derive(Debug)]
struct Trusted {
    heads: Vec<Head>,
    forked: bool,
}

/// How one transaction ended.
enum Batch {
    Busy,
    Sealed(u64),
}

impl Sealer {
    /// A sealer that signs with this key, and knows of heads that were published.
    #[must_use]
    pub fn new(store: Store, key: Option<SigningKey>, published: Vec<Head>) -> Self {
        Self { store, key, trusted: Mutex::new(Trusted { heads: published, forked: false }) }
    }

    /// The key it signs with.
    #[must_use]
    pub fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// Whether the tree stopped beginning with what was signed, so that nothing is signed any more.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.known(|trusted| trusted.forked)
    }

    /// Seals until nothing waits, unless somebody else does.
    ///
    /// # Errors
    /// When the database fails, or lacks what was sealed.
    pub async fn seal(&self, now: Timestamp) -> Result<Sealing, StoreError> {
        self.seal_all(now, false).await
    }

    /// The same, waiting for whoever is sealing: what was committed before the call is sealed when it returns.
    ///
    /// # Errors
    /// As [`Sealer::seal`], and when the other one takes longer than some seconds.
    pub async fn seal_now(&self, now: Timestamp) -> Result<Sealing, StoreError> {
        self.seal_all(now, true).await
    }

    async fn seal_all(&self, now: Timestamp, wait: bool) -> Result<Sealing, StoreError> {
        let mut sealed = 0;
        loop {
            match self.batch(now, wait).await? {
                Batch::Busy => return Ok(Sealing::Busy),
                Batch::Sealed(count) => {
                    sealed += count;
                    if count < BATCH {
                        return Ok(Sealing::Whole(sealed));
                    }
                }
            }
        }
    }

    /// Seals some events in one transaction.
    async fn batch(&self, now: Timestamp, wait: bool) -> Result<Batch, StoreError> {
        let mut transaction = begin(&self.store.pool).await?;
        if !lock(&mut transaction, wait).await? {
            return Ok(Batch::Busy);
        }
        let events = pending(&mut transaction).await?;
        if events.is_empty() {
            // A transaction that is only dropped gives the lock back some time later.
            transaction.rollback().await?;
            return Ok(Batch::Sealed(0));
        }
        let head = add(&mut transaction, &events).await?;
        let note = self.signed(&mut transaction, head).await?;
        close(&mut transaction, head, note.as_deref(), now).await?;
        commit(transaction).await?;
        if note.is_some() {
            self.known(|trusted| trusted.signed(head));
        }
        Ok(Batch::Sealed(events.len() as u64))
    }

    /// The head as a signed note; `None` where there is no key, or the tree is a fork of one that was signed.
    async fn signed(&self, connection: &mut PgConnection, head: Head) -> Result<Option<String>, StoreError> {
        let Some(key) = &self.key else { return Ok(None) };
        // Asked each time: another sealer may have signed what this one never saw.
        let newest = newest_signed(connection).await?;
        let mut earlier = self.known(|trusted| trusted.heads.clone());
        earlier.extend(newest.map(Signed::head));
        let mut forked = false;
        for earlier in earlier {
            if !tree::goes_on(connection, earlier, head).await? {
                error!(size = head.size, root = %head.root, signed_size = earlier.size, signed_root = %earlier.root,
                    "the audit log does not go on from what was signed: this head is not signed");
                forked = true;
            }
        }
        self.known(|trusted| trusted.forked = forked);
        if forked {
            return Ok(None);
        }
        let note = checkpoint(key, head.size, head.root);
        note.map(Some).map_err(|fault| StoreError::bad("audit_checkpoints", "note", head.size, fault))
    }

    fn known<T>(&self, ask: impl FnOnce(&mut Trusted) -> T) -> T {
        ask(&mut self.trusted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Trusted {
    /// What was signed stands for all that it was found to begin with.
    fn signed(&mut self, head: Head) {
        // Two seals of one process may end in the other order.
        if self.heads.iter().all(|known| known.size < head.size) {
            self.heads = vec![head];
        }
    }
}

/// What the newest signed head of the database says.
enum Signed {
    Head(Head),
    /// Its note cannot be read; so many events it should cover.
    Unreadable(i64),
}

impl Signed {
    /// The head that a tree must begin with; one that no tree begins with where the note cannot be read, so that nothing is
    /// signed until somebody looked at this.
    fn head(self) -> Head {
        match self {
            Self::Head(head) => head,
            Self::Unreadable(size) => {
                error!(size, "the newest signed head of the audit log cannot be read");
                Head::NOBODYS
            }
        }
    }
}

/// Takes the right to seal until the transaction ends; `false` when somebody else has it and is not waited for.
async fn lock(connection: &mut PgConnection, wait: bool) -> Result<bool, StoreError> {
    if !wait {
        let taken = "-- store::seal::lock\nselect pg_try_advisory_xact_lock($1)";
        return Ok(sqlx::query_scalar(taken).bind(LOCK).fetch_one(connection).await?);
    }
    sqlx::query("-- store::seal::lock\nset local lock_timeout = '5s'").execute(&mut *connection).await?;
    sqlx::query("-- store::seal::lock\nselect pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(true)
}

/// Events that wait, as they are sealed. Read in one statement after the lock was taken, so that all of it is one moment,
/// and later than the last sealing.
async fn pending(connection: &mut PgConnection) -> Result<Vec<RecordRow>, StoreError> {
    let rows = sqlx::query_as!(
        RecordRow,
        "-- store::seal::pending\n\
         select e.id, e.at, e.request_id, e.connection, e.tenant, e.event, e.actor, e.state_from, e.state_to, \
         e.detail_sha256 from audit_pending p join audit_events e on e.id = p.event_id order by p.event_id limit $1",
        index(BATCH),
    );
    Ok(rows.fetch_all(connection).await?)
}

/// Gives these events the next places of the tree; its new head.
async fn add(connection: &mut PgConnection, events: &[RecordRow]) -> Result<Head, StoreError> {
    let size = sqlx::query_scalar!(
        "-- store::seal::add\nselect coalesce(max(leaf_index) + 1, 0) as \"size!\" from audit_leaves"
    );
    let size = size.fetch_one(&mut *connection).await?;
    let leaves: Vec<_> = events.iter().map(|event| event.record().leaf_hash()).collect();
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf.0.to_vec()).collect();
    sqlx::query!(
        "-- store::seal::add\n\
         insert into audit_leaves (leaf_index, event_id, hash) select $1 + place - 1, id, hash \
         from unnest($2::bigint[], $3::bytea[]) with ordinality as leaves (id, hash, place)",
        size,
        &ids,
        &hashes,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("-- store::seal::add\ndelete from audit_pending where event_id = any($1)", &ids)
        .execute(&mut *connection)
        .await?;
    let before = u64::try_from(size).map_err(|_| StoreError::bad("audit_leaves", "leaf_index", size, "negative"))?;
    tree::grow(connection, before, &leaves).await?;
    let size = before + leaves.len() as u64;
    Ok(Head { size, root: tree::root(connection, size).await? })
}

/// Keeps the new head. One of this size is there already only where the log lost its tail.
async fn close(
    connection: &mut PgConnection,
    head: Head,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "-- store::seal::close\n\
         insert into audit_checkpoints (tree_size, root, note, sealed_at) values ($1, $2, $3, $4) \
         on conflict (tree_size) do nothing",
        index(head.size),
        head.root.0.as_slice(),
        note,
        now.to_sqlx(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest signed head, as its note says.
async fn newest_signed(connection: &mut PgConnection) -> Result<Option<Signed>, StoreError> {
    let newest = sqlx::query!(
        "-- store::seal::newest_signed\n\
         select tree_size, note as \"note!\" from audit_checkpoints where note is not null \
         order by tree_size desc limit 1"
    );
    let newest = newest.fetch_optional(connection).await?;
    Ok(newest.map(|row| match Checkpoint::unproved(&row.note) {
        Ok(read) => Signed::Head(Head { size: read.size, root: read.root }),
        Err(_) => Signed::Unreadable(row.tree_size),
    }))
}
