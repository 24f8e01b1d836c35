//! The sweep: each tenant's assignments compared with what the database holds of them, both ways.
//!
//! Each tenant is compared once in its interval by whichever worker comes first; the row in `sweeps` is the job. It reads
//! every list once, one page at a time, so that grants never wait for it, and [`crate::domain::sweep`] says what follows. A
//! list that cannot be read to its end proves nothing about what it should have shown.
//!
//! * In force here, gone there: looked for by itself; ended here after two looks that miss it. Nothing is ever removed for it.
//! * Ours there, over here: removed again (`overstay.rs`).
//! * Nobody's there: a finding for as long as it lasts, and never touched.
//! * Ending later than approved, or never: a finding, and the request's own step is due at once.
//!
//! Whether the ticket behind an assignment still stands is not asked here: `watch.rs` reads it for each request.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::{Engine, Entra, Ports, Records, Tenant, retry};
use crate::{
    domain::{
        assignment::{Holding, Sighting},
        id::{RequestId, TenantName},
        request::{EndCause, EndOrder},
        sweep::{Books, Follows, Hand, Held, LAG, MISSED_APART, Missed, Stands, compare, hand, is_of_pim, shows_any},
        target::Target,
    },
    graph::{Everybody, GraphError, Retry},
    store::{NewFinding, StoreError, Sweep, SweepResult},
};

/// A tenant is compared this often, or sooner while something is doubted.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// After a comparison that could not read everything, at the earliest.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// A comparison is given up after this long: many pages, one after the other.
pub(super) const SWEEP_WITHIN: Duration = Duration::from_mins(10);

/// The database is asked this often at least whether a comparison is due.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The right to make it lasts a little longer.
const LEASE: SignedDuration = SignedDuration::from_secs(11 * 60);

/// One comparison looks so many holdings up by themselves; the rest is left for the next one.
const MOST_LOOKED: u32 = 50;

/// So many comparisons in a row may fail before somebody is told.
const FORGIVEN: u32 = 2;

/// What is told of assignments that are not stint's.
const OUT_OF_BAND: &str = "out-of-band";
const UNKNOWN_MARKER: &str = "unknown-marker";

/// What is told of a tenant that cannot be compared, and about which of its things.
const FAILED: (&str, &str) = ("sweep-failed", "sweep");

/// One comparison as it goes on.
pub(super) struct Run<'a, E> {
    pub(super) sweep: &'a Sweep,
    pub(super) tenant: &'a Tenant<E>,
    began: Timestamp,
    looks_left: u32,
    /// Something is to be looked at again soon.
    pub(super) doubted: bool,
    /// Why something could not be read.
    trouble: Option<GraphError>,
}

impl<P: Ports> Engine<P> {
    /// Up to `limit` comparisons that are due, leased. What cannot be leased now is asked for again soon.
    pub(super) async fn due_sweeps(&self, limit: u32) -> Vec<Sweep> {
        let now = self.clock.now();
        if limit == 0 || self.next_sweep().is_some_and(|next| now < next) {
            return vec![];
        }
        let due = self.lease_sweeps(now, limit).await;
        due.unwrap_or_else(|problem| {
            warn!(%problem, "no comparison with Graph can be leased; trying again");
            self.plan_sweep(now + SignedDuration::from_secs(5));
            vec![]
        })
    }

    async fn lease_sweeps(&self, now: Timestamp, limit: u32) -> Result<Vec<Sweep>, StoreError> {
        let tenants: Vec<_> = self.tenants.keys().map(|name| (name.clone(), now + INTERVAL)).collect();
        let sweeps = self.store.lease_sweeps(&tenants, now, now + LEASE, limit).await?;
        self.plan_next_sweep().await?;
        Ok(sweeps)
    }

    async fn plan_next_sweep(&self) -> Result<(), StoreError> {
        let names: Vec<_> = self.tenants.keys().cloned().collect();
        let next = self.store.next_sweep(&names).await?;
        // Another process may conclude one meanwhile, and want the next sooner than its lease would have lasted.
        self.plan_sweep(next.unwrap_or(Timestamp::MAX).min(self.clock.now() + ASK_AGAIN));
        Ok(())
    }

