//! What answers say about a connection's credential: one finding for as long as it is refused, and none of what waits for
//! it forgotten once it is taken again.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::{info, warn};

use super::{Desk, Engine, Ports, Records};
use crate::{
    domain::{
        id::{ConnectionName, TicketId},
        ticket::Reading,
    },
    store::{NewFinding, StoreError},
    tickets::TicketError,
};

/// The finding that a connection's credential is refused; also the hold of what waits for it.
const CREDENTIAL: &str = "ticket-credential";

/// The database is told again after this long that a connection works: another process may have raised a finding.
const TELL_AGAIN: SignedDuration = SignedDuration::from_mins(10);

impl<P: Ports> Engine<P> {
    /// Reads a ticket back, minding what the answer says about the connection.
    pub(super) async fn ask_for_ticket(&self, connection: &P::Desk, ticket: &TicketId) -> Result<Reading, TicketError> {
        let reading = connection.read(ticket).await;
        self.heard(connection, reading).await
    }

    /// Minds what an answer says about its connection: one finding for as long as the credential is refused.
    pub(super) async fn heard<T>(
        &self,
        connection: &P::Desk,
        answer: Result<T, TicketError>,
    ) -> Result<T, TicketError> {
        let name = &connection.settings().name;
        let noted = match &answer {
            // Only a refusal just heard: whoever was not let call knows nothing new, and another may have been taken since.
            Err(TicketError::Credential) => self.credential_refused(name).await,
            Ok(_) if !connection.is_stopped() => self.credential_taken(name).await,
            _ => Ok(()),
        };
        if let Err(problem) = noted {
            warn!(connection = %name, %problem, "a finding is not recorded");
        }
        answer
    }

    async fn credential_refused(&self, name: &ConnectionName) -> Result<(), StoreError> {
        self.works().remove(name);
        let detail =
            json!({ "what": "the ticket system refuses stint's credential; what rests on this connection waits" });
        let finding = NewFinding { kind: CREDENTIAL, detail };
        if self.store.raise_of_connection(name, &finding, self.clock.now()).await? {
            warn!(connection = %name, "the ticket system refuses stint's credential; the connection is stopped");
        }
        Ok(())
    }

    /// The database is told once that the connection works, and not with each answer.
    async fn credential_taken(&self, name: &ConnectionName) -> Result<(), StoreError> {
        let now = self.clock.now();
        let told = self.works().get(name).copied();
        if told.is_some_and(|told| now.duration_since(told) < TELL_AGAIN) {
            return Ok(());
        }
        if self.store.clear_of_connection(name, CREDENTIAL, now).await? {
            info!(connection = %name, "the ticket system takes stint's credential again");
            self.wake.notify_one();
        }
        self.works().insert(name.clone(), now);
        Ok(())
    }

    fn works(&self) -> MutexGuard<'_, HashMap<ConnectionName, Timestamp>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
