//! Counts the side effects of one process and decides which of them is the last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::Request;
use rustix::process::{Pid, Signal, kill_process};
use stint::sandbox::{Gate, Way};
use tokio::sync::watch;

use crate::labels;

/// One side effect: the n-th of its kind, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Effect {
    /// `GET graph /v1.0/users/…` or `commit store::advance::…`
    pub label: String,
    pub nth: usize,
}

/// When the process is stopped, and what the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Stopped before it is carried out.
    Before,
    /// It is carried out, and the process stopped before it hears of that.
    After,
    /// The network does this, and the process is stopped when it comes to its next side effect.
    Then(Way),
}

/// What happens to a side effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    /// The process is stopped; nothing is done, unless it goes on later.
    Stopped {
        goes_on: bool,
    },
    /// It is to be carried out, and the process stopped by [`Director::strike`] before it hears of that.
    LastDone,
    /// The network does this.
    Suffers(Way),
}

/// Whoever decides.
pub struct Director {
    state: Mutex<State>,
    struck: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    seen: Vec<Effect>,
    counts: HashMap<String, usize>,
    plan: Option<(Effect, Stroke)>,
    armed: bool,
    pid: Option<Pid>,
    /// Whether the process is only stopped, to go on later.
    pauses: bool,
    /// Whether the process goes on and may not know yet how late it is.
    wakes: bool,
}

impl Director {
    /// One who strikes at this effect, or nowhere. `pauses`: the process goes on later.
    pub fn new(plan: Option<(Effect, Stroke)>, pauses: bool) -> Arc<Self> {
        let state = Mutex::new(State { plan, pauses, ..State::default() });
        Arc::new(Self { state, struck: watch::Sender::new(false) })
    }

    /// Which process is directed.
    pub fn directs(&self, pid: Pid) {
        self.state().pid = Some(pid);
    }

    /// Whether the process was stopped.
    pub fn struck(&self) -> watch::Receiver<bool> {
        self.struck.subscribe()
    }

    /// A real clock never stands still, but this process is told the time: until it knows, no call gets through.
    pub fn wakes(&self, wakes: bool) {
        self.state().wakes = wakes;
    }

    /// Every side effect so far, in order.
    pub fn seen(&self) -> Vec<Effect> {
        self.state().seen.clone()
    }

    /// A side effect is about to happen. Once the process was stopped, everything passes.
    pub fn effect(&self, label: String) -> Fate {
        if *self.struck.borrow() {
            return Fate::Pass;
        }
        let mut state = self.state();
        let count = state.counts.entry(label.clone()).or_default();
        *count += 1;
        let effect = Effect { label, nth: *count };
        state.seen.push(effect.clone());
        let stroke = state.plan.as_ref().filter(|(of, _)| *of == effect).map(|(_, stroke)| *stroke);
        if state.armed {
            drop(state);
            return Fate::Stopped { goes_on: self.strike() };
        }
        match stroke {
            None => Fate::Pass,
            Some(Stroke::Before) => {
                drop(state);
                Fate::Stopped { goes_on: self.strike() }
            }
            Some(Stroke::After) => Fate::LastDone,
            Some(Stroke::Then(way)) => {
                state.armed = true;
                Fate::Suffers(way)
            }
        }
    }

    /// Stops the process now; whether it goes on later.
    pub fn strike(&self) -> bool {
        let (pid, pauses) = {
            let state = self.state();
            (state.pid, state.pauses)
        };
        let signal = if pauses { Signal::STOP } else { Signal::KILL };
        if let Some(pid) = pid {
            // One that is gone already is what was wanted.
            let _ = kill_process(pid, signal);
        }
        self.struck.send_replace(true);
        pauses
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }
}

/// A gate before the simulators at which the director stands.
pub fn gate(director: &Arc<Director>) -> Gate {
    let director = Arc::clone(director);
    Arc::new(move |server, request: &Request<Bytes>| match director.effect(labels::of_call(server, request)) {
        Fate::Pass if director.state().wakes => Way::LostBefore,
        Fate::Pass => Way::Through,
        Fate::Stopped { .. } => Way::SilentBefore,
        Fate::LastDone => {
            director.strike();
            Way::SilentAfter
        }
        Fate::Suffers(way) => way,
    })
}
