//! Every parser of stint that reads what others write, each with what must hold whatever it is given: more than that it
//! does not panic, and nothing that the parser itself would have to be asked for.
//!
//! The same functions are fed twice: by a fuzzer that learns from coverage (`targets/parsers.rs`), and by a fixed number
//! of spoilt examples in the tests (`tests/it/parsers.rs`). Inputs of several parts have 0x1e, the record separator,
//! between them, so that a part can be spoilt as the document that it is.

mod answers;
mod graph;
mod ground;
mod texts;
mod tickets;
mod tokens;
mod webhooks;

/// One parser.
pub struct Parser {
    /// Its name.
    pub name: &'static str,
    /// Feeds it. Panics when something does not hold.
    pub feed: fn(&[u8]),
    /// What inputs descend from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many spoilt examples the tests feed it.
    pub inputs: u64,
}

/// All of them.
pub const PARSERS: [Parser; 18] = [
    Parser { name: "json", feed: texts::json, seeds: texts::documents, inputs: 5_000 },
    Parser { name: "duration", feed: texts::duration, seeds: texts::durations, inputs: 20_000 },
    Parser { name: "log-field", feed: texts::log_field, seeds: texts::words, inputs: 5_000 },
    Parser { name: "csv", feed: texts::csv, seeds: texts::words, inputs: 3_000 },
    Parser { name: "cursor", feed: texts::cursor, seeds: texts::cursors, inputs: 5_000 },
    Parser { name: "query", feed: texts::query, seeds: texts::queries, inputs: 5_000 },
    Parser { name: "signature", feed: webhooks::signature, seeds: webhooks::signed, inputs: 5_000 },
    Parser { name: "webhook-jira", feed: webhooks::jira, seeds: webhooks::jira_bodies, inputs: 2_000 },
    Parser {
        name: "webhook-servicenow",
        feed: webhooks::servicenow,
        seeds: webhooks::servicenow_bodies,
        inputs: 2_000,
    },
    Parser { name: "webhook-standard", feed: webhooks::standard, seeds: webhooks::standard_bodies, inputs: 2_000 },
    Parser { name: "token", feed: tokens::presented, seeds: tokens::presented_seeds, inputs: 500 },
    Parser { name: "claims", feed: tokens::issued, seeds: tokens::issued_seeds, inputs: 100 },
    Parser { name: "ticket-jira", feed: tickets::jira, seeds: tickets::jira_answers, inputs: 500 },
    Parser { name: "ticket-servicenow", feed: tickets::servicenow, seeds: tickets::servicenow_answers, inputs: 500 },
    Parser { name: "ticket-standard", feed: tickets::standard, seeds: tickets::standard_answers, inputs: 1_000 },
    Parser { name: "answer", feed: answers::answer, seeds: answers::seeds, inputs: 5_000 },
    Parser { name: "graph-write", feed: graph::write, seeds: graph::written, inputs: 200 },
    Parser { name: "graph-look", feed: graph::look, seeds: graph::looked, inputs: 100 },
];

/// The parts of an input.
fn parts(input: &[u8]) -> Vec<&[u8]> {
    input.split(|byte| *byte == SEPARATOR).collect()
}

/// Stands between the parts of an input.
pub const SEPARATOR: u8 = 0x1e;

/// An input of these parts.
fn joined<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(&SEPARATOR)
}
