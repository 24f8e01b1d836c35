//! Random sequences of grants, overlaps, ends, other people's hands, faults and clock moves: whatever comes, nothing of
//! ours outlives its approvals, nothing of others is touched, no approval creates twice, and nobody is cut off.
//!
//! `STINT_SEQUENCES` says how many; `./dev sequences` runs two thousand. `STINT_SEQUENCES_SEED` chooses others, and
//! `STINT_SEQUENCES_WORLD` plays one world alone, as a failure names it.

mod books;
mod check;
mod check_tests;
mod plan;
mod play;

use std::collections::BTreeMap;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use self::{
    books::{Books, Tally},
    plan::PER_WORLD,
    play::Play,
};

const SEQUENCES: u64 = 100;
const SEED: u64 = 20_261;

/// With so many sequences, each thing that may come of one must have come of some.
const ALL_IS_REACHED_FROM: u64 = 1_000;

/// So many worlds at a time.
const AT_ONCE: usize = 2;

fn wanted(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// Plays one world; what is wrong with it, and what its sequences came to.
async fn world(seed: u64, world: u64, count: u64) -> (Vec<String>, Tally) {
    let play = Play::whole(seed, world, count).await;
    let books = Books::of(&play).await;
    let mut wrong = vec![];
    for (who, sequence) in play.sequences.iter().enumerate() {
        let faults = books.faults(&play, who);
        if !faults.is_empty() {
            let story = books.story(&play, who);
            wrong.push(format!("sequence {}, world {world}, seed {seed}: {faults:#?}\n{story}", sequence.number));
        }
    }
    let tally = books.tally(&play).await;
    if wrong.is_empty() {
        play.it.ends().await;
    }
    (wrong, tally)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_access_keeps_to_its_approvals() {
    let count = wanted("STINT_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = wanted("STINT_SEQUENCES_SEED").unwrap_or(SEED);
    let one = wanted("STINT_SEQUENCES_WORLD");
    println!("{count} sequences of seed {seed}");
    let worlds = (0..count.div_ceil(PER_WORLD)).filter(|number| one.is_none_or(|one| one == *number));
    let plays = stream::iter(worlds).map(|number| {
        let played = tokio::spawn(world(seed, number, count));
        played.map(move |played| (number, played))
    });
    let mut plays = plays.buffer_unordered(AT_ONCE);
    let (mut wrong, mut tally): (Vec<String>, Tally) = (vec![], BTreeMap::new());
    while let Some((number, played)) = plays.next().await {
        let (faults, reached) =
            played.unwrap_or_else(|problem| (vec![format!("world {number}: {problem}")], Tally::new()));
        for fault in &faults {
            println!("{fault}");
        }
        println!("world {number} is over, {} sequences went wrong", faults.len());
        wrong.extend(faults);
        for (label, count) in reached {
            *tally.entry(label).or_default() += count;
        }
    }
    println!("sequences by what they came to: {tally:#?}");
    assert!(wrong.is_empty(), "{} sequences of seed {seed} went wrong; they are told above", wrong.len());
    let missed: Vec<_> = tally.iter().filter(|(_, count)| **count == 0).collect();
    assert!(count < ALL_IS_REACHED_FROM || one.is_some() || missed.is_empty(), "never reached: {missed:?}");
}
