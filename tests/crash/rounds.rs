//! Service and Postgres killed at random under load, round after round on one database.
//!
//! In each round people ask, their tickets are told by senders who repeat what was not answered, some are cancelled, and
//! meanwhile processes and the database are killed: first while access is given, then while it ends. Then everything is
//! played to its end and the books are checked.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use stint::{
    sandbox::{Gate, Postgres, Way},
    store::Store,
};

use crate::{
    books,
    dice::Dice,
    ground::{self, Ground},
    load::Load,
};

/// Rounds of the run that belongs to the tests.
pub const SMALL: u64 = 2;
/// The seed of that run.
pub const SEED: u64 = 9;

/// People who ask in each round.
const ASKING: u64 = 12;

/// How often something was killed.
#[derive(Debug, Default)]
struct Kills {
    service: u64,
    postgres: u64,
}

/// Plays so many rounds; whether nothing was wrong.
pub async fn play(count: u64, seed: u64) -> bool {
    let begun = Instant::now();
    let cluster = tokio::task::spawn_blocking(|| ground::postgres(true)).await.expect("a cluster");
    cluster.create_database("rounds").await.expect("a database");
    let url = cluster.url("rounds");
    let store = Store::open(&url, 1).expect("a store");
    store.migrate().await.expect("migrated");
    store.close().await;
    let through: Gate = Arc::new(|_, _| Way::Through);
    let mut load = Load::begins(Ground::begins(url.clone(), &through).await, url).await;
    let (cluster, mut kills, mut wrong) = (Arc::new(Mutex::new(cluster)), Kills::default(), 0);
    for round in 0..count {
        let faults = one(&mut load, &cluster, &mut kills, Dice::of(seed, round)).await;
        if !faults.is_empty() {
            wrong += 1;
            println!("round {round} of seed {seed}:");
            for fault in &faults {
                println!("    {fault}");
            }
        }
    }
    load.ends().await;
    let (counts, _, _) = load.noted();
    let grants = load.ground.sandbox.graph.grants(stint::sandbox::story::TENANT).len();
    println!(
        "{count} rounds of seed {seed} in {} s: {} kills of a service, {} of Postgres; {} deliveries acknowledged, {} \
         repeated ({} answered 503, {} not at all), {grants} grants; {wrong} rounds went wrong",
        begun.elapsed().as_secs(),
        kills.service,
        kills.postgres,
        counts.acked,
        counts.repeated,
        counts.refused,
        counts.unanswered,
    );
    wrong == 0
}

async fn one(load: &mut Load, cluster: &Arc<Mutex<Postgres>>, kills: &mut Kills, mut dice: Dice) -> Vec<String> {
    let tickets = load.file(&mut dice, ASKING);
    let seed = dice.below(u64::MAX);
    let killing = kill_some(load, cluster, kills, &mut dice);
    load.while_time_passes(1, async {
        tokio::join!(load.tell(&tickets, seed), killing);
    })
    .await;
    let cancelled: Vec<_> = tickets.iter().filter(|_| dice.below(4) == 0).cloned().collect();
    for ticket in &cancelled {
        load.cancel(ticket);
    }
    // Whatever broke off is settled; then the ends are near.
    load.pass(SignedDuration::from_mins(7)).await;
    load.ground.clock.advance(SignedDuration::from_mins(52));
    let killing = kill_some(load, cluster, kills, &mut dice);
    load.while_time_passes(10, async {
        tokio::join!(load.tell(&cancelled, seed), killing);
    })
    .await;
    let mut faults = vec![];
    if !load.until_nothing_is_due().await {
        faults.push("there is always something due".into());
    }
    if let Err(problem) = load.verify_log().await {
        faults.push(format!("the audit log is not proved: {problem}"));
    }
    let (_, acked, noted) = load.noted();
    faults.extend(noted);
    faults.extend(books::faults(&load.ground, &load.asked, &acked).await);
    faults
}

/// Kills one to four things, some moments apart.
async fn kill_some(load: &Load, cluster: &Arc<Mutex<Postgres>>, kills: &mut Kills, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        tokio::time::sleep(Duration::from_millis(40 + dice.below(400))).await;
        let which = dice.below(3);
        if which == 2 {
            kills.postgres += 1;
            kill_postgres(cluster).await;
        } else {
            kills.service += 1;
            load.kill(usize::from(which == 1)).await;
        }
    }
}

async fn kill_postgres(cluster: &Arc<Mutex<Postgres>>) {
    let cluster = Arc::clone(cluster);
    let killed = tokio::task::spawn_blocking(move || {
        let mut cluster = cluster.lock().expect("not poisoned");
        cluster.kill()?;
        cluster.restart()
    });
    killed.await.expect("killed").expect("a Postgres that starts again");
}
