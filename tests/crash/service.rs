//! The process under test: stint as `serve` puts it together, but for the clock, which standard input moves.
//!
//! Each line on standard input is the time. Standard output says where it serves, which time it has, and when it came to
//! rest at a time: nothing under way, nothing due. It logs to standard error as ever.

use std::{io::BufRead as _, path::Path, process::ExitCode, sync::Arc, time::Duration};

use jiff::Timestamp;
use stint::{
    app::{Only, Service, Surroundings},
    clock::{Clock, ManualClock},
    config,
    outbound::Limits,
    telemetry,
};
use tokio::sync::mpsc;

/// A neighbour that does not answer is waited for so long, by real time.
const PATIENCE: Limits = Limits { connect: Duration::from_secs(2), total: Duration::from_secs(2) };

/// Serves until standard input ends.
pub fn main(path: &str, now: &str) -> ExitCode {
    telemetry::init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let served = runtime.expect("a runtime").block_on(serve(path, now.parse().expect("a time")));
    if let Err(problem) = &served {
        eprintln!("stint: {problem:#}");
    }
    // Whoever started this is gone, or wants it gone.
    std::process::exit(i32::from(served.is_err()));
}

async fn serve(path: &str, now: Timestamp) -> anyhow::Result<()> {
    let clock = ManualClock::at(now);
    let config = config::load(Path::new(path), std::env::vars())?;
    let surroundings =
        Surroundings { clock: Clock::manual(Arc::clone(&clock)), outbound: PATIENCE, ..Surroundings::default() };
    let service = Service::assemble(config, surroundings)?;
    service.check_schema().await?;
    let running = service.start(Only::Both).await?;
    println!("serving {}", running.url);
    let mut times = times();
    let mut next = times.recv().await;
    while let Some(now) = next {
        clock.set(now.max(clock.now()));
        println!("at {now}");
        next = tokio::select! {
            next = times.recv() => next,
            () = rests(&service, &clock) => {
                println!("rest {now}");
                times.recv().await
            }
        };
    }
    Ok(())
}

/// What standard input says, line by line, until it ends.
fn times() -> mpsc::UnboundedReceiver<Timestamp> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line.parse().expect("a time"));
        }
    });
    receiver
}

/// Returns once the worker waits with nothing in flight and nothing is due.
async fn rests(service: &Service, clock: &ManualClock) {
    let mut idle = service.worker.idle();
    loop {
        let resting = *idle.borrow_and_update();
        let due = service.store.next_due().await;
        if resting && due.is_ok_and(|due| due.is_none_or(|due| due > clock.now())) {
            return;
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), idle.changed()).await;
    }
}
