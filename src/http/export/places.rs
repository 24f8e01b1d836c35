//! The places that exports take: a few in all, and one for each caller.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;
use crate::domain::audit::Actor;

/// Exports under way at a time, in this process.
const PLACES: usize = 4;

/// When to come back once they are all taken, in seconds.
const COME_BACK: u32 = 30;

/// The places there are, and who has one.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken_by: Callers,
}

#[derive(Clone, Debug, Default)]
struct Callers(Arc<Mutex<BTreeSet<String>>>);

/// A caller's place, free again once it is dropped.
pub(super) struct Place {
    by: String,
    taken_by: Callers,
    _permit: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(PLACES)), taken_by: Callers::default() }
    }
}

impl Places {
    /// # Errors
    /// 503 when all are taken, or one by this very caller.
    pub fn take(&self, by: &Actor) -> Result<Place, Problem> {
        let place = Arc::clone(&self.free).try_acquire_owned();
        let place = place.map_err(|_| Problem::unavailable("as many exports as may be are under way", COME_BACK))?;
        let (by, taken_by) = (by.to_string(), self.taken_by.clone());
        if !taken_by.all().insert(by.clone()) {
            return Err(Problem::unavailable("another export of yours is under way", COME_BACK));
        }
        Ok(Place { by, taken_by, _permit: place })
    }
}

impl Callers {
    fn all(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken_by.all().remove(&self.by);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::ObjectId;

    fn caller(number: u128) -> Actor {
        Actor::caller(Uuid::nil(), ObjectId(Uuid::from_u128(number)))
    }

    #[test]
    fn a_caller_has_one_place_until_it_is_dropped_and_all_have_four() {
        let places = Places::default();
        let first = places.take(&caller(1)).expect("a place");
        let refused = places.take(&caller(1)).err().expect("refused");
        assert_eq!(refused.detail(), "another export of yours is under way");
        drop(first);
        let all: Vec<_> = (1..=4).map(|number| places.take(&caller(number)).expect("a place")).collect();
        let refused = places.take(&caller(5)).err().expect("refused");
        assert_eq!(refused.detail(), "as many exports as may be are under way");
        drop(all);
        assert!(places.take(&caller(1)).is_ok());
    }
}
