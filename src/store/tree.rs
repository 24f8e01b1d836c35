//! The tree over the sealed events (RFC 6962): its hashes as they are kept, and the proofs made from them.
//!
//! Leaves are kept one by one, and of the nodes above them only the roots of whole subtrees of 256, 65536 and so on
//! leaves. Whatever else a proof needs lies within one such subtree, so that few rows are read: at most 128 for each hash.

use std::{cell::RefCell, collections::HashMap};

use sqlx::PgConnection;
use tlog_tiles::{
    Error as Fault, HashReader, check_tree, node_hash, prove_record, prove_tree, split_stored_hash_index, tree_hash,
};

use super::{Store, StoreError};
use crate::domain::proof::Hash;

/// Height from one kept level to the next.
pub(super) const STEP: u8 = 8;

/// A head of the log: so many events, and the root over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// How many events it covers.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Head {
    /// A head that no log goes on from: no tree has so many events.
    pub const NOBODYS: Self = Self { size: u64::MAX, root: Hash([0; 32]) };
}

impl Store {
    /// The root over the first `size` events.
    ///
    /// # Errors
    /// When the database fails, or lacks what was sealed.
    pub async fn tree_root(&self, size: u64) -> Result<Hash, StoreError> {
        root(&mut *self.readers.acquire().await?, size).await
    }

    /// For each of these places, the proof that the tree of this size holds the leaf there; each place is below the size.
    ///
    /// # Errors
    /// When the database fails, lacks what was sealed, or a place is not below the size.
    pub async fn inclusion_proofs(&self, size: u64, leaves: &[u64]) -> Result<Vec<Vec<Hash>>, StoreError> {
        let proofs = |reader: &Reader| leaves.iter().map(|leaf| prove_record(size, *leaf, reader)).collect();
        read(&mut *self.readers.acquire().await?, proofs).await
    }

    /// The proof that the tree of size `to` begins with the tree of size `from`, which is at least 1 and not above `to`.
    ///
    /// # Errors
    /// When the database fails, lacks what was sealed, or the sizes are not in that order.
    pub async fn consistency_proof(&self, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        read(&mut *self.readers.acquire().await?, |reader: &Reader| prove_tree(to, from, reader)).await
    }

    /// Whether the sealed log begins with all that this head covers.
    ///
    /// # Errors
    /// When the database fails, or lacks what was sealed.
    pub async fn has_head(&self, head: Head) -> Result<bool, StoreError> {
        Ok(head.size <= self.tree_size().await? && self.tree_root(head.size).await? == head.root)
    }

    /// The leaf hash at this place, if something is sealed there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaf_hash(&self, leaf: u64) -> Result<Option<Hash>, StoreError> {
        let hash = sqlx::query_scalar!(
            "-- store::tree::leaf_hash\nselect hash from audit_leaves where leaf_index = $1",
            index(leaf)
        );
        hash.fetch_optional(&self.readers).await?.map(|hash| self::hash(&hash, leaf)).transpose()
    }
}

/// The root over the first `size` leaves.
pub(super) async fn root(connection: &mut PgConnection, size: u64) -> Result<Hash, StoreError> {
    read(connection, |reader: &Reader| tree_hash(size, reader)).await
}

/// Whether the tree with this head begins with all that the earlier head covers.
pub(super) async fn goes_on(connection: &mut PgConnection, earlier: Head, head: Head) -> Result<bool, StoreError> {
    if earlier.size == 0 || earlier.size > head.size {
        return Ok(earlier.size == 0);
    }
    let proof = read(connection, |reader: &Reader| prove_tree(head.size, earlier.size, reader)).await?;
    Ok(check_tree(&proof, head.size, head.root, earlier.size, earlier.root).is_ok())
}

/// Adds the roots of subtrees that became whole when these leaves were added behind the first `before`.
pub(super) async fn grow(connection: &mut PgConnection, before: u64, leaves: &[Hash]) -> Result<(), StoreError> {
    let (mut level, mut first, mut added) = (0, before, leaves.to_vec());
    while !added.is_empty() {
        let start = first >> STEP << STEP;
        let mut row = ranges(connection, level, &[(start, first)]).await?.in_order(level, start, first)?;
        row.append(&mut added);
        let whole = row.chunks_exact(1 << STEP);
        added = whole.map(subtree).collect();
        (level, first) = (level + STEP, start >> STEP);
        keep(connection, level, first, &added).await?;
    }
    Ok(())
}

