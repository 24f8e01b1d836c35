//! The newest word of signed webhooks on tickets whose system cannot be asked.

use jiff_sqlx::ToSqlx;

use super::{Store, StoreError};
use crate::domain::{
    id::{ConnectionName, TicketId},
    ticket::{Standing, Ticket, Told},
};

impl Store {
    /// The ticket as last told; `None` when no webhook told of it.
    ///
    /// # Errors
    /// When the database fails or the row does not hold what it must.
    pub async fn told(&self, connection: &ConnectionName, ticket: &TicketId) -> Result<Option<Ticket>, StoreError> {
        let row = sqlx::query_scalar!(
            "-- store::told::told\nselect ticket from told_tickets where connection = $1 and ticket_id = $2",
            connection.as_str(),
            ticket.as_str(),
        );
        let row = row.fetch_optional(&self.pool).await?;
        let read = |value| {
            serde_json::from_value(value).map_err(|error| StoreError::bad("told_tickets", "ticket", ticket, error))
        };
        row.map(read).transpose()
    }
}

/// Keeps what a webhook told, unless a later word is there: webhooks arrive in any order. Of two words of the same moment
/// the one that ends the ticket stays.
pub(super) async fn keep(
    connection: &mut sqlx::PgConnection,
    name: &ConnectionName,
    told: &Told,
) -> Result<(), StoreError> {
    let ticket = document(told)?;
    sqlx::query!(
        "-- store::told::keep\n\
         insert into told_tickets (connection, ticket_id, ticket, told_at) values ($1, $2, $3, $4) \
         on conflict (connection, ticket_id) do update set ticket = excluded.ticket, told_at = excluded.told_at \
         where told_tickets.told_at < excluded.told_at or (told_tickets.told_at = excluded.told_at and $5)",
        name.as_str(),
        told.ticket.id.as_str(),
        ticket,
        told.at.to_sqlx(),
        told.ticket.standing == Standing::Closed,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// As the row keeps it.
pub(super) fn document(told: &Told) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(&told.ticket)
        .map_err(|error| StoreError::bad("told_tickets", "ticket", &told.ticket.id, error))
}
