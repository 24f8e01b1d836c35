//! What stint does when it is stopped, for real: processes, sockets, kill -9, and ledgers that are not stint's own.
//!
//! `./dev crash --points` stops the process after each of its side effects in turn, `./dev crash --rounds N` kills service and
//! Postgres at random under load, `./dev failover` the primary of a synchronous pair. Without arguments, as the tests run it, there is a sample of each.
//!
//! The process under test is this program again, which puts stint together as `stint serve` does, on a clock that is moved
//! from outside: nobody waits hours for an end.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]
#![expect(clippy::large_futures, reason = "a story is polled where it stands")]
#![expect(clippy::disallowed_methods, reason = "what is killed is waited for by real time")]

mod books;
mod cases;
mod dice;
mod director;
mod failover;
mod field;
mod ground;
mod labels;
mod load;
mod pair;
mod points;
mod process;
mod proxy;
mod rounds;
mod service;

use std::process::ExitCode;

/// How the process under test is called.
const SERVICE: &str = "__service";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let [SERVICE, config, now] = words[..] {
        return service::main(config, now);
    }
    // Test runners ask what there is, or for tests by name: there is one, and it has no name.
    if words.contains(&"--list") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let sound = runtime.expect("a runtime").block_on(run(&words));
    let (word, passed) = if sound { ("ok", 1) } else { ("FAILED", 0) };
    println!("test result: {word}. {passed} passed; {} failed", 1 - passed);
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is asked for; whether nothing was wrong.
async fn run(words: &[&str]) -> bool {
    match words {
        ["points"] => points::all(None).await,
        ["points", only] => points::all(Some(only)).await,
        ["rounds", count, seed] => rounds::play(number(count), number(seed)).await,
        ["failover", count, seed] => failover::play(number(count), number(seed)).await,
        _ => points::sample().await && rounds::play(rounds::SMALL, rounds::SEED).await && failover::small().await,
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}
