//! Everything this desk remembers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::super::call::Calls;
use super::super::fault::Queue;
use super::{DeskFaultKind, DeskOn};

/// Somebody the desk knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The immutable id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Absent when the desk keeps it to itself.
    pub email: Option<String>,
}

impl Person {
    /// A person with a visible address.
    #[must_use]
    pub fn new(id: &str, name: &str, email: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), email: Some(email.to_owned()) }
    }
}

/// A note on a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The writer's own name for it; a second note of the same key is the first one again.
    pub key: String,
    /// The text.
    pub text: String,
    /// When it was written.
    pub created: Timestamp,
}

pub(super) struct State {
    pub(super) people: BTreeMap<String, Person>,
    pub(super) tickets: Vec<TicketState>,
    pub(super) bearer: Vec<String>,
    pub(super) faults: Queue<DeskOn, DeskFaultKind>,
    pub(super) calls: Calls,
    /// Whether the desk offers `GET /tickets`.
    pub(super) listing: bool,
    /// Whether the document says which round a vote belongs to.
    pub(super) names_rounds: bool,
    /// Tickets on one page of it.
    pub(super) page_size: usize,
    next_id: u64,
}

#[derive(Clone)]
pub(super) struct TicketState {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) status: &'static str,
    pub(super) requester: String,
    pub(super) created_by: String,
    /// Every other text by its name in the document; an unset one is null.
    pub(super) fields: BTreeMap<String, Value>,
    pub(super) window: (Option<String>, Option<String>),
    pub(super) approvals: Vec<Approval>,
    /// Which round of approval it is in.
    pub(super) round: u32,
    /// So many of the open round must approve.
    pub(super) needed: usize,
    /// Oldest first.
    pub(super) notes: Vec<Note>,
    pub(super) updated: Timestamp,
    /// When a principal, entitlement, duration or window last changed.
    pub(super) fields_changed: Timestamp,
    pub(super) status_changed: Timestamp,
    pub(super) hidden: BTreeSet<String>,
    pub(super) deleted: bool,
    /// Until then, reads show this older state.
    pub(super) stale: Option<(Timestamp, Box<Self>)>,
}

/// One approver's decision in one round.
#[derive(Clone)]
pub(super) struct Approval {
    pub(super) id: String,
    pub(super) approver: String,
    pub(super) decision: &'static str,
    pub(super) decided: Option<Timestamp>,
    /// The round it belongs to; a reopening begins the next one, and earlier rounds count no more.
    pub(super) round: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            people: BTreeMap::new(),
            tickets: Vec::new(),
            bearer: Vec::new(),
            faults: Queue::default(),
            calls: Calls::default(),
            listing: true,
            names_rounds: false,
            page_size: 50,
            next_id: 8841,
        }
    }
}

impl State {
    pub(super) fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The ticket as a read shows it now.
    pub(super) fn shown(&self, id: &str, now: Timestamp) -> Option<&TicketState> {
        self.tickets.iter().find(|ticket| ticket.id == id)?.shown(now)
    }

    /// The ticket as it is, for a write.
    pub(super) fn live(&mut self, id: &str) -> Option<&mut TicketState> {
        self.tickets.iter_mut().find(|ticket| ticket.id == id && !ticket.deleted)
    }

    /// The id of some ticket that the path does not name.
    pub(super) fn other_than(&self, path: &[&str]) -> String {
        let other = self.tickets.iter().find(|ticket| !path.contains(&ticket.id.as_str()));
        other.map_or_else(String::new, |ticket| ticket.id.clone())
    }
}

impl TicketState {
    pub(super) fn shown(&self, now: Timestamp) -> Option<&Self> {
        let shown = match &self.stale {
            Some((until, before)) if now < *until => before,
            _ => self,
        };
        (!shown.deleted).then_some(shown)
    }

    pub(super) fn move_to(&mut self, status: &'static str, now: Timestamp) {
        self.updated = now;
        if self.status != status {
            self.status = status;
            self.status_changed = now;
        }
    }
}
