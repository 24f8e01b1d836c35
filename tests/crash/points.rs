//! The process stopped after each side effect in turn, with each network outcome and each recovery.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use stint::{sandbox::Postgres, store::Store};

use crate::{
    cases::{Case, Played, Recovery, Story},
    director::{Effect, Stroke},
    ground,
};

/// The database with the schema that those of the cases are copied from.
const MIGRATED: &str = "migrated";

/// So many cases at a time: each waits for real time now and then.
const AT_ONCE: usize = 4;

/// Cases of the run that belongs to the tests.
const SAMPLE: usize = 36;

/// So often is each story played to the end to learn its side effects: which search or sealing falls into it, and who comes
/// to a row first, is a matter of moments.
const TIMES: usize = 3;

/// Of the side effects that came each of those times, every so many-th may still be missed.
const MISSED: usize = 20;

/// Where cases have their databases.
struct Place {
    cluster: Postgres,
    databases: AtomicU32,
}

/// Every case, or those whose description holds this text.
pub async fn all(only: Option<&str>) -> bool {
    let place = Place::set_up().await;
    let cases = place.cases().await;
    let cases: Vec<_> =
        cases.into_iter().filter(|case| only.is_none_or(|only| case.to_string().contains(only))).collect();
    place.play(cases).await
}

/// Some of the cases, spread over all of them.
pub async fn sample() -> bool {
    let place = Place::set_up().await;
    let cases = place.cases().await;
    // Neighbours in the list differ in one thing only; a stride that shares no factor with those meets each thing.
    let stride = (cases.len() / SAMPLE).max(1) | 1;
    place.play(cases.into_iter().step_by(stride).collect()).await
}

impl Place {
    async fn set_up() -> Arc<Self> {
        let cluster = tokio::task::spawn_blocking(|| ground::postgres(false)).await.expect("a cluster");
        cluster.create_database(MIGRATED).await.expect("a database");
        let store = Store::open(&cluster.url(MIGRATED), 1).expect("a store");
        store.migrate().await.expect("migrated");
        store.close().await;
        Arc::new(Self { cluster, databases: AtomicU32::new(0) })
    }

    /// Plays each story and makes cases of every side effect that it has.
    async fn cases(self: &Arc<Self>) -> Vec<Case> {
        let mut cases = vec![];
        for story in Story::ALL {
            let (mut effects, mut times) = (vec![], HashMap::<Effect, usize>::new());
            for played in join_all((0..TIMES).map(|_| self.one(Case::whole(story)))).await {
                assert!(played.faults.is_empty(), "{story:?} without a stop: {:#?}", played.faults);
                for effect in played.effects {
                    let times = times.entry(effect.clone()).or_default();
                    if *times == 0 {
                        effects.push(effect);
                    }
                    *times += 1;
                }
            }
            let comes_always = |effect: &Effect| times[effect] == TIMES;
            let always = effects.iter().filter(|effect| comes_always(effect)).count();
            println!("{story:?}: {always} side effects, and {} more that come now and then", effects.len() - always);
            let chosen = some_of_each(effects);
            cases.extend(chosen.iter().flat_map(|effect| Case::all_of(story, effect, comes_always(effect))));
        }
        cases
    }

    async fn one(self: &Arc<Self>, case: Case) -> Played {
        let database = format!("case_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.cluster.copy_database(&database, MIGRATED).await.expect("a database");
        case.play(&self.cluster, database).await
    }

    /// Plays them all and tells what came of it; whether nothing was wrong.
    async fn play(self: Arc<Self>, cases: Vec<Case>) -> bool {
        let (count, begun) = (cases.len(), Instant::now());
        let played = stream::iter(cases).map(|case| {
            let place = Arc::clone(&self);
            async move {
                let playing = case.clone();
                let played = tokio::spawn(async move { place.one(playing).await }).await;
                (case, played)
            }
        });
        let mut played = played.buffer_unordered(AT_ONCE);
        let (mut wrong, mut missed, mut now_and_then, mut tally) = (0, 0, (0, 0), BTreeMap::<String, usize>::new());
        while let Some((case, played)) = played.next().await {
            let faults = match played {
                Ok(played) => {
                    if !case.always {
                        now_and_then.0 += 1;
                        now_and_then.1 += usize::from(played.struck);
                    } else if !played.struck {
                        missed += 1;
                        println!("{case}: not reached");
                    }
                    played.faults
                }
                Err(problem) => vec![problem.to_string()],
            };
            *tally.entry(kind(&case)).or_default() += 1;
            if !faults.is_empty() {
                wrong += 1;
                println!("{case}:");
                for fault in &faults {
                    println!("    {fault}");
                }
            }
        }
        println!("crash points by kind: {tally:#?}");
        println!(
            "{count} crash points in {} s: {wrong} went wrong, {missed} were not reached; of {} that come now and then, {} did",
            begun.elapsed().as_secs(),
            now_and_then.0,
            now_and_then.1
        );
        wrong == 0 && missed <= count.div_ceil(MISSED)
    }
}

/// What recurs (sealing, searches, looking for what is due) is taken the first three times, and once in the middle of the
/// story; all else each time.
fn some_of_each(effects: Vec<Effect>) -> Vec<Effect> {
    let mut counts = BTreeMap::<String, Vec<usize>>::new();
    for effect in &effects {
        counts.entry(effect.label.clone()).or_default().push(effect.nth);
    }
    let taken = |effect: &Effect| {
        let all = &counts[&effect.label];
        all[..all.len().min(3)].contains(&effect.nth) || all[all.len() / 2] == effect.nth
    };
    effects.into_iter().filter(taken).collect()
}

fn kind(case: &Case) -> String {
    let Some((effect, stroke)) = &case.plan else { return "whole".into() };
    let what = match effect.label.split(' ').next().unwrap_or_default() {
        "commit" | "alone" => "commit",
        "GET" => "reading call",
        _ => "changing call",
    };
    let outcome = match stroke {
        Stroke::Then(way) => format!("{way:?}"),
        stroke => format!("{stroke:?}"),
    };
    let recovery = match case.recovery {
        Recovery::Same => "same worker",
        Recovery::Other => "other worker",
        Recovery::Both => "both workers",
    };
    format!("{what}, {outcome}, {recovery}")
}
