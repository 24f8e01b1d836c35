//! Every parser, fed with spoilt examples: what must hold does, whatever it is given.
//!
//! `STINT_PARSERS` says how many times as many; `./dev parsers` lets a fuzzer look for further ones instead.

#[path = "../../fuzz/parsers/mod.rs"]
mod parsers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use parsers::{PARSERS, Parser, SEPARATOR};

use crate::mutation::{Dice, mutated};

const SEED: u64 = 482;

/// One or two parts of one of the examples, spoilt; now and then with a part of another one.
fn spoilt(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = dice.pick(seeds).split(|byte| *byte == SEPARATOR).map(<[u8]>::to_vec).collect();
    for _ in 0..=dice.below(2) {
        let at = dice.below(parts.len());
        if dice.once_in(8) {
            let other: Vec<_> = dice.pick(seeds).split(|byte| *byte == SEPARATOR).collect();
            parts[at] = dice.pick(&other).to_vec();
        } else {
            // A document may have its status before it.
            let status = parts[at].first().filter(|first| first.is_ascii_digit() && parts[at].len() > 3).copied();
            let body = mutated(dice, &parts[at][usize::from(status.is_some())..]);
            parts[at] = status.into_iter().chain(body).collect();
        }
    }
    parts.join(&SEPARATOR)
}

fn feed(parser: &Parser, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (parser.feed)(input))) {
        eprintln!("{} does not stand {}", parser.name, input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

fn wanted() -> u64 {
    std::env::var("STINT_PARSERS").map_or(1, |text| text.parse().expect("STINT_PARSERS is a number"))
}

#[test]
fn what_must_hold_of_every_parser_holds_for_spoilt_examples() {
    for parser in &PARSERS {
        let began = std::time::Instant::now();
        let seeds = (parser.seeds)();
        for seed in &seeds {
            feed(parser, seed);
        }
        let count = parser.inputs * wanted();
        for number in 0..count {
            feed(parser, &spoilt(&mut Dice::of(SEED, number), &seeds));
        }
        println!("{}: {count} inputs in {:.1} s", parser.name, began.elapsed().as_secs_f64());
    }
}
