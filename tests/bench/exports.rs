//! Exports beside psql's COPY of the same columns, and what memory they take.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use stint::store::export::SOURCES;

use crate::{
    place::Place,
    programs::program,
    report::{Must, Report, say},
};

/// Rows a second of an export, as a part of COPY's.
const CSV: f64 = 0.6;
const NDJSON: f64 = 1.5;

/// Resident memory above idle while exporting, in MiB.
const MEMORY: f64 = 32.0;

/// Exports every request in both forms.
pub fn measure(place: &Place<'_>, report: &mut Report) {
    say("exports");
    report.show("exports of every request");
    let columns = format!("select {SOURCES} from requests order by received_at desc, id desc");
    let as_csv = format!("copy ({columns}) to stdout with (format csv, header)");
    let as_json = format!("copy (select row_to_json(r) from ({columns}) as r) to stdout");
    one_form(place, "csv", &as_csv, CSV, report);
    one_form(place, "ndjson", &as_json, NDJSON, report);
}

fn one_form(place: &Place<'_>, format: &str, copy: &str, least: f64, report: &mut Report) {
    // A history that takes minutes evens out by itself what disturbs the machine.
    let rounds = if place.size.requests > 1_000_000 { 1 } else { place.size.of(3, 1) };
    let (mut ours, mut theirs, mut most) = (vec![], vec![], 0);
    for _ in 0..rounds {
        theirs.push(copied(place, copy));
        let (seconds, above_idle) = exported(place, format);
        ours.push(seconds);
        most = most.max(above_idle);
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (ours, theirs) = (median(ours), median(theirs));
    #[expect(clippy::cast_precision_loss, reason = "some millions of rows, some megabytes")]
    let (rows, memory) = (place.size.requests as f64, most as f64 / 1024.0 / 1024.0);
    report.show(&format!("  {format:<8} {:>8.0} rows/s; COPY {:>8.0} rows/s", rows / ours, rows / theirs));
    report.ratio(&format!("{format} rows/s, to COPY's"), theirs / ours, Must::AtLeast(least));
    report.figure(&format!("{format} resident memory above idle, MiB"), memory, Must::AtMost(MEMORY));
}

/// Seconds that psql takes.
fn copied(place: &Place<'_>, copy: &str) -> f64 {
    let began = Instant::now();
    let mut command = Command::new(program("psql"));
    command.args(["--quiet", "--no-psqlrc", "--command", copy]).arg(place.url());
    let status = command.stdout(Stdio::null()).status().expect("psql");
    assert!(status.success(), "psql failed");
    began.elapsed().as_secs_f64()
}

/// Seconds that an export takes, and the most resident memory above idle meanwhile, in bytes.
fn exported(place: &Place<'_>, format: &str) -> (f64, u64) {
    let mut client = place.auditor();
    let stint = &place.full;
    let idle = stint.resident();
    let (most, done) = (AtomicU64::new(idle), AtomicBool::new(false));
    let seconds = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(stint.resident(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let began = Instant::now();
        let (lines, tail) = client.count_lines(&format!("/v1/requests/export?format={format}"));
        let seconds = began.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        // Headings and closing line.
        let beside = if format == "csv" { 2 } else { 1 };
        assert_eq!(lines as u64, place.size.requests + beside, "lines of a whole export");
        assert!(String::from_utf8_lossy(&tail).contains("end_of_export"), "a whole export");
        seconds
    });
    (seconds, most.into_inner().saturating_sub(idle))
}
