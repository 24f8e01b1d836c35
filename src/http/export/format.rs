//! What an export is written in, and what it says of itself at its end.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt::Write as _};

use super::super::cells::Cells;
use crate::{
    domain::{proof::Closing, target::Target},
    store::export::{COLUMNS, Exported},
};

/// So much is sent at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Most records fit into this beyond a chunk.
const RECORD_BYTES: usize = 4 * 1024;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) enum Format {
    /// RFC 4180, with headings.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// An export's bytes as they come to be.
pub(super) struct Text {
    format: Format,
    buffer: Vec<u8>,
    digest: Context,
    /// Records so far.
    pub(super) count: u64,
}

impl Format {
    /// Its name, which is also how names of files end.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// The line that only a whole export ends with.
    pub(super) fn closing_line(self, closing: &Closing) -> String {
        match self {
            Self::Csv => closing.csv_record(),
            Self::Ndjson => closing.ndjson_line(),
        }
    }
}

impl Text {
    /// Nothing but headings, where there are any.
    pub(super) fn new(format: Format) -> Self {
        let mut written = Self { format, buffer: new_buffer(), digest: Context::new(&SHA256), count: 0 };
        if format == Format::Csv {
            let mut cells = Cells::new(&mut written.buffer);
            for name in COLUMNS {
                cells.own(Some(name));
            }
            cells.end();
        }
        written
    }

    /// Writes a record; gives what is to be sent once there is enough of it.
    pub(super) fn record(&mut self, record: &Exported<'_>) -> Option<Bytes> {
        match self.format {
            Format::Csv => csv_record(&mut self.buffer, record),
            Format::Ndjson => ndjson_line(&mut self.buffer, record),
        }
        self.count += 1;
        (self.buffer.len() >= CHUNK_BYTES).then(|| self.chunk())
    }

    /// What was written since the last chunk.
    pub(super) fn chunk(&mut self) -> Bytes {
        self.digest.update(&self.buffer);
        std::mem::replace(&mut self.buffer, new_buffer()).into()
    }

    /// sha256 of all chunks, in lower-case hex.
    pub(super) fn sha256(&self) -> String {
        hex::encode(self.digest.clone().finish())
    }
}

fn new_buffer() -> Vec<u8> {
    Vec::with_capacity(CHUNK_BYTES + RECORD_BYTES)
}

fn ndjson_line(into: &mut Vec<u8>, record: &Exported<'_>) {
    // A record holds texts, numbers and JSON that was read as such: it can always be written.
    let _ = serde_json::to_writer(&mut *into, record);
    into.push(b'\n');
}

/// The record's members in their order; lists and objects in words.
fn csv_record(into: &mut Vec<u8>, record: &Exported<'_>) {
    let mut cells = Cells::new(into);
    cells.own(Some(record.id));
    cells.text(record.tenant);
    cells.text(Some(record.connection));
    cells.text(Some(record.status));
    cells.own(Some(record.received_at));
    cells.own(Some(record.updated_at));
    for text in [Some(record.ticket_number), Some(record.ticket_id), record.ticket_url, record.snapshot_digest] {
        cells.text(text);
    }
    cells.text(record.basis);
    cells.own(record.principal_id);
    cells.text(record.principal_name);
    cells.text(record.entitlement_key);
    cells.text(record.entitlement_title);
    cells.text(record.target.map(target_in_words).as_deref());
    for text in [record.requested_duration, record.granted_duration, record.bound_by, record.approved_at] {
        cells.text(text);
    }
    cells.text(record.approvers.map(approvers_in_words).as_deref());
    cells.text(record.decided_at.as_deref());
    cells.text(record.catalog_version);
    cells.text(record.reasons.map(reasons_in_words).as_deref());
    csv_assignment(&mut cells, record);
    cells.end();
}

fn csv_assignment(cells: &mut Cells<'_>, record: &Exported<'_>) {
    for text in [record.schedule_request_id, record.schedule_id, record.starts_at, record.ends_at, record.confirmed_at]
    {
        cells.text(text);
    }
    for text in [record.end_cause, record.end_ordered_at, record.end_ordered_by, record.end_reason] {
        cells.text(text);
    }
    cells.text(record.end_confirmed_at);
    cells.own(record.lag_seconds);
    cells.text(record.hold_code);
    cells.text(record.failure_code);
    cells.own(record.dry_run);
}

/// What cannot be read in words is given as it is.
fn target_in_words(target: &RawValue) -> String {
    serde_json::from_str::<Target>(target.get()).map_or_else(|_| target.get().to_owned(), |target| target.to_string())
}

#[derive(Deserialize)]
struct Person<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

fn approvers_in_words(approvers: &RawValue) -> String {
    in_words(approvers, |words, person: &Person<'_>| match &person.name {
        Some(name) => write!(words, "{name} ({})", person.id),
        None => write!(words, "{}", person.id),
    })
}

#[derive(Deserialize)]
struct Reason<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    detail: Cow<'a, str>,
}

fn reasons_in_words(reasons: &RawValue) -> String {
    in_words(reasons, |words, reason: &Reason<'_>| write!(words, "{}: {}", reason.code, reason.detail))
}

fn in_words<'a, T: Deserialize<'a>>(list: &'a RawValue, tell: impl Fn(&mut String, &T) -> std::fmt::Result) -> String {
    let Ok(items) = serde_json::from_str::<Vec<T>>(list.get()) else { return list.get().to_owned() };
    let mut words = String::new();
    for item in &items {
        if !words.is_empty() {
            words.push_str("; ");
        }
        // A string takes whatever is written to it.
        let _ = tell(&mut words, item);
    }
    words
}

/// The name under which a caller keeps the file.
pub(super) fn file_name(format: Format, at: Timestamp) -> String {
    format!("stint-requests-{}.{}", at.strftime("%Y%m%dT%H%M%SZ"), format.name())
}
