//! What stint takes when it has nothing to do: the time to its start, and memory.

use std::time::{Duration, Instant};

use crate::{
    client::Client,
    report::{Must, Report, say},
    world::World,
};

/// Resident memory of an idle stint, in bytes.
pub const IDLE_MEMORY: f64 = 30.0 * 1024.0 * 1024.0;

/// From the start of the process to its first word that it is ready, where the schema is up to date.
const READY: Duration = Duration::from_millis(300);

/// How long it idles before its memory is read.
const IDLES: Duration = Duration::from_secs(3);

/// Measures both.
pub fn measure(world: &World<'_>, report: &mut Report) {
    say("start and memory");
    let database = world.database();
    let mut times = vec![];
    for _ in 0..world.size.of(9, 2) {
        times.push(ready(world, &database));
    }
    times.sort();
    let ratio = times[times.len() / 2].as_secs_f64() / READY.as_secs_f64();
    report.ratio("start to ready, to its limit", ratio, Must::AtMost(1.0));
    let stint = world.stint(&database, None);
    std::thread::sleep(world.size.of(IDLES, Duration::from_millis(100)));
    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    let memory = stint.process.resident() as f64 / IDLE_MEMORY;
    report.ratio("resident memory when idle, to its limit", memory, Must::AtMost(1.0));
}

/// From the start to the first 200 of `/readyz`.
fn ready(world: &World<'_>, database: &str) -> Duration {
    let began = Instant::now();
    let stint = world.stint(database, None);
    let mut operator = Client::new(&stint.ops, "");
    while operator.get("/readyz").status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "never ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    began.elapsed()
}
