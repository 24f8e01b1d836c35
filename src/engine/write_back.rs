//! Notes on tickets: once each, as people see it. A note that fails never delays access or its end.

use std::time::Duration as Wait;

use jiff::SignedDuration;
use tracing::{info, warn};

use super::{Desk, Engine, Ports, Records, retry};
use crate::{
    domain::duration::Duration,
    store::{DueNote, NoteResult},
    tickets::Note,
};

/// A note is tried this long.
const GIVE_UP_AFTER: Duration = Duration::hours(24);

impl<P: Ports> Engine<P> {
    /// Tries to write one note. From the second try on the ticket is searched for it first, since the first may have
    /// been written without an answer. It is not sent after this time of [`crate::clock::Clock::monotonic`]: its lease lapses,
    /// and another writes it.
    pub async fn write_note(&self, due: DueNote, not_after: Wait) {
        let result = self.try_note(&due, not_after).await;
        self.metrics.note(match &result {
            NoteResult::Written => "written",
            NoteResult::Later(..) => "later",
            NoteResult::GivenUp(_) => "given-up",
        });
        if let NoteResult::Later(_, why) | NoteResult::GivenUp(why) = &result {
            warn!(request = %due.request, step = due.step, why, "note not written");
        } else {
            info!(request = %due.request, step = due.step, "note written");
        }
        if let Err(problem) = self.store.conclude_note(&due, &result, self.clock.now()).await {
            warn!(request = %due.request, %problem, "a note's outcome is not recorded; it is searched for next time");
        }
    }

    async fn try_note(&self, due: &DueNote, not_after: Wait) -> NoteResult {
        let now = self.clock.now();
        let Some(connection) = self.connections.get(&due.connection) else {
            return NoteResult::Later(retry::parked(now), format!("no connection {}", due.connection));
        };
        let note = Note {
            ticket: due.ticket.clone(),
            key: format!("{}:{}", due.request, due.step),
            text: due.text.clone(),
            internal: connection.settings().internal_notes,
        };
        if !connection.takes_notes() {
            return NoteResult::GivenUp("this connection has no way to sign in, so it takes no notes".into());
        }
        let written = connection.write_note(&note, due.tries > 1, not_after).await;
        let Err(error) = self.heard(connection, written).await else { return NoteResult::Written };
        let now = self.clock.now();
        let again = retry::after_ticket_error(now, &error, due.tries.saturating_sub(1));
        let last = due.created_at + GIVE_UP_AFTER.signed().max(SignedDuration::ZERO);
        if again > last {
            return NoteResult::GivenUp(error.to_string());
        }
        NoteResult::Later(again, error.to_string())
    }
}
