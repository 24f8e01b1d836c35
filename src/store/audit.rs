//! Appending to the audit log, always inside the transaction of what it tells.

use jiff_sqlx::ToSqlx;

use super::StoreError;
use crate::domain::{audit::AuditEvent, id::RequestId, request::Status};

/// What an event concerns.
pub(super) struct About<'a> {
    pub request: Option<RequestId>,
    pub connection: Option<&'a str>,
    pub tenant: Option<&'a str>,
}

pub(super) async fn append(
    connection: &mut sqlx::PgConnection,
    about: &About<'_>,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let from = event.moved.and_then(|(from, _)| from).map(Status::as_str);
    let to = event.moved.map(|(_, to)| to.as_str());
    sqlx::query!(
        "-- store::audit::append\n\
         insert into audit_events (at, request_id, connection, tenant, event, actor, state_from, state_to, detail) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        event.at.to_sqlx(),
        about.request.map(|id| id.0),
        about.connection,
        about.tenant,
        event.event,
        event.actor.to_string(),
        from,
        to,
        event.detail,
    )
    .execute(connection)
    .await?;
    Ok(())
}
