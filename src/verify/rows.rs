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
        // A row shows each thing by itself, a document some of them whole.
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
    let ending = lines::ndjson(path, |value| rows.add(&document(value.as_object().into_iter().flatten())))?;
    rows.conclude(known, path, &ending);
    Ok(())
}

/// Checks an export as CSV.
pub(super) fn check_csv(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let mut rows = Rows::default();
    let ending = lines::table(path, |cells| {
        let cells: Vec<_> =
            cells.into_iter().filter_map(|(name, text)| Some((name.clone(), cell(&name, text)?))).collect();
        rows.add(&document(cells.iter().map(|(name, value)| (name, value))));
    })?;
    rows.conclude(known, path, &ending);
    Ok(())
}

/// The columns of an export that say what the log says too, with their places in a request's document.
const COLUMNS: [(&str, &str); 33] = [
    ("id", "/id"),
    ("tenant", "/tenant"),
    ("connection", "/connection"),
    ("status", "/status"),
    ("received_at", "/received_at"),
    ("ticket_id", "/ticket/id"),
    ("snapshot_digest", "/ticket/snapshot_digest"),
    ("basis", "/ticket/basis"),
    ("principal_id", "/principal/id"),
    ("principal_name", "/principal/name"),
    ("entitlement_key", "/entitlement/key"),
    ("entitlement_title", "/entitlement/title"),
    ("target", "/entitlement/target"),
    ("requested_duration", "/requested_duration"),
    ("granted_duration", "/decision/duration"),
    ("bound_by", "/decision/bound_by"),
    ("approved_at", "/approval/approved_at"),
    ("approvers", "/approval/approvers"),
    ("decided_at", "/decision/decided_at"),
    ("catalog_version", "/decision/catalog_version"),
    ("reasons", "/decision/reasons"),
    ("schedule_request_id", "/assignment/schedule_request_id"),
    ("schedule_id", "/assignment/schedule_id"),
    ("starts_at", "/assignment/starts_at"),
    ("ends_at", "/assignment/ends_at"),
    ("confirmed_at", "/assignment/confirmed_at"),
    ("end_cause", "/end/cause"),
    ("end_ordered_at", "/end/ordered_at"),
    ("end_ordered_by", "/end/ordered_by"),
    ("end_reason", "/end/reason"),
    ("end_confirmed_at", "/end/confirmed_at"),
    ("lag_seconds", "/end/lag_seconds"),
    ("dry_run", "/dry_run"),
];

/// Columns whose value is no text.
const NOT_TEXT: [&str; 5] = ["approvers", "dry_run", "lag_seconds", "reasons", "target"];

/// A cell's value; empty is null. `None` where the writer changed it to be harmless in a spreadsheet.
fn cell(name: &str, text: String) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Null);
    }
    if text.starts_with('\'') || text.contains("\\u") {
        return None;
    }
    if NOT_TEXT.contains(&name) { serde_json::from_str(&text).ok() } else { Some(Value::from(text)) }
}

/// A row as a document that shows these parts and no others.
fn document<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> Value {
    let mut document = Value::Null;
    for (name, value) in members {
        let Some((_, path)) = COLUMNS.iter().find(|(column, _)| column == name) else { continue };
        let mut place = &mut document;
        for part in path.split('/').skip(1) {
            place = &mut place[part];
        }
        *place = value.clone();
    }
    // What was decided without a reason against it shows an empty list elsewhere.
    if document.pointer("/decision/reasons").is_some_and(Value::is_null)
        && !document["decision"]["decided_at"].is_null()
    {
        document["decision"]["reasons"] = Value::Array(vec![]);
    }
    document
}
