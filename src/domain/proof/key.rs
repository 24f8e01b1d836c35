//! The keys of the audit log: signed-note keys (Ed25519), as Go's checksum database has them.

use std::{fmt, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList};

use super::ProofError;

/// What marks a key of this kind in its encoded form.
const ED25519: u8 = 1;

/// The key that signs heads of the log and ends of exports. Its name is the log's name, the origin of its checkpoints.
#[derive(Clone)]
pub struct SigningKey {
    signer: Arc<StandardSigner>,
    verifying: VerifyingKey,
}

/// The public half: what a verifier has to know and to trust.
#[derive(Clone)]
pub struct VerifyingKey {
    text: String,
    verifier: StandardVerifier,
}

impl SigningKey {
    /// Reads `PRIVATE+KEY+<name>+<id>+<base64>`; space around it does not count.
    ///
    /// # Errors
    /// [`ProofError::Key`] without a word of the key itself.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let text = text.trim();
        let signer = StandardSigner::new(text).map_err(|error| ProofError::Key(error.to_string()))?;
        check_name(signer.name())?;
        let verifying = VerifyingKey::parse(&encoded(signer.name(), &public_half(text)?))?;
        Ok(Self { signer: Arc::new(signer), verifying })
    }

    /// The text of a new key of this name, made of these bytes, which must be random and are the secret itself.
    ///
    /// # Errors
    /// [`ProofError::Key`] when no key can have that name.
    pub fn text_of(name: &str, seed: &[u8; 32]) -> Result<String, ProofError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| ProofError::Key("no key pair".into()))?;
        let id = signed_note::key_id(name, &marked(pair.public_key().as_ref()));
        Ok(format!("PRIVATE+KEY+{name}+{id:08x}+{}", BASE64_STANDARD.encode(marked(seed))))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.signer.name()
    }

    /// The public half.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The text as a signed note.
    ///
    /// # Errors
    /// [`ProofError::Note`] when the text cannot stand in a note: it must end with a line feed and hold no other control
    /// characters.
    pub fn sign(&self, text: &str) -> Result<String, ProofError> {
        let fault = |error: signed_note::NoteError| ProofError::Note(error.to_string());
        let mut note = Note::new(text.as_bytes(), &[]).map_err(fault)?;
        note.add_sigs(&[self.signer.as_ref()]).map_err(fault)?;
        String::from_utf8(note.to_bytes()).map_err(|error| ProofError::Note(error.to_string()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.name())
    }
}

impl VerifyingKey {
    /// Reads `<name>+<id>+<base64>`; space around it does not count.
    ///
    /// # Errors
    /// [`ProofError::Key`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let text = text.trim();
        let verifier = StandardVerifier::new(text).map_err(|error| ProofError::Key(error.to_string()))?;
        check_name(verifier.name())?;
        Ok(Self { text: text.to_owned(), verifier })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// As it is written in files and configurations.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The text of a signed note and the names of the trusted keys that signed it.
///
/// # Errors
/// [`ProofError::Note`] when it is no note, when none of the keys signed it, or when a signature by one of them is wrong.
pub fn read_note(note: &str, keys: &[VerifyingKey]) -> Result<(String, Vec<String>), ProofError> {
    let fault = |error: signed_note::NoteError| ProofError::Note(error.to_string());
    let mut known: Vec<&VerifyingKey> = Vec::new();
    known.extend(keys.iter().enumerate().filter(|(place, key)| !keys[..*place].contains(key)).map(|(_, key)| key));
    let known = known.into_iter().map(|key| Box::new(key.verifier.clone()) as Box<dyn Verifier>).collect();
    let note = Note::from_bytes(note.as_bytes()).map_err(fault)?;
    let (signed, _) = note.verify(&VerifierList::new(known)).map_err(fault)?;
    let text = String::from_utf8(note.text().to_vec()).map_err(|error| ProofError::Note(error.to_string()))?;
    Ok((text, signed.iter().map(|signature| signature.name().to_owned()).collect()))
}

/// A name stands in the first line of every checkpoint and in signature lines.
fn check_name(name: &str) -> Result<(), ProofError> {
    if signed_note::is_key_name_valid(name) && !name.contains(char::is_control) && name.len() <= 200 {
        return Ok(());
    }
    Err(ProofError::Key("its name must be 1 to 200 bytes without spaces, plus and control characters".into()))
}

fn marked(key: &[u8]) -> Vec<u8> {
    [&[ED25519], key].concat()
}

fn encoded(name: &str, public: &[u8]) -> String {
    let key = marked(public);
    format!("{name}+{:08x}+{}", signed_note::key_id(name, &key), BASE64_STANDARD.encode(&key))
}

/// The public half of an encoded key. Base64 may hold a plus, so the key is what stands after the fifth.
fn public_half(text: &str) -> Result<Vec<u8>, ProofError> {
    let fault = || ProofError::Key("its parts do not fit together".into());
    let key = BASE64_STANDARD.decode(text.splitn(5, '+').nth(4).ok_or_else(fault)?).map_err(|_| fault())?;
    let pair = Ed25519KeyPair::from_seed_unchecked(key.get(1..).ok_or_else(fault)?).map_err(|_| fault())?;
    Ok(pair.public_key().as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_key_knows_its_public_half() {
        let key = SigningKey::parse(&format!("{SECRET}\n")).unwrap();
        assert_eq!(key.verifier_key().as_str(), PUBLIC);
        assert_eq!(key.name(), "PeterNeumann");
    }

    #[test]
    fn what_is_shown_of_a_key_is_its_name_alone() {
        assert_eq!(format!("{:?}", SigningKey::parse(SECRET).unwrap()), "SigningKey(PeterNeumann)");
        let wrong = SECRET.replace("c74f", "c74e");
        assert!(!format!("{}", SigningKey::parse(&wrong).unwrap_err()).contains("AYEK"));
    }

    #[test]
    fn a_new_key_signs_what_its_public_half_reads() {
        let key = SigningKey::parse(&SigningKey::text_of("stint.contoso.com", &[7; 32]).unwrap()).unwrap();
        let note = key.sign("a text\n").unwrap();
        let read = read_note(&note, &[key.verifier_key().clone(), key.verifier_key().clone()]).unwrap();
        assert_eq!(read, ("a text\n".to_owned(), vec!["stint.contoso.com".to_owned()]));
    }

    #[test]
    fn no_key_has_a_name_that_breaks_a_note() {
        for name in ["", "two words", "a+b", "line\nfeed", "bell\u{7}"] {
            assert!(SigningKey::text_of(name, &[7; 32]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_note_that_was_changed_or_signed_by_others_is_none() {
        let key = SigningKey::parse(SECRET).unwrap();
        let keys = [key.verifier_key().clone()];
        let note = key.sign("a text\n").unwrap();
        assert!(read_note(&note.replace("a text", "a test"), &keys).is_err());
        assert!(read_note(&note, &[]).is_err());
        let other = SigningKey::parse(&SigningKey::text_of("PeterNeumann", &[7; 32]).unwrap()).unwrap();
        assert!(read_note(&note, &[other.verifier_key().clone()]).is_err());
    }
}
