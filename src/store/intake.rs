//! Deliveries that wait together are committed together.
//!
//! Whoever finds nobody at work begins at once, alone; whoever comes meanwhile waits for the group after that. So there is
//! no timer, a lone delivery waits for nothing, and the more arrive the fewer commits each takes. Everybody is answered
//! after their own commit only. A group is written by one statement or not at all: what the database refuses because of
//! one delivery is halved until that one is alone, and what others block goes on by itself, so neither keeps a group
//! waiting. What may or may not have been committed is answered with an error, to all of them.

mod group;
mod plan;
mod rows;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use self::group::{Group, Waiting};
use super::{
    Store, StoreError,
    deliveries::{Delivery, Received},
};
use crate::domain::id::ConnectionName;

/// Groups that are written at a time: while one is made durable, the next one is put together and written.
pub(super) const AT_WORK: u32 = 2;

/// Deliveries of one connection that may wait; further ones are refused, and their sender repeats them.
const LINE: usize = 1024;

/// A group waits no longer than this for a row or key that somebody else holds.
pub(super) const BLOCKED: &str = "250ms";

/// A delivery that deadlocks is tried this often.
const TRIES: u32 = 3;

/// Where deliveries wait.
#[derive(Debug, Default)]
pub(super) struct Intake {
    queue: Mutex<Queue>,
}

/// Those who wait: a line for each connection, served in turn.
#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Line>,
    at_work: u32,
}

#[derive(Debug)]
struct Line {
    connection: ConnectionName,
    waiting: VecDeque<Waiting>,
}

/// The right to write groups, until nobody waits.
struct Turn {
    intake: Arc<Intake>,
    over: bool,
}

/// What an error says about the deliveries of a group that was not written.
enum Setback {
    /// One of them cannot be written.
    Refused,
    /// Somebody else holds what one of them needs.
    Blocked,
    /// It may have been written.
    Unclear,
}

impl Intake {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a delivery wait for its group. The turn is whose who has to begin now; `None`: others see to it.
    fn wait(self: &Arc<Self>, waiting: Waiting) -> Result<Option<Turn>, StoreError> {
        let mut queue = self.queue();
        queue.line_up(waiting)?;
        if queue.at_work >= AT_WORK {
            return Ok(None);
        }
        queue.at_work += 1;
        Ok(Some(Turn { intake: Arc::clone(self), over: false }))
    }

    /// Tells a group that it may not be stored. While there is no connection nobody is left to wait for one after another.
    fn fail(&self, group: Group, error: StoreError) {
        if matches!(error, StoreError::Database(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)) {
            self.queue().lines.clear();
        }
        group.fail(error);
    }
}

impl Queue {
    fn line_up(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        let connection = &waiting.delivery.connection;
        let Some(line) = self.lines.iter_mut().find(|line| line.connection == *connection) else {
            let connection = connection.clone();
            self.lines.push_back(Line { connection, waiting: VecDeque::from([waiting]) });
            return Ok(());
        };
        if line.waiting.len() >= LINE {
            return Err(StoreError::NotTakenIn);
        }
        line.waiting.push_back(waiting);
        Ok(())
    }

    /// The next group: one delivery of each connection in turn, each connection's in the order of their arrival.
    fn group(&mut self) -> Group {
        let (mut group, mut rest) = (Group::default(), VecDeque::new());
        while let Some(mut line) = self.lines.pop_front() {
            let Some(next) = line.waiting.pop_front() else { continue };
            match group.add(next) {
                Ok(()) => self.lines.push_back(line),
                Err(next) => {
                    line.waiting.push_front(next);
                    rest.push_back(line);
                }
            }
        }
        self.lines = rest;
        group
    }
}

impl Turn {
    /// The next group; `None`, and the turn is over, when nobody waits.
    fn next(&mut self) -> Option<Group> {
        let mut queue = self.intake.queue();
        let group = queue.group();
        if group.is_empty() {
            queue.at_work -= 1;
            self.over = true;
            return None;
        }
        Some(group)
    }
}

impl Drop for Turn {
    /// Whoever broke off leaves nobody waiting for him: they are answered that they were not stored.
    fn drop(&mut self) {
        if !self.over {
            let mut queue = self.intake.queue();
            queue.at_work -= 1;
            queue.lines.clear();
        }
    }
}

impl Store {
    /// Takes a delivery in. Once this returns, it is committed.
    ///
    /// A caller that is dropped meanwhile may have been taken in; nobody else's delivery depends on him.
    ///
    /// # Errors
    /// When the database fails; the caller then answers 503 and the sender repeats.
    pub async fn receive(&self, delivery: &Delivery) -> Result<Received, StoreError> {
        let (answer, answered) = oneshot::channel();
        if let Some(turn) = self.intake.wait(Waiting { delivery: Box::new(delivery.clone()), answer })? {
            tokio::spawn(self.clone().take_in(turn));
        }
        answered.await.unwrap_or(Err(StoreError::NotTakenIn))
    }

    async fn take_in(self, mut turn: Turn) {
        while let Some(group) = turn.next() {
            self.take_in_group(group).await;
        }
    }

    /// Writes a group, and answers everybody in it, or lets those go on alone who cannot be written with others.
    async fn take_in_group(&self, group: Group) {
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            match plan::write(&self.steady, part.deliveries()).await {
                Ok(outcomes) => part.answer(outcomes).into_iter().for_each(|left| self.alone(left)),
                Err(error) => match Setback::of(&error) {
                    Setback::Refused if part.len() > 1 => parts.extend(part.halves()),
                    Setback::Refused | Setback::Blocked => part.into_members().for_each(|left| self.alone(left)),
                    Setback::Unclear => self.intake.fail(part, error),
                },
            }
        }
    }

    /// Takes deliveries in that carry the same key, one after the other, each in a transaction of its own; nobody waits
    /// for that but them.
    fn alone(&self, same: Vec<Waiting>) {
        let store = self.clone();
        tokio::spawn(async move {
            for waiting in same {
                let received = store.receive_tried(&waiting.delivery).await;
                waiting.tell(received);
            }
        });
    }

    async fn receive_tried(&self, delivery: &Delivery) -> Result<Received, StoreError> {
        for _ in 1..TRIES {
            match self.receive_alone(delivery).await {
                Err(error) if matches!(Setback::of(&error), Setback::Blocked) => {}
                received => return received,
            }
        }
        self.receive_alone(delivery).await
    }
}

impl Setback {
    fn of(error: &StoreError) -> Self {
        let StoreError::Database(sqlx::Error::Database(error)) = error else { return Self::Unclear };
        match error.code().as_deref() {
            // Serialization failure, deadlock, lock timeout.
            Some("40001" | "40P01" | "55P03") => Self::Blocked,
            // Cardinality, data, constraints, limits: surely rolled back, and the server goes on.
            Some(code) if ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)) => Self::Refused,
            _ => Self::Unclear,
        }
    }
}
