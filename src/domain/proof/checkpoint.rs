//! Heads of the log: C2SP tlog-checkpoint in a signed note.

use signed_note::Note;
use tlog_tiles::Hash;

use super::{ProofError, SigningKey, VerifyingKey, read_note};

/// A head of the log: so many events, and the root over them.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many events it covers.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// The head as a signed note.
///
/// # Errors
/// [`ProofError`] when the key cannot sign.
pub fn checkpoint(key: &SigningKey, size: u64, root: Hash) -> Result<String, ProofError> {
    let checkpoint = Checkpoint { origin: key.name().to_owned(), size, root };
    key.sign(&checkpoint.text()?)
}

/// Reads a signed head. Its origin must be the name of a key that signed it and is among these.
///
/// # Errors
/// [`ProofError::Note`] when none of the keys signed it; [`ProofError::Checkpoint`] when it is none, or has anything that
/// stint does not write.
pub fn read_checkpoint(note: &str, keys: &[VerifyingKey]) -> Result<Checkpoint, ProofError> {
    let (text, signers) = read_note(note, keys)?;
    let checkpoint = Checkpoint::parse(&text)?;
    if !signers.contains(&checkpoint.origin) {
        return Err(ProofError::Checkpoint(format!("the key named {} did not sign it", checkpoint.origin)));
    }
    Ok(checkpoint)
}

impl Checkpoint {
    /// What a note says, whoever signed it.
    ///
    /// # Errors
    /// [`ProofError`] when it is no note or no checkpoint.
    pub fn unproved(note: &str) -> Result<Self, ProofError> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|error| ProofError::Note(error.to_string()))?;
        Self::parse(&String::from_utf8_lossy(note.text()))
    }

    fn parse(text: &str) -> Result<Self, ProofError> {
        let fault = |what: &str| ProofError::Checkpoint(what.to_owned());
        let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes())
            .map_err(|_| fault("it is not origin, size and root, a line each"))?;
        let checkpoint = Self { origin: read.origin().to_owned(), size: read.size(), root: *read.hash() };
        if checkpoint.text()? == text { Ok(checkpoint) } else { Err(fault("it has more than origin, size and root")) }
    }

    fn text(&self) -> Result<String, ProofError> {
        let written = tlog_tiles::Checkpoint::new(&self.origin, self.size, self.root, "");
        let bytes = written.map_err(|error| ProofError::Checkpoint(error.to_string()))?.to_bytes();
        String::from_utf8(bytes).map_err(|error| ProofError::Checkpoint(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::parse(&SigningKey::text_of("stint.contoso.com", &[7; 32]).unwrap()).unwrap()
    }

    #[test]
    fn a_head_is_read_as_it_was_signed() {
        let note = checkpoint(&key(), 42, Hash([9; 32])).unwrap();
        let read = read_checkpoint(&note, &[key().verifier_key().clone()]).unwrap();
        assert_eq!(read, Checkpoint { origin: "stint.contoso.com".into(), size: 42, root: Hash([9; 32]) });
        assert_eq!(Checkpoint::unproved(&note).unwrap(), read);
        assert!(
            note.starts_with("stint.contoso.com\n42\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\n\u{2014} stint")
        );
    }

    #[test]
    fn a_head_of_another_log_or_form_is_none() {
        let keys = [key().verifier_key().clone()];
        let root = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
        for text in [
            format!("other.contoso.com\n42\n{root}\n"),
            format!("stint.contoso.com\n042\n{root}\n"),
            format!("stint.contoso.com\n42\n{root}\nmore\n"),
            format!("stint.contoso.com\n42\n{}\n", &root[4..]),
            "stint.contoso.com\n42\n".to_owned(),
        ] {
            let note = key().sign(&text).unwrap();
            assert!(matches!(read_checkpoint(&note, &keys), Err(ProofError::Checkpoint(_))), "{text}");
        }
    }
}
