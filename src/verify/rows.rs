//! Exports of requests.

use std::{collections::HashMap, io, path::Path};

use serde_json::Value;

use super::{
    Known,
    compare::{Export, Row},
    lines::{self, Ending},
    name,
};
use crate::domain::id::RequestId;

/// The rows of an export, and what is wrong with them.
#[derive(Default)]
struct Rows {
    by_request: HashMap<RequestId, Row>,
    faults: Vec<String>,
}

impl Rows {
    fn add(&mut self, document: &Value) {
        let id = document.get("id").and_then(Value::as_str).and_then(|id| id.parse::<RequestId>().ok());
        let Some(id) = id else { return self.faults.push("a row has no request's id".into()) };
        let row = Row { text: document.to_string().into(), matched: false };
        if self.by_request.insert(id, row).is_some() {
            self.faults.push(format!("request {id} is there twice"));
        }
    }

    fn conclude(self, known: &mut Known<'_>, path: &Path, ending: &Ending) {
        let file = name(path);
        lines::check_closing(known, path, ending);
        for fault in self.faults {
            known.report.failed(&file, None, fault);
        }
        let Some(closing) = ending.closing() else { return };
        if closing.what != "requests" {
            known.report.failed(&file, None, format!("it is an export of {}", closing.what));
        }
        let everything = lines::is_everything(closing);
        known.wanted.export(Export { file, at: closing.at, everything, rows: self.by_request });
    }
}

/// Checks an export of one JSON object a line.
pub(super) fn check_ndjson(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let mut rows = Rows::default();
    let ending = lines::ndjson(path, |value| rows.add(&value))?;
    rows.conclude(known, path, &ending);
    Ok(())
}

/// Checks an export as CSV.
pub(super) fn check_csv(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let mut rows = Rows::default();
    let ending = lines::table(path, |cells| rows.add(&document(cells)))?;
    rows.conclude(known, path, &ending);
    Ok(())
}

/// The columns that say what the log says too, with their places in a request's document.
const COLUMNS: [(&str, &str, &str); 12] = [
    ("id", "", "id"),
    ("status", "", "status"),
    ("tenant", "", "tenant"),
    ("connection", "", "connection"),
    ("received_at", "", "received_at"),
    ("requested_duration", "", "requested_duration"),
    ("decided_at", "decision", "decided_at"),
    ("duration", "decision", "duration"),
    ("bound_by", "decision", "bound_by"),
    ("starts_at", "assignment", "starts_at"),
    ("ends_at", "assignment", "ends_at"),
    ("ended_at", "end", "confirmed_at"),
];

/// What a row of cells says, as a document. An empty cell is null; a formula's apostrophe does not belong to it.
fn document(cells: Vec<(String, String)>) -> Value {
    let mut document = Value::Null;
    for (column, cell) in cells {
        let Some((_, above, member)) = COLUMNS.iter().find(|(name, ..)| *name == column) else { continue };
        let defused = cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r']));
        let text = defused.unwrap_or(&cell);
        let value = if text.is_empty() { Value::Null } else { Value::from(text) };
        let place = if above.is_empty() { &mut document } else { &mut document[*above] };
        place[*member] = value;
    }
    document
}
