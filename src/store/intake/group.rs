//! Deliveries that can be written together, and their senders, who wait for an answer.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::{
    StoreError,
    deliveries::{Delivery, Received},
};
use crate::domain::id::TicketId;

/// Deliveries in a group.
const MOST: usize = 64;

/// Bytes of their bodies together; a single one may be longer.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A delivery whose sender waits for an answer.
#[derive(Debug)]
pub(in crate::store) struct Waiting {
    pub delivery: Box<Delivery>,
    pub answer: oneshot::Sender<Result<Received, StoreError>>,
}

/// Deliveries of which no two carry the same key, or are about the same ticket: in whatever order they are written, the
/// outcome is that of one after the other.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Each with its copies, which came while it waited.
    members: Vec<Vec<Waiting>>,
    count: usize,
    bytes: usize,
}

impl Group {
    /// Takes one in, or gives it back: it must wait for a later group.
    pub(super) fn add(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let bytes = self.bytes + waiting.delivery.body.len();
        if self.count >= MOST || (bytes > MOST_BYTES && !self.is_empty()) {
            return Err(waiting);
        }
        let delivery = &waiting.delivery;
        let is_copy = |same: &&mut Vec<Waiting>| same[0].is_copy_of(delivery);
        if let Some(same) = self.members.iter_mut().find(is_copy) {
            same.push(waiting);
        } else if self.deliveries().any(|other| is_about_same(other, delivery)) {
            return Err(waiting);
        } else {
            self.members.push(vec![waiting]);
        }
        (self.count, self.bytes) = (self.count + 1, bytes);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many keys.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The first one of each key.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.members.iter().map(|same| &*same[0].delivery)
    }

    /// The second half, and the first.
    pub(super) fn halves(self) -> [Self; 2] {
        let mut first = self.members;
        let second = first.split_off(first.len() / 2);
        [second, first].map(|members| Self { members, ..Self::default() })
    }

    /// Each with its copies.
    pub(super) fn into_members(self) -> impl Iterator<Item = Vec<Waiting>> {
        self.members.into_iter()
    }

    /// Answers everybody whose outcome is known, and gives the others, each with its copies.
    pub(super) fn answer(self, outcomes: Vec<Option<Received>>) -> Vec<Vec<Waiting>> {
        let mut left = Vec::new();
        for (same, outcome) in self.members.into_iter().zip(outcomes) {
            match outcome {
                Some(received) => answer_all(same, received),
                None => left.push(same),
            }
        }
        left
    }

    /// Tells everybody that they may not be stored.
    pub(super) fn fail(self, error: StoreError) {
        let error = Arc::new(error);
        for waiting in self.members.into_iter().flatten() {
            waiting.tell(Err(StoreError::Group(Arc::clone(&error))));
        }
    }
}

impl Waiting {
    /// Whoever hung up needs no answer.
    pub(super) fn tell(self, received: Result<Received, StoreError>) {
        drop(self.answer.send(received));
    }

    fn is_copy_of(&self, delivery: &Delivery) -> bool {
        self.delivery.connection == delivery.connection && self.delivery.key == delivery.key
    }
}

/// A copy is told what a repeat is told.
fn answer_all(same: Vec<Waiting>, mut received: Received) {
    for waiting in same {
        waiting.tell(Ok(received.clone()));
        received = received.repeated();
    }
}

fn is_about_same(one: &Delivery, other: &Delivery) -> bool {
    one.connection == other.connection && ticket(one).is_some() && ticket(one) == ticket(other)
}

fn ticket(delivery: &Delivery) -> Option<&TicketId> {
    delivery.hint().map(|hint| &hint.ticket)
}
