//! What administrators and tests do with this desk: logins, faults, what reads show, and what is really there.
//!
//! Methods that name a ticket panic when the desk never had it: that is a mistake in the test, not in stint.

use jiff::Timestamp;

use super::super::fault::faults_and_calls;
use super::super::wire::{lock, plus_seconds, signed};
use super::model::State;
use super::{Desk, DeskFault, Note, Person};

faults_and_calls!(Desk, DeskFault);

impl Desk {
    /// The origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Adds or replaces a person.
    pub fn set_person(&self, person: Person) {
        lock(&self.state).people.insert(person.id.clone(), person);
    }

    /// From now on this bearer token may use the API.
    pub fn allow_bearer(&self, token: &str) {
        lock(&self.state).bearer.push(token.to_owned());
    }

    /// All logins are refused from now on.
    pub fn revoke_logins(&self) {
        lock(&self.state).bearer.clear();
    }

    /// Whether the desk offers `GET /tickets`; without, it is not found.
    pub fn offer_listing(&self, offered: bool) {
        lock(&self.state).listing = offered;
    }

    /// Whether the document says which round of approval a vote belongs to.
    pub fn name_rounds(&self, named: bool) {
        lock(&self.state).names_rounds = named;
    }

    /// From now on the listing has so many tickets on a page.
    pub fn page_by(&self, tickets: usize) {
        lock(&self.state).page_size = tickets.max(1);
    }

    /// From now on reads and whole deliveries leave the member out.
    pub fn hide(&self, id: &str, field: &str) {
        self.with(id, |state, index, _| state.tickets[index].hidden.insert(field.to_owned()));
    }

    /// Reads show the hidden member again.
    pub fn show(&self, id: &str, field: &str) {
        self.with(id, |state, index, _| state.tickets[index].hidden.remove(field));
    }

    /// For so many seconds, reads go on showing the ticket as it is now, whatever happens to it.
    pub fn stale_for(&self, id: &str, seconds: u64) {
        self.with(id, |state, index, now| {
            let ticket = &mut state.tickets[index];
            ticket.stale = None;
            ticket.stale = Some((plus_seconds(now, signed(seconds)), Box::new(ticket.clone())));
        });
    }

    /// All notes, oldest first.
    #[must_use]
    pub fn notes(&self, id: &str) -> Vec<Note> {
        self.with(id, |state, index, _| state.tickets[index].notes.clone())
    }

    #[expect(clippy::panic, reason = "a test that names a ticket the desk never had must hear of it at once")]
    pub(super) fn with<T>(&self, id: &str, act: impl FnOnce(&mut State, usize, Timestamp) -> T) -> T {
        let now = (self.now)();
        let mut state = lock(&self.state);
        match state.tickets.iter().position(|ticket| ticket.id == id) {
            Some(index) => act(&mut state, index, now),
            None => panic!("the sandbox's desk has no ticket {id:?}"),
        }
    }
}