    /// When this process next asks whether a comparison is due; `None` before it ever did.
    pub(super) fn next_sweep(&self) -> Option<Timestamp> {
        *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan_sweep(&self, at: Timestamp) {
        *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Makes one comparison and says when the next one is due.
    pub(super) async fn sweep(&self, sweep: Sweep) {
        let Some(tenant) = self.tenants.get(&sweep.tenant) else { return };
        let began = self.clock.now();
        let mut run = Run { sweep: &sweep, tenant, began, looks_left: MOST_LOOKED, doubted: false, trouble: None };
        let outcome = self.compare(&mut run).await;
        self.mind_tenants().await;
        let (result, due_at) = self.outcome(&run, outcome);
        if let SweepResult::Failed(why) = &result {
            warn!(tenant = %sweep.tenant, why, "assignments could not all be compared; it is repeated");
        }
        if let Err(problem) = self.tell_result(&sweep, &result).await {
            warn!(tenant = %sweep.tenant, %problem, "how a comparison came out is not told");
        }
        if let Err(problem) = self.store.conclude_sweep(&sweep, &result, due_at).await {
            warn!(tenant = %sweep.tenant, %problem, "a comparison is not recorded; its lease lapses");
        }
        if let Err(problem) = self.plan_next_sweep().await {
            warn!(%problem, "the next comparison cannot be planned; it is asked for again");
            self.plan_sweep(self.clock.now() + SignedDuration::from_secs(5));
        }
    }

    /// How it came out, and when the next one is due.
    fn outcome(&self, run: &Run<'_, P::Entra>, outcome: Result<(), StoreError>) -> (SweepResult, Timestamp) {
        let now = self.clock.now();
        let next = if run.doubted { now + MISSED_APART } else { run.began + INTERVAL };
        let next = next.max(now + AGAIN);
        match (outcome, &run.trouble) {
            (Err(problem), _) => (SweepResult::Failed(problem.to_string()), now + AGAIN),
            (Ok(()), None) => (SweepResult::Whole(run.began), next),
            (Ok(()), Some(error)) if error.retry() == Retry::Never => (SweepResult::Failed(error.to_string()), next),
            (Ok(()), Some(error)) => {
                let again = retry::after_graph_error(now, error, run.sweep.failures).min(run.began + INTERVAL);
                (SweepResult::Failed(error.to_string()), again.max(now + AGAIN))
            }
        }
    }

    /// A tenant that cannot be compared is told of once, until it can.
    async fn tell_result(&self, sweep: &Sweep, result: &SweepResult) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (kind, subject) = FAILED;
        match result {
            SweepResult::Whole(_) => self.store.clear_of_subjects(&sweep.tenant, &[kind], &[], &[], now).await,
            SweepResult::Failed(why) if sweep.failures >= FORGIVEN => {
                let finding = NewFinding { kind, detail: json!({ "why": why }) };
                self.store.raise_of_subject(&sweep.tenant, subject, &finding, now).await.map(drop)
            }
            SweepResult::Failed(_) => Ok(()),
        }
    }

    async fn compare(&self, run: &mut Run<'_, P::Entra>) -> Result<(), StoreError> {
        let name = &run.sweep.tenant;
        let targets = self.swept_targets(name, run.tenant).await?;
        let Everybody { shown, trouble } = run.tenant.graph.everybody(&targets).await;
        run.trouble = trouble;
        let read: Vec<_> = shown.read.iter().cloned().collect();
        self.store.settle_removals(name, &read, &shown.held, self.clock.now()).await?;
        let books = self.store.books(name, &shown.held).await?;
        let mut follows = compare(&books, &shown, run.began, self.clock.now());
        follows.sort_by_key(urgency);
        for one in follows {
            self.follow(run, &books, one).await?;
        }
        let keep: Vec<_> = shown.held.iter().map(|held| held.instance.id.clone()).collect();
        let unread = targets.iter().filter(|target| !shown.read.contains(target));
        let unread: Vec<_> = unread.map(ToString::to_string).collect();
        let kinds = [OUT_OF_BAND, UNKNOWN_MARKER];
        self.store.clear_of_subjects(name, &kinds, &keep, &unread, self.clock.now()).await
    }

    /// What the catalog gives, and what open requests give that it no longer names.
    async fn swept_targets(&self, name: &TenantName, tenant: &Tenant<P::Entra>) -> Result<Vec<Target>, StoreError> {
        let catalog = tenant.catalog.entitlements.values().map(|entitlement| entitlement.target.clone());
        let all: BTreeSet<_> = catalog.chain(self.store.open_targets(name).await?).collect();
        Ok(all.into_iter().collect())
    }

    async fn follow(&self, run: &mut Run<'_, P::Entra>, books: &Books, follows: Follows) -> Result<(), StoreError> {
        match follows {
            Follows::Back(request) => self.store.find_again(request).await,
            Follows::Missed(missed) => self.look_for(run, &missed).await,
            Follows::TooLong(requests, held) => self.too_long(run, &requests, &held).await,
            Follows::Overstays(request, held) => self.overstays(run, request, &held).await,
            Follows::Stray(held) if run.is_in_catalog(&held) => self.stray(run, books, &held).await,
            Follows::Stray(_) => Ok(()),
        }
    }

    /// Looks for an assignment that its list does not show, and ends the request after two looks that miss it.
    async fn look_for(&self, run: &mut Run<'_, P::Entra>, missed: &Missed) -> Result<(), StoreError> {
        let Some(sighting) = run.look(&missed.holding).await else { return Ok(()) };
        let now = self.clock.now();
        match missed.since {
            Some(_) if shows_any(&sighting) => self.store.find_again(missed.request).await,
            _ if shows_any(&sighting) => Ok(()),
            Some(since) if now.duration_since(since) >= MISSED_APART => self.end_missed(missed.request, since).await,
            _ => {
                run.doubted = true;
                self.store.miss(missed.request, now).await
            }
        }
    }

    async fn end_missed(&self, request: RequestId, since: Timestamp) -> Result<(), StoreError> {
        let now = self.clock.now();
        let reason = "somebody else removed it in Microsoft Entra";
        let order = EndOrder::by_stint(EndCause::Revoked, reason, false, now);
        let finding = NewFinding { kind: "removed-outside", detail: json!({ "unseen_since": since }) };
        if self.store.end_missed(request, since, &order, &finding).await? {
            info!(%request, "its assignment is gone from Entra by somebody else's hand");
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn too_long(&self, run: &Run<'_, P::Entra>, requests: &[RequestId], held: &Held) -> Result<(), StoreError> {
        let kind = if held.instance.ends_at.is_some() { "end-late" } else { "end-missing" };
        let finding = NewFinding { kind, detail: json!({ "instance": held.instance }) };
        for request in requests {
            self.store.raise_of_request(&run.sweep.tenant, *request, &finding, self.clock.now()).await?;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// An assignment that no attempt made: whose it is, its schedule request may tell.
    async fn stray(&self, run: &mut Run<'_, P::Entra>, books: &Books, held: &Held) -> Result<(), StoreError> {
        if !is_of_pim(&held.instance) {
            return self.tell_stray(run, OUT_OF_BAND, told(held)).await;
        }
        let Some(sighting) = run.look(&held.holding).await else { return Ok(()) };
        let marked = match hand(&sighting, &held.instance) {
            Hand::Unclear => return Ok(()),
            Hand::Foreign => return self.tell_stray(run, OUT_OF_BAND, told(held)).await,
            Hand::Marked(request) => request,
        };
        let Some(entry) = self.store.entry(&run.sweep.tenant, marked).await? else {
            let mut detail = told(held);
            detail["request"] = json!(marked);
            return self.tell_stray(run, UNKNOWN_MARKER, detail).await;
        };
        match entry.stands {
            // A marker that was copied makes nothing stint's.
            _ if entry.holding != held.holding => self.tell_stray(run, OUT_OF_BAND, told(held)).await,
            Stands::Over(since) if since + LAG <= run.began && !books.is_open(&held.holding) => {
                self.overstays(run, marked, held).await
            }
            _ => Ok(()),
        }
    }

    async fn tell_stray(&self, run: &Run<'_, P::Entra>, kind: &'static str, detail: Value) -> Result<(), StoreError> {
        let finding = NewFinding { kind, detail };
        let subject = finding.detail["instance"].as_str().unwrap_or_default();
        if self.store.raise_of_subject(&run.sweep.tenant, subject, &finding, self.clock.now()).await? {
            warn!(tenant = %run.sweep.tenant, kind, instance = subject, "an assignment that is not stint's");
        }
        Ok(())
    }
}

impl<E: Entra> Run<'_, E> {
    /// Everything PIM shows about a holding now; `None` when that must wait or cannot be read.
    async fn look(&mut self, holding: &Holding) -> Option<Sighting> {
        if self.looks_left == 0 {
            self.doubted = true;
            return None;
        }
        self.looks_left -= 1;
        match self.tenant.graph.look(holding).await {
            Ok(sighting) => Some(sighting),
            Err(error) => self.stop_looking(error),
        }
    }

    /// Nothing more is looked up in this comparison.
    pub(super) fn stop_looking<T>(&mut self, error: GraphError) -> Option<T> {
        (self.looks_left, self.doubted, self.trouble) = (0, true, Some(error));
        None
    }

    fn is_in_catalog(&self, held: &Held) -> bool {
        self.tenant.catalog.entitlements.values().any(|entitlement| entitlement.target == held.holding.target)
    }
}

/// What was doubted longest comes first, and what is only to be told comes last.
fn urgency(follows: &Follows) -> (u8, Timestamp) {
    match follows {
        Follows::Overstays(..) => (0, Timestamp::MIN),
        Follows::Back(_) | Follows::TooLong(..) => (1, Timestamp::MIN),
        Follows::Missed(missed) => (2, missed.since.unwrap_or(Timestamp::MAX)),
        Follows::Stray(_) => (3, Timestamp::MIN),
    }
}

/// What is told of an assignment that is not stint's.
fn told(held: &Held) -> Value {
    json!({
        "principal": held.holding.principal,
        "target": held.holding.target.to_string(),
        "starts_at": held.instance.starts_at,
        "ends_at": held.instance.ends_at,
        "instance": held.instance.id,
        "schedule": held.instance.schedule_id,
    })
}
