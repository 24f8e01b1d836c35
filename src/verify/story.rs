//! One request as its events tell it, move by move.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::{proof::ShownEvent, request::Status};

/// What the events so far say of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// Where it stands; `None` before its first event.
    pub status: Option<String>,
    /// When it was received.
    pub received_at: Option<Timestamp>,
    /// Its connection.
    pub connection: Option<String>,
    /// The tenant its last move names.
    pub tenant: Option<String>,
    /// Its ticket's immutable id.
    pub ticket: Fact,
    /// What was decided on.
    pub decision: Fact,
    /// The assignment as it was read back.
    pub assignment: Fact,
    /// How it came to end.
    pub end: Fact,
    /// Why it was refused, and when.
    pub reasons: Fact,
    /// When it was refused.
    pub refused_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Fact,
    /// Why it is held, while it is.
    pub hold: Fact,
    /// Digest of the ticket snapshot that its last move rests on.
    pub snapshot_digest: Option<String>,
    /// Its attempts as the log last told of them: as they were recorded, or as they were closed.
    pub attempts: BTreeMap<String, Value>,
    /// Its moves.
    pub moves: u64,
    /// Some events of it show no facts.
    pub details_missing: bool,
}

/// What events say of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Fact {
    /// Nothing.
    #[default]
    Absent,
    /// This.
    Told(Value),
    /// Something that was dropped after its time.
    Dropped,
}

impl Fact {
    fn of(detail: Option<&Value>) -> Self {
        detail.map_or(Self::Dropped, |detail| Self::Told(detail.clone()))
    }

    /// The member at this path, null where it has none; `None` when nobody can say.
    pub fn at(&self, path: &str) -> Option<Value> {
        match self {
            Self::Absent => Some(Value::Null),
            Self::Told(value) => Some(value.pointer(path).cloned().unwrap_or_default()),
            Self::Dropped => None,
        }
    }
}

impl Story {
    /// Takes the next event in.
    ///
    /// # Errors
    /// When it is a move that does not begin where the request stands.
    pub fn tell(&mut self, event: &ShownEvent) -> Result<(), String> {
        let (record, detail) = (&event.record, event.detail.as_ref());
        self.details_missing |= detail.is_none();
        let Some(to) = &record.state_to else {
            self.tell_attempt(event);
            return Ok(());
        };
        if record.state_from != self.status {
            let stood = |state: &Option<String>| state.clone().unwrap_or_else(|| "nothing".into());
            let (from, at) = (stood(&record.state_from), stood(&self.status));
            return Err(format!("a move is missing or doubled: it goes from {from}, the request stood at {at}"));
        }
        self.status = Some(to.clone());
        self.moves += 1;
        self.tenant.clone_from(&record.tenant);
        self.hold = Fact::Absent;
        self.snapshot_digest = text(detail, "/snapshot_digest");
        match (record.event.as_str(), to.as_str()) {
            ("received", _) => self.begin(event),
            ("approved" | "assigning", _) => self.decision = Fact::of(detail),
            ("rejected", _) => {
                self.reasons = detail.map_or(Fact::Dropped, |detail| Fact::Told(detail["reasons"].clone()));
                self.refused_at = Some(record.at);
            }
            ("active", _) => self.assignment = Fact::of(detail),
            ("failed", _) => self.failure = Fact::of(detail),
            ("held", _) => self.hold = Fact::of(detail),
            ("ended", _) => self.finish(detail),
            ("resumed", "ending") | ("verifying" | "resumed", _) => {}
            // The moves that are left order the end; where nothing was sent they are the end.
            (_, "ended") => {
                self.end = Fact::of(detail);
                let at = text(detail, "/ordered_at");
                self.finish(Some(&json!({ "confirmed_at": at })));
            }
            _ => self.end = Fact::of(detail),
        }
        Ok(())
    }

    /// Whether it is in a state that never changes.
    pub fn is_over(&self) -> bool {
        self.status.as_deref().and_then(Status::named).is_some_and(Status::is_terminal)
    }

    fn begin(&mut self, event: &ShownEvent) {
        self.received_at = Some(event.record.at);
        self.connection.clone_from(&event.record.connection);
        self.ticket = event.detail.as_ref().map_or(Fact::Dropped, |detail| Fact::Told(detail["ticket"].clone()));
    }

    /// The proof of its end joins the order.
    fn finish(&mut self, detail: Option<&Value>) {
        let Some(proved) = detail else { return self.end = Fact::Dropped };
        if let Fact::Told(order) = &mut self.end {
            order["confirmed_at"] = proved["confirmed_at"].clone();
            if let Some(others) = proved.get("continued_by") {
                order["continued_by"] = others.clone();
            }
        }
    }

    fn tell_attempt(&mut self, event: &ShownEvent) {
        let Some(id) = text(event.detail.as_ref(), "/id") else { return };
        if matches!(event.record.event.as_str(), "attempt-recorded" | "attempt-closed") {
            self.attempts.insert(id, event.detail.clone().unwrap_or_default());
        }
    }
}

fn text(detail: Option<&Value>, path: &str) -> Option<String> {
    detail?.pointer(path)?.as_str().map(str::to_owned)
}
