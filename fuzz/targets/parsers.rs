//! One of stint's parsers, which `STINT_PARSER` names, under a fuzzer that learns from coverage. Its examples are written
//! into the folder that `STINT_SEEDS` names before the fuzzer reads it: some are signed with keys of this very process.

#![no_main]
#![expect(dead_code, reason = "how many examples the tests feed each parser is nothing to the fuzzer")]

#[path = "../../tests/it/mutation.rs"]
mod mutation;
#[path = "../parsers/mod.rs"]
mod parsers;

use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use parsers::{PARSERS, Parser, SEPARATOR};

static PARSER: LazyLock<&Parser> = LazyLock::new(|| {
    let name = std::env::var("STINT_PARSER").expect("STINT_PARSER names a parser");
    PARSERS.iter().find(|parser| parser.name == name).unwrap_or_else(|| {
        let known: Vec<_> = PARSERS.iter().map(|parser| parser.name).collect();
        panic!("{name} is none of {}", known.join(" "))
    })
});

fn write_seeds() {
    let Some(folder) = std::env::var_os("STINT_SEEDS") else { return };
    for (n, seed) in (PARSER.seeds)().into_iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(format!("seed-{n}")), seed).expect("a file");
    }
}

fuzz_target!(init: write_seeds(), |input: &[u8]| (PARSER.feed)(input));

// Every second change is one of a document, the others are the fuzzer's own.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed.is_multiple_of(2) {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut dice = mutation::Dice::of(u64::from(seed), 1);
    let mut parts: Vec<_> = data[..size].split(|byte| *byte == SEPARATOR).map(<[u8]>::to_vec).collect();
    let at = dice.below(parts.len());
    let status = parts[at].first().filter(|first| first.is_ascii_digit() && parts[at].len() > 3).copied();
    let body = mutation::mutated(&mut dice, &parts[at][usize::from(status.is_some())..]);
    parts[at] = status.into_iter().chain(body).collect();
    let mutated = parts.join(&SEPARATOR);
    let length = mutated.len().min(max_size);
    data[..length].copy_from_slice(&mutated[..length]);
    length
});
