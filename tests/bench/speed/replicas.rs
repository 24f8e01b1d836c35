//! Several workers on one Postgres, beside one.
//!
//! All of them share this machine with Graph and Postgres, so Graph takes its time: what is measured is whether they keep
//! each other waiting, not how many cores there are.

use crate::{
    grants,
    report::{Must, Report, say},
    world::World,
};

/// How long Graph takes to answer, in milliseconds.
const LATENCY: u64 = 500;

/// Of so many times what one does.
const LEAST: f64 = 0.9;

/// Measures 1, 2 and 4; each has as much to do.
pub fn measure(world: &World<'_>, report: &mut Report) {
    say("replicas");
    let (latency, tickets) = (world.size.of(LATENCY, 10), world.size.of(192, 16));
    let one = grants::rate(world, 1, tickets, latency);
    for replicas in world.size.of(&[2, 4][..], &[2][..]) {
        let rate = grants::rate(world, *replicas, tickets * replicas, latency);
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        let linear = one * *replicas as f64;
        report.ratio(
            &format!("grants a second of {replicas} replicas, to {replicas} times one's"),
            rate / linear,
            Must::AtLeast(LEAST),
        );
    }
}
