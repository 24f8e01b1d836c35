//! Grants a second beside Little's law: so many in flight, each taking as long as Graph alone takes.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use stint::{clock::Clock, sandbox::Call};

use crate::{
    calls::{Slow, one_after_the_other},
    client::Client,
    prompt::{address, bearer, graph_token},
    report::{Must, Report, Times, say},
    world::{Ticket, World, post},
};

/// Requests that one stint works on at a time: three quarters of its places, the rest is kept for ends.
pub const IN_FLIGHT: f64 = 64.0;

/// Of the ideal rate.
const LEAST: f64 = 0.9;

/// How long Graph takes to answer, in milliseconds.
const LATENCY: u64 = 50;

/// How often Graph is asked without stint.
const ASKED: u32 = 50;

/// Those who post at a time.
const SENDERS: usize = 8;

const ACTIVE: &str = "select count(*) from requests where state = 'active'";

/// Measures it.
pub fn measure(world: &World<'_>, report: &mut Report) {
    say("grants");
    let latency = world.size.of(LATENCY, 10);
    let alone = alone(world, latency);
    let rate = rate(world, 1, world.size.of(2_400, 64), latency);
    let ideal = IN_FLIGHT / alone.as_secs_f64();
    report.ratio(
        &format!("grants a second at 64 in flight, Graph taking {latency} ms, to Little's law"),
        rate / ideal,
        Must::AtLeast(LEAST),
    );
}

/// What Graph alone takes for one grant, from the first reading to the proof that it is in force: its calls one after the
/// other, those at the same time counted once, and each as long as it takes who asks without stint.
fn alone(world: &World<'_>, latency: u64) -> Duration {
    let database = world.database();
    let stint = world.stint(&database, None);
    let mut client = Client::new(&stint.process.address, "");
    // The first one of its tenant fetches tokens; the last one is the one that is looked at.
    let tickets: Vec<_> = (0..=world.tenants).map(|_| world.ticket()).collect();
    let (last, first) = tickets.split_last().expect("some");
    for ticket in first {
        post(&mut client, &ticket.path, &ticket.webhook);
    }
    await_active(world, &database, world.tenants);
    let _slow = Slow::by(&world.sandbox.graph, latency);
    let began = Clock::system().now();
    post(&mut client, &last.path, &last.webhook);
    await_active(world, &database, world.tenants + 1);
    let calls = one_after_the_other(&world.sandbox.graph, began, latency);
    answer(world, last.tenant, &calls[0]) * u32::try_from(calls.len()).expect("a few calls")
}

/// How long Graph takes to answer this, at the median.
fn answer(world: &World<'_>, tenant: u64, call: &Call) -> Duration {
    let headers = bearer(&graph_token(world, tenant));
    let mut client = Client::new(&address(&world.sandbox.graph.url()), &headers);
    let times = (0..ASKED).map(|_| {
        let answer = client.get(&call.path);
        assert_eq!(answer.status, call.status, "{}", call.path);
        answer.micros
    });
    Duration::from_secs_f64(Times::of(times.collect()).quantile(0.5) / 1e6)
}

/// Grants a second of so many workers on one database, from the first call to the last proof.
pub fn rate(world: &World<'_>, replicas: u64, tickets: u64, latency: u64) -> f64 {
    let database = world.database();
    let door = world.stint(&database, Some("http"));
    post_all(&door.process.address, (0..tickets).map(|_| world.ticket()).collect());
    let _slow = Slow::by(&world.sandbox.graph, latency);
    let created = world.sandbox.graph.ledger().len();
    let _workers: Vec<_> = (0..replicas).map(|_| world.stint(&database, Some("worker"))).collect();
    let began = Instant::now();
    await_asked(world, created, tickets);
    await_active(world, &database, tickets);
    let took = began.elapsed();
    let created = world.sandbox.graph.ledger_after(created).len();
    assert_eq!(created as u64, tickets, "each ticket led to one call that changes something");
    #[expect(clippy::cast_precision_loss, reason = "some thousand tickets")]
    let tickets = tickets as f64;
    tickets / took.as_secs_f64()
}

fn post_all(address: &str, tickets: Vec<Ticket>) {
    let left = Mutex::new(tickets);
    let next = || left.lock().expect("not poisoned").pop();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut client = Client::new(address, "");
                while let Some(ticket) = next() {
                    post(&mut client, &ticket.path, &ticket.webhook);
                }
            });
        }
    });
}

/// Returns once so many requests are in force.
pub fn await_active(world: &World<'_>, database: &str, tickets: u64) {
    let began = Instant::now();
    loop {
        let active = u64::try_from(world.number(database, ACTIVE)).expect("a count");
        if active >= tickets {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(3), "only {active} of {tickets} are active");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns once Graph was asked for so many assignments after the first ones: counting is free there, and not in Postgres.
fn await_asked(world: &World<'_>, before: usize, tickets: u64) {
    let (began, mut seen) = (Instant::now(), before);
    while ((seen - before) as u64) < tickets {
        assert!(began.elapsed() < Duration::from_mins(3), "only {} of {tickets} are asked for", seen - before);
        std::thread::sleep(Duration::from_millis(20));
        seen += world.sandbox.graph.ledger_after(seen).len();
    }
}
