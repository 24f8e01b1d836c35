//! Heads of the audit log as they were sealed, and how far the sealing is.

use jiff::Timestamp;

use super::{
    Store, StoreError,
    tree::{Head, hash, index},
};
use crate::domain::proof::Checkpoint;

/// A head as it was sealed and signed.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// It as a signed note.
    pub note: String,
}

/// How far the sealing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealState {
    /// Events that are not sealed yet.
    pub pending: u64,
    /// The oldest of those, by its own time.
    pub pending_since: Option<Timestamp>,
    /// How many events the newest head covers.
    pub size: u64,
    /// When it was sealed; `None` before the first.
    pub sealed_at: Option<Timestamp>,
    /// How many events the newest signed head covers.
    pub signed_size: u64,
}

impl Store {
    /// The newest signed head, or the one of this very size; `None` when there is no such one.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn signed_head(&self, size: Option<u64>) -> Result<Option<SignedHead>, StoreError> {
        let row = sqlx::query!(
            "-- store::checkpoints::signed_head\n\
             select tree_size, root, note as \"note!\" from audit_checkpoints \
             where note is not null and tree_size >= coalesce($1::bigint, 0) \
             and tree_size <= coalesce($1::bigint, 9223372036854775807) order by tree_size desc limit 1",
            size.map(index),
        );
        let Some(row) = row.fetch_optional(&self.readers).await? else { return Ok(None) };
        let size = count(row.tree_size)?;
        let head = Head { size, root: hash(&row.root, size)? };
        let said = Checkpoint::unproved(&row.note).map(|said| Head { size: said.size, root: said.root });
        if said != Ok(head) {
            return Err(StoreError::bad("audit_checkpoints", "note", size, "it is of another head"));
        }
        Ok(Some(SignedHead { head, note: row.note }))
    }

    /// How many events are sealed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tree_size(&self) -> Result<u64, StoreError> {
        let size = sqlx::query_scalar!(
            "-- store::checkpoints::tree_size\nselect coalesce(max(leaf_index) + 1, 0) as \"size!\" from audit_leaves"
        );
        count(size.fetch_one(&self.readers).await?)
    }

    /// How far the sealing is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_state(&self) -> Result<SealState, StoreError> {
        let row = sqlx::query!(
            "-- store::checkpoints::seal_state\n\
             select (select count(*) from audit_pending) as \"pending!\", \
             (select at from audit_events where id = (select min(event_id) from audit_pending)) as pending_since, \
             coalesce((select max(tree_size) from audit_checkpoints), 0) as \"size!\", \
             (select sealed_at from audit_checkpoints order by tree_size desc limit 1) as sealed_at, \
             coalesce((select max(tree_size) from audit_checkpoints where note is not null), 0) as \"signed_size!\""
        );
        let row = row.fetch_one(&self.pool).await?;
        Ok(SealState {
            pending: count(row.pending)?,
            pending_since: row.pending_since.map(jiff_sqlx::Timestamp::to_jiff),
            size: count(row.size)?,
            sealed_at: row.sealed_at.map(jiff_sqlx::Timestamp::to_jiff),
            signed_size: count(row.signed_size)?,
        })
    }
}

fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::bad("audit_checkpoints", "tree_size", number, "negative"))
}
