//! A file with the newest head, replaced as a whole; beside it one with all of them, which is only appended to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use super::NotPublished;
use crate::domain::proof::{Checkpoint, ProofError};

/// The file beside it that holds every head in the order in which they were published, an empty line after each.
#[must_use]
pub fn history(path: &Path) -> PathBuf {
    beside(path, ".log")
}

/// The newest head that was written there, whoever signed it: the file's, or, where that is gone, the last of those beside
/// it; `None` when there is neither.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub fn newest(path: &Path) -> Result<Option<Checkpoint>, NotPublished> {
    match stands(path)? {
        Some(head) => Ok(Some(head)),
        None => last(&history(path)),
    }
}

/// Writes the head; what stands there already is never replaced by an older one, nor by another one of its size.
pub(super) fn publish(path: &Path, note: &str) -> Result<(), NotPublished> {
    let head = read(note).map_err(|error| NotPublished(error.to_string()))?;
    let there = newest(path)?;
    if let Some(there) = there.as_ref().filter(|there| !may_follow(&head, there)) {
        let why = format!("holds a head of {} events, which one of {} cannot follow", there.size, head.size);
        return Err(NotPublished(format!("{} {why}", path.display())));
    }
    if there.as_ref() != Some(&head) {
        append(&history(path), note).map_err(|error| fault(&history(path), "cannot be appended to", error))?;
    } else if stands(path)?.is_some() {
        return Ok(());
    }
    replace(path, note).map_err(|error| fault(path, "cannot be written", error))
}

fn may_follow(head: &Checkpoint, there: &Checkpoint) -> bool {
    head.size > there.size || (head.size == there.size && head.root == there.root)
}

/// The head in the file; `None` when there is no file.
fn stands(path: &Path) -> Result<Option<Checkpoint>, NotPublished> {
    let Some(note) = text(path)? else { return Ok(None) };
    read(&note).map(Some).map_err(|error| fault(path, "holds no checkpoint", error))
}

/// The last head of a file of many; `None` when there is no file.
fn last(path: &Path) -> Result<Option<Checkpoint>, NotPublished> {
    let Some(notes) = text(path)? else { return Ok(None) };
    // A head is two parts: what was signed, and the signatures.
    let parts: Vec<_> = notes.trim_end().split("\n\n").collect();
    let [.., signed, signatures] = parts[..] else { return Err(fault(path, "ends in no checkpoint", "it is cut off")) };
    let head = read(&format!("{signed}\n\n{signatures}\n"));
    head.map(Some).map_err(|error| fault(path, "ends in no checkpoint", error))
}

fn text(path: &Path) -> Result<Option<String>, NotPublished> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(path, "cannot be read", error)),
    }
}

fn read(note: &str) -> Result<Checkpoint, ProofError> {
    Checkpoint::unproved(note)
}

fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_all()
}

/// Readers see the old file or the new one, never a part; after a crash too.
fn replace(path: &Path, note: &str) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = File::create(&new)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn fault(path: &Path, what: &str, why: impl std::fmt::Display) -> NotPublished {
    NotPublished(format!("{} {what}: {why}", path.display()))
}
