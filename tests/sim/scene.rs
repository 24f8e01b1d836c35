//! The world that a schedule is played in: one true time, the neighbours' models, and a gate before each thing that the
//! engine asks of them.
//!
//! A call registers at its gate and waits. The player chooses whose turn it is and with which fault; only then the call's
//! effect happens, at once and whole. So the order of effects is a choice of the seed, and nothing else.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use stint::clock::ManualClock;

use crate::{fault::Fault, ledger::Ledger, pim::Pim, postgres::Database, rng::Rng, tally::Tally, tickets::Desks};

/// The world, shared by everything that a seed plays.
#[derive(Clone, Debug)]
pub struct Scene(Arc<Mutex<World>>);

#[derive(Debug)]
pub struct World {
    pub now: Timestamp,
    pub began: Timestamp,
    pub rng: Rng,
    /// Nothing goes wrong any more.
    pub calm: bool,
    pub faults: Vec<Fault>,
    pub per_mille: u64,
    pub gates: Vec<Gate>,
    drawn: u64,
    /// Whose future is being polled: worker and task.
    pub polled: (usize, u64),
    /// The clock of each worker.
    pub clocks: Vec<Arc<ManualClock>>,
    pub database: Database,
    pub pims: Vec<Pim>,
    pub desks: Desks,
    pub ledger: Ledger,
    pub tally: Tally,
    pub down: BTreeMap<Fault, Timestamp>,
    /// Calls that Graph carries out although nobody waits for them any more.
    pub late: Vec<(Timestamp, crate::entra::Late)>,
    pub trace: Trace,
}

/// What was chosen, folded into one number; and in words where somebody wants to read it.
#[derive(Debug, Default)]
pub struct Trace {
    pub digest: u64,
    pub lines: Option<Vec<String>>,
}

/// What waits at a gate.
#[derive(Debug)]
pub struct Gate {
    pub id: u64,
    pub worker: usize,
    pub task: u64,
    pub at: At,
    /// It is not let through before then.
    pub not_before: Option<Timestamp>,
    /// Let through.
    pub is_open: bool,
    /// With this going wrong.
    pub fault: Option<Fault>,
}

