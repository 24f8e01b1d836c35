//! The time, as an argument.
//!
//! Everything that needs to know or await the time holds a [`Clock`]. The service runs on the system's; `demo`,
//! `sandbox` and the tests move a manual one. No configuration reaches this choice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A source of wall-clock and monotonic time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual(Arc<ManualClock>),
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
    /// All that it was ever moved forwards, in microseconds: what a monotonic clock shows.
    passed: AtomicU64,
}

impl Clock {
    /// The machine's own clocks.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock moved by its holder.
    #[must_use]
    pub fn manual(manual: Arc<ManualClock>) -> Self {
        Self(Source::Manual(manual))
    }

    /// The wall clock, cut to the microseconds that Postgres keeps.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the time comes in")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => to_micros(Timestamp::now()),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Time since this clock was made; unlike [`Clock::now`] nobody can set it back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual(manual) => Duration::from_micros(manual.passed.load(Ordering::Relaxed)),
        }
    }

    /// Returns once the wall clock shows this moment or a later one.
    #[expect(clippy::disallowed_methods, reason = "here the time comes in")]
    pub async fn sleep_until(&self, moment: Timestamp) {
        match &self.0 {
            Source::System { .. } => {
                let wait = moment.duration_since(Timestamp::now());
                tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
            }
            Source::Manual(manual) => {
                let mut now = manual.now.subscribe();
                // The sender lives as long as this clock, so the wait ends only with the moment.
                let _ = now.wait_for(|now| *now >= moment).await;
            }
        }
    }
}

impl ManualClock {
    /// A clock standing at this moment.
    #[must_use]
    pub fn at(moment: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: watch::Sender::new(to_micros(moment)), passed: AtomicU64::new(0) })
    }

    /// The moment it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Moves it on, waking whoever waited for a moment passed on the way.
    pub fn advance(&self, by: SignedDuration) {
        self.now.send_modify(|now| self.step(now, now.saturating_add(by).unwrap_or(Timestamp::MAX)));
    }

    /// Moves it to this moment, forwards or back.
    pub fn set(&self, moment: Timestamp) {
        self.now.send_modify(|now| self.step(now, moment));
    }

    /// Somebody sets the wall clock, forwards or back; no time passes.
    pub fn jump(&self, by: SignedDuration) {
        self.now.send_modify(|now| *now = to_micros(now.saturating_add(by).unwrap_or(*now)));
    }

    fn step(&self, now: &mut Timestamp, moment: Timestamp) {
        let moment = to_micros(moment);
        let forwards = moment.as_microsecond().saturating_sub(now.as_microsecond());
        self.passed.fetch_add(u64::try_from(forwards).unwrap_or(0), Ordering::Relaxed);
        *now = moment;
    }
}

fn to_micros(moment: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(moment.as_microsecond()).unwrap_or(moment)
}
