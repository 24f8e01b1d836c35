//! The primary of a synchronous pair killed under load: nothing that was acknowledged is lost, nothing is done twice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stint::{
    sandbox::{Gate, Way, story},
    store::Store,
};

use crate::{books, dice::Dice, ground::Ground, load::Load, pair::Pair};

/// People who ask while each failover goes on.
const ASKING: u64 = 24;

/// One failover, where the manager is installed, as the tests run it.
pub async fn small() -> bool {
    Pair::installed().is_none() || play(1, 3).await
}

/// Kills the primary so many times; whether nothing was wrong.
pub async fn play(count: u64, seed: u64) -> bool {
    let Some(bin) = Pair::installed() else {
        println!("failover: pg_auto_failover is not installed, so nothing was tried");
        return false;
    };
    let begun = Instant::now();
    let mut pair = Pair::start(bin).await;
    println!("a synchronous pair after {} s", begun.elapsed().as_secs());
    let store = Store::open(&pair.url(), 1).expect("a store");
    store.reach().await.expect("a primary");
    store.migrate().await.expect("migrated");
    store.close().await;
    let through: Gate = Arc::new(|_, _| Way::Through);
    let mut load = Load::begins(Ground::begins(pair.url(), &through).await, pair.url()).await;
    let mut wrong = 0;
    for number in 0..count {
        let faults = one(&mut load, &mut pair, Dice::of(seed, number), number + 1 < count).await;
        if !faults.is_empty() {
            wrong += 1;
            println!("failover {number} of seed {seed}:");
            for fault in &faults {
                println!("    {fault}");
            }
        }
    }
    load.ends().await;
    let (counts, _, _) = load.noted();
    let grants = load.ground.sandbox.graph.grants(story::TENANT).len();
    println!(
        "{count} failovers of seed {seed} in {} s: {} deliveries acknowledged, {} repeated ({} answered 503, {} not at all), \
         {grants} grants; {wrong} failovers went wrong",
        begun.elapsed().as_secs(),
        counts.acked,
        counts.repeated,
        counts.refused,
        counts.unanswered,
    );
    wrong == 0
}

async fn one(load: &mut Load, pair: &mut Pair, mut dice: Dice, again: bool) -> Vec<String> {
    let mut faults = vec![];
    let tickets = load.file(&mut dice, ASKING);
    let (seed, wait) = (dice.below(u64::MAX), Duration::from_millis(250 + dice.below(300)));
    let killed = pair.primary().await;
    let mut at = Instant::now();
    let mut found = killed;
    let killing = async {
        tokio::time::sleep(wait).await;
        pair.kill(killed);
        at = Instant::now();
        found = pair.primary().await;
    };
    load.while_time_passes(1, async {
        tokio::join!(load.tell(&tickets, seed), killing);
    })
    .await;
    println!("node {killed} killed; {:.1} s without an acknowledgement", load.silence_around(at).as_secs_f64());
    if found == killed {
        faults.push("the killed node is still the one that takes writes".into());
    }
    load.ground.database_url = pair.url_of(found);
    if !load.until_nothing_is_due().await {
        faults.push("there is always something due".into());
    }
    if let Err(problem) = load.verify_log().await {
        faults.push(format!("the audit log is not proved: {problem}"));
    }
    let (_, acked, noted) = load.noted();
    faults.extend(noted);
    faults.extend(books::faults(&load.ground, &load.asked, &acked).await);
    if again {
        pair.comes_back(killed).await;
    }
    faults
}
