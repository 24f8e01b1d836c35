//! Ticket systems, as the engine uses them.

use std::time::Duration;

use super::port;
use crate::{
    domain::{id::TicketId, ticket::Reading},
    tickets::{Connection, Listed, Lookback, Note, Source, TicketError, settings::Common},
};

port! {
    /// One connection to a ticket system.
    trait Desk is Connection;

    async fn read(ticket: &TicketId) -> Result<Reading, TicketError>;
    async fn changed(window: &Lookback) -> Result<Vec<Listed>, TicketError>;
    async fn write_note(note: &Note, maybe_written: bool, not_after: Duration) -> Result<(), TicketError>;

    fn settings() -> &Common;
    fn source() -> Source;
    fn is_stopped() -> bool;
    fn takes_notes() -> bool;
}
