//! How many calls a tenant makes, in ten seconds and at once (`contracts/graph.md §8`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::wire::lock;
use super::state::State;

/// The most calls of a tenant that were under way at the same time; PIM bears two writes and four reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MostInFlight {
    /// Calls that change something.
    pub writes: usize,
    /// All others.
    pub reads: usize,
}

/// The traffic of all tenants.
#[derive(Default)]
pub(super) struct Traffic(HashMap<Uuid, OfTenant>);

#[derive(Default)]
struct OfTenant {
    recent: VecDeque<Timestamp>,
    now: MostInFlight,
    most: MostInFlight,
}

/// A call under way, until this is dropped.
pub(super) struct InFlight {
    state: Arc<Mutex<State>>,
    tenant: Uuid,
    writes: bool,
}

const WINDOW_SECONDS: i64 = 10;

impl Traffic {
    /// Counts a call. One too many is told how many seconds to wait; it counts against the quota all the same.
    pub(super) fn count(&mut self, tenant: Uuid, limit: Option<usize>, now: Timestamp) -> Result<(), u64> {
        let recent = &mut self.0.entry(tenant).or_default().recent;
        let window = SignedDuration::from_secs(WINDOW_SECONDS);
        while recent.front().is_some_and(|at| now.duration_since(*at) >= window) {
            recent.pop_front();
        }
        recent.push_back(now);
        let Some(limit) = limit.filter(|limit| recent.len() > *limit) else {
            return Ok(());
        };
        // Free again when fewer than `limit` calls are left in the window.
        let last_in_the_way = recent[recent.len() - limit.max(1)];
        let waited = now.duration_since(last_in_the_way).as_secs();
        Err(u64::try_from(WINDOW_SECONDS - waited).unwrap_or(1))
    }

    pub(super) fn most(&self, tenant: Uuid) -> MostInFlight {
        self.0.get(&tenant).map(|traffic| traffic.most).unwrap_or_default()
    }

    fn begin(&mut self, tenant: Uuid, writes: bool) {
        let OfTenant { now, most, .. } = self.0.entry(tenant).or_default();
        let (now, most) = if writes { (&mut now.writes, &mut most.writes) } else { (&mut now.reads, &mut most.reads) };
        *now += 1;
        *most = (*most).max(*now);
    }

    fn end(&mut self, tenant: Uuid, writes: bool) {
        let now = &mut self.0.entry(tenant).or_default().now;
        let now = if writes { &mut now.writes } else { &mut now.reads };
        *now = now.saturating_sub(1);
    }
}

impl InFlight {
    pub(super) fn begin(state: &Arc<Mutex<State>>, tenant: Uuid, writes: bool) -> Self {
        lock(state).traffic.begin(tenant, writes);
        Self { state: Arc::clone(state), tenant, writes }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.state).traffic.end(self.tenant, self.writes);
    }
}
