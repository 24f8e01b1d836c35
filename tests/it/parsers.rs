//! Every parser, fed with spoilt examples: what must hold does, whatever it is given.
//!
//! `STINT_PARSERS` says how many times as many; `./dev parsers` lets a fuzzer look for further ones instead.

#[path = "../../fuzz/parsers/mod.rs"]
mod known;

use std::panic::{AssertUnwindSafe, catch_unwind};

use known::{PARSERS, Parser, SEPARATOR};

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

/// Whether the parser stands the input; what is wrong has been said by then.
fn stands(parser: &Parser, input: &[u8]) -> bool {
    let fed = catch_unwind(AssertUnwindSafe(|| (parser.feed)(input)));
    if fed.is_err() {
        println!("{} does not stand {}", parser.name, input.escape_ascii());
    }
    fed.is_ok()
}

fn wanted() -> u64 {
    std::env::var("STINT_PARSERS").map_or(1, |text| text.parse().expect("STINT_PARSERS is a number"))
}

#[test]
fn what_must_hold_of_every_parser_holds_for_spoilt_examples() {
    let mut broken = vec![];
    for parser in &PARSERS {
        let began = std::time::Instant::now();
        let seeds = (parser.seeds)();
        let count = parser.inputs * wanted();
        let examples = (0..count).map(|number| spoilt(&mut Dice::of(SEED, number), &seeds));
        if !seeds.iter().cloned().chain(examples).all(|input| stands(parser, &input)) {
            broken.push(parser.name);
        }
        println!("{}: {count} spoilt examples in {:.1} s", parser.name, began.elapsed().as_secs_f64());
    }
    assert!(broken.is_empty(), "{broken:?}");
}
