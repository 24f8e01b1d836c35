//! How often each thing was reached.

use std::collections::{BTreeMap, BTreeSet};

use stint::domain::request::Status;

use crate::fault::Fault;

/// What was reached, by how many seeds or how often.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub faults: BTreeMap<Fault, u64>,
    /// Moves of requests, by the states that they lead from and to.
    pub edges: BTreeMap<(Status, Status), u64>,
    /// Two kinds of fault in one seed.
    pub pairs: BTreeMap<(Fault, Fault), u64>,
    pub steps: u64,
    pub requests: u64,
    pub creates: u64,
}

/// Every move between states that the table of moves knows; what is held goes on where it stood.
pub const EDGES: [(Status, Status); 32] = {
    use Status as S;
    [
        (S::Received, S::Verifying),
        (S::Received, S::Ended),
        (S::Received, S::Held),
        (S::Verifying, S::Approved),
        (S::Verifying, S::Rejected),
        (S::Verifying, S::Ended),
        (S::Verifying, S::Held),
        (S::Approved, S::Assigning),
        (S::Approved, S::Rejected),
        (S::Approved, S::Failed),
        (S::Approved, S::Ended),
        (S::Approved, S::Held),
        (S::Assigning, S::Active),
        (S::Assigning, S::Ending),
        (S::Assigning, S::Ended),
        (S::Assigning, S::Rejected),
        (S::Assigning, S::Failed),
        (S::Assigning, S::Held),
        (S::Active, S::Ending),
        (S::Active, S::Held),
        (S::Ending, S::Ending),
        (S::Ending, S::Ended),
        (S::Ending, S::Held),
        (S::Held, S::Verifying),
        (S::Held, S::Approved),
        (S::Held, S::Assigning),
        (S::Held, S::Active),
        (S::Held, S::Ending),
        (S::Held, S::Ended),
        (S::Held, S::Rejected),
        (S::Held, S::Failed),
        (S::Held, S::Held),
    ]
};

/// Moves of the table that no step of the engine makes, each with the reason.
pub const NEVER: [((Status, Status), &str); 4] = [
    ((Status::Received, Status::Held), "what was received is taken before anything can hold it"),
    (
        (Status::Approved, Status::Rejected),
        "the ticket is read again only once an attempt is recorded, or what held it is looked at",
    ),
    ((Status::Held, Status::Verifying), "what is held while it is verified is approved, refused or ended from there"),
    ((Status::Active, Status::Held), "what is in force is only watched, and ended"),
];

impl Tally {
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub fn edge(&mut self, from: Status, to: Status) {
        *self.edges.entry((from, to)).or_default() += 1;
    }

    /// Adds what one seed came to.
    pub fn add(&mut self, seed: &Self) {
        for (fault, count) in &seed.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (edge, count) in &seed.edges {
            *self.edges.entry(*edge).or_default() += count;
        }
        let met: Vec<_> = seed.faults.keys().copied().collect();
        for (at, one) in met.iter().enumerate() {
            for other in &met[at + 1..] {
                *self.pairs.entry((*one, *other)).or_default() += 1;
            }
        }
        self.merge(seed);
    }

    /// Adds what many seeds came to.
    pub fn join(&mut self, others: &Self) {
        for (fault, count) in &others.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (edge, count) in &others.edges {
            *self.edges.entry(*edge).or_default() += count;
        }
        for (pair, count) in &others.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
        self.merge(others);
    }

    fn merge(&mut self, others: &Self) {
        self.steps += others.steps;
        self.requests += others.requests;
        self.creates += others.creates;
    }

    /// What was never reached and should be.
    pub fn missed(&self) -> Vec<String> {
        let faults = Fault::ALL.iter().filter(|fault| !self.faults.contains_key(*fault)).map(|f| f.name().to_owned());
        let never: BTreeSet<_> = NEVER.iter().map(|(edge, _)| *edge).collect();
        let edges = EDGES.iter().filter(|edge| !never.contains(*edge) && !self.edges.contains_key(*edge));
        faults.chain(edges.map(|(from, to)| format!("{from} -> {to}"))).collect()
    }

    pub fn print(&self) {
        println!("faults, how often each was met:");
        for fault in Fault::ALL {
            println!("  {:<28} {:>10}", fault.name(), self.faults.get(fault).copied().unwrap_or(0));
        }
        println!("moves, how often each was made:");
        for (from, to) in EDGES {
            println!("  {:<28} {:>10}", format!("{from} -> {to}"), self.edges.get(&(from, to)).copied().unwrap_or(0));
        }
        for ((from, to), count) in self.edges.iter().filter(|(edge, _)| !EDGES.contains(edge)) {
            println!("  {:<28} {count:>10}  (not in the table)", format!("{from} -> {to}"));
        }
        self.print_pairs();
        println!("{} steps, {} requests, {} creates", self.steps, self.requests, self.creates);
    }

    fn print_pairs(&self) {
        let kinds = Fault::ALL.len() as u64;
        let all = kinds * (kinds - 1) / 2;
        println!("pairs of faults met by one seed: {} of {all}; how many seeds met each:", self.pairs.len());
        let print_row = |one: &Fault| {
            let others =
                self.pairs.iter().filter(|((a, _), _)| a == one).map(|((_, b), n)| format!("{} {n}", b.name()));
            let others: Vec<_> = others.collect();
            if !others.is_empty() {
                println!("  {} with {}", one.name(), others.join(", "));
            }
        };
        Fault::ALL.iter().for_each(print_row);
    }
}
