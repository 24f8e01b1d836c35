//! `stint audit verify`: files that stint gave out, checked offline with nothing but a public key.
//!
//! Each file's kind is told from its content. What is said in the end is words: what was verified, what was not and why,
//! and the first event that fails. A log is read once, line by line; only what is to be compared with it is kept.

mod compare;
mod document;
mod kind;
mod lines;
mod log;
mod pack;
mod proofs;
mod report;
mod rows;
mod story;

#[cfg(test)]
mod books;
#[cfg(test)]
mod left_out_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use report::{Line, Place, Report, Verdict};

use self::{compare::Wanted, kind::Kind, proofs::Heads};
use crate::domain::proof::VerifyingKey;

/// A file that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What the files are checked with.
struct Known<'a> {
    keys: &'a [VerifyingKey],
    heads: Heads,
    wanted: Wanted,
    report: Report,
}

/// Checks these files, each by itself and against each other.
///
/// # Errors
/// [`Unreadable`] when a file cannot be read. What is wrong inside a file is told by the report.
pub fn verify(files: &[PathBuf], keys: &[VerifyingKey]) -> Result<Report, Unreadable> {
    let mut known = Known { keys, heads: Heads::default(), wanted: Wanted::default(), report: Report::default() };
    if keys.is_empty() {
        known.report.failed("", None, "no key was given with --key, so no signature can be checked".into());
    }
    let mut kinds = Vec::new();
    for path in files {
        kinds.push((path.as_path(), kind::of(path).map_err(|source| unreadable(path, source))?));
    }
    // What a log is compared with comes first, heads before all.
    kinds.sort_by_key(|(_, kind)| *kind);
    for (path, kind) in kinds {
        known.take_in(path, kind).map_err(|source| unreadable(path, source))?;
    }
    known.wanted.conclude(&mut known.report);
    known.heads.conclude(&mut known.report);
    Ok(known.report)
}

impl Known<'_> {
    fn take_in(&mut self, path: &Path, kind: Kind) -> io::Result<()> {
        match kind {
            Kind::Checkpoint => proofs::take_checkpoint(self, path),
            Kind::Pack => pack::check(self, path),
            Kind::Rows => rows::check_ndjson(self, path),
            Kind::Table => rows::check_csv(self, path),
            Kind::Proofs => proofs::check(self, path),
            Kind::Log => log::check(self, path),
            Kind::Unknown => {
                let text = "is nothing that stint gives out, or not as it gave it out";
                self.report.failed(&name(path), None, text.into());
                Ok(())
            }
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> Unreadable {
    Unreadable { path: path.to_owned(), source }
}

/// A file as the report calls it.
fn name(path: &Path) -> String {
    path.display().to_string()
}
