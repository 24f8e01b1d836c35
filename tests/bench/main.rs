//! What holding years of history costs: `./dev bench history [requests]`.
//!
//! Fills a private Postgres with so many requests and six times as many audit events, then measures stint's own HTTP API
//! beside what the same takes without stint, in the same run and on the same data. Each line says whether its ratio
//! holds; one that does not makes the run fail. Without a number, as the tests run it, the history is small and only that
//! everything works, that pages are whole and that memory stays bounded is judged.

#![expect(clippy::expect_used, reason = "a bench that cannot measure stops")]

mod bare;
mod client;
mod cluster;
mod exports;
mod fill;
mod intake;
mod pages;
mod pgbench;
mod place;
#[expect(dead_code, reason = "the other bench asks for the most memory")]
mod process;
mod programs;
mod report;

use std::process::ExitCode;

use self::{place::Place, report::Report};

/// Requests of the run that belongs to the tests.
const SMALL: u64 = 10_000;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests that the history holds.
    pub requests: u64,
    /// Whether ratios of times are judged, rather than only shown.
    pub judged: bool,
}

impl Size {
    /// Of two numbers, the one for this size.
    pub fn of<T>(self, judged: T, small: T) -> T {
        if self.judged { judged } else { small }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, url] = &arguments[..]
        && word == bare::WORD
    {
        return bare::main(url);
    }
    // Test runners ask what there is, or for tests by name: there is one, and it has no name.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let asked = arguments.iter().find_map(|argument| argument.replace('_', "").parse().ok());
    let size = Size { requests: asked.unwrap_or(SMALL), judged: asked.is_some() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut report = Report::new(size.judged);
    let place = Place::set_up(&runtime, size);
    pages::measure(&place, &mut report);
    exports::measure(&place, &mut report);
    intake::measure(&place, &mut report);
    report.conclude()
}
