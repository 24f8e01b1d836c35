//! What Graph was asked, by its own word.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use stint::sandbox::{Call, Graph};

/// How long Graph takes to answer, until this is dropped.
pub struct Slow<'a>(&'a Graph);

impl<'a> Slow<'a> {
    /// From now on, in milliseconds.
    pub fn by(graph: &'a Graph, latency: u64) -> Self {
        graph.set(|knobs| knobs.latency_ms = latency);
        Self(graph)
    }
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.0.set(|knobs| knobs.latency_ms = 0);
    }
}

/// Calls since then, one after the other: of those that were under way together, only the first.
pub fn one_after_the_other(graph: &Graph, since: Timestamp, latency: u64) -> Vec<Call> {
    let together = SignedDuration::try_from(Duration::from_millis(latency) * 4 / 5).expect("a short time");
    let mut firsts: Vec<Call> = vec![];
    for call in graph.calls().into_iter().filter(|call| call.at >= since) {
        let is_later = |first: &Call| call.at.duration_since(first.at) >= together;
        if call.method == "POST" || firsts.last().is_none_or(is_later) {
            firsts.push(call);
        }
    }
    firsts
}
