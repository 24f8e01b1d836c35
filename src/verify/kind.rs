//! What a file is, by its content.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use serde_json::Value;

use crate::domain::proof::CSV_MARK;

/// So much of a file tells its kind.
const HEAD: u64 = 1 << 20;

/// Kinds of files, in the order in which they are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A signed head.
    Checkpoint,
    /// An evidence pack.
    Pack,
    /// An export of requests, a JSON object each line.
    Rows,
    /// An export of requests as CSV.
    Table,
    /// Answers of `/v1/audit/proof`.
    Proofs,
    /// The whole log.
    Log,
    /// Something else.
    Unknown,
}

/// What this file is.
pub(super) fn of(path: &Path) -> io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let first = head.lines().next().unwrap_or_default();
    if head.trim_start().starts_with('{') {
        // What is not one object a line is one document over several lines, told by the members it begins with.
        return Ok(serde_json::from_str(first).map_or_else(|_| of_document(&head), |line| of_line(&line)));
    }
    if head.contains("\n\n\u{2014} ") {
        return Ok(Kind::Checkpoint);
    }
    let is_table = first.starts_with(CSV_MARK) || first.split(',').any(|cell| cell.trim_matches('"') == "id");
    Ok(if is_table { Kind::Table } else { Kind::Unknown })
}

fn of_line(line: &Value) -> Kind {
    let has = |member: &str| line.get(member).is_some();
    if has("stint_evidence") {
        Kind::Pack
    } else if has("inclusion_proof") || has("consistency_proof") {
        Kind::Proofs
    } else if has("detail_sha256") || line.pointer("/end_of_export/what").is_some_and(|what| what != "requests") {
        Kind::Log
    } else if has("status") || has("end_of_export") {
        Kind::Rows
    } else {
        Kind::Unknown
    }
}

fn of_document(head: &str) -> Kind {
    let has = |member: &str| head.contains(&format!("\"{member}\""));
    if has("stint_evidence") {
        Kind::Pack
    } else if has("inclusion_proof") || has("consistency_proof") {
        Kind::Proofs
    } else {
        Kind::Unknown
    }
}
