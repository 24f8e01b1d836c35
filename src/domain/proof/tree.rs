//! The root over events as they pass by, in the space of a few hashes.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

/// The right edge of a tree: the hashes of its whole subtrees, largest first.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// How many leaves were added.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        // A new leaf completes one subtree for each set bit at the low end of the size.
        let whole = self.size.trailing_ones() as usize;
        let left = self.subtrees.split_off(self.subtrees.len() - whole);
        self.subtrees.push(left.into_iter().rev().fold(leaf, |right, left| node_hash(left, right)));
        self.size += 1;
    }

    /// RFC 6962 root over all that was added.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined = self.subtrees.iter().rev().copied().reduce(|right, left| node_hash(left, right));
        joined.unwrap_or(EMPTY_HASH)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tlog_tiles::{Error, HashReader, record_hash, stored_hashes, tree_hash};

    use super::*;

    #[derive(Default)]
    struct Stored(RefCell<Vec<Hash>>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
            let stored = self.0.borrow();
            Ok(indexes.iter().map(|index| stored[usize::try_from(*index).unwrap()]).collect())
        }
    }

    #[test]
    fn the_root_is_that_of_the_whole_tree_at_every_size() {
        let (stored, mut frontier) = (Stored::default(), Frontier::default());
        assert_eq!(frontier.root(), EMPTY_HASH);
        for n in 0..300_u64 {
            let added = stored_hashes(n, &n.to_be_bytes(), &stored).unwrap();
            stored.0.borrow_mut().extend(added);
            frontier.push(record_hash(&n.to_be_bytes()));
            assert_eq!(frontier.size(), n + 1);
            assert_eq!(frontier.root(), tree_hash(n + 1, &stored).unwrap(), "{n}");
        }
    }
}
