//! Tampering with the database, at random and as its owner: every one is found by `stint audit verify` with what an
//! auditor has who kept a checkpoint.
//!
//! Each trial does one thing to the database, with triggers and constraints between tables out of the way, fetches what
//! a newly started stint then gives out, and verifies it with the public key and the kept checkpoint. Then everything is
//! put back. Some trials do nothing, and must pass.

mod served;
mod spoil;
mod whole;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use stint::verify::{Report, verify};

use self::{
    served::served,
    spoil::{KINDS, spoil},
    whole::Whole,
};
use crate::mutation::Dice;

/// So many by default: enough for every kind several times.
const TRIALS: u64 = 60;
const SEED: u64 = 26;

/// Once in so many trials nothing is done.
const CONTROL: u64 = 20;

/// How a trial came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The verifier found it, and named an event.
    Named,
    /// The verifier found it.
    Found,
    /// The verifier has nothing to complain of in what is left: stint does not give out what was spoilt.
    Refused,
    /// Nothing was wrong.
    Passed,
}

fn wanted(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

fn outcome(report: &Report) -> Outcome {
    match report.first_failure() {
        Some(line) if line.event.is_some() => Outcome::Named,
        Some(_) => Outcome::Found,
        None => Outcome::Passed,
    }
}

/// Fetches and verifies; what was found, and in which words.
async fn verdict(whole: &mut Whole) -> (Outcome, String) {
    let served = served(whole).await;
    let report = verify(&served.files, &[whole.key.verifier_key().clone()]).expect("readable files");
    assert!(report.holds() == (outcome(&report) == Outcome::Passed), "{report}");
    match outcome(&report) {
        Outcome::Passed if !served.refused.is_empty() => (Outcome::Refused, served.refused.join("\n")),
        outcome => (outcome, report.to_string()),
    }
}

/// How often what came out how.
type Table = BTreeMap<(&'static str, Outcome), u64>;

/// Plays every `hands`th tampering from `first` on, in a world of its own; gives what was missed too.
async fn play(first: u64, hands: usize, count: u64, seed: u64) -> (Table, Vec<String>) {
    let mut whole = Whole::begins().await;
    let (mut table, mut missed) = (Table::new(), Vec::new());
    for number in (first..count).step_by(hands) {
        let mut dice = Dice::of(seed, number);
        if number % CONTROL == 0 {
            let (outcome, words) = verdict(&mut whole).await;
            assert_eq!(outcome, Outcome::Passed, "before tampering {number} of seed {seed}: {words}");
            *table.entry(("nothing", outcome)).or_default() += 1;
            whole.put_back().await;
        }
        let kind = KINDS[usize::try_from(number).expect("a count") % KINDS.len()];
        let what = spoil(&whole, kind, &mut dice).await;
        let (outcome, words) = verdict(&mut whole).await;
        *table.entry((kind, outcome)).or_default() += 1;
        if outcome == Outcome::Passed {
            missed.push(format!("tampering {number} of seed {seed}, {kind}: {what}\n{words}"));
        }
        whole.put_back().await;
    }
    whole.ends().await;
    (table, missed)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tampering_is_found_with_an_earlier_checkpoint() {
    let (count, seed) = (wanted("STINT_TAMPERINGS", TRIALS), wanted("STINT_TAMPERINGS_SEED", SEED));
    println!("{count} tamperings of seed {seed}");
    // Many are worth a world for each processor.
    let hands = if count < 1000 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let (mut table, mut missed) = (Table::new(), Vec::new());
    let plays = (0..hands as u64).map(|first| tokio::spawn(play(first, hands, count, seed)));
    for played in join_all(plays).await {
        let (counts, unseen) = played.expect("played to its end");
        for (of, count) in counts {
            *table.entry(of).or_default() += count;
        }
        missed.extend(unseen);
    }
    for ((kind, outcome), count) in &table {
        println!("{kind:32} {:8} {count:6}", format!("{outcome:?}").to_lowercase());
    }
    assert!(missed.is_empty(), "{} of {count} were not found:\n{}", missed.len(), missed.join("\n"));
}
