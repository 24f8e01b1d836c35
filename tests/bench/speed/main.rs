//! How fast stint is, beside what the same takes without it: `./dev bench`.
//!
//! Everything runs on this machine and in this run: a private Postgres that writes through to the disk, the simulators,
//! and stint as processes of its own. Each line is a ratio, to what was measured next to it or to its goal, and says
//! whether it holds. Without `--bench`, as the tests run it, everything is small and only that all work was really done
//! is judged.

#![expect(clippy::expect_used, reason = "a bench that cannot measure stops")]

mod calls;
#[path = "../client.rs"]
#[expect(dead_code, reason = "the other bench reads exports with it")]
mod client;
#[path = "../cluster.rs"]
mod cluster;
mod grants;
mod intake;
mod lean;
#[path = "../process.rs"]
#[expect(dead_code, reason = "the other bench starts a program of its own")]
mod process;
#[path = "../programs.rs"]
mod programs;
mod prompt;
mod replicas;
#[path = "../report.rs"]
#[expect(dead_code, reason = "the other bench shows times")]
mod report;
mod world;

use std::process::ExitCode;

use self::{report::Report, world::World};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
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
    // Test runners ask what there is, or for tests by name: there is one, and it has no name.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let named: Vec<_> = PARTS.into_iter().filter(|part| arguments.iter().any(|argument| argument == part)).collect();
    let size = Size { judged: arguments.iter().any(|argument| argument == "--bench") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut report = Report::new(size.judged);
    let world = World::set_up(&runtime, size);
    for (part, measure) in PARTS.into_iter().zip(MEASURES) {
        if named.is_empty() || named.contains(&part) {
            measure(&world, &mut report);
        }
    }
    report.conclude()
}

/// What can be measured by itself: `./dev bench speed intake`.
const PARTS: [&str; 5] = ["lean", "intake", "prompt", "grants", "replicas"];

const MEASURES: [fn(&World<'_>, &mut Report); 5] =
    [lean::measure, intake::measure, prompt::measure, grants::measure, replicas::measure];
