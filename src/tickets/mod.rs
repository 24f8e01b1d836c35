//! Ticket systems: who says that a ticket was approved, and who shows the ticket when asked.
//!
//! A delivery is proved by `signature`, which alone makes a [`VerifiedBody`]. A [`TicketSystem`] then says which ticket
//! it hints at; nothing else in it is believed. The ticket itself is read back by its immutable id, and stint's notes are
//! written on it, through `client`, the folder's one sender. [`Connection`] ties the three together for one configured
//! instance, and is all that others see.
//!
//! Vendor files are pure: bytes in, domain types out; domain types in, calls out. Where several calls are needed the
//! file is handed all answers so far and says what comes next. A new ticket system is one file and one line in
//! [`SYSTEMS`].
//!
//! Promised here: an answer that cannot be read is an error, never an absence or an approval; a note is sent at most
//! once for each try; no credential leaves for anywhere but the configured base URL. Left out: waiting and trying again,
//! which the engine does by the request's own row.

use std::{fmt, time::Duration as Elapsed};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    clock::Clock,
    domain::{
        id::{TicketId, TicketNumber},
        ticket::{Hint, Reading},
    },
    outbound::{Answer, Call, Wire},
};
use client::Client;
use settings::{Common, ConnectionSettings};

mod circuit;
mod client;
mod error;
mod jira;
pub mod kind;
mod oauth;
mod servicenow;
pub mod settings;
pub(crate) mod signature;
mod standard;

pub use circuit::Patience;
pub use error::{Retry, TicketError};
pub use kind::Kind;
pub use signature::{DeliveryHeaders, Unverified, VerifiedBody, verify};

/// No reading, no listing and no note needs more calls than this.
const MAX_CALLS: usize = 128;

/// The answers to one reading may not be longer than this together.
const MAX_ANSWERS: usize = 32 * 1024 * 1024;

/// Every kind of ticket system has its line here.
pub const SYSTEMS: &[&Kind] = &[&jira::KIND, &servicenow::KIND, &standard::KIND];

/// One kind of ticket system: how its deliveries read, how its tickets are read back, how notes are written. Pure.
///
/// The methods with `so_far` are given the answers to all calls they asked for, in order, and say the next call or the
/// result. They see answers of success, of 404 and of 413; every other one has become a [`TicketError`] before.
pub trait TicketSystem: fmt::Debug + Send + Sync {
    /// What a delivery says.
    ///
    /// # Errors
    /// [`NotHeard`] when it names no ticket of this kind of system.
    fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard>;

    /// Where its tickets come from. A ticket that is read back is what its system shows; otherwise it is what signed
    /// webhooks said of it.
    fn source(&self) -> Source {
        Source::ReadBack
    }

    /// How a refused credential is taken: some systems refuse one in passing.
    fn patience(&self) -> Patience {
        Patience::NONE
    }

    /// Whether a note that may be there already is written where stint may not look for it: then people may rarely see it
    /// twice, instead of not at all.
    fn writes_unseen(&self) -> bool {
        false
    }

    /// What of the ticket system this connection serves, such as a project: no other connection to the same address may
    /// serve it too, since an approval there would be asked for twice. `x` holds every `x of …`.
    fn territory(&self) -> Vec<String>;

    /// Reads a ticket back. Never asked where [`TicketSystem::source`] is [`Source::Webhooks`].
    ///
    /// # Errors
    /// When an answer cannot be read: then nothing is known.
    fn read(&self, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError>;

    /// The tickets that read as approved and changed within this window (`contracts/tickets.md` H10). More than those is
    /// harmless, since each is read back; fewer is not.
    ///
    /// # Errors
    /// When an answer cannot be read: then nothing is known.
    fn changed(&self, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError>;

    /// Writes a note; if it may be there already, looks for it first.
    ///
    /// # Errors
    /// When the note cannot be written, or nobody knows whether it was.
    fn write_note(&self, note: &Note, maybe_written: bool, so_far: &[Answer]) -> Result<Step<()>, TicketError>;
}

/// Where a connection's tickets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Read back from the ticket system.
    ReadBack,
    /// Only told by signed webhooks.
    Webhooks,
}

/// How far back changed tickets are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookback {
    /// Changes since this moment.
    pub since: Timestamp,
    /// The present.
    pub now: Timestamp,
}

impl Lookback {
    /// The window in whole minutes, rounded up: relative times need no time zone.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        let seconds = self.now.duration_since(self.since).as_secs().max(0);
        seconds.saturating_add(59) / 60
    }
}

/// A ticket in a list of changed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The immutable id by which it is read back.
    pub ticket: TicketId,
    /// Its number as listed.
    pub number: TicketNumber,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// Send this call and come back with its answer.
    Send(Call),
    /// The result.
    Done(T),
}

/// What a genuine delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Look at this ticket.
    Hint(Hint),
    /// Nothing for stint, and why.
    Ignored(String),
}

/// Why a genuine delivery says nothing that this kind of system could have meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// Not the JSON object that every delivery is.
    #[error("{0}")]
    Malformed(String),
    /// It names no ticket, or something that is no ticket number of this kind of system.
    #[error("{0}")]
    NotATicket(String),
}

/// What stint writes on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The ticket's immutable id.
    pub ticket: TicketId,
    /// `<request id>:<step>`; every note has its own.
    pub key: String,
    /// What it says, in plain text; lines become paragraphs.
    pub text: String,
    /// Whether it is hidden from customers.
    pub internal: bool,
}

