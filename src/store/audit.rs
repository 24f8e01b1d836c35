//! Appending to the audit log, always inside the transaction of what it tells.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Store, StoreError};
use crate::domain::{
    audit::{Actor, AuditEvent, digest},
    id::RequestId,
    request::Status,
};

/// What an event concerns.
pub(super) struct About<'a> {
    pub request: Option<RequestId>,
    pub connection: Option<&'a str>,
    pub tenant: Option<&'a str>,
}

pub(super) async fn append(
    connection: &mut PgConnection,
    about: &About<'_>,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let from = event.moved.and_then(|(from, _)| from).map(Status::as_str);
    let to = event.moved.map(|(_, to)| to.as_str());
    let digest = digest(&event.detail);
    sqlx::query!(
        "-- store::audit::append\n\
         with event as (insert into audit_events \
         (at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id), \
         detail as (insert into audit_details (event_id, detail) select id, $10 from event) \
         insert into audit_pending (event_id) select id from event",
        event.at.to_sqlx(),
        about.request.map(|id| id.0),
        about.connection,
        about.tenant,
        event.event,
        event.actor.to_string(),
        from,
        to,
        digest.as_slice(),
        event.detail,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Somebody read history.
#[derive(Clone, Debug)]
pub struct HistoryRead<'a> {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: &'a Actor,
    /// The request that was read, where it was one.
    pub request: Option<RequestId>,
    /// The one tenant whose history it was, where it was one's.
    pub tenant: Option<&'a str>,
    /// What was read, such as `requests`.
    pub what: &'static str,
    /// What it was narrowed down to.
    pub filter: Value,
    /// How many entries were given out.
    pub count: u64,
}

/// How far an export has come, as the log tells it.
#[derive(Clone, Debug)]
pub enum ExportStep<'a> {
    /// It is about to give out its first byte.
    Begun,
    /// Every record was given out; its closing line follows.
    Ended {
        /// How many records.
        count: u64,
        /// sha256 of what was written of them, in lower-case hex.
        sha256: &'a str,
    },
    /// It stopped before its end, so that no closing line was given out.
    Broken {
        /// How many records were written by then.
        count: u64,
        /// Why.
        why: &'a str,
    },
}

impl Store {
    /// Records how far an export has come: its filter, and with its end what was given out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_export(
        &self,
        at: Timestamp,
        actor: &Actor,
        export: &Value,
        step: &ExportStep<'_>,
    ) -> Result<(), StoreError> {
        let mut detail = export.clone();
        let event = match step {
            ExportStep::Begun => "export-begun",
            ExportStep::Ended { count, sha256 } => {
                (detail["count"], detail["sha256"]) = (json!(count), json!(sha256));
                "export-ended"
            }
            ExportStep::Broken { count, why } => {
                (detail["count"], detail["why"]) = (json!(count), json!(why));
                "export-broken"
            }
        };
        let event = AuditEvent { at, event, actor: actor.clone(), moved: None, detail };
        let about = About { request: None, connection: None, tenant: None };
        append(&mut *self.pool.acquire().await?, &about, &event).await
    }

    /// Records that somebody read history. What was read may be given out once this returns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_reading(&self, read: &HistoryRead<'_>) -> Result<(), StoreError> {
        note(&mut *self.pool.acquire().await?, read).await
    }
}

/// Records that somebody read history.
pub(super) async fn note(connection: &mut PgConnection, read: &HistoryRead<'_>) -> Result<(), StoreError> {
    let event = AuditEvent {
        at: read.at,
        event: "history-read",
        actor: read.actor.clone(),
        moved: None,
        detail: json!({ "what": read.what, "filter": read.filter, "count": read.count }),
    };
    let about = About { request: read.request, connection: None, tenant: read.tenant };
    append(connection, &about, &event).await
}
