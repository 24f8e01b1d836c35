//! How long a tenant's Graph wants to be left alone (`contracts/graph.md` §8).
//!
//! A pause belongs to an area, is kept in this process alone, and is not waited out here: who asks meanwhile is told how
//! long it still lasts. Afterwards calls go through as few at a time as always, and the first that is throttled again
//! begins the next pause.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::part::Area;
use crate::domain::duration::Duration as Wait;

/// Whatever Graph asks for, a pause lasts at least and at most so long: `0` would be a storm, a century would be for ever.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(15);

/// Where Graph does not say how long: the first pause, and the longest after doubling.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);

/// One tenant's pauses.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<HashMap<Area, Pause>>);

#[derive(Debug, Default)]
struct Pause {
    until: Duration,
    throttled_at: Option<Duration>,
    /// How often in a row, counted once for calls that were under way together.
    times: u32,
}

impl Pauses {
    /// What is left of the area's pause, in whole seconds rounded up; `None` when there is none.
    pub(super) fn rest(&self, area: Area, now: Duration) -> Option<Wait> {
        let pauses = self.pauses();
        let left = pauses.get(&area)?.until.checked_sub(now).filter(|left| !left.is_zero())?;
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(Wait::seconds(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    /// A call begun then was throttled; `after` is what Graph asks for, `jitter` any number.
    pub(super) fn throttled(&self, area: Area, began: Duration, now: Duration, after: Option<Wait>, jitter: u32) {
        let mut pauses = self.pauses();
        let pause = pauses.entry(area).or_default();
        if pause.throttled_at.is_none_or(|at| at < began) {
            pause.times += 1;
        }
        let asked = after.map(|after| Duration::from_secs(u64::from(after.as_secs())).clamp(LEAST, MOST));
        let wait = asked.unwrap_or_else(|| growing(pause.times, jitter));
        pause.until = pause.until.max(now + wait);
        pause.throttled_at = Some(now);
    }

    /// A call begun then was answered: throttling counts from the start again.
    pub(super) fn answered(&self, area: Area, began: Duration) {
        if let Some(pause) = self.pauses().get_mut(&area)
            && pause.throttled_at.is_some_and(|at| at < began)
        {
            pause.times = 0;
        }
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<Area, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From two seconds, doubling up to a minute, each lengthened by up to a half of it.
fn growing(times: u32, jitter: u32) -> Duration {
    let base = FIRST.saturating_mul(1 << times.saturating_sub(1).min(5)).min(LONGEST);
    let more = base / 2 * (jitter % 1000) / 1000;
    (base + more).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rest(pauses: &Pauses, second: u64) -> Option<u32> {
        pauses.rest(Area::Roles, at(second)).map(Wait::as_secs)
    }

    #[test]
    fn a_pause_lasts_as_long_as_graph_asks_within_reason() {
        for (asked, lasts) in [(7, 7), (0, 1), (3_000_000_000, 900)] {
            let pauses = Pauses::default();
            pauses.throttled(Area::Roles, at(10), at(10), Some(Wait::seconds(asked)), 0);
            assert_eq!(rest(&pauses, 10), Some(lasts));
            assert_eq!(rest(&pauses, 10 + u64::from(lasts)), None);
            assert_eq!(pauses.rest(Area::Groups, at(10)), None);
        }
    }

    #[test]
    fn a_shorter_answer_of_a_call_under_way_does_not_shorten_the_pause() {
        let pauses = Pauses::default();
        pauses.throttled(Area::Roles, at(0), at(1), Some(Wait::seconds(60)), 0);
        pauses.throttled(Area::Roles, at(0), at(2), Some(Wait::seconds(1)), 0);
        assert_eq!(rest(&pauses, 2), Some(59));
    }

    #[test]
    fn without_a_word_on_it_pauses_double_up_to_a_minute() {
        let pauses = Pauses::default();
        let mut now = 0;
        for lasts in [2, 4, 8, 16, 32, 60, 60] {
            now += 100;
            pauses.throttled(Area::Roles, at(now), at(now), None, 0);
            pauses.throttled(Area::Roles, at(now), at(now), None, 0);
            assert_eq!(rest(&pauses, now), Some(lasts), "two at once count once");
        }
        pauses.answered(Area::Roles, at(now));
        pauses.answered(Area::Roles, at(now + 100));
        pauses.throttled(Area::Roles, at(now + 101), at(now + 101), None, 0);
        assert_eq!(rest(&pauses, now + 101), Some(2));
    }

    #[test]
    fn jitter_lengthens_by_less_than_a_half() {
        let all: Vec<_> = (0..1000).map(|jitter| growing(2, jitter)).collect();
        assert!(all.iter().all(|wait| (at(4)..at(6)).contains(wait)));
        assert_ne!(all[0], all[500]);
        assert_eq!(growing(30, 999), LONGEST);
    }
}
