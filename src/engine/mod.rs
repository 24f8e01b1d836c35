//! The order of work: reads, decides, assigns, proves, ends, tells.
//!
//! The engine interprets [`crate::domain::lifecycle`]. It leases what is due, performs the one effect that is due for
//! it, and hands the outcome to [`Store::advance`]. It holds no state of its own: whatever stops it, another worker goes
//! on from the row. The tenants' PIM and the ticket systems are asked; what they do not answer is never guessed.

mod absence;
mod answered;
mod assign;
mod confirm;
mod credential;
mod dry_run;
mod due;
mod end;
mod join;
mod leave;
mod look;
mod overstay;
mod ports;
mod reconcile;
mod reread;
mod retry;
mod seal;
mod sessions;
mod step;
mod sweep;
mod tenant_fault;
mod verify;
mod watch;
mod worker;
mod write_back;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{
    clock::Clock,
    domain::{
        audit::Actor,
        entitlement::Catalog,
        id::{ConnectionName, ObjectId, RequestId, TenantName},
        request::EndOrder,
    },
    graph::TenantGraph,
    store::{Ordered, Sealer, Store, StoreError},
    telemetry::Metrics,
    tickets::Connection,
};

pub use due::Due;
pub use ports::{Desk, Entra, Live, Ports, Records};
pub use seal::{Log, Publishing};
pub use worker::{Pace, Worker};

/// One tenant, as the engine needs it.
#[derive(Debug)]
pub struct Tenant<E = TenantGraph> {
    /// Its Graph.
    pub graph: E,
    /// What may be granted there.
    pub catalog: Catalog,
    /// Principals that never receive anything.
    pub never: Vec<ObjectId>,
}

/// Everything a step needs.
#[derive(Debug)]
pub struct Engine<P: Ports = Live> {
    store: P::Records,
    clock: Clock,
    connections: BTreeMap<ConnectionName, Arc<P::Desk>>,
    tenants: BTreeMap<TenantName, Tenant<P::Entra>>,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
    /// When this process next asks whether a search for missed approvals is due; `None` before it ever did.
    next_poll: Mutex<Option<Timestamp>>,
    /// The same for comparisons with Graph.
    next_sweep: Mutex<Option<Timestamp>>,
    /// Connections whose credential was taken, and when the database was told so.
    works: Mutex<HashMap<ConnectionName, Timestamp>>,
    /// Held while the database is told what calls say of a tenant, so that it is told in order.
    telling: tokio::sync::Mutex<()>,
    /// Seals and publishes the audit log.
    log: P::Log,
    /// Nothing is granted, whatever the connections say.
    dry_run: bool,
}

impl Engine {
    /// An engine over these neighbours.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        connections: HashMap<ConnectionName, Arc<Connection>>,
        tenants: HashMap<TenantName, Tenant>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let sealer = Arc::new(Sealer::new(store.clone(), None, vec![]));
        let log = Log { sealer, publishing: Publishing::default(), told: seal::Told::default() };
        Self::over(store, clock, connections, tenants, metrics, log)
    }

    /// The same engine, which seals the audit log with this sealer and publishes its signed heads.
    #[must_use]
    pub fn with_log(self, sealer: Arc<Sealer>, publishing: Publishing) -> Self {
        Self { log: Log { sealer, publishing, told: seal::Told::default() }, ..self }
    }
}

impl<P: Ports> Engine<P> {
    /// An engine over any neighbours.
    #[must_use]
    pub fn over(
        store: P::Records,
        clock: Clock,
        connections: HashMap<ConnectionName, Arc<P::Desk>>,
        tenants: HashMap<TenantName, Tenant<P::Entra>>,
        metrics: Arc<Metrics>,
        log: P::Log,
    ) -> Self {
        let (next_poll, next_sweep, works) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (wake, telling) = (Arc::new(Notify::new()), tokio::sync::Mutex::default());
        Self {
            store,
            clock,
            // In order, so that whatever is asked of all of them is asked in the same order each time.
            connections: connections.into_iter().collect(),
            tenants: tenants.into_iter().collect(),
            metrics,
            wake,
            next_poll,
            next_sweep,
            works,
            telling,
            log,
            dry_run: false,
        }
    }

    /// The same engine, which grants nothing when told so: PIM is only asked whether it would. Ends are never tried only.
    #[must_use]
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Wakes the worker of this process: something may be due.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Ends a request early on somebody's word: at once where nothing was sent, otherwise as soon as PIM allows. It
    /// never becomes active afterwards.
    ///
    /// # Errors
    /// When the order cannot be stored.
    pub async fn revoke(&self, request: RequestId, actor: Actor, reason: &str) -> Result<Ordered, StoreError> {
        let order = EndOrder::revocation(actor.clone(), reason, self.clock.now());
        let ordered = self.store.order_end(request, &actor, &order).await?;
        self.wake.notify_one();
        Ok(ordered)
    }
}
