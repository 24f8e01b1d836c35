//! A worker: the real engine over the models, with its steps as futures that the player polls.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, atomic::AtomicI64},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use stint::{
    clock::{Clock, ManualClock},
    engine::{Due, Engine, Ports, Tenant},
    store::Room,
    telemetry::Metrics,
};

use crate::{entra::ModelEntra, people, records::ModelRecords, scene::Scene, tickets::ModelDesk};

/// How the engine reaches the models.
#[derive(Debug)]
pub struct Model;

impl Ports for Model {
    type Records = ModelRecords;
    type Entra = ModelEntra;
    type Desk = ModelDesk;
    type Log = ();

    async fn within<F>(limit: Duration, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        crate::scene::within(limit, work).await
    }
}

/// Steps and notes at a time.
pub const IN_FLIGHT: u32 = 8;
const LEASE: SignedDuration = SignedDuration::from_secs(120);
const STEP: Duration = Duration::from_secs(100);

/// Counters are nobody's concern here.
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(|| Arc::new(Metrics::new()));

/// What a task comes to: nothing, or what it leased.
pub type Work = Pin<Box<dyn Future<Output = Vec<Due>> + Send>>;

/// A task of a worker.
pub struct Task {
    pub id: u64,
    pub work: Work,
    /// It is dropped then.
    pub until: Timestamp,
    pub is_lease: bool,
}

pub struct Worker {
    engine: Arc<Engine<Model>>,
    pub tasks: Vec<Task>,
    /// When it looks for work again.
    pub looks_at: Timestamp,
    /// It stands still until then.
    pub stopped: Option<Timestamp>,
    /// It is dead, and back then.
    pub dead: Option<Timestamp>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

fn engine(scene: &Scene, clock: &Arc<ManualClock>) -> Arc<Engine<Model>> {
    let clock = Clock::manual(Arc::clone(clock));
    let desk = |place| {
        let desk = ModelDesk { scene: scene.clone(), place, clock: clock.clone(), common: people::settings(place) };
        (people::connection(place), Arc::new(desk))
    };
    let tenant = |tenant| {
        let (scene, clock, told) = (scene.clone(), clock.clone(), Mutex::default());
        let graph = ModelEntra { scene, tenant, clock, ahead: AtomicI64::new(0), told };
        (people::tenant(tenant), Tenant { graph, catalog: people::catalog(), never: vec![] })
    };
    let desks: HashMap<_, _> = (0..people::CONNECTIONS.len()).map(desk).collect();
    let tenants: HashMap<_, _> = (0..people::TENANTS.len()).map(tenant).collect();
    let records = ModelRecords { scene: scene.clone() };
    Arc::new(Engine::over(records, clock, desks, tenants, Arc::clone(&METRICS), ()))
}

impl Worker {
    pub fn new(scene: &Scene, clock: &Arc<ManualClock>, now: Timestamp) -> Self {
        let engine = engine(scene, clock);
        Self { engine, tasks: vec![], looks_at: now, stopped: None, dead: None }
    }

    /// Whether it may do anything.
    pub fn is_up(&self) -> bool {
        self.dead.is_none() && self.stopped.is_none()
    }

    /// Whether it is to look for work now.
    pub fn looks(&self, now: Timestamp) -> bool {
        let leasing = self.tasks.iter().any(|task| task.is_lease);
        self.is_up() && !leasing && self.looks_at <= now && self.tasks.len() < IN_FLIGHT as usize
    }

    /// A task that leases what is due.
    pub fn lease(&self, id: u64, now: Timestamp) -> Task {
        let engine = Arc::clone(&self.engine);
        let room = IN_FLIGHT - u32::try_from(self.tasks.len()).unwrap_or(IN_FLIGHT);
        let kept = IN_FLIGHT / 4;
        let others = room.saturating_sub(kept);
        let room = Room { ends: room, others, per_connection: IN_FLIGHT / 2, per_tenant: IN_FLIGHT / 4 };
        let work = Box::pin(async move {
            let mut due = engine.lease_steps(LEASE, room).await.unwrap_or_default();
            let steps = due.iter().filter(|due| !due.is_end()).count();
            let left = room.others.saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
            if left > 0 {
                let room = Room { others: left, ..room };
                due.extend(engine.lease_others(LEASE, room).await.unwrap_or_default());
            }
            due
        });
        Task { id, work, until: now + SignedDuration::from_hours(1), is_lease: true }
    }

    /// A task that performs this.
    pub fn perform(&self, id: u64, due: Due, now: Timestamp) -> Task {
        let engine = Arc::clone(&self.engine);
        let limit = SignedDuration::try_from(due.limit(STEP)).unwrap_or(SignedDuration::MAX);
        let work = Box::pin(async move {
            engine.perform(due).await;
            vec![]
        });
        Task { id, work, until: now + limit, is_lease: false }
    }
}
