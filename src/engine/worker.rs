//! The loop that leases what is due and works on it, a bounded number of steps at a time.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{Due, Engine, Live, Ports};
use crate::store::{Room, StoreError};

/// How long a free place waits for others, while all were taken, and for how many of them.
const MOMENT: Duration = Duration::from_millis(10);
const TOGETHER: usize = 8;

/// How much a worker does at a time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Steps and notes in flight.
    pub in_flight: u32,
    /// How long a lease lasts: longer than a step is allowed to take.
    pub lease: SignedDuration,
    /// How long a step may take before it is dropped and repeated.
    pub step: Duration,
    /// The longest wait without looking at the database.
    pub idle: SignedDuration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            // Three quarters of them, 64, for what is not an end.
            in_flight: 86,
            lease: SignedDuration::from_secs(120),
            step: Duration::from_secs(100),
            idle: SignedDuration::from_secs(30),
        }
    }
}

/// Leases and works.
#[derive(Debug)]
pub struct Worker<P: Ports = Live> {
    engine: Arc<Engine<P>>,
    pace: Pace,
    idle: watch::Sender<bool>,
    /// Held once by each step in flight that is not an end.
    others: Arc<()>,
}

impl<P: Ports> Worker<P> {
    /// A worker for this engine.
    #[must_use]
    pub fn new(engine: Arc<Engine<P>>, pace: Pace) -> Self {
        Self { engine, pace, idle: watch::Sender::new(false), others: Arc::new(()) }
    }

    /// Whether the worker waits with nothing in flight.
    #[must_use]
    pub fn idle(&self) -> watch::Receiver<bool> {
        self.idle.subscribe()
    }

    /// Works until told to stop, then lets steps in flight finish.
    pub async fn run(&self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        while !stop.is_cancelled() {
            match self.fill(&mut tasks).await {
                // All that is due was taken, or has no place.
                Ok(_) => self.wait(&mut tasks, &stop).await,
                Err(problem) => {
                    warn!(%problem, "nothing can be leased; trying again");
                    let again = self.engine.clock.now() + SignedDuration::from_secs(1);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.engine.clock.sleep_until(again) => {}
                    }
                }
            }
        }
        while !tasks.is_empty() {
            join_one(&mut tasks).await;
        }
    }

    /// Works until nothing is due at the present moment; returns how much was done.
    ///
    /// # Errors
    /// When nothing can be leased.
    pub async fn run_until_idle(&self) -> Result<u32, StoreError> {
        let mut tasks = JoinSet::new();
        let mut done = 0;
        loop {
            let taken = self.fill(&mut tasks).await?;
            done += taken;
            if taken == 0 && tasks.is_empty() {
                return Ok(done);
            }
            join_one(&mut tasks).await;
        }
    }

    /// Leases as much as there is room for, and begins it.
    async fn fill(&self, tasks: &mut JoinSet<()>) -> Result<u32, StoreError> {
        // Whatever has ended by now makes room at once.
        while let Some(ended) = tasks.try_join_next() {
            report(ended);
        }
        let room = self.room(tasks);
        if room == 0 {
            return Ok(0);
        }
        self.idle.send_replace(false);
        let others = self.room_for_others(room);
        let (per_connection, per_tenant) = (self.pace.in_flight.div_ceil(2), self.pace.in_flight.div_ceil(4));
        let asked = Room { ends: room, others, per_connection, per_tenant };
        let steps = self.engine.lease_steps(self.pace.lease, asked).await?;
        let mut taken = steps.len();
        let left =
            others.saturating_sub(u32::try_from(steps.iter().filter(|due| !due.is_end()).count()).unwrap_or(u32::MAX));
        self.begin(tasks, steps);
        // Those have begun by now: what follows keeps none of them waiting.
        if left > 0 {
            let rest = self.engine.lease_others(self.pace.lease, Room { others: left, ..asked }).await?;
            taken += rest.len();
            self.begin(tasks, rest);
        }
        Ok(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    fn begin(&self, tasks: &mut JoinSet<()>, leased: Vec<Due>) {
        for due in leased {
            let engine = Arc::clone(&self.engine);
            let busy = (!due.is_end()).then(|| self.busy());
            begin(tasks, due.limit(self.pace.step), async move {
                engine.perform(due).await;
                drop(busy);
            });
        }
    }

    /// What is left for everything but ends: a quarter of the places is kept for those.
    fn room_for_others(&self, room: u32) -> u32 {
        let kept = self.pace.in_flight.div_ceil(4);
        let busy = u32::try_from(Arc::strong_count(&self.others) - 1).unwrap_or(u32::MAX);
        self.pace.in_flight.saturating_sub(kept).saturating_sub(busy).min(room)
    }

    /// Counts one more step that is not an end, until this is dropped.
    fn busy(&self) -> Arc<()> {
        Arc::clone(&self.others)
    }

    /// Places that are free.
    fn room(&self, tasks: &JoinSet<()>) -> u32 {
        self.pace.in_flight.saturating_sub(u32::try_from(tasks.len()).unwrap_or(u32::MAX))
    }

    /// Waits for a wake, a finished step, or the time of the next one.
    async fn wait(&self, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        let now = self.engine.clock.now();
        // Without a place for more it is a finished step that is waited for, or an end, for which some are kept.
        let full = self.room_for_others(self.room(tasks)) == 0;
        let next = if full { Some(now) } else { self.engine.next_due().await };
        if next.is_some_and(|next| next <= now) && tasks.is_empty() {
            // Another worker is just taking it: a moment later it is not due any more. Or it has just arrived.
            let woken = async {
                tokio::select! { () = stop.cancelled() => {}, () = self.engine.wake.notified() => {} }
            };
            let _ = tokio::time::timeout(Duration::from_millis(20), woken).await;
            return;
        }
        // What is due already waits for a place, not for the clock.
        let waits_for_place = next.is_some_and(|next| next <= now);
        let idle = if waits_for_place { SignedDuration::from_secs(1) } else { self.pace.idle };
        let until = next.filter(|next| *next > now).unwrap_or(Timestamp::MAX).min(now + idle);
        self.idle.send_replace(tasks.is_empty());
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.engine.wake.notified() => {}
            () = self.engine.clock.sleep_until(until) => {}
            Some(ended) = tasks.join_next() => {
                report(ended);
                if full {
                    gather(tasks).await;
                }
            }
        }
    }
}

/// While all places are taken, those that end within a moment are filled together: looking for what is due costs the same
/// for one as for many.
async fn gather(tasks: &mut JoinSet<()>) {
    let more = async {
        for _ in 0..TOGETHER {
            join_one(tasks).await;
        }
    };
    // Whether so many ended or the moment did makes no difference.
    let _ = tokio::time::timeout(MOMENT, more).await;
}

/// A step that takes too long is dropped; its lease lapses and the row says where to go on.
fn begin(tasks: &mut JoinSet<()>, limit: Duration, work: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(async move {
        if tokio::time::timeout(limit, work).await.is_err() {
            warn!("a step took too long and was dropped; it is repeated");
        }
    });
}

async fn join_one(tasks: &mut JoinSet<()>) {
    if let Some(ended) = tasks.join_next().await {
        report(ended);
    }
}

/// A step that panicked is reported; its lease lapses, and no other request is touched.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(problem) = ended {
        error!(%problem, "a step broke off");
    }
}