/// Before what a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A reading of the database, by the method's name.
    Read(&'static str),
    /// A reading of several statements.
    Load,
    /// A transaction.
    Commit(&'static str),
    GraphRead(&'static str),
    /// A call that changes something is about to leave.
    GraphSend(&'static str),
    /// The answer to it comes back.
    Answer(&'static str),
    TicketRead,
    TicketList,
    Note,
    /// The end of a time limit.
    Timer,
}

impl At {
    pub fn name(self) -> &'static str {
        match self {
            Self::Read(name)
            | Self::Commit(name)
            | Self::GraphRead(name)
            | Self::GraphSend(name)
            | Self::Answer(name) => name,
            Self::Load => "load",
            Self::TicketRead => "read-ticket",
            Self::TicketList => "list-tickets",
            Self::Note => "note",
            Self::Timer => "timer",
        }
    }

    /// What may go wrong there.
    pub fn faults(self) -> &'static [Fault] {
        use Fault as F;
        match self {
            Self::Read(_) => &[F::DbDown],
            Self::Load => &[F::DbDown, F::DbTorn],
            Self::Commit(_) => &[F::DbDown, F::DbLost, F::DbUnknown],
            Self::GraphRead("look" | "everybody") => {
                &[F::GraphDown, F::GraphThrottled, F::GraphLag, F::GraphUnreadable, F::GraphSlow, F::GraphPermission]
            }
            Self::GraphRead(_) => &[F::GraphDown, F::GraphThrottled, F::GraphUnreadable, F::GraphSlow],
            Self::GraphSend("assign") => &[
                F::GraphNotSent,
                F::GraphThrottled,
                F::GraphNotYet,
                F::GraphPermission,
                F::GraphRefused,
                F::GraphLostBefore,
                F::GraphLostAfter,
                F::GraphLate,
                F::GraphOdd,
                F::GraphPending,
                F::GraphHangs,
                F::GraphEndsLate,
                F::GraphEndless,
                F::GraphFails,
                F::GraphValidates,
                F::GraphSlow,
            ],
            Self::GraphSend(_) => &[
                F::GraphNotSent,
                F::GraphThrottled,
                F::GraphPermission,
                F::GraphRefused,
                F::GraphLostBefore,
                F::GraphLostAfter,
                F::GraphLate,
                F::GraphSlow,
            ],
            Self::TicketRead => &[
                F::TicketDown,
                F::TicketStale,
                F::TicketUnreadable,
                F::TicketThrottled,
                F::TicketForbidden,
                F::TicketCredential,
                F::TicketSlow,
                F::TicketHidden,
                F::TicketAnonymous,
            ],
            Self::TicketList => &[F::TicketDown, F::TicketUnreadable, F::TicketThrottled, F::TicketCredential],
            Self::Note => &[F::TicketDown, F::TicketThrottled, F::NoteLost, F::NoteUnanswered],
            Self::Answer(_) | Self::Timer => &[],
        }
    }

    /// The outage that reaches it.
    pub fn outage(self) -> Option<(Fault, Fault)> {
        match self {
            Self::Read(_) | Self::Load | Self::Commit(_) => Some((Fault::DbOutage, Fault::DbDown)),
            Self::GraphRead(_) => Some((Fault::GraphOutage, Fault::GraphDown)),
            Self::GraphSend(_) => Some((Fault::GraphOutage, Fault::GraphNotSent)),
            Self::TicketRead | Self::TicketList | Self::Note => Some((Fault::TicketOutage, Fault::TicketDown)),
            Self::Answer(_) | Self::Timer => None,
        }
    }
}

impl Trace {
    /// Keeps one more choice.
    pub fn keep(&mut self, now: Timestamp, parts: [u64; 3], words: impl FnOnce() -> String) {
        for part in [now.as_microsecond().cast_unsigned()].into_iter().chain(parts) {
            self.digest = (self.digest ^ part).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(words());
        }
    }
}

impl World {
    #[expect(clippy::too_many_arguments, reason = "the whole world; each part is used")]
    pub fn new(
        began: Timestamp,
        rng: Rng,
        faults: Vec<Fault>,
        per_mille: u64,
        clocks: Vec<Arc<ManualClock>>,
        pims: Vec<Pim>,
        desks: Desks,
        told: bool,
    ) -> Self {
        Self {
            now: began,
            began,
            rng,
            calm: false,
            faults,
            per_mille,
            gates: vec![],
            drawn: 0,
            polled: (0, 0),
            clocks,
            database: Database::default(),
            pims,
            desks,
            ledger: Ledger::default(),
            tally: Tally::default(),
            down: BTreeMap::new(),
            late: vec![],
            trace: Trace { digest: 0, lines: told.then(Vec::new) },
        }
    }

    /// Lets so much time pass, everywhere.
    pub fn pass(&mut self, time: SignedDuration) {
        self.now += time;
        for clock in &self.clocks {
            clock.advance(time);
        }
    }

    /// Seconds since the beginning.
    pub fn elapsed(&self) -> f64 {
        self.now.duration_since(self.began).as_secs_f64()
    }

    /// Says something in the trace.
    pub fn say(&mut self, words: impl FnOnce() -> String) {
        let (now, elapsed) = (self.now, self.elapsed());
        self.trace.keep(now, [0, 0, 0], || format!("{elapsed:9.3}  {}", words()));
    }
}

impl Scene {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn; how it is let through.
    pub async fn pass(&self, at: At) -> Option<Fault> {
        AtGate { scene: self.clone(), at, wait: None, id: None }.await
    }

    /// Waits so long.
    async fn wait(&self, wait: SignedDuration) {
        AtGate { scene: self.clone(), at: At::Timer, wait: Some(wait), id: None }.await;
    }
}

thread_local! {
    /// The scene that this thread plays.
    static PLAYED: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

/// Says which scene this thread plays from now on.
pub fn play_here(scene: &Scene) {
    PLAYED.with(|played| *played.borrow_mut() = Some(scene.clone()));
}

/// Works for so long at most, by the world's time.
pub async fn within<F>(limit: Duration, work: F) -> Option<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let scene = PLAYED.with(|played| played.borrow().clone())?;
    let wait = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    match select(pin!(work), pin!(scene.wait(wait))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

struct AtGate {
    scene: Scene,
    at: At,
    wait: Option<SignedDuration>,
    id: Option<u64>,
}

impl Future for AtGate {
    type Output = Option<Fault>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Fault>> {
        let scene = self.scene.clone();
        let mut world = scene.world();
        let Some(id) = self.id else {
            world.drawn += 1;
            let id = world.drawn;
            let (worker, task) = world.polled;
            let not_before = self.wait.map(|wait| world.now + wait);
            world.gates.push(Gate { id, worker, task, at: self.at, not_before, is_open: false, fault: None });
            self.id = Some(id);
            return Poll::Pending;
        };
        let Some(place) = world.gates.iter().position(|gate| gate.id == id && gate.is_open) else {
            return Poll::Pending;
        };
        let gate = world.gates.remove(place);
        self.id = None;
        Poll::Ready(gate.fault)
    }
}

impl Drop for AtGate {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.scene.world().gates.retain(|gate| gate.id != id);
        }
    }
}