async fn keep(connection: &mut PgConnection, level: u8, first: u64, nodes: &[Hash]) -> Result<(), StoreError> {
    if nodes.is_empty() {
        return Ok(());
    }
    let hashes: Vec<_> = nodes.iter().map(|node| node.0.to_vec()).collect();
    sqlx::query!(
        "-- store::tree::keep\n\
         insert into audit_nodes (level, node_index, hash) \
         select $1, $2 + place - 1, hash from unnest($3::bytea[]) with ordinality as nodes (hash, place)",
        i16::from(level),
        index(first),
        &hashes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The root of a whole subtree over these nodes, whose number is a power of two.
fn subtree(row: &[Hash]) -> Hash {
    match row {
        [node] => *node,
        row => {
            let (left, right) = row.split_at(row.len() / 2);
            node_hash(subtree(left), subtree(right))
        }
    }
}

/// Asks twice: once to learn which hashes are wanted, once with those read.
async fn read<T>(connection: &mut PgConnection, ask: impl Fn(&Reader) -> Result<T, Fault>) -> Result<T, StoreError> {
    let wanted = wanted(&ask)?;
    let mut reader = Reader::default();
    for level in (0..64).step_by(STEP.into()) {
        let of = |(at, _): &&(u8, u64)| (level..level + STEP).contains(at);
        let spans: Vec<_> =
            wanted.iter().filter(of).map(|(at, n)| (n << (at - level), (n + 1) << (at - level))).collect();
        if !spans.is_empty() {
            reader.known.extend(ranges(connection, level, &spans).await?.known);
        }
    }
    ask(&reader).map_err(fault)
}

fn wanted<T>(ask: &impl Fn(&Reader) -> Result<T, Fault>) -> Result<Vec<(u8, u64)>, StoreError> {
    let reader = Reader { wanted: Some(RefCell::default()), ..Reader::default() };
    ask(&reader).map_err(fault)?;
    Ok(reader.wanted.map(RefCell::into_inner).unwrap_or_default())
}

/// The kept hashes of a level within these half-open ranges.
async fn ranges(connection: &mut PgConnection, level: u8, spans: &[(u64, u64)]) -> Result<Reader, StoreError> {
    let (from, to): (Vec<_>, Vec<_>) = spans.iter().map(|(from, to)| (index(*from), index(*to))).unzip();
    let mut reader = Reader::default();
    if level == 0 {
        let rows = sqlx::query!(
            "-- store::tree::ranges\n\
             select leaf_index, hash from unnest($1::bigint[], $2::bigint[]) as spans (a, b) \
             join audit_leaves on leaf_index >= a and leaf_index < b",
            &from,
            &to,
        );
        for row in rows.fetch_all(connection).await? {
            reader.learn(0, row.leaf_index, &row.hash)?;
        }
    } else {
        let rows = sqlx::query!(
            "-- store::tree::ranges\n\
             select node_index, hash from unnest($1::bigint[], $2::bigint[]) as spans (a, b) \
             join audit_nodes on level = $3 and node_index >= a and node_index < b",
            &from,
            &to,
            i16::from(level),
        );
        for row in rows.fetch_all(connection).await? {
            reader.learn(level, row.node_index, &row.hash)?;
        }
    }
    Ok(reader)
}

/// Hashes by level and place: first only asked for, then known.
#[derive(Debug, Default)]
struct Reader {
    known: HashMap<(u8, u64), Hash>,
    /// Takes down what is asked for, and answers with nothing of worth.
    wanted: Option<RefCell<Vec<(u8, u64)>>>,
}

impl Reader {
    fn learn(&mut self, level: u8, place: i64, bytes: &[u8]) -> Result<(), StoreError> {
        let place =
            u64::try_from(place).map_err(|_| StoreError::bad("audit_nodes", "node_index", place, "negative"))?;
        self.known.insert((level, place), hash(bytes, place)?);
        Ok(())
    }

    fn in_order(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        (from..to).map(|place| self.at(level, place).map_err(fault)).collect()
    }

    /// The hash of a whole subtree, from the kept ones below it.
    fn at(&self, level: u8, place: u64) -> Result<Hash, Fault> {
        if let Some(hash) = self.known.get(&(level, place)) {
            return Ok(*hash);
        }
        if level.is_multiple_of(STEP) {
            return Err(Fault::InvalidInput(format!("hash {place} of level {level} is missing")));
        }
        Ok(node_hash(self.at(level - 1, 2 * place)?, self.at(level - 1, 2 * place + 1)?))
    }
}

impl HashReader for Reader {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Fault> {
        let places = indexes.iter().map(|index| split_stored_hash_index(*index));
        if let Some(wanted) = &self.wanted {
            wanted.borrow_mut().extend(places);
            return Ok(vec![Hash::default(); indexes.len()]);
        }
        places.map(|(level, place)| self.at(level, place)).collect()
    }
}

/// As the database counts; a log never has as many events as do not fit.
pub(super) fn index(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

pub(super) fn hash(bytes: &[u8], row: u64) -> Result<Hash, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::bad("audit_leaves", "hash", row, "not 32 bytes long"))?;
    Ok(Hash(bytes))
}

fn fault(fault: Fault) -> StoreError {
    StoreError::bad("audit_leaves", "hash", "the tree", fault)
}
