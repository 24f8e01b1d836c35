//! What makes the audit log provable: the bytes of an event, the tree over them, signed heads and signed ends of exports.
//!
//! Everything here is said once and used on both sides: by whoever seals and exports, and by whoever verifies offline.
//! `docs/verify.md` describes the same formats for verifiers that others write.

mod checkpoint;
mod closing;
mod event;
mod key;
mod tree;

pub use checkpoint::{Checkpoint, checkpoint, read_checkpoint};
pub use closing::{CSV_MARK, Closing};
pub use event::{DetailFault, EventRecord, ShownEvent};
pub use key::{SigningKey, VerifyingKey, read_note};
pub use tlog_tiles::Hash;
pub use tree::Frontier;

/// Why something is no proof, or could not be made one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The text is no key, or its parts do not fit together.
    #[error("not a key: {0}")]
    Key(String),
    /// The text is no signed note, or nobody trusted signed it.
    #[error("{0}")]
    Note(String),
    /// The note is signed, and is no checkpoint as stint writes them.
    #[error("not a checkpoint: {0}")]
    Checkpoint(String),
    /// The closing line does not say what was signed.
    #[error("{0}")]
    Closing(String),
}

/// Canonical JSON (RFC 8785). What is written here always has a canonical form: keys are texts, numbers finite.
fn canonical<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).unwrap_or_default()
}
