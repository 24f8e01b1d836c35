//! The audit log: a key to sign it, sealing that keeps up, and places that take its heads.

use jiff::SignedDuration;

use super::report::Said;
use crate::{
    clock::Clock,
    config::{Audit, Config},
    domain::{id::TicketId, proof::Checkpoint},
    outbound::Wire,
    publish::{self, Destination},
    store::{Head, SealState, Store, StoreError},
    tickets::{Connection, settings::ConnectionSettings},
};

/// `serve` seals each second; what waits longer than this is not sealed by anybody.
const SEALED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

pub(super) fn key(audit: &Audit) -> Said {
    match &audit.signing_key {
        Some(key) => Said::ok(format!("signs as {}; verifiers need {}", key.name(), key.verifier_key())),
        None => Said::warn(
            "audit.signing_key_file names no key: heads of the audit log are not signed and prove nothing to others; \
             `stint audit new-key` makes one",
        ),
    }
}

pub(super) async fn sealing(store: &Store, clock: &Clock) -> Said {
    match store.seal_state().await {
        Ok(state) => keeps_up(&state, clock),
        Err(error) => Said::fail(format!("the audit log cannot be read: {error}")),
    }
}

fn keeps_up(state: &SealState, clock: &Clock) -> Said {
    let waits = state.pending_since.map(|since| clock.now().duration_since(since));
    match waits {
        Some(waits) if waits > SEALED_WITHIN => Said::warn(format!(
            "{} events wait to be sealed, the oldest for {} s: is `serve` running with its worker?",
            state.pending,
            waits.as_secs()
        )),
        _ => Said::ok(format!("{} events are sealed, {} wait", state.size, state.pending)),
    }
}

/// Whether each place can be reached, as far as that can be asked without a change.
pub(super) async fn publication(config: &Config, store: &Store, wire: &Wire, clock: &Clock) -> Vec<Said> {
    let mut said = vec![];
    for destination in &config.audit.publish {
        said.push(match destination {
            Destination::File(path) => match publish::newest(path) {
                Ok(newest) => file(destination, newest, store).await,
                Err(error) => Said::fail(format!("{}: {error}", destination.name())),
            },
            Destination::Http { .. } => last(destination, store).await,
            Destination::Ticket { connection, ticket } => {
                let of = |settings: &&ConnectionSettings| settings.common.name == *connection;
                let Some(settings) = config.connections.iter().find(of) else { continue };
                let connection = Connection::new(settings.clone(), wire.clone(), clock.clone());
                ticket_of(destination, &connection, ticket, store).await
            }
        });
    }
    said
}

/// The head that stands in the file must be one of this log.
async fn file(destination: &Destination, newest: Option<Checkpoint>, store: &Store) -> Said {
    let name = destination.name();
    let Some(newest) = newest else { return last(destination, store).await };
    let head = Head { size: newest.size, root: newest.root };
    match store.has_head(head).await {
        Ok(true) => Said::ok(format!("{name} holds the head of {} events", head.size)),
        Ok(false) => Said::fail(format!(
            "{name} holds a head of {} events that this database's log does not go on from: it was changed, or an older \
             one was restored",
            head.size
        )),
        Err(error) => Said::fail(format!("{name} cannot be compared with the log: {error}")),
    }
}

/// Whether the ticket is there for notes.
async fn ticket_of(destination: &Destination, connection: &Connection, ticket: &TicketId, store: &Store) -> Said {
    let name = destination.name();
    if !connection.takes_notes() {
        return Said::fail(format!("{name}: this connection has no auth to write notes with"));
    }
    match connection.read(ticket).await {
        Ok(_) => last(destination, store).await,
        Err(error) => Said::fail(format!("{name}: the ticket cannot be read: {error}")),
    }
}

/// How the last try went, where asking would change something.
async fn last(destination: &Destination, store: &Store) -> Said {
    let name = destination.name();
    match store.publication_error(&name).await {
        Ok(Some(why)) => Said::fail(format!("{name}: the last head was not taken: {why}")),
        Ok(None) => Said::ok(format!("{name}: nothing is known against it")),
        Err(error) => Said::fail(format!("{name}: {}", unreadable(&error))),
    }
}

fn unreadable(error: &StoreError) -> String {
    format!("the database does not say how the last try went: {error}")
}
