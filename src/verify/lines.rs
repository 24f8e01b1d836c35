//! Exports as they pass by: each record once, the digest of what passed, and the closing line.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use super::{Known, name};
use crate::{
    domain::proof::{CSV_MARK, Closing},
    json,
};

/// No line of a file that stint writes is longer.
const LONGEST: u64 = 64 << 20;

/// How an export ended.
pub(super) struct Ending {
    /// Its closing line, where it has one as its last.
    closing: Option<Closing>,
    /// Records before it.
    count: u64,
    /// Digest of all before it.
    sha256: String,
    /// What cannot be read, or stands after the closing line.
    faults: Vec<String>,
}

impl Ending {
    /// The closing line.
    pub fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }
}

/// Reads a file of one JSON object a line.
pub(super) fn ndjson(path: &Path, mut record: impl FnMut(Value)) -> io::Result<Ending> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut passed = Context::new(&SHA256);
    let (mut closing, mut count, mut faults, mut line) = (None, 0, Vec::new(), Vec::new());
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if closing.is_some() {
            faults.push("something stands after the closing line".into());
            break;
        }
        match json::parse(&line) {
            Err(fault) => {
                faults.push(format!("line {}: {fault}", count + 1));
                break;
            }
            Ok(value) if value.get("end_of_export").is_some() => match read_closing_line(&value) {
                Ok(read) => closing = Some(read),
                Err(fault) => faults.push(fault),
            },
            Ok(value) => {
                passed.update(&line);
                count += 1;
                record(value);
            }
        }
    }
    Ok(Ending { closing, count, sha256: hex::encode(passed.finish()), faults })
}

/// Reads a CSV file; each record as pairs of the heading's names and its own cells.
pub(super) fn table(path: &Path, mut record: impl FnMut(Vec<(String, String)>)) -> io::Result<Ending> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_path(path)?;
    let (mut heading, mut closing, mut count, mut faults) = (None::<Vec<String>>, None, 0, Vec::new());
    let mut before = std::fs::metadata(path)?.len();
    let mut cells = csv::StringRecord::new();
    loop {
        let start = reader.position().byte();
        match reader.read_record(&mut cells) {
            Ok(false) => break,
            Err(fault) => {
                faults.push(format!("record {}: {fault}", count + 1));
                break;
            }
            Ok(true) => {}
        }
        if closing.is_some() {
            faults.push("something stands after the closing line".into());
            break;
        }
        if cells.get(0) == Some(CSV_MARK) && cells.len() == 2 {
            before = start + line_ends(path, start)?;
            let value = json::parse(cells[1].as_bytes()).map_err(|fault| fault.to_string());
            match value.and_then(read_closing) {
                Ok(read) => closing = Some(read),
                Err(fault) => faults.push(fault),
            }
        } else if let Some(heading) = &heading {
            count += 1;
            if cells.len() != heading.len() {
                faults.push(format!("record {count} has {} cells, the heading {}", cells.len(), heading.len()));
            }
            record(heading.iter().cloned().zip(cells.iter().map(str::to_owned)).collect());
        } else {
            heading = Some(cells.iter().map(|cell| cell.trim_start_matches('\u{feff}').to_owned()).collect());
        }
    }
    Ok(Ending { closing, count, sha256: digest(path, before)?, faults })
}

/// How many bytes that end lines stand there: a reader of CSV leaves the end of a record for later.
fn line_ends(path: &Path, at: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(at))?;
    let mut bytes = [0; 2];
    let read = file.read(&mut bytes)?;
    Ok(bytes[..read].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count() as u64)
}

/// The closing line holds one member: nothing else in it is signed.
fn read_closing_line(line: &Value) -> Result<Closing, String> {
    if line.as_object().is_none_or(|members| members.len() > 1) {
        return Err("the closing line has members that nothing proves".into());
    }
    read_closing(line["end_of_export"].clone())
}

fn read_closing(value: Value) -> Result<Closing, String> {
    serde_json::from_value(value).map_err(|fault| format!("the closing line cannot be read: {fault}"))
}

/// sha256 of the first bytes of a file.
fn digest(path: &Path, bytes: u64) -> io::Result<String> {
    let mut passed = Context::new(&SHA256);
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?.take(bytes));
    loop {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            return Ok(hex::encode(passed.finish()));
        }
        passed.update(part);
        let read = part.len();
        reader.consume(read);
    }
}

/// Says whether the file is whole, as its closing line says, and whether that is signed.
pub(super) fn check_closing(known: &mut Known<'_>, path: &Path, ending: &Ending) {
    let file = name(path);
    for fault in &ending.faults {
        known.report.failed(&file, None, fault.clone());
    }
    let Some(closing) = &ending.closing else {
        return known.report.failed(&file, None, "it has no closing line, so it is not whole".into());
    };
    let mut faults = Vec::new();
    if closing.count != ending.count {
        faults.push(format!("it has {} records; its closing line says {}", ending.count, closing.count));
    }
    if closing.sha256 != ending.sha256 {
        faults.push("its digest is another than its closing line says: something in it was changed".into());
    }
    let whole = format!("it is whole: {} records with the digest that its closing line says", closing.count);
    known.report.settle(&file, faults, whole);
    if !known.keys.is_empty() {
        match closing.check(known.keys) {
            Ok(()) => known.report.verified(
                &file,
                format!("its closing line is signed: made {} by {}, {}", closing.at, closing.by, narrowed(closing)),
            ),
            Err(fault) => known.report.failed(&file, None, format!("its closing line: {fault}")),
        }
    }
}

fn narrowed(closing: &Closing) -> String {
    if is_everything(closing) { "not narrowed down".into() } else { format!("narrowed down to {}", closing.filter) }
}

/// Whether an export holds all there was.
pub(super) fn is_everything(closing: &Closing) -> bool {
    let open = |value: &Value| value.as_object().is_some_and(|members| members.values().all(Value::is_null));
    closing.from.is_none() && closing.to.is_none() && open(&closing.filter)
}
