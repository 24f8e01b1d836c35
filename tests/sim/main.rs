//! Simulated schedules: the real engine, played step by step over models of Postgres, PIM and ticket systems by a scheduler
//! that follows from a seed alone, and held against every invariant after each step.
//!
//! `STINT_SIM_SEEDS` says how many, `STINT_SIM_SEED` which is the first; `./dev sim` sets both and plays in release. A
//! failing seed is told with its smallest plan and its schedule, and plays again exactly by itself. `STINT_SIM_COUNT=1`
//! goes on after a failure and counts the seeds that violate each invariant.
//!
//! `planted/` holds faults that a tired hand could write, each a patch that says which invariant it breaks. `./dev sim
//! --planted` plants one after the other and sees that schedules tell of it.

#![expect(clippy::expect_used, reason = "a failed expectation is a failed test")]

mod check;
mod entra;
mod fault;
mod ledger;
mod people;
mod pim;
mod plan;
mod play;
mod postgres;
mod records;
mod rng;
mod scene;
mod shrink;
mod tally;
mod tickets;
mod worker;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{plan::Plan, play::play, tally::Tally};

/// What a filter of tests is held against.
const NAME: &str = "sim::simulated_schedules_keep_every_invariant";

/// As many as the tests play.
const SEEDS: u64 = 10_000;

/// With so many seeds, everything that may be reached must have been.
const ALL_IS_REACHED_FROM: u64 = 10_000;

/// What many seeds came to.
#[derive(Debug, Default)]
struct Whole {
    tally: Tally,
    /// Seeds that violate an invariant, and how the first one does.
    violations: BTreeMap<&'static str, BTreeMap<u64, String>>,
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn main() -> ExitCode {
    if !is_asked_for() {
        return ExitCode::SUCCESS;
    }
    let (seeds, first) = (number("STINT_SIM_SEEDS").unwrap_or(SEEDS), number("STINT_SIM_SEED").unwrap_or(0));
    let counts = std::env::var_os("STINT_SIM_COUNT").is_some();
    println!("{seeds} seeds from {first}");
    let began = Instant::now();
    let whole = all(first, seeds, counts);
    report(&whole, seeds, first);
    if !counts {
        tell_first(&whole);
    }
    let violating = whole.violations.values().flat_map(BTreeMap::keys).collect::<std::collections::BTreeSet<_>>().len();
    let differs = !is_repeatable(first, seeds.min(20));
    let missed = if seeds >= ALL_IS_REACHED_FROM { whole.tally.missed() } else { vec![] };
    if !missed.is_empty() {
        println!("never reached: {}", missed.join(", "));
    }
    let rate = u128::from(seeds) * 1000 / began.elapsed().as_millis().max(1);
    eprintln!("{rate} seeds a second");
    let per: Vec<_> =
        whole.violations.iter().map(|(invariant, seeds)| format!("{invariant}={}", seeds.len())).collect();
    println!("sim: seeds={seeds} violating={violating} missed={} {}", missed.len(), per.join(" "));
    let failed = violating > 0 || !missed.is_empty() || differs;
    let (word, passed) = if failed { ("FAILED", 0) } else { ("ok", 1) };
    println!("test result: {word}. {passed} passed; {} failed", 1 - passed);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// There is one thing to do here; a harness would leave it out where it only lists, or is to run other tests.
fn is_asked_for() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filters = arguments.iter().filter(|argument| !argument.starts_with('-'));
    !arguments.iter().any(|argument| argument == "--list")
        && filters.clone().all(|filter| NAME.contains(filter.as_str()))
}

/// Whether each of these seeds plays the same twice.
fn is_repeatable(first: u64, seeds: u64) -> bool {
    (first..first + seeds).all(|seed| {
        let plan = Plan::of(seed);
        let (one, other) = (play(&plan, true), play(&plan, true));
        let same = one.digest == other.digest && one.lines == other.lines;
        if !same {
            println!("seed {seed} does not play the same twice");
        }
        same
    })
}

/// Plays all of them, on every core. What comes out is the same however they are shared out.
fn all(first: u64, seeds: u64, counts: bool) -> Whole {
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let whole = Mutex::new(Whole::default());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut own = Whole::default();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        break;
                    }
                    let outcome = play(&Plan::of(seed), false);
                    own.tally.add(&outcome.tally);
                    for violation in outcome.violations {
                        own.violations.entry(violation.invariant).or_default().entry(seed).or_insert(violation.what);
                        stop.store(!counts, Ordering::Relaxed);
                    }
                }
                let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
                whole.tally.join(&own.tally);
                for (invariant, seeds) in own.violations {
                    whole.violations.entry(invariant).or_default().extend(seeds);
                }
            });
        }
    });
    whole.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn report(whole: &Whole, seeds: u64, first: u64) {
    println!("invariants, and by what they are judged:");
    for (invariant, how) in check::SEEN {
        let violated = whole.violations.get(invariant).map_or(0, BTreeMap::len);
        println!("  {invariant:<4} {violated:>6} violations  {how}");
    }
    whole.tally.print();
    for (invariant, seeds) in &whole.violations {
        for (seed, what) in seeds {
            println!("violated {invariant} seed {seed}: {what}");
        }
    }
    if seeds == 1 && whole.violations.is_empty() {
        println!("seed {first}: {:#?}", Plan::of(first));
        play(&Plan::of(first), true).lines.iter().for_each(|line| println!("{line}"));
    }
}

/// One of each kind is told whole, the first one.
fn tell_first(whole: &Whole) {
    for (invariant, failed) in &whole.violations {
        if let Some(seed) = failed.keys().next() {
            tell(*seed, invariant);
        }
    }
}

/// Tells a failing seed: its smallest plan, and what happens in it.
fn tell(seed: u64, invariant: &str) {
    let smallest = shrink::shrink(&Plan::of(seed), invariant);
    println!("seed {seed} violates {invariant}; the smallest plan that does: {smallest:#?}");
    let outcome = play(&smallest, true);
    outcome.lines.iter().for_each(|line| println!("{line}"));
    for violation in outcome.violations {
        println!("in the smallest plan {} is violated: {}", violation.invariant, violation.what);
    }
    println!("play it again: ./dev sim --seeds 1 --seed {seed}");
}