impl Note {
    /// The text by which this note is found again.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("[stint:{}]", self.key)
    }

    /// The text as written: it ends with the marker.
    #[must_use]
    pub fn marked_text(&self) -> String {
        let marker = self.marker();
        let text = self.text.trim_end();
        let text = text.strip_suffix(&marker).unwrap_or(text).trim_end();
        format!("{text} {marker}").trim_start().to_owned()
    }
}

/// One configured ticket-system instance, ready to be heard, read and written to.
#[derive(Debug)]
pub struct Connection {
    settings: ConnectionSettings,
    client: Client,
    clock: Clock,
}

impl Connection {
    /// Sets out to serve this connection; calls nobody yet.
    #[must_use]
    pub fn new(settings: ConnectionSettings, wire: Wire, clock: Clock) -> Self {
        let client = Client::new(&settings, wire, clock.clone());
        Self { settings, client, clock }
    }

    /// What every kind of system has.
    #[must_use]
    pub fn settings(&self) -> &Common {
        &self.settings.common
    }

    /// Where its tickets come from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.system().source()
    }

    fn system(&self) -> &dyn TicketSystem {
        &*self.settings.system
    }

    /// Proves that a delivery comes from this connection's ticket system.
    ///
    /// # Errors
    /// [`Unverified`] when it does not.
    pub fn verify(&self, headers: &HeaderMap, body: Bytes) -> Result<VerifiedBody, Unverified> {
        verify(&self.settings.webhook, headers, body, self.clock.now())
    }

    /// What a delivery says.
    ///
    /// # Errors
    /// [`NotHeard`] when it names no ticket of this kind of system.
    pub fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard> {
        let heard = self.system().hear(body)?;
        if let Heard::Hint(Hint { told: Some(told), .. }) = &heard
            && told.at.duration_since(self.clock.now()) > self.settings.webhook.tolerance.signed()
        {
            // It would outlast every telling until then, a withdrawal among them.
            return Err(NotHeard::Malformed(format!("the ticket is told for a time to come, {}", told.at)));
        }
        Ok(heard)
    }

    /// Reads a ticket back by its immutable id.
    ///
    /// # Errors
    /// When it cannot be read whole: then nothing is known.
    pub async fn read(&self, ticket: &TicketId) -> Result<Reading, TicketError> {
        self.walk(Elapsed::MAX, |so_far| self.system().read(ticket, so_far)).await
    }

    /// The tickets that read as approved and changed within this window.
    ///
    /// # Errors
    /// When they cannot be listed whole.
    pub async fn changed(&self, window: &Lookback) -> Result<Vec<Listed>, TicketError> {
        self.walk(Elapsed::MAX, |so_far| self.system().changed(window, so_far)).await
    }

    /// Whether its credential was refused, and not taken since.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.client.is_stopped()
    }

    /// Whether notes can be written at all: there is a way to sign in.
    #[must_use]
    pub fn takes_notes(&self) -> bool {
        self.client.can_sign_in()
    }

    /// Writes a note. With `maybe_written` the ticket is searched for it first, because an earlier try may have
    /// succeeded without an answer. It is not sent after this time of [`Clock::monotonic`]: then another may write it.
    ///
    /// # Errors
    /// When it is not written, or nobody knows whether it is.
    pub async fn write_note(&self, note: &Note, maybe_written: bool, not_after: Elapsed) -> Result<(), TicketError> {
        let write = async |looks| self.walk(not_after, |so_far| self.system().write_note(note, looks, so_far)).await;
        match write(maybe_written).await {
            // Nothing was written by a call that is not permitted, so this may be the look alone.
            Err(TicketError::NotPermitted { .. }) if maybe_written && self.system().writes_unseen() => {
                write(false).await
            }
            written => written,
        }
    }

    /// Carries something through, unless the credential is known to be broken, and minds what that says about it.
    async fn walk<T>(
        &self,
        change_not_after: Elapsed,
        next: impl Fn(&[Answer]) -> Result<Step<T>, TicketError>,
    ) -> Result<T, TicketError> {
        let began = self.client.admit()?;
        let mut answers = Vec::new();
        let result = self.steps(change_not_after, next, &mut answers).await;
        let signed_in = match &result {
            Ok(_) => !answers.is_empty(),
            Err(error) => matches!(error, TicketError::NotPermitted { .. } | TicketError::Absent | TicketError::Full),
        };
        if signed_in {
            self.client.accepted(began);
        }
        result
    }

    /// Sends call after call until the vendor file has its result.
    async fn steps<T>(
        &self,
        change_not_after: Elapsed,
        next: impl Fn(&[Answer]) -> Result<Step<T>, TicketError>,
        answers: &mut Vec<Answer>,
    ) -> Result<T, TicketError> {
        let mut length = 0;
        while answers.len() < MAX_CALLS && length <= MAX_ANSWERS {
            match next(answers)? {
                Step::Done(result) => return Ok(result),
                Step::Send(call) => answers.push(self.client.send(&call, change_not_after).await?),
            }
            length += answers.last().map_or(0, |answer| answer.body.len());
        }
        Err(TicketError::bad("more answers than any ticket needs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Note {
        Note { ticket: TicketId::new("10482"), key: "r1:granted".into(), text: text.into(), internal: true }
    }

    #[test]
    fn the_text_of_a_note_ends_with_its_marker_exactly_once() {
        assert_eq!(note("Granted.").marked_text(), "Granted. [stint:r1:granted]");
        assert_eq!(note("Granted. [stint:r1:granted]\n").marked_text(), "Granted. [stint:r1:granted]");
        assert_eq!(note("").marked_text(), "[stint:r1:granted]");
        assert_eq!(note("[stint:r1:ended]").marked_text(), "[stint:r1:ended] [stint:r1:granted]");
    }
}
